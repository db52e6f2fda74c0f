package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// strangers are the names in a query that nothing known bears: a typing error would else look like an answer. Such a name may come into
// being later, so it is a note and no error. The names of guests are looked at only where nothing matched, for they are searched by parts.
func (q *query) strangers(v *view, scope []*cluster, empty bool) []Warning {
	var out []Warning
	if slices.ContainsFunc(scope, func(c *cluster) bool { return !v.clusters[c.name].synced }) {
		return nil
	}
	for k := range q.terms {
		t := &q.terms[k]
		switch t.key {
		case "node", "pool", "tag", "storage":
		case "", "name":
			if !empty || t.negate {
				continue
			}
		default:
			continue
		}
		known := v.namesOf(scope, t.key)
		for _, value := range t.values {
			if w, odd := t.stranger(value, known); odd {
				out = append(out, w)
			}
		}
	}
	return out
}

func (t *term) stranger(value string, known []string) (Warning, bool) {
	want := strings.ToLower(value)
	if want == "none" || want == "any" || slices.ContainsFunc(known, func(k string) bool { return glob(want, strings.ToLower(k)) }) {
		return Warning{}, false
	}
	what, like := t.key, near.Words(value, known, 3)
	if what == "" || what == "name" {
		if what = "guest"; len(like) == 0 { // that no guest matches was said
			return Warning{}, false
		}
	}
	text := fmt.Sprintf("no %s %q is known", what, clean.Line(value, maxName))
	switch {
	case len(like) > 0:
		text += "; did you mean " + strings.Join(like, ", ") + "?"
	case len(known) > 0:
		text += "; known: " + shortList(known, 10)
	}
	return Warning{"unknown_name", text}, true
}

// namesOf are the names that a key of the grammar can ask for, sorted.
func (v *view) namesOf(scope []*cluster, key string) []string {
	var n Names
	for _, c := range scope {
		n.add(v.clusters[c.name])
		for _, r := range v.clusters[c.name].rows {
			n.Pools = append(n.Pools, r.g.Pool) // a token may see that a guest is in a pool, and not the pool
		}
		if key == "storage" {
			n.Storages = append(n.Storages, sortedNames(v.clusters[c.name].defs)...)
		}
	}
	var list []string
	switch key {
	case "node":
		list = n.Nodes
	case "pool":
		list = n.Pools
	case "tag":
		list = n.Tags
	case "storage":
		list = n.Storages
	default:
		for _, g := range n.Guests {
			list = append(list, g.Name)
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
}
