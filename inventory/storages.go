package inventory

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// mergeStorages counts a shared storage once, with all its nodes (F43); figures come from the first node that has any.
func (c *clusterView) mergeStorages() []Storage {
	shared := map[string]int{}
	var out []Storage
	for _, id := range slices.Sorted(maps.Keys(c.usage)) {
		o := c.usage[id]
		st := decodeState[storageState](o.State)
		s := Storage{Cluster: c.name, Name: st.Name, Nodes: []string{st.Node}, Type: st.Type, Content: st.Content, Shared: st.Shared,
			Status: st.Status, Used: st.Used, Total: st.Total, SeenAt: o.LastSeen}
		i, seen := shared[st.Name]
		switch {
		case st.Shared && seen:
			out[i] = joinStorage(out[i], s)
		default:
			if st.Shared {
				shared[st.Name] = len(out)
			}
			out = append(out, s)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.defs)) {
		if def, err := pve.DecodeConfig(c.defs[id].State); err == nil && def.Bool("disable") {
			if !slices.ContainsFunc(out, func(s Storage) bool { return s.Name == id }) {
				out = append(out, disabledStorage(c.name, id, def, c.defs[id].LastSeen))
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Storage) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// disabledStorage is one that is defined and switched off: no node reports usage of it.
func disabledStorage(cluster, id string, def pve.Config, seen time.Time) Storage {
	s := Storage{Cluster: cluster, Name: name(id), Type: clean.Line(def.Str("type"), maxTag), Content: clean.Line(def.Str("content"), maxName),
		Shared: def.Bool("shared"), Status: "disabled", SeenAt: seen}
	if nodes := def.Str("nodes"); nodes != "" {
		s.Nodes = strings.Split(nodes, ",")
	}
	return s
}

func joinStorage(a, b Storage) Storage {
	a.Nodes = append(slices.Clip(a.Nodes), b.Nodes...)
	if a.Status != "available" && b.Status == "available" {
		b.Nodes = a.Nodes
		return b
	}
	if a.Total == nil {
		a.Used, a.Total = b.Used, b.Total
	}
	return a
}
