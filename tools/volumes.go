package tools

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type volumesIn struct {
	Storage string `json:"storage" example:"local-lvm"`
	Node    string `json:"node" example:"pve1"`
	Guest   string `json:"guest" example:"104" help:"vmid or name"`
	Content string `json:"content" enum:"images,rootdir,iso,vztmpl,backup,snippets,import"`
	Orphans bool   `json:"orphans" desc:"disks no guest uses"`
	Cursor  string `json:"cursor"`
	Common
}

type volumesOut struct {
	Envelope
	Total       int      `json:"total"`
	Bytes       int64    `json:"bytes"`
	Orphans     int      `json:"orphans"`
	OrphanBytes int64    `json:"orphan_bytes"`
	Unknown     int      `json:"use_unknown"`
	Columns     []string `json:"columns"`
	Rows        [][]any  `json:"rows"`
	NextCursor  string   `json:"next_cursor,omitempty"`
	asked       bool     // for orphans
	src         inventory.VolumePage
}

var volumeColumns = []string{"volume", "node", "content", "format", "bytes", "used_bytes", "vmid", "guest", "created", "use", "why", "protected", "notes", "cluster"}

func listVolumes() Spec {
	return define(Spec{
		Name: "list_volumes", Title: "Volumes", Family: "storage", Command: "volume list", Args: []string{"storage"},
		Summary: "Volumes, largest first: guest, format, age, orphaned disks.",
		Needs:   []Need{needStorages, needGuests},
		Examples: []Example{
			{CLI: "volume list local-lvm", Args: map[string]any{"storage": "local-lvm"}, Why: "one storage"},
			{CLI: "volume list --orphans", Args: map[string]any{"orphans": true}, Why: "disks that nothing refers to"},
			{CLI: "volume list --content iso", Args: map[string]any{"content": "iso"}, Why: "images to install from"},
		},
	}, func(ctx context.Context, d Deps, in *volumesIn) (*volumesOut, error) {
		p, err := d.Inventory.Volumes(ctx, inventory.VolumeQuery{Storage: in.Storage, Node: in.Node, Guest: strings.TrimSpace(in.Guest), Content: in.Content,
			Orphans: in.Orphans, Cursor: in.Cursor, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		out := volumesOf(d, p)
		out.asked = in.Orphans
		return out, nil
	})
}

func volumesOf(d Deps, p inventory.VolumePage) *volumesOut {
	out := &volumesOut{Envelope: envelope(d, p.Meta), Total: p.Total, Bytes: p.Bytes, Orphans: p.Orphans, OrphanBytes: p.OrphanBytes, Unknown: p.Unknown,
		Columns: volumeColumns, Rows: [][]any{}, NextCursor: p.NextCursor, src: p}
	for k := range p.Rows {
		v := &p.Rows[k]
		var owner any
		if v.Owner > 0 {
			owner = v.Owner
		}
		out.Rows = append(out.Rows, []any{v.ID, word(v.Node), word(v.Content), word(v.Format), optional(v.Size), optional(v.Used), owner, word(v.OwnerName),
			moment(d, v.At), word(v.Use), word(v.Why), v.Protected, word(v.Notes), v.Cluster})
	}
	return out
}

// View implements Answer.
func (o *volumesOut) View(d Deps) View {
	p := &o.src
	v := View{Warnings: p.Warnings}
	v.Line("%s, from %s, %s", o.sum(), counted(p.Storages, "storage listing"), asOf(d, p.Meta))
	var at []string
	t := Table{Name: "volumes", Main: true, Columns: []string{"volume", "node", "size", "content", "format", "guest", "age", "use"}}
	for k := range p.Rows {
		r := &p.Rows[k]
		at = append(at, r.Cluster)
		t.Rows = append(t.Rows, []string{cell(r.ID, 200), cell(r.Node, 63), sizeOf(r.Size), cell(r.Content, 20), cell(r.Format, 20), ownerText(r), ago(d, r.At), useText(r)})
	}
	v.Table(t.in(d, at))
	if p.NextCursor != "" {
		v.Line("most by guest: %s", topShares(p.ByGuest))
		v.Line("more: cursor %s", p.NextCursor)
	}
	return v
}

// sharesShown is how many guests a page that does not hold all volumes names with their sums.
const sharesShown = 6

func topShares(list []inventory.VolumeShare) string {
	var out []string
	for _, s := range list[:min(len(list), sharesShown)] {
		out = append(out, fmt.Sprintf("%s %s in %d", strings.TrimSpace(strconv.Itoa(s.VMID)+" "+cell(s.Name, 40)), size(s.Bytes), s.Count))
	}
	return strings.Join(out, ", ")
}

// sum is what the volumes come to, in words.
func (o *volumesOut) sum() string {
	p := &o.src
	if p.Total == 0 && o.asked {
		return "no orphan was found"
	}
	line := counted(p.Total, "volume") + " of " + size(p.Bytes)
	if p.Unsized > 0 {
		line += " and " + strconv.Itoa(p.Unsized) + " of unknown size"
	}
	if p.Orphans > 0 {
		line += ", " + counted(p.Orphans, "orphan") + " of " + size(p.OrphanBytes)
	}
	if p.Unknown > 0 {
		line += ", " + strconv.Itoa(p.Unknown) + " of unknown use"
	}
	return line
}

func ownerText(v *inventory.Volume) string {
	if v.Owner == 0 {
		return ""
	}
	return strings.TrimSpace(strconv.Itoa(v.Owner) + " " + cell(v.OwnerName, 40))
}

// useText is what a volume is to guests, with what protects it and its notes.
func useText(v *inventory.Volume) string {
	var out []string
	if v.Use != "" && v.Use != inventory.UseUsed {
		s := v.Use
		if v.Why != "" {
			s += ": " + cell(v.Why, 120)
		}
		out = append(out, s)
	}
	if v.Protected {
		out = append(out, "protected")
	}
	if v.Encrypted {
		out = append(out, "encrypted")
	}
	if v.Notes != "" && v.Notes != v.OwnerName {
		out = append(out, cell(v.Notes, 60))
	}
	return strings.Join(out, "; ")
}
