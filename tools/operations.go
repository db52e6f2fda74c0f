package tools

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

type operationsIn struct {
	Guest   string `json:"guest" example:"104" help:"vmid or name"`
	Tool    string `json:"tool" example:"power_guest" help:"only what this tool did, such as power_guest"`
	Outcome string `json:"outcome" enum:"ok,denied,failed,unknown"`
	User    string `json:"user" example:"local:1000" desc:"principal: local:1000, operator" help:"principal: local:1000, operator"`
	Since   string `json:"since" example:"2h" desc:"default 24h" help:"time: 2h, yesterday, 2026-11-20 18:00; default 24h"`
	Until   string `json:"until" example:"2026-11-20 18:00" help:"time, default now"`
	Cursor  string `json:"cursor"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Format  string `json:"format" enum:"text,json"`
}

func (in *operationsIn) wantsJSON() bool { return in.Format == "json" }

type operationsOut struct {
	Envelope
	Total      int        `json:"total"`
	Cut        bool       `json:"cut,omitempty"` // more matched than were read: total is a lower bound
	Columns    []string   `json:"columns"`
	Rows       [][]string `json:"rows"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

// operationsShown is a page: below 3,000 tokens with long texts.
const operationsShown = 50

func findOperations() Spec {
	return define(Spec{
		Name: "find_operations", Title: "Operations", Family: "history", Command: "operation list", Args: []string{"guest"}, Tier: R0,
		Summary: "What was done, refused or approved through this server, newest first, with who and outcome.",
		Examples: []Example{
			{CLI: "operation list", Args: map[string]any{}, Why: "the last 24 hours"},
			{CLI: "operation list 208 --outcome denied", Args: map[string]any{"guest": "208", "outcome": "denied"}, Why: "what was refused"},
		},
	}, func(ctx context.Context, d Deps, in *operationsIn) (*operationsOut, error) {
		q := change.OperationQuery{Cluster: in.Cluster, Guest: in.Guest, Tool: in.Tool, Principal: in.User, Outcome: in.Outcome, Limit: operationsShown}
		var err error
		if q.Since, q.Until, err = between(d, in.Since, in.Until); err != nil {
			return nil, err
		}
		if q.Since.IsZero() {
			q.Since = d.Now().Add(-24 * time.Hour)
		}
		if in.Cursor != "" {
			if q.After, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || q.After < 1 {
				return nil, fault.BadField("cursor", "must be the next_cursor of the page before", "120")
			}
		}
		p, err := d.Changes.Operations(ctx, q)
		if err != nil {
			return nil, err
		}
		if p.Total == 0 && in.Tool != "" {
			if _, err := Find(in.Tool); err != nil {
				return nil, err
			}
		}
		return operationsOf(d, p), nil
	})
}

func operationsOf(d Deps, p change.Operations) *operationsOut {
	out := &operationsOut{Envelope: Envelope{AsOf: stamp(d, d.Now())}, Total: p.Total, Cut: p.Cut,
		Columns: []string{"at", "guest", "what", "outcome", "by", "plan", "detail"}, Rows: [][]string{}}
	for k := range p.Rows {
		r := &p.Rows[k]
		what := strings.TrimSpace(r.Tool + " " + r.Event)
		out.Rows = append(out.Rows, []string{stamp(d, r.At), r.Object, clean.Line(what, 60), r.Outcome, clean.Line(r.Principal, 60), r.Plan, clean.Line(r.Detail, 160)})
	}
	if p.Next > 0 {
		out.NextCursor = strconv.FormatInt(p.Next, 10)
	}
	return out
}

// View implements Answer.
func (o *operationsOut) View(Deps) View {
	v := View{}
	v.Line("%s, as of %s", counted(o.Total, "operation"), o.AsOf)
	if o.Cut {
		v.Line("there are more than were read: ask for a shorter time or one guest")
	}
	v.Table(Table{Name: "operations", Main: true, Columns: o.Columns, Rows: o.Rows})
	if o.NextCursor != "" {
		v.Line("more: cursor %s", o.NextCursor)
	}
	return v
}
