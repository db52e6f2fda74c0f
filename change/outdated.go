package change

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Expired is the state that StateAt gives for a plan that waited too long. It is never stored.
const Expired = "expired"

// StateAt is a plan's state as people read it: one that nobody applied in its time has expired, whatever is written down.
func StateAt(p *store.Plan, now time.Time) string {
	if (&Plan{Plan: *p}).expired(now) {
		return Expired
	}
	return p.State
}

// tellStale gives the plans that have not begun a note where the store knows already that they would be refused: a guest of theirs is gone,
// was made anew, or is on another node. Proxmox VE is not asked; applying looks again.
func (e *Engine) tellStale(ctx context.Context, list []store.Plan) {
	now := e.now()
	for k := range list {
		p := &list[k]
		if !open(p.State) || StateAt(p, now) == Expired || len(p.Body) == 0 {
			continue
		}
		var b Body
		if json.Unmarshal(p.Body, &b) != nil {
			continue
		}
		if why := e.outdated(ctx, &b); why != "" {
			p.Note = "stale: " + why
		}
	}
}

// outdated is why a plan's guests are not those that it was made for, "" where the store knows nothing of the kind.
func (e *Engine) outdated(ctx context.Context, b *Body) string {
	for k := range b.Steps {
		t := b.Steps[k].Target
		if t.Kind != "" || t.New || b.Steps[k].Noop != "" {
			continue
		}
		switch is, gone := e.opt.Guests.Stored(ctx, t.Cluster, t.VMID); {
		case gone:
			return cleanLine(t.Label()) + " is gone"
		case is == nil:
		case is.Type != t.Type, t.Type == pve.LXC && is.Life != lifeCount(t.Life):
			return fmt.Sprintf("another guest has vmid %d now", t.VMID)
		case is.Node != "" && is.Node != t.Node:
			return fmt.Sprintf("%s is on %s now", cleanLine(t.Label()), is.Node)
		}
	}
	return ""
}
