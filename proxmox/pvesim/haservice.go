package pvesim

import (
	"encoding/base64"
	"strings"
	"time"
)

// haService is a service under the manager's care.
type haService struct {
	sid, uid    string
	node, state string
	target      string // where it goes in migrate and relocate
	order       haOrder
	hard        bool  // the next stop asks nobody
	task        *Task // what the node does for it
	op          string
	restarts    int      // starts that failed on this node
	tried       []string // nodes on which all starts failed
}

// What a node does for a service.
const (
	opStart = "start"
	opStop  = "stop"
	opMove  = "move"
)

// newService is a service that the manager has not seen before, nil for one that it has nothing to do with.
func (w *World) newService(r Object) *haService {
	sid := text(r["sid"])
	g := w.haService(sid)
	if g == nil || haRequest(r) == "ignored" {
		return nil
	}
	s := &haService{sid: sid, node: g.Node, uid: serviceUID(sid, w.Now())}
	switch want := haRequest(r) == "started"; {
	case want && g.Live.Running:
		s.state = haStarted
	case want:
		s.state = haRequestStart
	case g.Live.Running:
		s.state = haRequestStop
	default:
		s.state = haStopped
	}
	return s
}

func serviceUID(sid string, at time.Time) string {
	return base64.RawStdEncoding.EncodeToString([]byte(sha1Hex(sid + at.String()))[:16])
}

// become changes the state; the next step is for the next round.
func (w *World) become(s *haService, state string) {
	s.state, s.task, s.op, w.ha.moved = state, nil, "", true
	s.uid = serviceUID(s.sid+state, w.Now())
}

// serviceStep brings a service on by one step: nothing happens while its node works for it, or is gone and not fenced.
func (w *World) serviceStep(s *haService) {
	g := w.haService(s.sid)
	if s.task != nil && s.task.Running() && w.ha.nodes[s.node] == nodeOnline {
		return
	}
	if s.state != haFence && s.state != haRecovery {
		s.node = g.Node // somebody may have moved it
	}
	want := haRequest(haResources.find(w, s.sid))
	if n := w.Node(s.node); n == nil || !n.Online {
		w.stepOff(s, g, want)
		return
	}
	before := s.state
	if w.stepOn(s, g, want); s.state != before {
		w.stepOn(s, g, want) // the node begins at once with what the manager has decided
	}
}

// stepOn brings on a service whose node is there.
func (w *World) stepOn(s *haService, g *Guest, want string) {
	switch s.state {
	case haStopped:
		w.stepStopped(s, want)
	case haRequestStart:
		w.stepRequestStart(s)
	case haStarted:
		w.stepStarted(s, g, want)
	case haRequestStop:
		w.stepStop(s, g)
	case haMigrate, haRelocate:
		w.stepMove(s, g, want)
	case haFence, haRecovery: // the node came back before somebody else took the service
		w.become(s, haRequestStart)
	case haError:
		if want == "disabled" {
			w.become(s, haRequestStop)
		}
	}
}

// stepOff deals with services of a node that is off: when it is fenced they are recovered. Their configuration goes to
// another node whatever disks they have; without those the start there fails.
func (w *World) stepOff(s *haService, g *Guest, want string) {
	switch n := w.Node(s.node); {
	case n == nil || w.ha.nodes[s.node] != nodeFence || s.state == haStopped || s.state == haError:
	case s.state == haRecovery:
		w.recover(s, g, want)
	case s.state != haFence:
		w.become(s, haFence)
	case w.offFor(n) >= w.scaled(fenceTime):
		w.become(s, haRecovery)
		w.recover(s, g, want)
	}
}

func (w *World) recover(s *haService, g *Guest, want string) {
	target := w.pickNode(s)
	if target == "" {
		return
	}
	w.SetStatus(g.VMID, "stopped")
	w.dropLock(g)
	w.MoveGuest(g.VMID, target)
	s.node = target
	if want == "started" {
		w.become(s, haStarted)
	} else {
		w.become(s, haRequestStop)
	}
}

// dropLock takes away the lock that a task left which ended with its node.
func (w *World) dropLock(g *Guest) {
	if text(g.Config["lock"]) != "" {
		w.SetConfig(g.VMID, "lock", nil)
	}
}

func (w *World) stepStopped(s *haService, want string) {
	switch {
	case s.order.what != "":
		w.beginMove(s)
	case want == "started":
		w.become(s, haRequestStart)
	}
}

// stepRequestStart chooses the node for a start.
func (w *World) stepRequestStart(s *haService) {
	switch target := w.pickNode(s); target {
	case "":
	case s.node:
		w.become(s, haStarted)
	default:
		w.become(s, haRelocate)
		s.target = target
	}
}

// beginMove follows an order to go to another node.
func (w *World) beginMove(s *haService) {
	o := s.order
	s.order = haOrder{}
	w.become(s, o.what)
	s.target = o.node
}

func (w *World) stepStarted(s *haService, g *Guest, want string) {
	switch {
	case want != "started":
		w.become(s, haRequestStop)
	case s.order.what != "":
		w.beginMove(s)
	case !g.Live.Running:
		w.stepDown(s, g)
	default:
		s.restarts, s.tried, s.task = 0, nil, nil
		w.failback(s)
	}
}

