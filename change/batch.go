package change

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Batch is several requests that become one plan: their steps run in order, the first that does not end well ends the plan. A later
// request is planned on what the earlier ones leave, and may be about a guest that one of them makes.
type Batch struct {
	e      *Engine
	tool   string
	caller Caller
	body   Body
	lives  []*Live
	sofar  sofar
	titles []string
}

// sofar is what the earlier requests of a plan make: guests by vmid, and steps.
type sofar struct {
	made  map[int]*Live
	steps []Step
}

// of is the guest that a request names, where an earlier request makes it; else nil.
func (s *sofar) of(r Request) *Live {
	for _, l := range s.made {
		if r.Guest != "" && (r.Guest == l.ID() || r.Guest == l.Target.Name) {
			return l
		}
	}
	return nil
}

// expected puts the guests that were read into the state that the earlier requests leave them in.
func (s *sofar) expected(lives []*Live, errs []error) {
	for k, l := range lives {
		if errs[k] == nil {
			lives[k], errs[k] = l.after(s.steps)
		}
	}
}

// Batch begins a plan of several requests.
func (e *Engine) Batch(tool string, who Caller) *Batch {
	return &Batch{e: e, tool: tool, caller: who, sofar: sofar{made: map[int]*Live{}}}
}

// Add drafts a request and gives its steps, with the ids that it chose. Errors are those of Propose, but for policy, which is asked about
// the whole.
func (b *Batch) Add(ctx context.Context, r Request) ([]Step, error) {
	r.Tool, r.Caller = b.tool, b.caller
	body, lives, err := b.e.draft(ctx, r, &b.sofar)
	if err != nil {
		return nil, err
	}
	if b.body.Cluster != "" && body.Cluster != b.body.Cluster {
		return nil, fault.BadField("cluster", "one plan changes one cluster", b.body.Cluster)
	}
	steps := Chained("batch", later(body.Steps, b.sofar.steps)...)
	b.body.Cluster, b.titles = body.Cluster, append(b.titles, body.Title)
	b.body.Skipped, b.body.moment = append(b.body.Skipped, body.Skipped...), append(b.body.moment, body.moment...)
	for _, n := range body.Notes {
		if !slices.Contains(b.body.Notes, n) {
			b.body.Notes = append(b.body.Notes, n)
		}
	}
	b.sofar.steps = append(b.sofar.steps, steps...)
	maps.Copy(b.sofar.made, makes(steps))
	for _, l := range lives { // the first look is what is so now
		if !slices.ContainsFunc(b.lives, func(o *Live) bool { return o.VMID == l.VMID }) {
			b.lives = append(b.lives, l)
		}
	}
	return steps, nil
}

// makes are the guests that steps make, as a later step may take them.
func makes(steps []Step) map[int]*Live {
	out := map[int]*Live{}
	for k := range steps {
		if s := &steps[k]; s.Makes && s.made != nil {
			out[s.Target.VMID] = s.made
		}
	}
	return out
}

// Propose keeps the plan, as Engine.Propose does.
func (b *Batch) Propose(ctx context.Context) (Proposal, error) {
	if len(b.sofar.steps) == 0 {
		return Proposal{}, fault.BadField("steps", "at least one call is needed", `{"tool": "power_guest", "args": {"guest": "104", "action": "start"}}`)
	}
	body := b.e.body(Request{Tool: b.tool, Caller: b.caller}, fmt.Sprintf("%d calls: %s", len(b.titles), strings.Join(b.titles, "; ")), b.body.Cluster, b.sofar.steps)
	body.Skipped, body.Notes, body.moment = b.body.Skipped, b.body.Notes, b.body.moment
	body.complete(b.lives)
	return b.e.keep(ctx, body, b.caller, b.lives)
}
