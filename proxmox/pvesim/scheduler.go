package pvesim

import (
	"cmp"
	"slices"
	"time"
)

// scheduler is pvescheduler: on each node it looks once a minute for jobs whose time has come. Here one event stands for
// the next minute at which any node has something to do, so a world with no job to run costs nothing.
type scheduler struct {
	on    bool
	since time.Time // what never ran counts as having run then
	event *event
}

// jobRun is what a node remembers of a job: when it last ran, and as what.
type jobRun struct {
	at   time.Time
	task *Task
}

// duty is one thing that a node runs by a schedule.
type duty struct {
	id       string
	schedule string
	// missed runs are made up for when the node comes back.
	repeats bool
	run     func(*Node) *Task
	// at is when it runs next, where that does not follow from the schedule.
	at time.Time
}

// startScheduler begins to look for jobs. In recorded worlds none fire (README.md of the recordings, section 7).
func (w *World) startScheduler() {
	w.scheduler = scheduler{on: !w.recorded, since: w.Now()}
	w.planJobs()
}

// schedulerTime is a time by the clock of a node, which schedules are in.
func (w *World) schedulerTime(node string, at time.Time) time.Time {
	if n := w.Node(node); n != nil {
		return n.local(at)
	}
	return at.UTC()
}

// duties are what a node has to run.
func (w *World) duties(n *Node) []duty {
	if s := n.service("pvescheduler"); s != nil && s["active-state"] != "active" {
		return nil
	}
	return append(append(w.backupDuties(n), w.replicationDuties(n)...), w.syncDuties(n)...)
}

// dueAt is when a node will run a duty, zero for never.
func (w *World) dueAt(n *Node, d duty) time.Time {
	if !d.at.IsZero() {
		return d.at
	}
	cal, err := parseCalendar(d.schedule)
	if err != nil {
		return time.Time{}
	}
	last := n.runs[d.id].at
	if last.IsZero() {
		last = w.scheduler.since
	}
	return cal.next(n.local(last))
}

// schedulerStep is how often the real one looks.
const schedulerStep = time.Minute

// planJobs plans the next look at the jobs; what changes jobs, nodes or runs calls it.
func (w *World) planJobs() {
	if !w.scheduler.on {
		return
	}
	w.cancel(w.scheduler.event)
	w.scheduler.event = nil
	var first time.Time
	for _, n := range w.Nodes {
		if !n.Online {
			continue
		}
		for _, d := range w.duties(n) {
			if at := w.dueAt(n, d); !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	if first.IsZero() {
		return
	}
	now := w.Now()
	if !first.After(now) { // its time has passed: the next look finds it
		first = now.Truncate(schedulerStep).Add(schedulerStep)
	}
	w.scheduler.event = w.schedule(first.Sub(now), w.runJobs)
}

// runJobs is the look of all nodes: each runs what is due, in the order of the ids.
func (w *World) runJobs() {
	now := w.Now()
	for _, n := range w.Nodes {
		if !n.Online || !w.quorate(n.Name) { // the configuration cannot be locked without quorum
			continue
		}
		list := w.duties(n)
		slices.SortFunc(list, func(a, b duty) int { return cmp.Compare(a.id, b.id) })
		for _, d := range list {
			at := w.dueAt(n, d)
			if t := n.runs[d.id].task; at.IsZero() || at.After(now) || t != nil && t.Running() {
				continue
			}
			n.noteRun(d.id, jobRun{at: now, task: d.run(n)})
		}
	}
	w.planJobs()
}

func (n *Node) noteRun(id string, r jobRun) {
	if n.runs == nil {
		n.runs = map[string]jobRun{}
	}
	n.runs[id] = r
}

// firstRound is what a node does with the jobs that it missed while it was off: it forgets them, but for those that
// are to be repeated.
func (w *World) firstRound(n *Node) {
	for _, d := range w.duties(n) {
		if !d.repeats {
			n.noteRun(d.id, jobRun{at: w.Now()})
		}
	}
}

// jobChanged makes a job count from now on, as its state file does after a change of its schedule.
func (w *World) jobChanged(id string) {
	for _, n := range w.Nodes {
		n.noteRun(id, jobRun{at: w.Now()})
	}
	w.planJobs()
}

// backupDuties are the backup jobs that are switched on, on a node.
func (w *World) backupDuties(n *Node) []duty {
	var list []duty
	for _, j := range w.Cluster.Lists[backupJobs] {
		if node := text(j["node"]); node != "" && node != n.Name || has(j, "enabled") && !truth(j["enabled"]) {
			continue
		}
		list = append(list, duty{id: text(j["id"]), schedule: text(j["schedule"]), repeats: truth(j["repeat-missed"]),
			run: func(n *Node) *Task { return w.runBackupJob(n, j) }})
	}
	return list
}

// runBackupJob starts the task of a job on a node, nil where none of its guests is there.
func (w *World) runBackupJob(n *Node, j Object) *Task {
	params := map[string]any{"quiet": "1"}
	takes := tables().methods["POST /nodes/{node}/vzdump"]
	for key, v := range j {
		s := takes.find(key)
		if s == nil {
			continue
		}
		if o, ok := v.(Object); ok {
			p := props{}
			for k, v := range o {
				p[k] = text(v)
			}
			v = printProperty(s.object(), p)
		}
		params[key] = v
	}
	c := &call{w: w, node: n, id: identity{user: rootUser}, params: params, now: w.Now()}
	return n.task(c.startDump(func(string) bool { return true }))
}
