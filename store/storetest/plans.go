package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// plan is one as package change makes it.
func plan(id string) store.Plan {
	body := `{"id":"` + id + `","steps":["<start> & \u0000 ä 'quoted' \\"]}`
	return store.Plan{
		ID: id, Hash: pve.Hash([]byte(body)), Cluster: "a", Requester: "local:1000", Tool: "power_guest", Title: "start web", Tier: 1,
		State: "waiting", Body: json.RawMessage(body), Created: t0, Expires: t0.Add(time.Hour),
	}
}

// planSteps are the pending steps of a plan.
func planSteps(id string, n int) []store.PlanStep {
	var all []store.PlanStep
	for i := range n {
		all = append(all, store.PlanStep{Plan: id, N: i + 1, State: "pending", Cluster: "a", Node: "pve1", Object: fmt.Sprint(100 + i), Action: "guest.start", Tier: 1})
	}
	return all
}

func entry(event, plan string) store.AuditEntry {
	return store.AuditEntry{Principal: "local:1000", Door: "cli", Event: event, Plan: plan}
}

func (s *suite) save(t *testing.T, p store.Plan, steps int) store.Plan {
	t.Helper()
	return must(s.SavePlan(t.Context(), p, planSteps(p.ID, steps), entry("plan", p.ID)))(t)
}

// events are the events of the audit, oldest first.
func (s *suite) events(t *testing.T) string {
	t.Helper()
	var all []string
	for _, r := range must(s.Audit(t.Context(), store.AuditFilter{Forward: true}))(t) {
		all = append(all, r.Event)
	}
	return strings.Join(all, " ")
}

// testPlans keeps plans to the byte and finds them again.
func testPlans(t *testing.T, s *suite) {
	first := plan("p-a")
	same(t, "saved", first, s.save(t, first, 2))
	second := plan("p-b")
	second.Requester, second.State, second.UndoOf, second.Created = "token:ci", "applied", "p-a", t0.Add(time.Second)
	s.save(t, second, 0)
	got, ok, err := s.PlanByID(t.Context(), "p-a")
	same(t, "plan", []any{first, true, nil}, []any{got, ok, err})
	same(t, "steps", planSteps("p-a", 2), must(s.Steps(t.Context(), store.StepFilter{Plan: "p-a"}))(t))
	if _, ok, err := s.PlanByID(t.Context(), "p-c"); ok || err != nil {
		t.Errorf("a plan that is not there: %v, %v", ok, err)
	}
	for _, c := range []struct {
		f    store.PlanFilter
		want []store.Plan
	}{
		{store.PlanFilter{}, []store.Plan{second, first}},
		{store.PlanFilter{Limit: 1}, []store.Plan{second}},
		{store.PlanFilter{Requester: "local:1000"}, []store.Plan{first}},
		{store.PlanFilter{States: []string{"applied", "failed"}}, []store.Plan{second}},
		{store.PlanFilter{Hash: first.Hash}, []store.Plan{first}},
		{store.PlanFilter{UndoOf: "p-a"}, []store.Plan{second}},
		{store.PlanFilter{Since: t0.Add(time.Second)}, []store.Plan{second}},
		{store.PlanFilter{Cluster: "b"}, []store.Plan{}},
	} {
		same(t, fmt.Sprintf("%+v", c.f), c.want, must(s.Plans(t.Context(), c.f))(t))
	}
	again := first
	again.Title = "other"
	_, err = s.SavePlan(t.Context(), again, planSteps("p-a", 3), entry("plan", "p-a"))
	wantCode(t, err, fault.Conflict)
	again.ID, again.Hash = "p-d", "none"
	_, err = s.SavePlan(t.Context(), again, nil, entry("plan", "p-d"))
	wantCode(t, err, fault.Invalid)
	twice := plan("p-e")
	if _, err = s.SavePlan(t.Context(), twice, append(planSteps("p-e", 1), planSteps("p-e", 1)...), entry("plan", "p-e")); err == nil {
		t.Error("two steps of one number")
	}
	same(t, "rows", []int64{2, 2, 2}, []int64{s.rows(t)["plans"], s.rows(t)["plan_steps"], s.rows(t)["audit"]})
}

