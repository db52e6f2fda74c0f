package pvesim

import (
	"fmt"
	"slices"
	"time"
)

// lockWait is how long everything waits for a guest's lock file before it gives up (facts 40: 10.02 s measured).
const lockWait = 10 * time.Second

// lockFile is the file that is locked while a guest's configuration changes.
func (g *Guest) lockFile() string { return lockFileOf(g.Type, g.VMID) }

func lockFileOf(kind string, vmid int) string {
	if kind == typeLXC {
		return fmt.Sprintf("/run/lock/lxc/pve-config-%d.lock", vmid)
	}
	return fmt.Sprintf("/var/lock/qemu-server/lock-%d.conf", vmid)
}

// lockTimeout is the error of a lock file that was not to be had in time.
func lockTimeout(file string) error { return fail("can't lock file '%s' - got timeout", file) }

// busyError says that a request has to wait for a lock file; exchange.go tries it again until lockWait is over.
type busyError struct{ file string }

func (e *busyError) Error() string { return "waits for " + e.file }

// free checks for a request that is answered at once that no task holds the guest's lock file. Return its error as
// it is, before anything was changed: the request is then tried again when the lock is given up.
func (c *call) free(g *Guest) error {
	if file := g.lockFile(); c.w.flocks[file] != nil {
		return &busyError{file}
	}
	return nil
}

// lock runs s when the guest's lock file is the job's. It keeps the lock to its end, or until unlock.
func (j *job) lock(g *Guest, s step) error { return j.lockFile(g.lockFile(), s) }

// lockShared is lockFile for work that only reads the guest: such jobs hold the lock side by side, and keep others out.
func (j *job) lockShared(file string, s step) error {
	group := j.w.flocks[file]
	switch {
	case group == nil:
		group = &job{w: j.w}
		group.take(file)
	case group == j:
		return s()
	case group.task != nil:
		return j.wait(&waiter{job: j, step: s, shared: true}, file)
	}
	j.share(group, file)
	return s()
}

// share lets a job hold a lock file together with others until its end.
func (j *job) share(group *job, file string) {
	group.sharers++
	leave := func() {
		if group.sharers--; group.sharers == 0 {
			group.unlockFile(file)
		}
	}
	j.shares = append(j.shares, leave)
	j.finally(leave)
}

func (j *job) lockFile(file string, s step) error {
	holder := j.w.flocks[file]
	if holder == nil || holder == j {
		j.take(file)
		return s()
	}
	return j.wait(&waiter{job: j, step: s}, file)
}

// wait puts a job into the queue for a lock file, for at most lockWait.
func (j *job) wait(q *waiter, file string) error {
	if j.w.waiters == nil {
		j.w.waiters = map[string][]*waiter{}
	}
	j.w.waiters[file] = append(j.w.waiters[file], q)
	j.waiting = file
	j.finally(func() { j.w.leave(file, q) })
	j.next = j.w.schedule(lockWait, func() { // an abort cancels it
		j.w.leave(file, q)
		j.waiting = ""
		j.do(func() error { return lockTimeout(file) })
	})
	return nil
}

// waiter is a job in the queue for a lock file, with the step that it goes on with.
type waiter struct {
	job    *job
	step   step
	shared bool
}

// handOver makes a lock file that was given up that of the first who waits for it at once, so that nobody comes between. If
// that one shares it, so do all that wait to share it.
func (w *World) handOver(file string) {
	queue := w.waiters[file]
	if len(queue) == 0 {
		return
	}
	if first := queue[0]; !first.shared {
		first.goOn()
		first.job.take(file)
		w.leave(file, first)
		return
	}
	group := &job{w: w}
	group.take(file)
	for _, q := range slices.Clone(queue) {
		if q.shared {
			q.goOn()
			q.job.share(group, file)
			w.leave(file, q)
		}
	}
}

// goOn lets a job that waited go on with the next event.
func (q *waiter) goOn() {
	j := q.job
	j.w.cancel(j.next)
	j.waiting = ""
	j.next = j.w.schedule(0, func() { j.do(q.step) })
}

func (w *World) leave(file string, q *waiter) {
	w.waiters[file] = slices.DeleteFunc(slices.Clone(w.waiters[file]), func(x *waiter) bool { return x == q })
}

func (j *job) take(file string) {
	if j.w.flocks == nil {
		j.w.flocks = map[string]*job{}
	}
	j.w.flocks[file] = j
	if !slices.Contains(j.held, file) {
		j.held = append(j.held, file)
	}
}

// unlock gives up the guest's lock file before the job ends.
func (j *job) unlock(g *Guest) { j.unlockFile(g.lockFile()) }

func (j *job) unlockFile(file string) {
	if j.w.flocks[file] != j {
		return
	}
	delete(j.w.flocks, file)
	j.held = slices.DeleteFunc(j.held, func(f string) bool { return f == file })
	j.w.handOver(file)
}

func (j *job) unlockAll() {
	for _, file := range slices.Clone(j.held) {
		j.unlockFile(file)
	}
}

// lockedError is what a configuration lock (backup, snapshot, clone...) says to everything that respects it.
func (g *Guest) lockedError() error {
	lock := text(g.Config["lock"])
	switch {
	case lock == "":
		return nil
	case g.Type == typeLXC:
		return fail("CT is locked (%s)", lock)
	}
	return fail("VM is locked (%s)", lock)
}

// setLock puts a configuration lock on the guest, or takes it away when it is empty.
func (w *World) setLock(g *Guest, lock string) {
	if lock == "" {
		w.SetConfig(g.VMID, "lock", nil)
		return
	}
	w.SetConfig(g.VMID, "lock", lock)
}
