package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type storagesIn struct {
	Storage string `json:"storage" example:"local-lvm"`
	Node    string `json:"node" example:"pve1"`
	Cursor  string `json:"cursor"`
	Common
}

type storagesOut struct {
	Envelope
	Total      int             `json:"total"`
	Storages   []storageUseOut `json:"storages"`
	NextCursor string          `json:"next_cursor,omitempty"`
	src        inventory.StoragePage
}

type storageUseOut struct {
	Cluster  string   `json:"cluster"`
	Name     string   `json:"name"`
	Nodes    []string `json:"nodes"`
	Type     string   `json:"type,omitempty"`
	Content  string   `json:"content,omitempty"`
	Shared   bool     `json:"shared"`
	State    string   `json:"state"`
	Why      string   `json:"why,omitempty"`
	Idle     []string `json:"inactive_on,omitempty"`
	Silent   []string `json:"unknown_on,omitempty"`
	Used     *int64   `json:"used_bytes"` // null while unknown
	Total    *int64   `json:"total_bytes"`
	ThinMeta *float64 `json:"thin_metadata,omitempty"`
}

func listStorage() Spec {
	return define(Spec{
		Name: "list_storage", Title: "Storages", Family: "storage", Command: "storage list", Args: []string{"storage"},
		Summary: "Each storage per node, shared ones once: type, content, active or not, used and total, thin pool metadata.",
		Needs:   []Need{needStorages, needPoolsOfDisks},
		Examples: []Example{
			{CLI: "storage list", Args: map[string]any{}, Why: "all storages"},
			{CLI: "storage list --node pve1", Args: map[string]any{"node": "pve1"}, Why: "those of one node"},
		},
	}, func(ctx context.Context, d Deps, in *storagesIn) (*storagesOut, error) {
		p, err := d.Inventory.Storages(ctx, inventory.StorageQuery{Name: in.Storage, Node: in.Node, Cursor: in.Cursor, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		out := &storagesOut{Envelope: envelope(d, p.Meta), Total: p.Total, Storages: []storageUseOut{}, NextCursor: p.NextCursor, src: p}
		for _, s := range p.Rows {
			out.Storages = append(out.Storages, storageUseOut{Cluster: s.Cluster, Name: s.Name, Nodes: s.Nodes, Type: s.Type, Content: s.Content, Shared: s.Shared,
				State: s.State, Why: s.Why, Idle: s.Idle, Silent: s.Silent, Used: s.Used, Total: s.Storage.Total, ThinMeta: s.Meta})
		}
		return out, nil
	})
}

// View implements Answer.
func (o *storagesOut) View(d Deps) View {
	p := &o.src
	v := View{Warnings: p.Warnings}
	states := map[string]int{}
	var at []string
	t := Table{Name: "storages", Main: true, Columns: []string{"storage", "nodes", "state", "used", "type", "content", "note"}}
	for k := range p.Rows {
		s := &p.Rows[k]
		states[s.State]++
		at = append(at, s.Cluster)
		t.Rows = append(t.Rows, []string{cell(s.Name, 63), cell(strings.Join(s.Nodes, ","), 120), s.State, usage(s.Used, s.Storage.Total), cell(s.Type, 20),
			cell(s.Content, 80), storageNote(s)})
	}
	line := counted(p.Total, "storage")
	if p.Total == len(p.Rows) {
		line += ": " + nonzero(states[inventory.StorageActive], "active", states[inventory.StorageInactive], "inactive", states[inventory.StorageUnknown], "unknown",
			states[inventory.StorageDisabled], "disabled")
	}
	v.Line("%s, %s", line, asOf(d, p.Meta))
	v.Table(t.in(d, at))
	if p.NextCursor != "" {
		v.Line("more: cursor %s", p.NextCursor)
	}
	return v
}

func storageNote(s *inventory.StorageUse) string {
	var out []string
	if s.Shared {
		out = append(out, "shared")
	}
	if s.Meta != nil {
		out = append(out, "thin metadata "+fraction(s.Meta)+"%")
	}
	if s.Why != "" {
		out = append(out, cell(s.Why, 120))
	}
	if s.State == inventory.StorageActive && len(s.Idle) > 0 {
		out = append(out, "inactive on "+cell(strings.Join(s.Idle, ","), 120))
	}
	if s.State == inventory.StorageActive && len(s.Silent) > 0 {
		out = append(out, "unknown on "+cell(strings.Join(s.Silent, ","), 120))
	}
	return strings.Join(out, "; ")
}