// testPlanMoves changes states: what is not given stays, and what is refused leaves no trace.
func testPlanMoves(t *testing.T, s *suite) {
	want := s.save(t, plan("p-a"), 0)
	at := t0.Add(time.Minute)
	want.State, want.Approver, want.Approved = "approved", "operator", at
	move := store.PlanMove{ID: "p-a", From: []string{"waiting"}, To: "approved", At: at, Approver: "operator", Approved: at}
	same(t, "approved", want, must(s.MovePlan(t.Context(), move, entry("approve", "p-a")))(t))

	want.State, want.Owner, want.Began, want.Ended, want.Note, want.Outcome = "applied", "run", at, at.Add(time.Second), "ä'?", json.RawMessage(`{"ok":true}`)
	move = store.PlanMove{ID: "p-a", From: []string{"waiting", "approved"}, To: "applied", Owner: "run", Began: at, Ended: want.Ended, Note: want.Note, Outcome: want.Outcome}
	same(t, "applied", want, must(s.MovePlan(t.Context(), move, entry("apply", "p-a"), entry("done", "p-a")))(t))
	got, _, err := s.PlanByID(t.Context(), "p-a")
	same(t, "kept", []any{want, nil}, []any{got, err})

	_, err = s.MovePlan(t.Context(), move, entry("apply", "p-a"))
	wantCode(t, err, fault.Conflict)
	same(t, "message", "plan p-a is applied already", err.Error())
	move.ID = "p-b"
	_, err = s.MovePlan(t.Context(), move, entry("apply", "p-b"))
	wantCode(t, err, fault.NotFound)
	same(t, "audit", "plan approve apply done", s.events(t))
	same(t, "time of the move", at, must(s.Audit(t.Context(), store.AuditFilter{Events: []string{"approve"}}))(t)[0].At)
}

// testPlanRace lets 16 runs on 4 handles begin one plan: one does.
func testPlanRace(t *testing.T, s *suite) {
	handles := []Store{s.Store, s.open(t), s.open(t), s.open(t)}
	s.save(t, plan("p-a"), 0)
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			move := store.PlanMove{ID: "p-a", From: []string{"waiting"}, To: "running", Owner: fmt.Sprint(i)}
			switch _, err := handles[i%4].MovePlan(t.Context(), move, entry("apply", "p-a")); {
			case err == nil:
				won.Add(1)
			case fault.CodeOf(err) != fault.Conflict:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	same(t, "runs", int64(1), won.Load())
	same(t, "audit", "plan apply", s.events(t))
}

// testPlanRetention takes the bodies of plans that ended more than 90 days ago, and nothing else.
func testPlanRetention(t *testing.T, s *suite) {
	ended, waiting := s.save(t, plan("p-a"), 1), s.save(t, plan("p-b"), 1)
	ended.State, ended.Ended, ended.Outcome = "applied", t0, json.RawMessage(`{}`)
	must(s.MovePlan(t.Context(), store.PlanMove{ID: "p-a", From: []string{"waiting"}, To: "applied", Ended: t0, Outcome: ended.Outcome}))(t)
	s.pass(90 * 24 * time.Hour)
	s.save(t, plan("p-c"), 0)
	got, _, _ := s.PlanByID(t.Context(), "p-a")
	same(t, "after 90 days", ended, got)
	s.pass(time.Second)
	s.save(t, plan("p-d"), 0)
	ended.Body = nil
	for _, want := range []store.Plan{ended, waiting} {
		got, _, _ := s.PlanByID(t.Context(), want.ID)
		same(t, "later", want, got)
	}
	same(t, "rows", []int64{4, 2, 4}, []int64{s.rows(t)["plans"], s.rows(t)["plan_steps"], s.rows(t)["audit"]})
}

// testSteps writes the journal of a step through its states, fenced by the lease.
func testSteps(t *testing.T, s *suite) {
	s.save(t, plan("p-a"), 2)
	old := must2(s.AcquireLease(t.Context(), "plan/p-a", "run1", time.Second))(t)
	step := planSteps("p-a", 1)[0]
	step.State, step.Sent, step.Before = store.StepSent, t0, json.RawMessage(`{"status":"stopped"}`)
	s.step(t, old, step, entry("send", "p-a"))
	step.State, step.UPID, step.Node = "running", "UPID:pve1:1:", "pve2"
	s.step(t, old, step)
	s.pass(time.Second)
	l := must2(s.AcquireLease(t.Context(), "plan/p-a", "run2", time.Second))(t)
	late := step
	late.State, late.Error, late.Code = "failed", "of the run that was replaced", "fenced"
	wantCode(t, s.SaveStep(t.Context(), old, late, entry("failed", "p-a")), fault.Fenced)
	step.State, step.Ended, step.Result = "done", t0.Add(time.Second), json.RawMessage(`{"inverse":"stop"}`)
	s.step(t, l, step, entry("done", "p-a"))
	want := []store.PlanStep{step, planSteps("p-a", 2)[1]}
	same(t, "steps", want, must(s.Steps(t.Context(), store.StepFilter{Plan: "p-a"}))(t))
	step.N = 3
	wantCode(t, s.SaveStep(t.Context(), l, step, entry("send", "p-a")), fault.NotFound)
	same(t, "audit", "plan send done", s.events(t))
}

func (s *suite) step(t *testing.T, l store.Lease, step store.PlanStep, a ...store.AuditEntry) {
	t.Helper()
	if err := s.SaveStep(t.Context(), l, step, a...); err != nil {
		t.Fatal(err)
	}
}

// must2 gives the value of a lookup that has to find something.
func must2[T any](v T, ok bool, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return v
	}
}

