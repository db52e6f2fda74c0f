package pvesim

import (
	"cmp"
	"fmt"
	"time"
)

// haCurrent shows quorum, fencing, the manager, the nodes and each service. Without a manager there are no lines of nodes,
// and a service that is not ignored waits in state queued (15/070).
func haCurrent(c *call) (any, error) {
	status := "OK"
	if !c.w.quorate(c.entry) {
		status = "No quorum on node '" + c.entry + "'!"
	}
	armed, watchdog := "standby", "standby"
	if c.w.HAManager && c.w.hasActive() {
		armed, watchdog = "armed", "active"
	}
	list := []fields{
		{{"id", "quorum"}, {"type", "quorum"}, {"node", c.entry}, {"status", status}, {"quorate", bit(c.w.quorate(c.entry))}},
		{{"id", "fencing"}, {"type", "fencing"}, {"node", c.entry}, {"status", armed + " (CRM watchdog " + watchdog + ")"}, {"armed-state", armed}},
	}
	list = append(list, c.haDaemons()...)
	for _, r := range c.w.Cluster.Lists["ha_resources"] {
		list = append(list, c.haServiceLine(r))
	}
	return list, nil
}

// hasActive is whether any service is under the manager's care: then it and the nodes use their watchdogs.
func (w *World) hasActive() bool { return len(w.ha.services) > 0 }

// haServiceLine is the line of a service. What of it has a default is shown with it.
func (c *call) haServiceLine(r Object) fields {
	sid, node := text(r["sid"]), ""
	if g := c.w.haService(sid); g != nil {
		node = g.Node
	}
	f := fields{{"id", "service:" + sid}, {"sid", sid}, {"type", "service"}}
	s := c.w.ha.services[sid]
	if s != nil {
		node = s.node
		f.add("crm_state", s.state)
	}
	state := c.w.verbose(s, r)
	if node != "" {
		f.add("node", node)
	}
	f = append(f, field{"state", state}, field{"request_state", haRequest(r)}, field{"status", fmt.Sprintf("%s (%s, %s)", sid, cmp.Or(node, "---"), state)},
		field{"max_restart", orOne(r["max_restart"])}, field{"max_relocate", orOne(r["max_relocate"])}, field{"failback", orOne(r["failback"])})
	if v, ok := r["comment"]; ok {
		f.add("comment", v)
	}
	return f
}

func orOne(v any) any {
	if v == nil {
		return 1
	}
	return v
}

// verbose is the state of a service for people: what is about to happen shows at once.
func (w *World) verbose(s *haService, r Object) string {
	want := haRequest(r)
	switch g := w.haService(text(r["sid"])); {
	case want == "ignored":
		return want
	case g == nil:
		return "not found"
	case s == nil:
		return "queued"
	case s.state == haStopped && want == "started":
		return "starting"
	case s.state == haStopped && want == "disabled":
		return want
	case s.state == haStarted && want != "started":
		return "stopping"
	case s.state == haStarted && !g.Live.Running && w.ha.nodes[s.node] == nodeOnline: // of a node that is off nothing new is known
		return "starting"
	case s.state == haError && want == "disabled":
		return "clearing error flag"
	}
	return s.state
}

// Of a daemon that has not told anything for deadAfter its status says that it may be dead.
const deadAfter = 30 * time.Second

// haDaemons are the lines of the manager and of each node's part of it.
func (c *call) haDaemons() []fields {
	m := &c.w.ha
	if !c.w.HAManager || m.master == "" {
		return nil
	}
	tell := func(at time.Time, status string) string {
		if c.now.Sub(at) > deadAfter {
			status = "old timestamp - dead?"
		}
		return status + ", " + at.Format(time.ANSIC)
	}
	list := []fields{{{"id", "master"}, {"type", "master"}, {"node", m.master}, {"status", m.master + " (" + tell(c.now, c.w.crmWord()) + ")"},
		{"timestamp", c.now.Unix()}}}
	for _, n := range c.w.Nodes {
		at, word := c.now, "idle"
		if c.w.lrmState(n.Name) == "active" {
			word = "active"
		}
		if !n.Online {
			at = c.w.lastSeen(n)
		}
		list = append(list, fields{{"id", "lrm:" + n.Name}, {"type", "lrm"}, {"node", n.Name}, {"status", n.Name + " (" + tell(at, word) + ")"},
			{"timestamp", at.Unix()}})
	}
	return list
}

// crmWord is idle for a manager that has nothing to manage.
func (w *World) crmWord() string {
	if w.hasActive() {
		return "active"
	}
	return "idle"
}

// lastSeen is when a node that is off was there last.
func (w *World) lastSeen(n *Node) time.Time {
	if n.DownSince.IsZero() {
		return n.Booted
	}
	return n.DownSince
}

// lrmState is active on nodes with services.
func (w *World) lrmState(node string) string {
	if w.hasServices(node) {
		return "active"
	}
	return "wait_for_agent_lock"
}

func haStatus(c *call) (any, error) {
	w := c.w
	quorum := Object{"node": c.entry, "quorate": text(bit(w.quorate(c.entry)))}
	if !w.HAManager {
		return Object{"manager_status": Object{"node_status": Object{}}, "quorum": quorum}, nil
	}
	nodes, services, lrm := Object{}, Object{}, Object{}
	for _, n := range w.Nodes {
		nodes[n.Name] = w.ha.nodes[n.Name]
		at := c.now
		if !n.Online {
			at = w.lastSeen(n)
		}
		lrm[n.Name] = Object{"mode": "active", "results": Object{}, "state": w.lrmState(n.Name), "timestamp": at.Unix()}
	}
	for sid, s := range w.ha.services {
		o := Object{"node": s.node, "state": s.state, "uid": s.uid}
		if g := w.haService(sid); g != nil && g.Live.Running {
			o["running"] = 1
		}
		if s.target != "" && (s.state == haMigrate || s.state == haRelocate) {
			o["target"] = s.target
		}
		services[sid] = o
	}
	return Object{"manager_status": Object{"master_node": w.ha.master, "node_status": nodes, "service_status": services, "timestamp": c.now.Unix()},
		"lrm_status": lrm, "quorum": quorum}, nil
}

// haInfo is the key ha of status/current: the state is null until the manager has one (15/060).
func (c *call) haInfo(g *Guest, r Object) Object {
	if haRequest(r) == "ignored" {
		return Object{"managed": 0}
	}
	return Object{"managed": 1, "state": c.haState(g)}
}

// haState is the key hastate of cluster/resources, nil without a manager's word.
func (c *call) haState(g *Guest) any {
	r := c.w.haResource(g)
	if haRequest(r) == "ignored" {
		return "ignored"
	}
	if s := c.w.ha.services[text(r["sid"])]; s != nil {
		return s.state
	}
	return nil
}
