package pvesim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// script is what a random task does, one after the other.
type script []action

type action struct {
	kind string
	file string
	d    time.Duration
}

func (a action) String() string { return fmt.Sprint(a.kind, " ", a.file, " ", a.d) }

// spans are few, so that things coincide.
var spans = []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 11 * time.Second}

var actions = rapid.Custom(func(t *rapid.T) action {
	return action{
		kind: rapid.SampledFrom([]string{"work", "work", "lock", "lock", "lock", "share", "share", "unlock", "fail", "warn", "abort"}).Draw(t, "kind"),
		file: rapid.SampledFrom([]string{lockA, lockB}).Draw(t, "file"),
		d:    rapid.SampledFrom(spans).Draw(t, "for"),
	}
})

// lockModel knows who is inside of which lock, by what the scripts do and not by what the simulator says.
type lockModel struct {
	t      *rapid.T
	b      *bench
	inside map[string]*Task
	shared map[string]map[*Task]bool // who is inside beside others
	tasks  []*Task
	asked  map[*Task]time.Time     // when a task began to wait
	waited map[*Task]time.Duration // how long one that ended while it waited had waited
}

func (m *lockModel) start(s script) *Task {
	task := m.b.fork(func(j *job) error {
		j.finally(func() { m.leave(j) })
		return m.run(j, s)
	})
	m.tasks = append(m.tasks, task)
	return task
}

// leave forgets the locks of a task that ends: from the end of this step on others may have them.
func (m *lockModel) leave(j *job) {
	for file, holder := range m.inside {
		if holder == j.task {
			delete(m.inside, file)
		}
	}
	for _, together := range m.shared {
		delete(together, j.task)
	}
	if asked, waiting := m.asked[j.task]; waiting {
		m.waited[j.task] = m.b.w.Now().Sub(asked)
		delete(m.asked, j.task)
	}
}

func (m *lockModel) run(j *job, s script) error {
	if len(s) == 0 {
		return nil
	}
	a, rest := s[0], s[1:]
	switch a.kind {
	case "work":
		return j.after(a.d, func() error { return m.run(j, rest) })
	case "lock":
		m.asked[j.task] = m.b.w.Now()
		return j.lockFile(a.file, func() error { return m.enter(j, a.file, rest) })
	case "share":
		m.asked[j.task] = m.b.w.Now()
		return j.lockShared(a.file, func() error { return m.join(j, a.file, rest) })
	case "unlock":
		if m.inside[a.file] == j.task {
			delete(m.inside, a.file)
		}
		j.unlockFile(a.file)
	case "fail":
		return fail("failed")
	case "warn":
		j.warn("careful")
	case "abort":
		victim := m.tasks[int(a.d/time.Second)%len(m.tasks)]
		if victim != j.task {
			m.b.w.abort(victim)
		}
	}
	return m.run(j, rest)
}

func (m *lockModel) enter(j *job, file string, rest script) error {
	m.entered(j, file)
	if len(m.shared[file]) > 0 {
		m.t.Fatalf("%s holds %s, which others share", j.task.UPID, file)
	}
	m.inside[file] = j.task
	return m.run(j, rest)
}

// join is enter for a lock that others may share.
func (m *lockModel) join(j *job, file string, rest script) error {
	m.entered(j, file)
	if m.inside[file] != j.task {
		m.shared[file][j.task] = true
	}
	return m.run(j, rest)
}

func (m *lockModel) entered(j *job, file string) {
	if other := m.inside[file]; other != nil && other != j.task {
		m.t.Fatalf("%s and %s both hold %s", other.UPID, j.task.UPID, file)
	}
	if waited := m.b.w.Now().Sub(m.asked[j.task]); waited > lockWait {
		m.t.Fatalf("%s got %s after %v", j.task.UPID, file, waited)
	}
	delete(m.asked, j.task)
	j.finally(func() { m.leave(j) })
}

// TestLocksProperty: whatever tasks do and whoever stops them, each ends, a lock is never held twice, and who does not get
// one gives up after exactly 10 s.
func TestLocksProperty(t *testing.T) {
	logChecks(t)
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &lockModel{t: t, b: newLockBench(), inside: map[string]*Task{}, shared: map[string]map[*Task]bool{lockA: {}, lockB: {}}, asked: map[*Task]time.Time{},
			waited: map[*Task]time.Duration{}}
		for range rapid.IntRange(1, 30).Draw(t, "rounds") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			default:
				m.start(rapid.SliceOfN(actions, 1, 8).Draw(t, "script"))
			case 8:
				m.b.pass(rapid.SampledFrom(spans).Draw(t, "pass"))
			case 9:
				if len(m.tasks) > 0 {
					m.b.w.abort(rapid.SampledFrom(m.tasks).Draw(t, "stop"))
				}
			}
			m.check(false)
		}
		m.b.pass(time.Hour)
		m.check(true)
	})
}

// newLockBench is a world as small as can be: the property is tried often.
func newLockBench() *bench {
	b := &bench{now: time.Unix(1_800_000_000, 0)}
	b.w = &World{Nodes: []*Node{{Name: "n", Online: true}}, Cluster: &Cluster{}}
	b.w.clock = func() time.Time { return b.now }
	return b
}

func (m *lockModel) check(over bool) {
	for _, task := range m.tasks {
		if over && task.Running() {
			m.t.Fatalf("%s did not end", task.UPID)
		}
		if !task.Running() {
			m.checkEnded(task)
		}
	}
	for file, holder := range m.b.w.flocks {
		if holder.task != nil && !holder.task.Running() || holder.task == nil && holder.sharers == 0 || !slices.Contains(holder.held, file) {
			m.t.Fatalf("%s is held by nobody who is at work", file)
		}
	}
	if over && len(m.b.w.events) > 0 {
		m.t.Fatalf("%d events are left", len(m.b.w.events))
	}
}

func (m *lockModel) checkEnded(task *Task) {
	if last := task.Log[len(task.Log)-1]; last != lastLine(task.Exit) {
		m.t.Fatalf("%s ended %q, its log ends %q", task.UPID, task.Exit, last)
	}
	if task.job != nil {
		m.t.Fatalf("%s ended and is still at work", task.UPID)
	}
	known := task.Exit == "OK" || task.Exit == "failed" || task.Exit == errInterrupted.Error() ||
		strings.HasPrefix(task.Exit, "WARNINGS: ") || strings.HasSuffix(task.Exit, "- got timeout")
	if !known {
		m.t.Fatalf("%s ended %q", task.UPID, task.Exit)
	}
	gaveUp := strings.HasSuffix(task.Exit, "- got timeout")
	if d, waiting := m.waited[task]; d > lockWait || gaveUp != (waiting && d == lockWait && task.Exit != errInterrupted.Error()) {
		m.t.Fatalf("%s ended %q, it waited for %v", task.UPID, task.Exit, d)
	}
	for file, queue := range m.b.w.waiters {
		if slices.ContainsFunc(queue, func(q *waiter) bool { return q.job.task == task }) {
			m.t.Fatalf("%s ended and waits for %s", task.UPID, file)
		}
	}
}
