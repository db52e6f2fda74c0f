package inventory

import (
	"context"
	"maps"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// body is a stored content; what is no object has no keys.
func (h *historian) body(ctx context.Context, hash string) (pve.Config, error) {
	if c, ok := h.bodies[hash]; ok {
		return c, nil
	}
	raw, err := h.st.Content(ctx, hash)
	if err != nil {
		return nil, err
	}
	c, err := pve.DecodeConfig(raw)
	if err != nil {
		c = pve.Config{}
	}
	h.bodies[hash] = c
	return c, nil
}

// Difference is a key of a configuration whose value is not the same in two versions. Old and New are single lines of at most 500
// characters around the first difference, empty where the key is absent.
type Difference struct {
	Key      string
	What     string // added, removed, changed
	Old, New string
}

// differences compares whole values, blind to how scalars are spelt, in the order of keys.
func differences(old, fresh pve.Config) []Difference {
	keys := map[string]bool{}
	for _, c := range []pve.Config{old, fresh} {
		for k := range c {
			keys[k] = true
		}
	}
	var out []Difference
	for _, k := range slices.SortedFunc(maps.Keys(keys), pve.CompareKeys) {
		d := Difference{Key: clean.Line(k, maxTag), What: "changed"}
		switch {
		case !old.Has(k):
			d.What, d.New = "added", clean.Line(valueOf(fresh, k), maxValue)
		case !fresh.Has(k):
			d.What, d.Old = "removed", clean.Line(valueOf(old, k), maxValue)
		case valueOf(old, k) != valueOf(fresh, k):
			d.Old, d.New = clean.Differ(valueOf(old, k), valueOf(fresh, k), maxValue)
		default:
			continue
		}
		out = append(out, d)
	}
	return out
}

// causes are the tasks that make a change of a kind: by the beginning of their type.
var causes = map[string][]string{
	"appeared": {"qmcreate", "qmclone", "qmrestore", "vzcreate", "vzclone", "vzrestore"},
	"gone":     {"qmdestroy", "vzdestroy"},
	"status": {"qmstart", "qmstop", "qmshutdown", "qmreboot", "qmsuspend", "qmresume", "vzstart", "vzstop", "vzshutdown", "vzreboot", "vzsuspend", "vzresume",
		"hastart", "hastop", "vzdump", "qmrollback", "vzrollback"},
	"moved":   {"qmigrate", "vzmigrate", "hamigrate"},
	"renamed": {"qmconfig"},
	"changed": {"qmconfig", "qmmove", "qmtemplate", "qmsnapshot", "qmrollback", "qmdelsnapshot", "qmrestore", "resize", "move_volume", "vzsnapshot", "vzrollback", "vzdelsnapshot", "vztemplate", "vzrestore", "qmclone", "vzclone", "imgdel"},
}

// explain names the newest task about the guest that fits the change's kind and began in the time in which it happened. A change
// of a configuration that is answered at once leaves no task: then nothing is named.
func (h *historian) explain(c *Change, what string) {
	if c.Kind != string(store.KindGuest) {
		return
	}
	tasks := h.view.clusters[c.Cluster].tasks
	for _, k := range tasks.byID[c.ID] {
		t := &tasks.list[k]
		if t.Start.After(c.At) || !c.NotBefore.IsZero() && !t.End.IsZero() && t.End.Before(c.NotBefore) || !slices.Contains(causes[what], t.Type) {
			continue
		}
		if c.NotBefore.IsZero() && c.At.Sub(t.Start) > changeWindow {
			return
		}
		c.Task, c.TaskType, c.User = pve.TaskHandle(t.UPID), clean.Line(t.Type, maxTag), name(t.User)
		return
	}
}
