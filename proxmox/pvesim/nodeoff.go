package pvesim

import (
	"cmp"
	"slices"
	"time"
)

// SetNodeOnline switches a node on, or cuts its power, at the world's present time. Its guests end with it, and what worked
// on them leaves everything as it is at that moment, configuration locks too. A node that comes back starts its guests.
func (w *World) SetNodeOnline(name string, online bool) {
	n := w.Node(name)
	if n == nil || n.Online == online {
		return
	}
	w.SetNodeReachable(name, online)
	if online {
		w.comeBack(n)
		return
	}
	for _, t := range n.Tasks {
		if t.job != nil {
			t.job.crash()
		}
	}
	for _, g := range w.Guests() {
		if g.Node == name {
			w.touch(g)
			g.Live, g.reboot = Live{}, false
		}
	}
}

// SetNodeReachable takes a node off the network, or connects it again. To all others it is as if it were off, but its guests
// and tasks go on. The cluster goes on showing the figures that it had of them, for a while.
func (w *World) SetNodeReachable(name string, reachable bool) {
	n := w.Node(name)
	if n == nil || n.Online == reachable {
		return
	}
	n.Online, n.DownSince = reachable, w.Now()
	for _, g := range w.Guests() {
		if g.Node != name {
			continue
		}
		if g.last = nil; !reachable {
			twin := *g
			twin.prev, twin.Live.seen = nil, w.Now()
			g.last = &twin
		}
	}
	if reachable {
		w.firstRound(n)
	}
	w.planJobs()
}

// crash ends a job without undoing anything: its node has no power. The task ends when the node is back.
func (j *job) crash() {
	j.w.cancel(j.next)
	j.task.job, j.undo, j.last = nil, nil, nil
	for file, queue := range j.w.waiters {
		j.w.waiters[file] = slices.DeleteFunc(queue, func(q *waiter) bool { return q.job == j })
	}
	for _, leave := range j.shares {
		leave()
	}
	j.unlockAll()
}

// startupTime is how long after its daemons a node begins to start its guests.
const startupTime = 5 * time.Second

// comeBack is what a node finds after its power was gone: nothing runs, and the tasks that did have no end in their logs.
func (w *World) comeBack(n *Node) {
	n.Booted = w.Now()
	w.reloadSDN(n)
	for _, t := range n.Tasks {
		if t.Running() {
			t.End, t.Exit = w.Now(), unexpectedStatus
		}
	}
	for _, g := range w.Guests() {
		if g.Node == n.Name {
			g.prev, g.changedAt = &shown{}, w.Now()
		}
	}
	w.schedule(w.scaled(startupTime), func() {
		if n.Online {
			s := &nodeStart{w: w, n: n}
			w.fork(n, "startall", "", rootUser, s.work)
		}
	})
}

// nodeStart is the task that starts the guests of a node that has come up.
type nodeStart struct {
	w    *World
	n    *Node
	j    *job
	list []*bulkItem
}

func (s *nodeStart) work(j *job) error {
	s.j = j
	if s.w.quorate(s.n.Name) {
		return s.begin()
	}
	j.log("waiting for quorum ...")
	return s.await(time.Second)
}

// await looks for quorum; the real one does so once a second, here ever less often.
func (s *nodeStart) await(pause time.Duration) error {
	return s.j.after(pause, func() error {
		if !s.w.quorate(s.n.Name) {
			return s.await(min(2*pause, time.Minute))
		}
		s.j.log("got quorum")
		return s.begin()
	})
}

// begin takes away the locks of backups that the node's end interrupted, and lists the guests in their order. HA starts its
// own.
func (s *nodeStart) begin() error {
	for _, g := range s.w.Guests() {
		if g.Node != s.n.Name {
			continue
		}
		if text(g.Config["lock"]) == "backup" {
			s.w.setLock(g, "")
			s.j.log("removed left over backup lock from '%d'!", g.VMID)
		}
		if truth(g.Config["onboot"]) && !g.Template() && s.w.haResource(g) == nil {
			s.list = append(s.list, newBulkItem(g))
		}
	}
	slices.SortStableFunc(s.list, func(a, b *bulkItem) int { return cmp.Compare(a.order, b.order) })
	return s.next()
}

func (s *nodeStart) next() error {
	if len(s.list) == 0 {
		return nil
	}
	item := s.list[0]
	s.list = s.list[1:]
	g := s.w.Guest(item.vmid)
	if g == nil || g.Node != s.n.Name || g.Live.Running {
		return s.next()
	}
	s.j.log("Starting %s", item.label())
	item.task = s.w.startGuest(s.n, g, rootUser)
	return s.j.after(bulkPoll, func() error { return s.started(item) })
}

// started waits for the start's end and then as long as the guest wants.
func (s *nodeStart) started(item *bulkItem) error {
	if item.task.Running() {
		return s.j.after(bulkPoll, func() error { return s.started(item) })
	}
	if item.task.kind() == "error" || item.task.kind() == "unknown" {
		s.j.log("Starting %s failed: %s", item.label(), item.task.Exit)
		return s.next()
	}
	if item.up > 0 {
		s.j.log("Waiting for %d seconds (startup delay)", item.up)
	}
	return s.j.after(item.pause(), s.next)
}