// testStepFilter counts and lists by each field; the limit bounds the list alone.
func testStepFilter(t *testing.T, s *suite) {
	s.save(t, plan("p-a"), 3)
	s.save(t, plan("p-b"), 1)
	l := must2(s.AcquireLease(t.Context(), "plan/p-a", "run", time.Hour))(t)
	for i, step := range planSteps("p-a", 2) {
		step.State, step.Sent, step.Tier = store.StepSent, t0.Add(time.Duration(i)*time.Minute), i+1
		if i == 1 {
			step.Node, step.Action = "pve2", "guest.stop"
		}
		s.step(t, l, step)
	}
	for _, c := range []struct {
		f    store.StepFilter
		want string
	}{
		{store.StepFilter{}, "p-a/2 p-a/1 p-a/3 p-b/1"},
		{store.StepFilter{Plan: "p-a"}, "p-a/1 p-a/2 p-a/3"},
		{store.StepFilter{Since: t0}, "p-a/2 p-a/1"},
		{store.StepFilter{Since: t0.Add(time.Minute)}, "p-a/2"},
		{store.StepFilter{Since: t0, Node: "pve1"}, "p-a/1"},
		{store.StepFilter{Object: "100"}, "p-a/1 p-b/1"},
		{store.StepFilter{Action: "guest.stop"}, "p-a/2"},
		{store.StepFilter{MinTier: 2}, "p-a/2"},
		{store.StepFilter{States: []string{"pending"}}, "p-a/3 p-b/1"},
		{store.StepFilter{Cluster: "b"}, ""},
	} {
		var got []string
		for _, step := range must(s.Steps(t.Context(), c.f))(t) {
			got = append(got, fmt.Sprintf("%s/%d", step.Plan, step.N))
		}
		same(t, fmt.Sprintf("%+v", c.f), c.want, strings.Join(got, " "))
		same(t, "count", len(got), must(s.CountSteps(t.Context(), c.f))(t))
	}
	s.save(t, plan("p-c"), 501)
	same(t, "a long journal", 501, len(must(s.Steps(t.Context(), store.StepFilter{Plan: "p-c"}))(t)))
	same(t, "of all plans", 500, len(must(s.Steps(t.Context(), store.StepFilter{}))(t)))
	limited := store.StepFilter{Plan: "p-a", Limit: 1}
	same(t, "limited", 1, len(must(s.Steps(t.Context(), limited))(t)))
	same(t, "count", 3, must(s.CountSteps(t.Context(), limited))(t))
}
