package change

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Batch is several requests that become one plan: their steps run in order, the first that does not end well ends the plan. A later request
// may be about a guest that an earlier one makes.
type Batch struct {
	e      *Engine
	tool   string
	caller Caller
	body   Body
	lives  []*Live
	made   map[int]*Live
	titles []string
}

// Batch begins a plan of several requests.
func (e *Engine) Batch(tool string, who Caller) *Batch {
	return &Batch{e: e, tool: tool, caller: who, made: map[int]*Live{}}
}

// Add drafts a request and gives its steps, with the ids that it chose. Errors are those of Propose, but for policy, which is asked about
// the whole.
func (b *Batch) Add(ctx context.Context, r Request) ([]Step, error) {
	r.Tool, r.Caller = b.tool, b.caller
	body, lives, err := b.e.draft(ctx, r, b.made)
	if err != nil {
		return nil, err
	}
	if b.body.Cluster != "" && body.Cluster != b.body.Cluster {
		return nil, fault.BadField("cluster", "one plan changes one cluster", b.body.Cluster)
	}
	b.body.Cluster, b.titles = body.Cluster, append(b.titles, body.Title)
	b.body.Steps, b.body.Skipped = append(b.body.Steps, Chained("batch", body.Steps...)...), append(b.body.Skipped, body.Skipped...)
	b.lives = append(b.lives, lives...)
	maps.Copy(b.made, makes(body.Steps))
	return body.Steps, nil
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
	if len(b.body.Steps) == 0 {
		return Proposal{}, fault.BadField("steps", "at least one call is needed", `{"tool": "power_guest", "args": {"guest": "104", "action": "start"}}`)
	}
	body := b.e.body(Request{Tool: b.tool, Caller: b.caller}, fmt.Sprintf("%d calls: %s", len(b.titles), strings.Join(b.titles, "; ")), b.body.Cluster, b.body.Steps)
	body.Skipped = b.body.Skipped
	body.complete(b.lives)
	return b.e.keep(ctx, body, b.caller, b.lives)
}
