package pvesim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// The times of the HA manager (pve-ha-manager): it looks around once in haInterval; a node that is gone is to be fenced after
// fenceDelay, and counts as fenced when its own lock has run out and its watchdog has reset it.
const (
	haInterval = 10 * time.Second
	fenceDelay = 60 * time.Second
	fenceTime  = 120 * time.Second
)

// States of services, as the manager has them.
const (
	haStopped      = "stopped"
	haRequestStop  = "request_stop"
	haRequestStart = "request_start"
	haStarted      = "started"
	haFence        = "fence"
	haRecovery     = "recovery"
	haMigrate      = "migrate"
	haRelocate     = "relocate"
	haError        = "error"
)

// haStop is an order beside haMigrate and haRelocate.
const haStop = "stop"

// States of nodes.
const (
	nodeOnline  = "online"
	nodeUnknown = "unknown"
	nodeFence   = "fence"
)

// haManager is what the manager of the cluster knows. It acts in rounds, and only while there is something to do: what
// else happens in the world wakes it, so that a world at rest costs nothing.
type haManager struct {
	master   string
	nodes    map[string]string // their states
	services map[string]*haService
	orders   []haOrder
	held     map[string]time.Time // services that are left alone until then (F26)
	round    *event
	at       time.Time // of the last round
	moved    bool      // whether this round changed anything
}

// haOrder is a command for the manager: it takes it at its next round.
type haOrder struct {
	sid, what, node string
	hard            bool // stop at once, without asking the guest
}

// hold leaves a service alone for a while.
func (m *haManager) hold(sid string, until time.Time) {
	if m.held == nil {
		m.held = map[string]time.Time{}
	}
	m.held[sid] = until
}

func (w *World) orderHA(o haOrder) {
	w.ha.orders = append(w.ha.orders, o)
	w.askHA(o.sid)
}

// startHA gives the manager of a new world its knowledge: it has been at work before.
func (w *World) startHA() {
	if !w.HAManager {
		return
	}
	w.ha.services = map[string]*haService{}
	w.lookAtNodes()
	for _, r := range w.Cluster.Lists["ha_resources"] {
		if s := w.newService(r); s != nil {
			w.ha.services[s.sid] = s
		}
	}
	w.ha.at = w.Now()
	w.wakeHA()
}

// wakeHA plans the next round, at one of the times at which the manager looks around anyway.
func (w *World) wakeHA() {
	if !w.HAManager || w.ha.round != nil || len(w.Cluster.Lists["ha_resources"]) == 0 && len(w.ha.services) == 0 {
		return
	}
	w.planRound(0)
}

// planRound plans the first round that is at least d away. Rounds never come twice at one time, which they could where a
// clock stands still and events happen early.
func (w *World) planRound(d time.Duration) {
	every, now := w.scaled(haInterval), w.Now()
	from := now.Add(d)
	if w.ha.at.After(from) {
		from = w.ha.at
	}
	past := (from.Sub(w.TakenAt)%every + every) % every
	w.ha.round = w.schedule(from.Add(every-past).Sub(now), w.haRound)
}

// haRound is one round of the manager: it looks at the nodes, takes orders and brings each service a step on. It comes
// again while that changed anything, or when a node is due to be fenced.
func (w *World) haRound() {
	m := &w.ha
	m.round, m.at, m.moved = nil, w.Now(), false
	due := w.lookAtNodes()
	if m.master == "" {
		return
	}
	w.knowServices()
	w.takeOrders()
	for _, sid := range slices.Sorted(maps.Keys(m.services)) {
		if !m.held[sid].After(w.Now()) {
			w.serviceStep(m.services[sid])
		}
	}
	for sid, until := range m.held {
		if until.After(w.Now()) {
			due = sooner(due, until.Sub(w.Now()))
		} else {
			delete(m.held, sid)
		}
	}
	switch {
	case m.moved:
		w.planRound(0)
	case due > 0 && due < haNever/2:
		w.planRound(due)
	}
}

// sooner is the shorter of two times of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b < a {
		return b
	}
	return a
}

// lookAtNodes brings the states of nodes up to date, and gives the time until one of them will change by itself. The
// first node that is there and has quorum is the master.
func (w *World) lookAtNodes() (due time.Duration) {
	m := &w.ha
	if m.nodes == nil {
		m.nodes = map[string]string{}
	}
	if n := w.Node(m.master); n == nil || !n.Online || !w.quorate(n.Name) {
		m.master = ""
	}
	for _, n := range w.Nodes {
		state, wait := w.nodeState(n)
		if m.nodes[n.Name] != state {
			m.nodes[n.Name], m.moved = state, true
		}
		if wait > 0 {
			due = sooner(due, wait)
		}
		if m.master == "" && n.Online && w.quorate(n.Name) {
			m.master = n.Name
		}
	}
	return due
}

