package change

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestPoolIsLive: a guest that somebody moved into a denied pool a moment ago is judged by the pool that it is in, not by the one that the
// inventory remembers: when the plan is made and when it is applied; and a plan to move it from where it is no more is stale.
func TestPoolIsLive(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.Deny = []Scope{{Pool: "lab"}}
		to := func(pool string) { r.sim.Update(func(w *pvesim.World) { w.Guest(208).Pool = pool }) }
		r.guests.pools = map[int]string{208: ""}
		tag := Configure{Set: map[string]string{"tags": "x"}}
		to("lab")
		r.refused(t, 208, tag, "denies (pool lab)")
		to("")
		p := r.propose(208, tag)
		to("lab")
		if done := r.apply(p.ID); done.State != Stale || !strings.Contains(done.Note, "denies (pool lab)") || r.sim.Stats().Writes > 0 {
			t.Errorf("%s: %s", done.State, done.Note)
		}
		r.sheriff.Rules.Deny = nil
		to("")
		p = r.propose(208, SetPool{Pool: "home"})
		to("lab")
		if done := r.apply(p.ID); done.State != Stale || !strings.Contains(done.Note, "another pool now: lab") || r.sim.Stats().Writes > 0 {
			t.Errorf("%s: %s", done.State, done.Note)
		}
	})
}

// TestTwoNodesClaim: no plan is made for a guest that two nodes claim; of several guests it is left out, with the reason.
func TestTwoNodesClaim(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sim.Update(func(w *pvesim.World) { w.SetConfig(200, "tags", "two"); w.SetConfig(208, "tags", "two") })
		defer r.sim.AddFault(pvesim.StaleNode(208, "pve2", true))()
		r.sim.ResetStats()
		_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: "208", Action: Power{Verb: "start"}, Caller: agent})
		if f := fault.Of(err); fault.CodeOf(err) != fault.Conflict || !f.Retryable || !strings.Contains(f.Message, "two nodes claim") {
			t.Errorf("%v", err)
		}
		p, err := r.Propose(t.Context(), Request{Tool: "test", Query: "tag:two", Action: Configure{Set: map[string]string{"description": "x"}}, Caller: agent})
		if err != nil || len(p.Body.Steps) != 1 || len(p.Body.Skipped) != 1 {
			t.Errorf("%v %+v", err, p.Body)
		}
	})
}
