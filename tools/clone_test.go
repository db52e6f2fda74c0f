package tools

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// race is an engine whose first vmids are taken between plan and apply.
type race struct {
	Changes
	ids     []int // of the plans that are made, in order; the last goes on
	taken   int   // how many of them are gone when they are applied
	tried   []int
	dropped int
}

func (r *race) Propose(context.Context, change.Request) (change.Proposal, error) {
	id := r.ids[0]
	if len(r.ids) > 1 {
		r.ids = r.ids[1:]
	}
	var p change.Proposal
	p.ID, p.Hash, p.Verdict.Decision = "p-aaaaaaaa", "0123456789abcdef", change.RunNow
	p.Body.Steps = []change.Step{{Makes: true, Target: change.Target{New: true, VMID: id}}}
	r.tried = append(r.tried, id)
	return p, nil
}

func (r *race) Apply(context.Context, string, change.Caller, change.ApplyOptions) (change.Plan, error) {
	if r.taken--; r.taken >= 0 {
		return change.Plan{}, fault.New(fault.Stale, "vmid is taken meanwhile; nothing was sent")
	}
	var p change.Plan
	p.ID, p.Hash, p.State = "p-aaaaaaaa", "0123456789abcdef", change.Done
	return p, nil
}

func (r *race) Cancel(context.Context, string, change.Caller) (change.Plan, error) {
	r.dropped++
	return change.Plan{}, nil
}

// TestRetaken: a vmid that is taken is chosen anew, three times at most; what is stale for another reason is told, and the plan that was made
// to find that out is dropped.
func TestRetaken(t *testing.T) {
	s, err := Find("clone_guest")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		r       *race
		code    fault.Code
		tried   []int
		dropped int
	}{
		{"once", &race{ids: []int{110, 111}, taken: 1}, "", []int{110, 111}, 0},
		{"always", &race{ids: []int{110, 111, 112, 113, 114}, taken: 9}, fault.Stale, []int{110, 111, 112, 113}, 0},
		{"something else", &race{ids: []int{110, 110}, taken: 9}, fault.Stale, []int{110, 110}, 1},
	} {
		d := deps(&fake{})
		d.Changes = c.r
		_, err := s.Call(t.Context(), d, json.RawMessage(`{"guest":"900"}`))
		if err != nil && fault.CodeOf(err) != c.code || err == nil && c.code != "" {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
		if diff := cmp.Diff(c.tried, c.r.tried); diff != "" || c.r.dropped != c.dropped {
			t.Errorf("%s: dropped %d, tried (-want +got):\n%s", c.name, c.r.dropped, diff)
		}
	}
}
