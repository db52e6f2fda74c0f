package change

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// creationAge is how long its creator may take back what it created without an operator (DESIGN §7).
const creationAge = 24 * time.Hour

// Creation is a guest that a plan made: whose plan it was, and which life of the vmid it is.
type Creation struct {
	By   string // the requester's principal
	Life string // as Target.Life; "" where it was not seen
}

// Creations are the guests that plans made under a vmid since a time, by the journal: what a step that makes one was observed to have
// made. Plans whose body is kept no more made nothing that is young.
func Creations(ctx context.Context, st Store, cluster string, vmid int, since time.Time) ([]Creation, error) {
	steps, err := st.Steps(ctx, store.StepFilter{Cluster: cluster, Object: Target{VMID: vmid}.ID(), Since: since, States: []string{StepDone}})
	if err != nil {
		return nil, err
	}
	var out []Creation
	for _, js := range steps {
		life := resultOf(js).Life
		if life == "" {
			continue
		}
		row, ok, err := st.PlanByID(ctx, js.Plan)
		if err != nil {
			return nil, err
		}
		var b Body
		if ok && json.Unmarshal(row.Body, &b) == nil && js.N >= 1 && js.N <= len(b.Steps) && b.Steps[js.N-1].Makes && b.Hash() == row.Hash {
			out = append(out, Creation{By: row.Requester, Life: life})
		}
	}
	return out, nil
}

// weights are the tiers that the steps of a plan are judged by: a destruction of what its requester made himself a short time ago, and nobody
// protected, disturbs and destroys nothing of anybody else's.
func (s *Sheriff) weights(ctx context.Context, b *Body, who Caller, live []Target) ([]Tier, error) {
	out := make([]Tier, len(b.Steps))
	for k := range b.Steps {
		st := &b.Steps[k]
		out[k] = st.Tier
		if s.Created == nil || st.Noop != "" || st.Tier != Destructive || !destroysGuestAlone(st) {
			continue
		}
		made, err := s.Created(ctx, st.Target.Cluster, st.Target.VMID, s.Clock().Add(-creationAge))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(st.states(live), func(t Target) bool { return !s.ownWork(t, who, made) }) {
			out[k] = Disruptive
		}
	}
	return out, nil
}

// destroysGuestAlone is a destruction of one guest with its own disks: those that only bear its number may be older than it is.
func destroysGuestAlone(st *Step) bool {
	if st.Target.Kind != "" || len(st.Also) > 0 || st.Call.Method != "DELETE" || !strings.HasSuffix(st.Call.Path, "/"+st.Target.ID()) {
		return false
	}
	return !slices.ContainsFunc(st.Call.Params, func(p Param) bool { return p.Key == "destroy-unreferenced-disks" && p.Value != "0" })
}

// ownWork says that a guest is one of the creations, by this caller, and unprotected.
func (s *Sheriff) ownWork(t Target, who Caller, made []Creation) bool {
	return t.Life != "" && !t.Protection && !slices.ContainsFunc(s.Rules.Protected, func(c Scope) bool { return c.Fits(t) }) &&
		slices.Contains(made, Creation{By: who.Principal, Life: t.Life})
}

// weighing is the plan with the tier that its steps weigh together: that of the plan, unless some weigh less than they would.
func (b *Body) weighing(weights []Tier) *Body {
	lighter, highest := false, Read
	for k := range b.Steps {
		lighter = lighter || weights[k] < b.Steps[k].Tier
		if b.Steps[k].Noop == "" {
			highest = max(highest, weights[k])
		}
	}
	if !lighter {
		return b
	}
	as := *b
	as.Tier = highest
	return &as
}
