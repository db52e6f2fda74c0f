package change

import (
	"slices"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestDryRunWaitsForNobody: what was only planned is in no queue and cannot be approved; who made it asks for it, and then it waits. Lists
// name what it destroys, and say when that is gone.
func TestDryRunWaitsForNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		p, err := r.Propose(t.Context(), Request{Tool: "test", Guest: "208", Action: Destroy{}, Caller: agent})
		if err != nil || p.State != Planned || p.Verdict.Decision != Operator {
			t.Fatalf("a destroy is planned as %s (%s): %v", p.State, p.Verdict.Decision, err)
		}
		if p.Title != "destroy 208 test-debian" {
			t.Errorf("its title is %q", p.Title)
		}
		queue := func() []store.Plan {
			list, err := r.Plans(t.Context(), store.PlanFilter{States: []string{Waiting}}, operator)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		if list := queue(); len(list) != 0 {
			t.Errorf("a dry run waits for the operator: %+v", list)
		}
		if _, err := r.Approve(t.Context(), p.ID, operator, "the test"); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "nobody asked") {
			t.Errorf("approving a dry run: %v", err)
		}
		if _, err := r.Submit(t.Context(), p.ID, stranger); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("somebody else asks for it: %v", err)
		}
		if _, err := r.Submit(t.Context(), p.ID, agent); err != nil {
			t.Fatal(err)
		}
		if list := queue(); len(list) != 1 || list[0].Note != "" {
			t.Fatalf("asked for, the queue is %+v", list)
		}
		r.sim.Update(func(w *pvesim.World) { w.RemoveGuest(208) })
		if list := queue(); len(list) != 1 || list[0].Note != "stale: 208 test-debian is gone" {
			t.Errorf("with its guest gone, the queue is %+v", list)
		}
		list := queue()
		if s := StateAt(&list[0], list[0].Expires); s != Expired {
			t.Errorf("after its time it is %s", s)
		}
	})
}

// TestUnsureGuestsAreNamed: guests of which it is not known whether the query means them are left out by name, also where it selects no other.
func TestUnsureGuestsAreNamed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.guests.unsure = []Skip{{"302 k3s-2", "its state is not known"}}
		p, err := r.Propose(t.Context(), Request{Tool: "test", Query: "tag:ci", Action: Configure{Set: map[string]string{"cores": "3"}}, Caller: agent})
		if err != nil || len(p.Body.Steps) == 0 || !slices.Contains(p.Body.Skipped, r.guests.unsure[0]) {
			t.Errorf("%d steps, left out %v: %v", len(p.Body.Steps), p.Body.Skipped, err)
		}
		_, err = r.Propose(t.Context(), Request{Tool: "test", Query: "tag:none", Action: Power{Verb: "start"}, Caller: agent})
		if e := fault.Of(err); e.Code != fault.NotFound || !strings.Contains(e.Hint, "302 k3s-2: its state is not known") {
			t.Errorf("a query that selects none: %v, %q", err, e.Hint)
		}
	})
}

// TestTitlesNameGuests: three by name, the rest counted.
func TestTitlesNameGuests(t *testing.T) {
	t.Parallel()
	var lives []*Live
	b := Body{}
	for k, name := range []string{"web", "db", "mail", "git", "idle"} {
		l := &Live{Target: Target{VMID: 101 + k, Name: name}}
		if lives = append(lives, l); name != "idle" {
			b.Steps = append(b.Steps, Step{Target: l.Target})
		}
	}
	for title, want := range map[string]string{"shutdown": "shutdown 101 web, 102 db, 103 mail and 1 more", "set memory": "set memory: 101 web, 102 db, 103 mail and 1 more"} {
		if got := b.titled(title, lives); got != want {
			t.Errorf("%s is %q", title, got)
		}
	}
	if got := (&Body{}).titled("drain node pve1", lives); got != "drain node pve1" {
		t.Errorf("without a guest that it touches it is %q", got)
	}
}

// TestOwnerRuns: the line to paste, and in a demo, where it could not work, what can be done instead.
func TestOwnerRuns(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{"": "its owner runs: proxmox-mcp plan approve p-x", "/opt/x --state y": "its owner runs: /opt/x --state y plan approve p-x"} {
		if got := OwnerRuns(program, "plan approve p-x"); got != want {
			t.Errorf("%q: %s", program, got)
		}
	}
	if got := OwnerRuns(Ownerless, "plan approve p-x"); strings.Contains(got, "plan approve") || !strings.Contains(got, "no owner") {
		t.Errorf("a demo: %s", got)
	}
}
