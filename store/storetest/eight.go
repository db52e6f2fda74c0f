package storetest

import (
	"bytes"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// processes is how many work at once: a person with three MCP clients, a terminal, a server and some to spare.
const processes = 8

// RunProcesses tries what a store promises to several processes at once, of which some are killed. TestMain has to call Child.
func RunProcesses(t *testing.T, b Backend) {
	for name, test := range map[string]func(*testing.T, *suite){
		"Open": testOpenProcesses, "Kill": testKill, "Eight": testEight, "Append": testAppendProcesses, "KillChange": testKillChange,
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &suite{b: b, place: b.New(t), now: time.Now()})
		})
	}
}

// testOpenProcesses starts 8 processes at once on a store that is not there yet.
func testOpenProcesses(t *testing.T, s *suite) {
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if out, err := child(t, s.place, "open").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	s.Store = s.open(t)
	same(t, "leases", int64(processes), s.rows(t)["leases"])
	s.sound(t)
}

// testKill kills a writing process again and again, the first time while it creates the store: the store stays sound, and every
// generation holds its whole batch.
func testKill(t *testing.T, s *suite) {
	var last int64
	for i := range 10 {
		writer := child(t, s.place, "write")
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+60*i) * time.Millisecond)
		if i == 9 {
			s.waitForBatch(t, last) // on a machine so slow that none got that far
		}
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Wait() // it was killed: its state says just that
		last = s.checkAfterKill(t, last)
	}
	if last == 0 {
		t.Error("no child ever wrote")
	}
}

// waitForBatch waits until a child has committed a batch after generation last.
func (s *suite) waitForBatch(t *testing.T, last int64) {
	t.Helper()
	h := s.open(t)
	for range 300 {
		if gen, err := h.Generation(t.Context()); err != nil || gen > last {
			return // an error shows in the check after the kill
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *suite) checkAfterKill(t *testing.T, last int64) int64 {
	h, err := s.b.Open(t.Context(), s.place, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	// A server may still be committing what the killed process sent: who has the lease has waited for that.
	if _, ok, err := h.AcquireLease(t.Context(), "sync:a", "check", time.Nanosecond); !ok || err != nil {
		t.Fatalf("lease of the killed process: %v, %v", ok, err)
	}
	r, err := h.Check(t.Context())
	if err != nil || !r.OK() {
		t.Fatalf("after a kill: %v, %q", err, r.Problems)
	}
	if r.Generation < last || r.Rows["object_versions"] != 100*r.Generation {
		t.Fatalf("generation %d (before: %d) with %d versions, want 100 for each", r.Generation, last, r.Rows["object_versions"])
	}
	return r.Generation
}

// testEight lets 8 processes share one lease, of which one holds it until it is killed: the lease moves, nobody is told that the
// database is locked, the killed holder is replaced within its lease, and nothing that was written is lost or out of order.
func testEight(t *testing.T, s *suite) {
	e := &eight{events: make(chan event, 10_000)}
	e.start(t, s.place)
	e.until(t, "all take the lease", func() bool { return len(e.takers) == processes })
	held := e.last
	e.until(t, "the holder renews", func() bool { return e.renewed > 5 })
	same(t, "epoch while it is held", held, e.last)
	killed := time.Now()
	if err := e.cmds[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	e.until(t, "another one takes it", func() bool { return e.last > held })
	took := e.lastAt.Sub(killed)
	t.Logf("replaced after %s (lease %s); %d epochs", took.Round(time.Millisecond), shareTTL, e.last)
	if slow := 2 * time.Second; took > shareTTL+slow { // slow: what a busy machine may add
		t.Errorf("a killed holder was replaced after %s, its lease ran %s", took, shareTTL)
	}
	same(t, "epoch after it", held+1, e.last)
	e.stop(t)
	e.check(t, s)
}

// eight is what the children of testEight told; the first one is the holder.
type eight struct {
	cmds   []*exec.Cmd
	inputs []io.Closer
	errs   []*bytes.Buffer
	events chan event

	takers         map[int]bool
	last           int64 // newest epoch that was taken
	lastAt         time.Time
	wrote, renewed int
	ended          int
}

// start starts the sharers, and the holder when all of them have had the lease.
func (e *eight) start(t *testing.T, place string) {
	e.takers = map[int]bool{}
	for i := range processes {
		cmd := child(t, place, map[bool]string{true: "hold", false: "share"}[i == 0])
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		e.cmds, e.inputs, e.errs = append(e.cmds, cmd), append(e.inputs, in), append(e.errs, &stderr)
	}
	for i := 1; i < processes; i++ {
		listen(t, e.cmds[i], i, e.events)
	}
	e.until(t, "the lease moves between all", func() bool { return len(e.takers) == processes-1 })
	listen(t, e.cmds[0], 0, e.events)
}

// until takes in lines until what is awaited has come.
func (e *eight) until(t *testing.T, what string, come func() bool) {
	t.Helper()
	limit := time.After(time.Minute) // seconds on an idle machine
	for !come() {
		select {
		case ev := <-e.events:
			e.take(t, ev)
		case <-limit:
			t.Fatalf("in vain: %s; %d have taken the lease", what, len(e.takers))
		}
	}
}

func (e *eight) take(t *testing.T, ev event) {
	t.Helper()
	switch ev.did {
	case "took":
		e.takers[ev.child] = true
		e.last, e.lastAt = max(e.last, ev.epoch), ev.at
	case "wrote":
		e.wrote++
	case "renewed":
		e.renewed++
	case "ended":
		e.ended++
	default:
		t.Errorf("child %d: %q", ev.child, ev.did)
	}
}

// stop ends the sharers; each ends well and said nothing to stderr.
func (e *eight) stop(t *testing.T) {
	t.Helper()
	for _, in := range e.inputs {
		_ = in.Close() // the killed one's is closed
	}
	e.until(t, "the children end", func() bool { return e.ended == processes })
	for i, cmd := range e.cmds {
		if err := cmd.Wait(); i > 0 && (err != nil || e.errs[i].Len() > 0) {
			t.Errorf("child %d: %v: %s", i, err, e.errs[i])
		}
	}
}

// check finds each batch that was reported, in the order of the epochs.
func (e *eight) check(t *testing.T, s *suite) {
	s.Store = s.open(t)
	changes := must(s.Changes(t.Context(), store.HistoryFilter{Cluster: "a", Limit: e.wrote + 1}))(t)
	same(t, "batches", e.wrote, len(changes))
	same(t, "generation", int64(e.wrote), must(s.Generation(t.Context()))(t))
	for i := 1; i < len(changes); i++ { // newest first
		if epoch(t, changes[i]) > epoch(t, changes[i-1]) {
			t.Errorf("epoch %s wrote after epoch %s", changes[i-1].What, changes[i].What)
		}
	}
	same(t, "guests", 20, len(must(s.Guests(t.Context(), store.GuestFilter{}))(t)))
	s.sound(t)
}
