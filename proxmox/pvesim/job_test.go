package pvesim

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bench is a world with a clock that the test moves.
type bench struct {
	w   *World
	now time.Time
}

func newBench() *bench {
	b := &bench{now: time.Unix(1_800_000_000, 0)}
	b.w = DemoWorld(b.now)
	b.w.clock = func() time.Time { return b.now }
	return b
}

// pass lets time go by.
func (b *bench) pass(d time.Duration) {
	b.now = b.now.Add(d)
	b.w.settle(b.now)
}

func (b *bench) fork(first func(*job) error) *Task {
	return b.w.fork(b.w.Nodes[0], "test", "", rootUser, first)
}

const lockA, lockB = "/run/lock/a", "/run/lock/b"

// hold takes a lock for a while.
func hold(file string, d time.Duration) func(*job) error {
	return func(j *job) error {
		return j.lockFile(file, func() error { return j.after(d, func() error { return nil }) })
	}
}

func TestTaskOutcomes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		first func(*job) error
		exit  string
		took  time.Duration
		log   []string
	}{
		{"at once", func(*job) error { return nil }, "OK", forkTime, []string{"TASK OK"}},
		{"later", func(j *job) error {
			j.log("one\ntwo")
			return j.after(3*time.Second, func() error { return nil })
		}, "OK", forkTime + 3*time.Second, []string{"one", "two", "TASK OK"}},
		{"warnings", func(j *job) error {
			j.warn("a")
			j.warn("b %d", 2)
			return nil
		}, "WARNINGS: 2", forkTime, []string{"WARN: a", "WARN: b 2", "TASK WARNINGS: 2"}},
		{"failing with warnings", func(j *job) error {
			j.warn("a")
			return fail("no such thing")
		}, "no such thing", forkTime, []string{"WARN: a", "TASK ERROR: no such thing"}},
		{"a parameter", func(*job) error { return badParam("id", "No such job 'x'") },
			"400 Parameter verification failed. id: No such job 'x'", forkTime,
			[]string{"TASK ERROR: 400 Parameter verification failed. id: No such job 'x'"}},
		{"an error with a step that was planned", func(j *job) error {
			_ = j.after(time.Hour, func() error { return nil })
			return fail("bad")
		}, "bad", forkTime, []string{"TASK ERROR: bad"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			task := b.fork(tt.first)
			b.pass(0)
			if !task.Running() {
				t.Fatal("it ended before its worker began")
			}
			b.pass(time.Minute)
			if task.Exit != tt.exit || task.End.Sub(task.Start) != tt.took {
				t.Errorf("ended %q after %v, want %q after %v", task.Exit, task.End.Sub(task.Start), tt.exit, tt.took)
			}
			if d := cmp.Diff(tt.log, task.Log); d != "" {
				t.Error(d)
			}
			if at, ok := b.w.nextEvent(); ok {
				t.Errorf("something is left for %v", at)
			}
		})
	}
}

// TestUndo: what is planned for a failure happens once, the latest first, and before what is planned for any end.
func TestUndo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		stop  bool
		err   error
		want  []string
		exits string
	}{
		{"success", false, nil, []string{"last"}, "OK"},
		{"failure", false, errors.New("no"), []string{"second", "first", "last"}, "no"},
		{"abort", true, nil, []string{"second", "first", "last"}, "received interrupt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			var did []string
			note := func(s string) func() { return func() { did = append(did, s) } }
			task := b.fork(func(j *job) error {
				j.finally(note("last"))
				j.onFail(note("first"))
				j.onFail(note("second"))
				return j.after(time.Second, func() error { return tt.err })
			})
			b.pass(forkTime)
			if tt.stop {
				b.w.abort(task)
			}
			b.pass(time.Minute)
			b.w.abort(task) // an ended task stays as it is
			if d := cmp.Diff(tt.want, did); d != "" || task.Exit != tt.exits {
				t.Errorf("exit %q\n%s", task.Exit, d)
			}
		})
	}
}

// TestLockQueue: facts 40. Locks are handed over in the order in which they were asked for; who waits for 10 s gives up.
func TestLockQueue(t *testing.T) {
	t.Parallel()
	b := newBench()
	first := b.fork(hold(lockA, 8*time.Second))
	second := b.fork(hold(lockA, 5*time.Second))
	aborted := b.fork(hold(lockA, time.Second))
	third := b.fork(hold(lockA, time.Second))
	other := b.fork(hold(lockB, time.Second))
	b.pass(2 * time.Second)
	if other.Running() || !second.Running() {
		t.Error("locks of other files are not waited for, those of the same are")
	}
	b.w.abort(aborted)
	b.pass(time.Minute)
	const timeout = "can't lock file '/run/lock/a' - got timeout"
	for _, tt := range []struct {
		name string
		task *Task
		exit string
		took time.Duration
	}{
		{"first", first, "OK", 8 * time.Second},
		{"second", second, "OK", 13 * time.Second},
		{"aborted", aborted, "received interrupt", 2*time.Second - forkTime},
		{"third", third, timeout, lockWait},
	} {
		if took := tt.task.End.Sub(tt.task.Start) - forkTime; tt.task.Exit != tt.exit || took != tt.took {
			t.Errorf("%s: %q after %v, want %q after %v", tt.name, tt.task.Exit, took, tt.exit, tt.took)
		}
	}
}

// TestLockHandover: nobody takes a lock between the one who gives it up and the first who waits for it.
func TestLockHandover(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.fork(hold(lockA, time.Second))
	waiting := b.fork(hold(lockA, time.Second))
	late := b.fork(func(j *job) error { // asks at the moment at which the lock is given up
		return j.after(time.Second, func() error { return hold(lockA, time.Second)(j) })
	})
	b.pass(forkTime + time.Second)
	if holder := b.w.flocks[lockA]; holder == nil || holder.task != waiting {
		t.Fatalf("the lock is not with the one who waited: %v", holder)
	}
	b.pass(time.Minute)
	if got := late.End.Sub(waiting.End); got != time.Second {
		t.Errorf("the late one ended %v after the other, want 1 s", got)
	}
}

func TestEventOrder(t *testing.T) {
	t.Parallel()
	b := newBench()
	start := b.now
	var got []string
	at := func(d time.Duration, name string) *event {
		return b.w.schedule(d, func() { got = append(got, fmt.Sprint(name, " ", b.w.Now().Sub(start))) })
	}
	at(2*time.Second, "c")
	at(time.Second, "a")
	at(time.Second, "b")
	gone := at(time.Second, "gone")
	b.w.schedule(time.Second, func() { at(time.Second, "d") })
	b.w.cancel(gone)
	b.w.cancel(gone)
	b.w.cancel(nil)
	b.pass(time.Hour)
	if d := cmp.Diff([]string{"a 1s", "b 1s", "c 2s", "d 2s"}, got); d != "" {
		t.Error(d)
	}
	if b.w.Now() != b.now {
		t.Error("the clock did not come back")
	}
}