// nodeState is unknown for a node that is gone and has nothing of HA's; one that has is fenced.
func (w *World) nodeState(n *Node) (state string, wait time.Duration) {
	if n.Online {
		return nodeOnline, 0
	}
	if !w.hasServices(n.Name) {
		return nodeUnknown, 0
	}
	off := w.offFor(n)
	switch {
	case off < w.scaled(fenceDelay):
		return nodeUnknown, w.scaled(fenceDelay) - off
	case off < w.scaled(fenceTime):
		return nodeFence, w.scaled(fenceTime) - off
	}
	return nodeFence, 0
}

// offFor is since when a node is off; DownSince is zero when that is long.
func (w *World) offFor(n *Node) time.Duration {
	if n.DownSince.IsZero() {
		return haNever
	}
	return w.Now().Sub(n.DownSince)
}

// hasServices is whether a node has services that are not stopped.
func (w *World) hasServices(node string) bool {
	for _, s := range w.ha.services {
		if s.node == node && s.state != haStopped && s.state != haError {
			return true
		}
	}
	return false
}

// knowServices takes in services that are new, and forgets those that are gone or to be ignored.
func (w *World) knowServices() {
	m := &w.ha
	if m.services == nil {
		m.services = map[string]*haService{}
	}
	for sid := range m.services {
		if r := haResources.find(w, sid); r == nil || haRequest(r) == "ignored" || w.haService(sid) == nil {
			delete(m.services, sid)
		}
	}
	for _, r := range w.Cluster.Lists["ha_resources"] {
		sid := text(r["sid"])
		if s := w.newService(r); s != nil && m.services[sid] == nil && !m.held[sid].After(w.Now()) {
			m.services[sid], m.moved = s, true
		}
	}
}

// takeOrders carries out commands. Those that cannot be followed are dropped, as the real manager does with a line in its
// log.
func (w *World) takeOrders() {
	m := &w.ha
	orders := m.orders
	m.orders = nil
	for _, o := range orders {
		s, n := m.services[o.sid], w.Node(o.node)
		switch {
		case m.held[o.sid].After(w.Now()):
			m.orders = append(m.orders, o)
		case s == nil:
		case o.what == haStop:
			r := clone(haResources.find(w, o.sid))
			r["state"] = "stopped"
			haResources.store(w, r)
			s.hard, m.moved = o.hard, true
		case n != nil && n.Online && s.node != o.node && w.mayRunOn(o.sid, o.node):
			s.order, m.moved = o, true
		}
	}
}

// pickNode chooses the node for a service among those that are there: of the highest priority, the present one where that
// is possible, else the one with the fewest services. "" when there is none.
func (w *World) pickNode(s *haService, not ...string) string {
	best, names := 0, []string(nil)
	prio, strict := w.nodePriorities(s.sid)
	for _, n := range w.Nodes {
		if !n.Online || contains(not, n.Name) || w.repelled(s.sid, n.Name) {
			continue
		}
		p, listed := prio[n.Name]
		switch {
		case len(prio) == 0:
			p = 0
		case !listed && strict:
			continue
		case !listed:
			p = -1
		}
		if len(names) == 0 || p > best {
			best, names = p, nil
		}
		if p == best {
			names = append(names, n.Name)
		}
	}
	return w.least(s, w.attracted(s.sid, names))
}

// nodePriorities are those of the rule for a service, none without one. Under a strict rule no other node will do.
func (w *World) nodePriorities(sid string) (prio map[string]int, strict bool) {
	for _, r := range w.rulesOf(sid, "node-affinity") {
		return priorities(r), truth(r["strict"])
	}
	return nil, false
}

// mayRunOn is whether the rules let a service be on a node.
func (w *World) mayRunOn(sid, node string) bool {
	prio, strict := w.nodePriorities(sid)
	return (!strict || has(prio, node)) && !w.repelled(sid, node)
}

// repelled is whether a service is on the node that the other must not be with.
func (w *World) repelled(sid, node string) bool {
	return slices.ContainsFunc(w.companions(sid, "negative"), func(other string) bool {
		s := w.ha.services[other]
		return s != nil && s.node == node
	})
}

// attracted narrows nodes to those where services are that the other has to be with.
func (w *World) attracted(sid string, nodes []string) []string {
	var near []string
	for _, other := range w.companions(sid, "positive") {
		if s := w.ha.services[other]; s != nil && contains(nodes, s.node) {
			near = append(near, s.node)
		}
	}
	if len(near) > 0 {
		return near
	}
	return nodes
}

// least is the node that the service is on, or the one with the fewest services.
func (w *World) least(s *haService, nodes []string) string {
	if contains(nodes, s.node) {
		return s.node
	}
	load := map[string]int{}
	for _, other := range w.ha.services {
		load[other.node]++
	}
	slices.SortStableFunc(nodes, func(a, b string) int {
		if load[a] != load[b] {
			return load[a] - load[b]
		}
		return strings.Compare(a, b)
	})
	if len(nodes) == 0 {
		return ""
	}
	return nodes[0]
}
