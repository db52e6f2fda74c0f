package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type changesIn struct {
	Since  string `json:"since" example:"2h" desc:"2h, 3d, yesterday, 2026-11-20 18:00; default 24h"`
	Until  string `json:"until" example:"2026-11-20 18:00" desc:"default now"`
	Object string `json:"object" example:"104" desc:"vmid, guest name, node, storage or pool"`
	Field  string `json:"field" example:"scsi*" desc:"config key, or its start and *"`
	Limit  int    `json:"limit" min:"1" max:"500" example:"100"`
	Cursor string `json:"cursor" desc:"next_cursor of the page before"`
	Common
}

type changesOut struct {
	Envelope
	Since      string      `json:"since"`
	Until      string      `json:"until"`
	KnownSince string      `json:"known_since,omitempty"`
	Total      int         `json:"total"`
	Cut        bool        `json:"cut,omitempty"` // more matched than were read: total is a lower bound
	Columns    []string    `json:"columns"`
	Rows       [][]*string `json:"rows"`
	NextCursor string      `json:"next_cursor,omitempty"`
	src        inventory.ChangePage
}

var changeColumns = []string{"seen", "not_before", "cluster", "kind", "id", "name", "what", "field", "old", "new", "task", "user", "plan", "principal"}

func findChanges() Spec {
	return define(Spec{
		Name: "find_changes", Title: "Changes", Family: "history", Command: "history list", Args: []string{"object"},
		Needs:   []Need{needGuests, needTasks, needStorages, needPools},
		Summary: "What changed, newest first: config keys old and new, moves, starts and stops, guests that came and went, with the task and user where one fits. Seen between two looks.",
		Examples: []Example{
			{CLI: "history list", Args: map[string]any{}, Why: "the last 24 hours"},
			{CLI: "history list 104 --since 7d", Args: map[string]any{"object": "104", "since": "7d"}, Why: "one guest"},
			{CLI: "history list --since yesterday --field 'net*'", Args: map[string]any{"since": "yesterday", "field": "net*"}, Why: "network devices"},
		},
	}, func(ctx context.Context, d Deps, in *changesIn) (*changesOut, error) {
		q := inventory.ChangeQuery{Window: in.Since + " to " + in.Until, Object: strings.TrimSpace(in.Object), Field: strings.TrimSpace(in.Field), Limit: in.Limit, Cursor: in.Cursor, ReadOptions: in.read()}
		var err error
		if q.Since, q.Until, err = between(d, in.Since, in.Until); err != nil {
			return nil, err
		}
		p, err := d.Inventory.Changes(ctx, q)
		if err != nil {
			return nil, err
		}
		return changesOf(d, p), nil
	})
}

func changesOf(d Deps, p inventory.ChangePage) *changesOut {
	out := &changesOut{Envelope: envelope(d, p.Meta), Since: stamp(d, p.Since), Until: stamp(d, p.Until), Total: p.Total, Cut: p.Cut, Columns: changeColumns,
		Rows: [][]*string{}, NextCursor: p.NextCursor, src: p}
	if !p.KnownSince.IsZero() {
		out.KnownSince = stamp(d, p.KnownSince)
	}
	for k := range p.Rows {
		c := &p.Rows[k]
		row := []string{stamp(d, c.At), "", c.Cluster, c.Kind, c.ID, cell(c.Name, 100), c.What, c.Field, c.Old, c.New, c.Task, c.User, c.Plan, c.Principal}
		if !c.NotBefore.IsZero() {
			row[1] = stamp(d, c.NotBefore)
		}
		out.Rows = append(out.Rows, present(row))
	}
	return out
}

// present makes empty cells null: absent is not an empty text.
func present(row []string) []*string {
	out := make([]*string, len(row))
	for i := range row {
		if row[i] != "" {
			out[i] = &row[i]
		}
	}
	return out
}

// View implements Answer.
func (o *changesOut) View(d Deps) View {
	p := o.src
	v := View{Warnings: p.Warnings}
	v.Line("%s from %s to %s, %s", counted(p.Total, "change"), shortStamp(d, p.Since), shortStamp(d, p.Until), asOf(d, p.Meta))
	if o.KnownSince != "" {
		v.Line("first looked at %s: what changed before is not known, though %s may list tasks from then", shortStamp(d, p.KnownSince), worded(d, "find_tasks"))
	}
	if p.Cut {
		v.Line("there are more than were read: ask for a shorter time or one object")
	}
	t := Table{Name: "changes", Main: true, Columns: []string{"seen", "object", "change", "by"}}
	var last, lastBy string
	var at []string
	for k := range p.Rows {
		c := &p.Rows[k]
		at = append(at, c.Cluster)
		seen := seenText(d, c.At, c.NotBefore)
		row := []string{seen, objectName(c), changeText(c), byText(c)}
		if what := seen + row[1] + c.Cluster; what != last {
			last, lastBy = what, row[3]
		} else if row[0], row[1] = "", ""; row[3] == lastBy { // what a row leaves out is as in the row above
			row[3] = ""
		} else {
			lastBy = row[3]
		}
		t.Rows = append(t.Rows, row)
	}
	v.Table(t.in(d, at))
	if p.NextCursor != "" {
		v.Line("more: cursor %s", p.NextCursor)
	}
	return v
}

func objectName(c *inventory.Change) string {
	if c.Kind == "guest" {
		return strings.TrimSpace(c.ID + " " + cell(c.Name, 60))
	}
	return strings.TrimSuffix(c.Kind, "_config") + " " + cell(c.ID, 60)
}

func changeText(c *inventory.Change) string {
	switch c.What {
	case "added", "removed", "changed":
		return differenceText(c.What, c.Field, c.Old, c.New)
	}
	if c.Field == "" && c.New != "" {
		return c.What + ", then set " + cell(c.New, valueText)
	}
	if c.Field == "" {
		return c.What
	}
	return fmt.Sprintf("%s %s > %s", c.What, c.Old, c.New)
}

// valueText is how much of a value a row of text shows: a page of 50 rows stays below 3,000 tokens.
const valueText = 80

// differenceText is a key with its values, cut around their first difference.
func differenceText(what, key, old, value string) string {
	switch what {
	case "added":
		return "+" + key + " " + cell(value, valueText)
	case "removed":
		return "-" + key + " " + cell(old, valueText)
	}
	old, value = clean.Differ(old, value, valueText)
	return fmt.Sprintf("%s %s > %s", key, old, value)
}

// byText is who made a change: through this server the principal, tool and plan, else the user and task of Proxmox VE.
func byText(c *inventory.Change) string {
	if c.Plan != "" {
		return strings.TrimSpace(c.Principal + " " + c.Tool + " " + c.Plan)
	}
	if c.Task == "" {
		return "unknown"
	}
	return strings.TrimSpace(c.User + " " + c.TaskType + " " + c.Task)
}

// shortStamp is a moment to the minute, with its zone.
func shortStamp(d Deps, t time.Time) string { return t.In(zone(d)).Format("2006-01-02 15:04Z07:00") }
