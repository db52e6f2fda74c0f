package pvesim

import "time"

// tasksPerNode is how many tasks of a node cluster/tasks holds (faults.md 3.4): running ones first.
const tasksPerNode = 25

func clusterTasks(c *call) (any, error) {
	all := c.may("/", "Sys.Audit")
	list := []fields{}
	for _, n := range c.w.Nodes {
		for _, t := range n.recent() {
			if !c.w.hides(t) && (all || t.User == c.id.name()) {
				list = append(list, t.clusterRow(n.latest == t && c.now.Sub(t.changed()) < StatInterval))
			}
		}
	}
	return list, nil
}

func (n *Node) recent() []*Task {
	var list []*Task
	for _, t := range n.Tasks {
		if t.Running() {
			list = append(list, t)
		}
	}
	for _, t := range n.Tasks {
		if len(list) >= tasksPerNode {
			break
		}
		if !t.Running() {
			list = append(list, t)
		}
	}
	return list
}

// changed is when the task began or ended.
func (t *Task) changed() time.Time {
	if t.Running() {
		return t.Start
	}
	return t.End
}

// clusterRow is the task in cluster/tasks: running ones have neither status nor endtime (facts 33). The mark saved is a
// number in the entry that made its node send the list, and a string in those that were read from its file (10/099).
func (t *Task) clusterRow(latest bool) fields {
	f := fields{{"upid", t.UPID}, {"node", t.Node}, {"type", t.Type}, {"id", t.ID}, {"user", t.User}, {"starttime", t.Start.Unix()}}
	if t.TokenID != "" {
		f.add("tokenid", t.TokenID)
	}
	switch {
	case t.Running():
		f.add("pid", t.PID)
		if !latest {
			f.add("saved", "0")
		}
		return f
	case latest:
		f.add("saved", 1)
	default:
		f.add("saved", "1")
	}
	f.add("endtime", t.End.Unix())
	f.add("status", t.Exit)
	return f
}
