package change

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// made keeps a plan of a caller that made a guest, as the engine does when it was done.
func (r *rig) made(vmid int, by, life string) {
	r.t.Helper()
	ctx := r.t.Context()
	body := Body{V: 1, Tool: "create_guest", Title: "create " + r.t.Name() + by + life, Cluster: "home", Requester: by, Tier: Reversible,
		Steps: []Step{{Action: "guest.create", Tier: Reversible, Makes: true, Target: Target{New: true, Cluster: "home", VMID: vmid, Node: "pve1"}}}}
	id := idOf(body.Hash(), 0)
	now := r.now()
	steps := []store.PlanStep{{Plan: id, N: 1, State: StepDone, Cluster: "home", Node: "pve1", Object: Target{VMID: vmid}.ID(), Action: "guest.create", Tier: 1,
		Sent: now, Ended: now, Result: marshal(Result{Life: life})}}
	if _, err := r.db.SavePlan(ctx, store.Plan{ID: id, Hash: body.Hash(), Cluster: "home", Requester: by, State: Done, Body: body.Canonical(), Created: now}, steps,
		store.AuditEntry{Event: "plan", Principal: by}); err != nil {
		r.t.Fatal(err)
	}
}

// TestCreatorDestroys: what a plan of the same caller made less than a day ago, and nobody protected, is destroyed as a disruptive change is;
// everything else waits for an operator, whoever asks.
func TestCreatorDestroys(t *testing.T) {
	t.Parallel()
	life := func(r *rig) string { return r.propose(208, Power{Verb: "start"}).Body.Steps[0].Target.Life }
	disruptive := []Grant{{Tier: Disruptive}}
	for name, c := range map[string]struct {
		prep  func(r *rig)
		a     Destroy
		quick bool
	}{
		"its own":                  {prep: func(r *rig) { r.made(208, agent.Principal, life(r)) }, quick: true},
		"purged":                   {prep: func(r *rig) { r.made(208, agent.Principal, life(r)) }, a: Destroy{Purge: true}, quick: true},
		"with what bears its id":   {prep: func(r *rig) { r.made(208, agent.Principal, life(r)) }, a: Destroy{Unreferenced: true}},
		"just within a day":        {prep: func(r *rig) { r.made(208, agent.Principal, life(r)); time.Sleep(creationAge - time.Second) }, quick: true},
		"older than a day":         {prep: func(r *rig) { r.made(208, agent.Principal, life(r)); time.Sleep(creationAge + time.Second) }},
		"another's":                {prep: func(r *rig) { r.made(208, stranger.Principal, life(r)) }},
		"nobody's":                 {prep: func(*rig) {}},
		"another life of its vmid": {prep: func(r *rig) { r.made(208, agent.Principal, "11111111-2222-3333-4444-555555555555") }},
		"born again since": {prep: func(r *rig) {
			r.made(208, agent.Principal, life(r))
			r.sim.Update(func(w *pvesim.World) { w.SetConfig(208, "smbios1", "uuid=11111111-2222-3333-4444-555555555555") })
		}},
		"protected by a rule": {prep: func(r *rig) {
			r.made(208, agent.Principal, life(r))
			r.sheriff.Rules.Protected = []Scope{{Tag: "keep"}}
			r.sim.Update(func(w *pvesim.World) { w.SetConfig(208, "tags", "keep") })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, r *rig) {
				c.prep(r)
				all := r.grants
				r.grants = disruptive
				p, err := r.Propose(t.Context(), Request{Tool: "test", Guest: "208", Action: c.a, Caller: agent})
				if !c.quick {
					if err == nil {
						t.Fatalf("it is %s: %+v", p.State, p.Verdict)
					}
					if r.grants = all; r.sheriff.Rules.Protected != nil {
						r.refused(t, 208, c.a, "protected by the owner")
					} else if p := r.propose(208, c.a); p.State != Waiting {
						t.Errorf("where all is allowed it is %s: %+v", p.State, p.Verdict)
					}
					return
				}
				if err != nil || p.State != Planned || p.Verdict.Decision != Confirm {
					t.Fatalf("%v: %s %+v", err, p.State, p.Verdict)
				}
				if done := r.apply(p.ID); done.State != Done {
					t.Errorf("%s: %s", done.State, done.Note)
				}
			})
		})
	}
}

// TestCreatorCannotHurry: protection that was put on after the plan was made is heeded, and backups that the owner demands are not demanded of
// what was made today.
func TestCreatorCannotHurry(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.BackupWithin = 48 * time.Hour
		r.refused(t, 208, Destroy{}, "demands a backup")
		r.made(208, agent.Principal, r.propose(208, Power{Verb: "start"}).Body.Steps[0].Target.Life)
		p := r.propose(208, Destroy{})
		r.grants = []Grant{{Tier: Disruptive}}
		r.sheriff.Rules.Protected = []Scope{{VMIDs: [][2]int{{208, 208}}}}
		if err := r.applies(p.ID, agent); err == nil || !strings.Contains(err.Error(), "protected by the owner") || r.sim.Stats().Writes > 0 {
			t.Errorf("%v", err)
		}
	})
}

// TestCloneIsOwn: a real clone is destroyed, and taken back by its undo, by who made it as a disruptive change, and by nobody else; when its
// vmid has another life the journal's word counts no more.
func TestCloneIsOwn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		all := r.grants
		cloned := func() (id int, plan string) {
			r.grants = all
			p := r.do(208, Clone{NewName: "copy"})
			r.grants = []Grant{{Tier: Disruptive}}
			return p.Body.Steps[0].Target.VMID, p.ID
		}
		id, plan := cloned()
		if u, err := r.Undo(t.Context(), plan, agent); err != nil || u.State != Planned || u.Verdict.Decision != Confirm {
			t.Errorf("its undo: %s %+v, %v", u.State, u.Verdict, err)
		}
		_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: strconv.Itoa(id), Action: Destroy{}, Caller: stranger})
		if fault.CodeOf(err) != fault.Denied {
			t.Errorf("by another: %v", err)
		}
		p := r.propose(id, Destroy{})
		if done := r.apply(p.ID); p.State != Planned || done.State != Done {
			t.Errorf("%s, then %s: %s", p.State, done.State, done.Note)
		}
		id, _ = cloned()
		r.sim.AddFault(pvesim.Reincarnated(id))
		if _, err := r.Propose(t.Context(), Request{Tool: "test", Guest: strconv.Itoa(id), Action: Destroy{}, Caller: agent}); fault.CodeOf(err) != fault.Denied {
			t.Errorf("another guest under its vmid: %v", err)
		}
	})
}
