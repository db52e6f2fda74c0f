package app

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// placeTools are the tools that ask Proxmox VE what the store does not keep.
var placeTools = []string{"get_node", "list_storage", "list_volumes", "list_backups", "list_networks"}

// judgePlaces holds answers about nodes, storages, volumes, backups and networks against the truth.
func judgePlaces(m *matrixRig, row *faultRow, st stage, r reply, bad complaint) {
	var a struct {
		Columns  []string
		Rows     [][]any
		Orphans  int
		Guests   int
		Node     string
		Status   string
		CPU      *float64
		Mem      *int64 `json:"mem_bytes"`
		Disks    []any
		Unread   map[string]string
		Storages []struct {
			Name, State string
			Nodes       []string
			Used        *int64 `json:"used_bytes"`
		}
	}
	if !slices.Contains(placeTools, r.tool) {
		return
	}
	// An answer of another shape is judged by the parts that it has; get_node's guests are counts.
	if err := json.Unmarshal(r.json, &a); err != nil && r.tool != "get_node" {
		bad("%v", err)
		return
	}
	col := func(cells []any, name string) any { return cells[slices.Index(a.Columns, name)] }
	switch r.tool {
	case "get_node":
		if st.met && slices.Contains(row.dark, a.Node) && !row.statsOnly && (a.Status == "online" || a.CPU != nil || a.Mem != nil || len(a.Unread) == 0) {
			bad("I3: node %s is shown %s", a.Node, a.Status)
		}
		if st.met && row.light(a.Node) && !slices.Contains(row.deaf, a.Node) && !row.blind && a.Status != "online" {
			bad("I4: node %s answers and is %s", a.Node, a.Status)
		}
	case "list_storage":
		for _, s := range a.Storages {
			away := st.met && !row.statsOnly && len(s.Nodes) == 1 && slices.Contains(row.dark, s.Nodes[0])
			if s.Used != nil && (s.State != "active" || away) {
				bad("I3: %s of %v is %s and has figures", s.Name, s.Nodes, s.State)
			}
			if st.met && len(s.Nodes) > 0 && row.light(s.Nodes[0]) && !row.hides && len(row.deaf) == 0 && s.State == "inactive" {
				bad("I3: %s of %v is shown inactive", s.Name, s.Nodes)
			}
		}
		if len(a.Storages) == 0 && len(r.warnings) == 0 {
			bad("I3: no storage and no reason")
		}
	case "list_volumes":
		for _, cells := range a.Rows {
			if col(cells, "use") == "orphan" && col(cells, "volume") != orphanDisk {
				bad("I3: %v is called an orphan: %v", col(cells, "volume"), col(cells, "why"))
			}
		}
		if st.met && len(a.Rows) == 0 && len(r.warnings) == 0 {
			bad("I3: the orphan is not seen and nothing says why")
		}
	case "list_backups":
		judgeBackups(m, row, st, r, a.Rows, col, bad)
	case "list_networks":
		if st.met && !strings.Contains(r.text, "vmbr0") && len(r.warnings) == 0 {
			bad("I3: no bridge is seen and nothing says why")
		}
	}
}

func judgeBackups(m *matrixRig, row *faultRow, st stage, r reply, rows [][]any, col func([]any, string) any, bad complaint) {
	backed := backedUp(m.sim, time.Now().Add(-7*24*time.Hour))
	seen := map[int]bool{}
	for _, cells := range rows {
		id, _ := col(cells, "vmid").(float64)
		note, _ := col(cells, "note").(string)
		sure := !strings.Contains(note, "there may be more than is seen")
		seen[int(id)] = true
		if backed[int(id)] && sure && st.met {
			bad("I3: guest %v is said to have no backup and has one", id)
		}
		if sure && st.met && row.all && !row.listOnly {
			bad("I3: guest %v has no backup for sure, and nothing could be read", id)
		}
	}
	for id := range truth(m.sim) {
		if st.met && !row.hides && row.odd == nil && !backed[id] && !seen[id] && len(r.warnings) == 0 {
			bad("I3: guest %d has no backup and is not named", id)
		}
	}
}

// backedUp are the guests of the world that have a backup newer than a time.
func backedUp(sim *pvesim.Sim, since time.Time) map[int]bool {
	out := map[int]bool{}
	sim.Update(func(w *pvesim.World) {
		for _, v := range w.Nodes[0].Content["backup"] {
			id, _ := v["vmid"].(int)
			if at, ok := v["ctime"].(int64); ok && time.Unix(at, 0).After(since) {
				out[id] = true
			}
		}
	})
	return out
}
