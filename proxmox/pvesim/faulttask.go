package pvesim

import (
	"fmt"
	"strings"
	"time"
)

// taskFaults change what becomes of tasks; each may be nil. They hold for tasks that the simulator itself runs.
type taskFaults struct {
	// hidden is whether the API does not show a task.
	hidden func(*Task) bool
	// exit replaces a task's exit status at its end.
	exit func(t *Task, exit string) string
	// lines go into a task's log before its last line.
	lines func(t *Task) []string
}

// taskFault installs f on the world, for tasks of a type ("" = all).
func taskFault(name, kind string, f taskFaults) Fault {
	of := func(t *Task) bool { return kind == "" || t.Type == kind }
	guarded := &taskFaults{
		hidden: func(t *Task) bool { return f.hidden != nil && of(t) && f.hidden(t) },
		exit: func(t *Task, exit string) string {
			if f.exit == nil || !of(t) {
				return exit
			}
			return f.exit(t, exit)
		},
		lines: func(t *Task) []string {
			if f.lines == nil || !of(t) {
				return nil
			}
			return f.lines(t)
		},
	}
	return Fault{Name: name, install: func(s *Sim) func() {
		s.Update(func(w *World) { w.taskFaults = append(w.taskFaults, guarded) })
		return func() {
			s.Update(func(w *World) {
				for i, g := range w.taskFaults {
					if g == guarded {
						w.taskFaults = append(w.taskFaults[:i:i], w.taskFaults[i+1:]...)
						return
					}
				}
			})
		}
	}}
}

// TaskLate keeps a new task's UPID unknown for a while after its start (F22): lists lack it, its status is 400.
func TaskLate(kind string, by time.Duration) Fault {
	var clock func() time.Time
	f := taskFault("F22 tasks visible after "+by.String(), kind, taskFaults{
		hidden: func(t *Task) bool { return clock().Before(t.Start.Add(by)) }})
	return f.withClock(&clock)
}

// TaskVanishes makes a task unknown as soon as it has ended (F22).
func TaskVanishes(kind string) Fault {
	return taskFault("F22 tasks vanish at their end", kind, taskFaults{hidden: func(t *Task) bool { return !t.Running() }})
}

// withClock gives a fault the simulator's clock when it is installed.
func (f Fault) withClock(clock *func() time.Time) Fault {
	install := f.install
	f.install = func(s *Sim) func() {
		*clock = s.now
		return install(s)
	}
	return f
}

// unexpectedStatus is what the API says of a task whose log has no last line (F23).
const unexpectedStatus = "unexpected status"

// TaskCutOff ends tasks as a reboot of their node does: the log has no last line, the exit is "unexpected status" (F23).
func TaskCutOff(kind string) Fault { return TaskExit(kind, unexpectedStatus) }

// TaskExit gives tasks another exit status than they would have, although their work is done (F24: "WARNINGS: 2").
func TaskExit(kind, exit string) Fault {
	return taskFault("F24 exit "+exit, kind, taskFaults{exit: func(*Task, string) string { return exit }})
}

// TaskLog makes the log of tasks long, with a telling line in the middle of it, so that a first page hides it (F25).
func TaskLog(kind string, lines, causeAt int, cause string) Fault {
	return taskFault(fmt.Sprintf("F25 %d log lines", lines), kind, taskFaults{lines: func(*Task) []string {
		out := make([]string, lines)
		for i := range out {
			out[i] = fmt.Sprintf("INFO: line %d", i+1)
		}
		if causeAt > 0 && causeAt <= lines {
			out[causeAt-1] = cause
		}
		return out
	}})
}

// TaskBurst puts n ended tasks on a node's list at once: more than the cluster's list shows (F48: 25 of each node).
func TaskBurst(node string, n int) Fault {
	return Fault{Name: fmt.Sprintf("F48 %d tasks", n), Node: node, install: func(s *Sim) func() {
		s.Update(func(w *World) {
			for i := range n {
				w.AddTaskAt(w.Now(), 0, nodeOr(w, node), "vncproxy", fmt.Sprint(100+i), rootUser, "OK")
			}
		})
		return func() {}
	}}
}

// nodeOr is a node's name, or that of the first one.
func nodeOr(w *World, name string) string {
	if name != "" {
		return name
	}
	return w.Nodes[0].Name
}

// hides is whether a fault hides the task from the API.
func (w *World) hides(t *Task) bool {
	for _, f := range w.taskFaults {
		if f.hidden(t) {
			return true
		}
	}
	return false
}

// spoil applies the faults to a task's end: what is written before the last line, and its exit.
func (w *World) spoil(t *Task, exit string) string {
	for _, f := range w.taskFaults {
		t.Log = append(t.Log, f.lines(t)...)
		exit = f.exit(t, exit)
	}
	return strings.TrimSpace(exit)
}
