package change

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// bubble runs f with a rig in virtual time.
func bubble(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		f(t, r)
	})
}

// TestChange walks the main road: memory is changed, seen to be changed, and taken back.
func TestChange(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		before := r.config(208, "memory")
		p := r.do(208, Configure{Set: map[string]string{"memory": "3072", "tags": "b;a"}})
		if got := r.config(208, "memory"); got != "3072" {
			t.Errorf("memory is %v", got)
		}
		if step := p.Journal[0]; step.State != StepDone || !strings.Contains(string(step.Result), "memory is 3072") {
			t.Errorf("journal: %+v %s", step, step.Result)
		}
		u, err := r.Undo(t.Context(), p.ID, agent)
		if err != nil {
			t.Fatal(err)
		}
		if done := r.apply(u.ID); done.State != Done {
			t.Fatalf("undo ended %s: %s", done.State, done.Note)
		}
		if got := r.config(208, "memory"); got != before {
			t.Errorf("memory is %v, was %v", got, before)
		}
		if again, err := r.Plan(t.Context(), p.ID, agent); err != nil || again.State != Undone {
			t.Errorf("the plan that was undone is %s, %v", again.State, err)
		}
	})
}

// TestPlanIsBound: a plan is used once, by who asked for it, in its time, on the state that it was made for.
func TestPlanIsBound(t *testing.T) {
	change := Configure{Set: map[string]string{"memory": "3072"}}
	for _, c := range []struct {
		name string
		do   func(r *rig, id string) error
		want fault.Code
	}{
		{"used twice", func(r *rig, id string) error { r.apply(id); return r.applies(id, agent) }, fault.Conflict},
		{"by another", func(r *rig, id string) error { return r.applies(id, stranger) }, fault.NotFound},
		{"too late", func(r *rig, id string) error { time.Sleep(planTTL); return r.applies(id, agent) }, fault.Conflict},
		{"cancelled", func(r *rig, id string) error {
			if _, err := r.Cancel(r.t.Context(), id, agent); err != nil {
				return err
			}
			return r.applies(id, agent)
		}, fault.Conflict},
		{"approved by who asked", func(r *rig, id string) error { _, err := r.Approve(r.t.Context(), id, agent, "me"); return err }, fault.Denied},
		{"unknown", func(r *rig, _ string) error { return r.applies("p-aaaaaaaa", agent) }, fault.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				if err := c.do(r, r.propose(200, change).ID); fault.CodeOf(err) != c.want {
					t.Errorf("%v, want %s", err, c.want)
				}
			})
		})
	}
}

func (r *rig) applies(id string, who Caller) error {
	_, err := r.Apply(r.t.Context(), id, who, ApplyOptions{Wait: time.Hour})
	return err
}

// TestPending: what waits for a restart of a running guest is said to wait.
func TestPending(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.do(200, Configure{Set: map[string]string{"memory": "3072"}})
		var res Result
		if err := json.Unmarshal(p.Journal[0].Result, &res); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"memory"}, res.Pending); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSnapshot: created, listed, taken back; a roll-back and a deletion wait for an operator and have no way back.
func TestSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.do(208, Snapshot{Verb: "create", Snapshot: "before"})
		u, err := r.Undo(t.Context(), p.ID, agent)
		if err != nil {
			t.Fatal(err)
		}
		if done := r.apply(u.ID); done.State != Done {
			t.Errorf("undo ended %s: %s", done.State, done.Note)
		}
		r.do(208, Snapshot{Verb: "create", Snapshot: "again"})
		for _, verb := range []string{"rollback", "delete"} {
			p := r.propose(208, Snapshot{Verb: verb, Snapshot: "again"})
			if p.State != Waiting || len(p.Body.Lost) == 0 {
				t.Errorf("%s: %s, lost %v", verb, p.State, p.Body.Lost)
			}
			if err := r.applies(p.ID, agent); fault.CodeOf(err) != fault.Conflict {
				t.Errorf("%s without approval: %v", verb, err)
			}
			r.approved(p)
			if done := r.apply(p.ID); done.State != Done {
				t.Errorf("%s ended %s: %s", verb, done.State, done.Note)
			}
			if _, err := r.Undo(t.Context(), p.ID, agent); fault.CodeOf(err) != fault.Conflict {
				t.Errorf("undo of %s: %v", verb, err)
			}
		}
	})
}

// TestDestroy: what stands in the way is named; nothing but the guest itself goes.
func TestDestroy(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for id, want := range map[int]string{200: "is running", 211: "protected", 900: "linked clones"} {
			if _, err := r.Propose(t.Context(), Request{Guest: strconv.Itoa(id), Action: Destroy{}, Caller: agent}); id != 900 && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%d: %v, want %q", id, err, want)
			}
		}
		r.do(208, Destroy{})
		r.sim.Update(func(w *pvesim.World) {
			if w.Guest(208) != nil {
				t.Error("it still exists")
			}
		})
	})
}

// TestStale: what changed since the plan is named, with what the plan wants, and nothing is sent.
func TestStale(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.propose(200, Configure{Set: map[string]string{"memory": "3072"}})
		r.sim.Update(func(w *pvesim.World) { w.SetConfig(200, "memory", "5120") })
		done := r.apply(p.ID)
		if done.State != Stale || !strings.Contains(done.Note, "is 5120, plan wants 3072") {
			t.Errorf("%s: %s", done.State, done.Note)
		}
		if got := r.config(200, "memory"); got != "5120" {
			t.Errorf("memory is %v", got)
		}
	})
}

// TestPower: verbs, the no-op, and the way back.
func TestPower(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		if p := r.propose(200, Power{Verb: "start"}); p.ID != "" || p.Body.Steps[0].Noop == "" {
			t.Errorf("a start of a running guest is a plan: %+v", p)
		}
		p := r.do(200, Power{Verb: "shutdown"})
		if r.running(200) {
			t.Error("it runs")
		}
		u, err := r.Undo(t.Context(), p.ID, agent)
		if err != nil {
			t.Fatal(err)
		}
		r.apply(u.ID)
		if !r.running(200) {
			t.Error("it does not run")
		}
	})
}

// TestSameHash: the same request on the same state is the same plan, and another one once that was used.
func TestSameHash(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := Configure{Set: map[string]string{"memory": "3072"}}
		a, b := r.propose(200, c), r.propose(200, c)
		if a.ID != b.ID || a.Hash != b.Hash {
			t.Errorf("%s %s and %s %s", a.ID, a.Hash, b.ID, b.Hash)
		}
		if _, err := r.Cancel(t.Context(), a.ID, agent); err != nil {
			t.Fatal(err)
		}
		if b = r.propose(200, c); a.ID == b.ID || a.Hash != b.Hash {
			t.Errorf("after it was used: %s %s and %s %s", a.ID, a.Hash, b.ID, b.Hash)
		}
	})
}
