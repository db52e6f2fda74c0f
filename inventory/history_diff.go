package inventory

import (
	"context"
	"maps"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
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

// told is the word for what became of a value that was there, and is there now.
func told(was, is bool) string {
	switch {
	case !was:
		return "added"
	case !is:
		return "removed"
	}
	return "changed"
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
		d := Difference{Key: clean.Line(k, maxTag), What: told(old.Has(k), fresh.Has(k))}
		switch {
		case !old.Has(k):
			d.New = clean.Line(valueOf(fresh, k), maxValue)
		case !fresh.Has(k):
			d.Old = clean.Line(valueOf(old, k), maxValue)
		case valueOf(old, k) != valueOf(fresh, k):
			d.Old, d.New = clean.Differ(valueOf(old, k), valueOf(fresh, k), maxValue)
		default:
			continue
		}
		out = append(out, d)
	}
	return out
}
