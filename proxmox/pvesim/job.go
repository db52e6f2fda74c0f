package pvesim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// job is a task at work: what a forked worker of the real one is. It goes step by step; between two steps time
// passes and others use the world. All of it runs under the world's lock.
//
//	return c.fork("qmstart", "100", func(j *job) error {
//		return j.lock(g, func() error {           // waits for the guest's lock file, as the real one does
//			j.log("generating cloud-init ISO")
//			return j.after(startTime, func() error { g.run(...); return nil })
//		})
//	})
//
// The task ends when a step plans no other: OK when it gave nil, WARNINGS: n when warn was called, else the error's
// text. Locks of the job are given up at its end, whichever it was.
type job struct {
	w        *World
	node     *Node
	task     *Task
	warnings int
	next     *event
	waiting  string // the lock file that it waits for
	held     []string
	shares   []func() // give up the lock files that it holds together with others
	sharers  int      // jobs for which this one, which is no task, holds a lock file; see lockShared
	undo     []func()
	last     []func()
	// onSignal is what the work says when it is interrupted and catches that itself; nil = errInterrupted.
	onSignal error
	// begin is the first step while it is still to come.
	begin step
}

// step is one piece of a job's work, which takes no time; see job.after.
type step func() error

// forkTime is how long a worker needs to begin after its UPID was answered.
const forkTime = 50 * time.Millisecond

// errInterrupted is the exit of a task that was ended by DELETE (10/046).
var errInterrupted = errors.New("received interrupt")

// fork starts a task on the node of the path, as the caller, and gives its UPID. id is what the task is about (a
// vmid, a storage) or empty.
func (c *call) fork(kind, id string, first func(*job) error) string {
	return c.w.fork(c.node, kind, id, c.id.name(), first).UPID
}

// fork starts a task on a node in the name of user@realm or user@realm!token.
func (w *World) fork(n *Node, kind, id, principal string, first func(*job) error) *Task {
	t := w.AddTask(n.Name, kind, id, principal, "")
	j := &job{w: w, node: n, task: t}
	t.job = j
	j.begin = func() error {
		j.begin = nil
		return first(j)
	}
	j.next = w.schedule(w.scaled(forkTime), func() { j.do(j.begin) })
	return t
}

// scaled is a duration at the world's pace.
func (w *World) scaled(d time.Duration) time.Duration {
	if w.Pace <= 0 {
		return d
	}
	return time.Duration(float64(d) * w.Pace)
}

// do runs a step and ends the task unless another step is planned.
func (j *job) do(s step) {
	if !j.task.Running() {
		return
	}
	j.next = nil
	err := s()
	switch {
	case !j.task.Running(): // its own step had it stopped, and went on
		j.clean(true)
		j.unlockAll()
	case err != nil || j.next == nil && j.waiting == "":
		j.end(err)
	}
}

// beginNow takes the first step at once where it is still to come.
func (j *job) beginNow() {
	if j.begin != nil {
		j.w.cancel(j.next)
		j.do(j.begin)
	}
}

// after plans the next step. The task goes on when the step that called it returns.
func (j *job) after(d time.Duration, s step) error {
	j.next = j.w.schedule(j.w.scaled(d), func() { j.do(s) })
	return nil
}

// log adds lines to the task's log; that of a task that has ended is closed.
func (j *job) log(format string, args ...any) {
	if !j.task.Running() {
		return
	}
	j.task.Log = append(j.task.Log, logLines(format, args...)...)
}

func logLines(format string, args ...any) []string {
	return strings.Split(fmt.Sprintf(format, args...), "\n")
}

// warn logs a warning; a task with warnings that did not fail ends WARNINGS: n (facts 32).
func (j *job) warn(format string, args ...any) {
	j.warnings++
	j.log("WARN: "+format, args...)
}

// onFail plans what is undone when the task fails or is interrupted, the latest first.
func (j *job) onFail(f func()) { j.undo = append(j.undo, f) }

// finally plans what is done at the task's end in any case, after what onFail planned.
func (j *job) finally(f func()) { j.last = append(j.last, f) }

// end finishes the task with the outcome of its last step.
func (j *job) end(err error) {
	j.clean(err != nil)
	exit := "OK"
	switch {
	case err != nil:
		exit = taskText(err)
	case j.warnings > 0:
		exit = fmt.Sprintf("WARNINGS: %d", j.warnings)
	}
	j.task.job = nil
	j.w.endTask(j.task, j.w.Now(), exit)
	j.unlockAll()
}

// clean does what was planned for the end, each once.
func (j *job) clean(failed bool) {
	j.w.cancel(j.next)
	undo, last := j.undo, j.last
	j.undo, j.last = nil, nil
	if failed {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	for _, f := range slices.Backward(last) {
		f()
	}
}

// taskText is an error as the exit of a task: one line, without the line end that answers have.
func taskText(err error) string {
	return strings.ReplaceAll(strings.TrimRight(innerText(err), "\n"), "\n", " ")
}

// abort ends a running task as DELETE of its UPID does; an ended one is left as it is.
func (w *World) abort(t *Task) {
	if t.job != nil { // a worker catches signals from its beginning on, and cleans up
		t.job.beginNow()
	}
	switch {
	case t.job != nil:
		t.job.end(cmp.Or(t.job.onSignal, errInterrupted))
	case t.Running():
		w.endTask(t, w.Now(), errInterrupted.Error())
	}
}
