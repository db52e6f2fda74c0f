package storetest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// appends is how many rows each process of testAppendProcesses appends.
const appends = 25

// appendMany appends rows that say which process and which of its rows they are.
func appendMany(ctx context.Context, h Store) error {
	for i := range appends {
		if _, err := h.AppendAudit(ctx, store.AuditEntry{Event: "send", Principal: owner(), Step: i}); err != nil {
			return err
		}
	}
	return nil
}

// testAppendProcesses lets 8 processes append at once: one chain with every row of each, in its order.
func testAppendProcesses(t *testing.T, s *suite) {
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if out, err := child(t, s.place, "append").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	s.Store = s.open(t)
	s.chain(t, processes*appends)
	next := map[string]int{}
	for _, r := range must(s.Audit(t.Context(), store.AuditFilter{Forward: true, Limit: processes*appends + 1}))(t) {
		same(t, "row of process "+r.Principal, next[r.Principal], r.Step)
		next[r.Principal]++
	}
	same(t, "processes", processes, len(next))
	s.sound(t)
}

// changeForever plans, sends and ends one change after the other, until it is killed.
func changeForever(ctx context.Context, h Store) error {
	for i := 0; ; i++ {
		id := fmt.Sprintf("p-%d-%d", os.Getpid(), i)
		if _, err := h.SavePlan(ctx, plan(id), planSteps(id, 2), entry("plan", id)); err != nil {
			return err
		}
		l, _, err := h.AcquireLease(ctx, "plan/"+id, owner(), time.Hour)
		if err != nil {
			return err
		}
		for _, step := range planSteps(id, 2) {
			step.State, step.Sent = store.StepSent, time.Now()
			if err := h.SaveStep(ctx, l, step, entry("send", id)); err != nil {
				return err
			}
		}
		if _, err := h.MovePlan(ctx, store.PlanMove{ID: id, From: []string{"waiting"}, To: "applied"}, entry("apply", id), entry("done", id)); err != nil {
			return err
		}
	}
}

// testKillChange kills a process that changes things again and again, the first time while it creates the store: each plan has all
// its steps and each of what was done its audit rows, or none of it.
func testKillChange(t *testing.T, s *suite) {
	done := 0
	for i := range 8 {
		cmd := child(t, s.place, "change")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+60*i) * time.Millisecond)
		if i == 7 {
			s.waitForPlan(t)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed: its state says just that
		done = s.checkChanges(t, i+1)
	}
	if done == 0 {
		t.Error("no child ever ended a change")
	}
}

// waitForPlan waits, on a machine so slow that none got that far, until a child has ended a change.
func (s *suite) waitForPlan(t *testing.T) {
	t.Helper()
	h := s.open(t)
	for range 300 {
		if all, err := h.Plans(t.Context(), store.PlanFilter{States: []string{"applied"}, Limit: 1}); err != nil || len(all) > 0 {
			return // an error shows in the check after the kill
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// checkChanges compares plans and steps with the audit, which has that many rows of this check as well.
func (s *suite) checkChanges(t *testing.T, checks int) (done int) {
	t.Helper()
	h, err := s.b.Open(t.Context(), s.place, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	// A server may still be committing what the killed process sent: who has appended has waited for that.
	must(h.AppendAudit(t.Context(), entry("check", "")))(t)
	r := must(h.Check(t.Context()))(t)
	if !r.OK() {
		t.Fatalf("after a kill: %q", r.Problems)
	}
	const all = 1_000_000
	sent := must(h.CountSteps(t.Context(), store.StepFilter{States: []string{store.StepSent}}))(t)
	done = len(must(h.Plans(t.Context(), store.PlanFilter{States: []string{"applied"}, Limit: all}))(t))
	events := map[string]int{}
	for _, row := range must(h.Audit(t.Context(), store.AuditFilter{Limit: all}))(t) {
		events[row.Event]++
	}
	want := map[string]int{"plan": int(r.Rows["plans"]), "send": sent, "apply": done, "done": done, "check": checks}
	for event, n := range want {
		same(t, event, n, events[event])
	}
	same(t, "steps", 2*r.Rows["plans"], r.Rows["plan_steps"])
	return done
}
