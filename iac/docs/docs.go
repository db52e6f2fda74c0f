// Package docs writes a cluster as a page for people: what runs where, on what storage and network, with a topology that Mermaid draws.
package docs

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Target is the emitter's name.
const Target = "docs"

// maxCell is how much of a text a cell shows.
const maxCell = 80

// Emitter implements iac.Emitter.
type Emitter struct{}

var _ iac.Emitter = Emitter{}

// Name implements iac.Emitter.
func (Emitter) Name() string { return Target }

// Emit implements iac.Emitter.
func (Emitter) Emit(w *iac.World) (iac.Result, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Cluster %s\n\nWritten by proxmox-mcp.\n", cell(w.Cluster))
	nodes := nodesOf(w)
	topology(&b, w, nodes)
	for _, n := range nodes {
		guests(&b, w, n)
	}
	objects(&b, w, "Storages", store.KindStorageConfig, "type", "content", "nodes")
	objects(&b, w, "Networks", store.KindNetwork, "type", "cidr", "bridge_ports", "comments")
	objects(&b, w, "Pools", store.KindPool, "comment")
	objects(&b, w, "Backup jobs", store.KindBackupJob, "schedule", "storage", "vmid", "all", "enabled")
	objects(&b, w, "High availability", store.KindHAResource, "state", "group", "comment")
	r := iac.Result{Files: []iac.File{{Path: "docs/INVENTORY.md", Data: []byte(b.String())}}, Counts: []iac.Count{{What: "guests described", N: len(w.Selected())}}}
	return r, r.Finish()
}

// nodesOf are the names of nodes that are known or that guests are on.
func nodesOf(w *iac.World) []string {
	var out []string
	for _, o := range w.Of(store.KindNode) {
		out = append(out, o.ID)
	}
	for _, g := range w.Selected() {
		out = append(out, g.Node)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// topology draws nodes, the bridges on them and the guests on those.
func topology(b *strings.Builder, w *iac.World, nodes []string) {
	b.WriteString("\n```mermaid\ngraph LR\n")
	for i, n := range nodes {
		fmt.Fprintf(b, "  n%d[[\"%s\"]]\n", i, label(n))
		bridges := map[string]int{}
		for _, g := range w.Selected() {
			if g.Node != n {
				continue
			}
			for _, nic := range g.Config.NICs() {
				if _, ok := bridges[nic.Bridge]; nic.Bridge != "" && !ok {
					bridges[nic.Bridge] = len(bridges)
					fmt.Fprintf(b, "  n%db%d([\"%s\"]) --- n%d\n", i, bridges[nic.Bridge], label(nic.Bridge), i)
				}
			}
		}
		for _, g := range w.Selected() {
			if g.Node == n {
				guestEdges(b, g, i, bridges)
			}
		}
	}
	b.WriteString("```\n")
}

func guestEdges(b *strings.Builder, g *iac.Guest, node int, bridges map[string]int) {
	fmt.Fprintf(b, "  g%d[\"%d %s\"]\n", g.VMID, g.VMID, label(g.Name))
	var to []string
	for _, nic := range g.Config.NICs() {
		if k, ok := bridges[nic.Bridge]; ok {
			to = append(to, fmt.Sprintf("n%db%d", node, k))
		}
	}
	slices.Sort(to)
	to = slices.Compact(to)
	if len(to) == 0 {
		to = []string{fmt.Sprintf("n%d", node)}
	}
	for _, t := range to {
		fmt.Fprintf(b, "  g%d --- %s\n", g.VMID, t)
	}
}

// guests are those of one node.
func guests(b *strings.Builder, w *iac.World, node string) {
	fmt.Fprintf(b, "\n## Node %s\n\n| id | name | type | state | cores | memory MiB | disks | address | tags | pool |\n|---|---|---|---|---|---|---|---|---|---|\n", cell(node))
	for _, g := range w.Selected() {
		if g.Node != node {
			continue
		}
		var disks, addrs []string
		for _, d := range g.Config.Disks() {
			if size := iac.PartOf(g.Config.Str(d.Slot), "size"); size != "" {
				disks = append(disks, d.Slot+" "+size)
			}
		}
		for _, a := range g.Addresses {
			addrs = append(addrs, a.IP)
		}
		if ip, _ := g.Reached(); ip != "" && len(addrs) == 0 {
			addrs = []string{ip}
		}
		row(b, g.ID(), g.Name, kindOf(g), g.Status, g.Config.Str("cores"), iac.PartOf(g.Config.Str("memory"), ""), strings.Join(disks, ", "), strings.Join(addrs, ", "),
			strings.Join(g.Tags, ", "), g.Pool)
	}
}

func kindOf(g *iac.Guest) string {
	if g.Template {
		return g.Type.Short() + " template"
	}
	return g.Type.Short()
}

// objects is a table of all objects of a kind, with some of their keys; nothing where there are none.
func objects(b *strings.Builder, w *iac.World, title string, kind store.Kind, keys ...string) {
	all := w.Of(kind)
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n| id | %s |\n|%s\n", title, strings.Join(keys, " | "), strings.Repeat("---|", len(keys)+1))
	for i := range all {
		c := all[i].Config()
		cells := []string{all[i].ID}
		for _, k := range keys {
			cells = append(cells, c.Str(k))
		}
		row(b, cells...)
	}
}

func row(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + cell(c) + " ")
	}
	b.WriteString("|\n")
}

// cell is any text as Markdown shows it: no markup, no HTML, one line.
func cell(text string) string {
	text = html.EscapeString(clean.Line(text, maxCell))
	return strings.NewReplacer("|", "&#124;", "`", "&#96;", "*", "&#42;", "_", "&#95;", "[", "&#91;", "]", "&#93;", "\\", "&#92;", "<", "&lt;").Replace(text)
}

// label is any text as Mermaid shows it between quotes.
func label(text string) string {
	return strings.NewReplacer(`"`, "#quot;", "#", "#35;", "&", "#38;", "<", "#60;", ">", "#62;", "`", "#96;", "[", "#91;", "]", "#93;").Replace(clean.Line(text, maxCell))
}