// failback moves a service to a node that its rules prefer.
func (w *World) failback(s *haService) {
	prio, _ := w.nodePriorities(s.sid)
	r := haResources.find(w, s.sid)
	if len(prio) == 0 || text(r["failback"]) == "0" {
		return
	}
	if target := w.pickNode(s); target != "" && target != s.node {
		w.become(s, haMigrate)
		s.target = target
	}
}

// stepDown starts a service that ought to run. After max_restart more tries it goes to another node, max_relocate times;
// then it is in error.
func (w *World) stepDown(s *haService, g *Guest) {
	if s.op != opStart || s.task == nil || s.task.kind() == "ok" {
		w.lrmStart(s, g)
		return
	}
	r := haResources.find(w, s.sid)
	if s.restarts++; s.restarts <= limitOf(r, "max_restart") {
		w.lrmStart(s, g)
		return
	}
	s.tried = append(s.tried, s.node)
	target := w.pickNode(s, s.tried...)
	if target == "" || len(s.tried) > limitOf(r, "max_relocate") {
		w.become(s, haError)
		return
	}
	s.restarts = 0
	w.become(s, haRelocate)
	s.target = target
}

// limitOf is how often something is tried again; once, unless the service says otherwise.
func limitOf(r Object, key string) int { return int(integer(orOne(r[key]))) }

func (w *World) lrmStart(s *haService, g *Guest) {
	kind, work := "qmstart", (&vmStart{w: w, n: w.Node(s.node), vmid: g.VMID}).work
	if g.Type == typeLXC {
		kind, work = "vzstart", (&ctStart{w: w, n: w.Node(s.node), vmid: g.VMID}).work
	}
	w.lrmDo(s, opStart, kind, work)
}

// lrmDo has the service's node run a task for it.
func (w *World) lrmDo(s *haService, op, kind string, work func(*job) error) {
	_, id, _ := strings.Cut(s.sid, ":")
	s.op, s.task = op, w.fork(w.Node(s.node), kind, id, rootUser, work)
}

func (w *World) stepStop(s *haService, g *Guest) {
	if !g.Live.Running {
		s.hard = false
		w.become(s, haStopped)
		return
	}
	w.lrmStop(s, g)
}

// lrmStop asks the guest to shut down and ends it when it does not.
func (w *World) lrmStop(s *haService, g *Guest) {
	n := w.Node(s.node)
	if g.Type == typeLXC {
		stop := &ctStop{w: w, n: n, vmid: g.VMID, timeout: shutdownWait, force: true, kill: s.hard}
		w.lrmDo(s, opStop, map[bool]string{true: "vzstop", false: "vzshutdown"}[s.hard], stop.work)
		return
	}
	stop := &vmStop{w: w, n: n, vmid: g.VMID, timeout: -1, shutdown: !s.hard, force: true}
	w.lrmDo(s, opStop, map[bool]string{true: "qmstop", false: "qmshutdown"}[s.hard], stop.work)
}

// stepMove takes a service to its target: migrate moves a VM as it is, relocate stops it first. When the move fails the
// service stays where it is.
func (w *World) stepMove(s *haService, g *Guest, want string) {
	next := haStarted
	if want != "started" {
		next = haRequestStop
	}
	n := w.Node(s.target)
	switch {
	case s.op == opMove || g.Node == s.target || n == nil || !n.Online:
		w.become(s, next)
	case g.Live.Running && (s.state == haRelocate || g.Type == typeLXC):
		w.lrmStop(s, g)
	default:
		w.lrmMove(s, g)
	}
}

func (w *World) lrmMove(s *haService, g *Guest) {
	s.op, s.task = opMove, w.relocate(g.VMID, w.Node(s.target))
}

// orderMove is POST migrate and relocate of a service: the manager moves it later. Services that have to be together go
// with it; one that must not be where the other is keeps it from going.
func orderMove(what string) handler {
	return func(c *call) (any, error) {
		sid, _, err := c.w.serviceID(c.vars["sid"])
		if err != nil {
			return nil, err
		}
		target := c.param("node")
		switch r := haResources.find(c.w, sid); {
		case r == nil:
			return nil, fail("cannot %s service '%s', not HA managed!", what, sid)
		case c.w.Node(target) == nil:
			return nil, fail("no such cluster node '%s'", target)
		}
		if err := c.w.notFailed(sid, ""); err != nil {
			return nil, err
		}
		answer := Object{"sid": sid, "requested-node": target}
		var blocking []Object
		for _, other := range c.w.companions(sid, "negative") {
			if g := c.w.haService(other); g != nil && g.Node == target {
				blocking = append(blocking, Object{"sid": other, "cause": "resource-affinity"})
			}
		}
		if len(blocking) > 0 {
			answer["blocking-resources"] = blocking
			return answer, nil
		}
		with := c.w.companions(sid, "positive")
		if len(with) > 0 {
			answer["comigrated-resources"] = with
		}
		for _, id := range append([]string{sid}, with...) {
			c.w.orderHA(haOrder{sid: id, what: what, node: target})
		}
		return answer, nil
	}
}
