package iac

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Difference is one field of one object that is not as it was. Field is a key of the configuration, or a part of its property string
// (cpu.hidden, scsi0.ro), or one of node, name, pool, status, lock, ha, life; "" for an object that is new or gone. Old and New are "" where
// the field is absent; Had and Has tell that from an empty value.
type Difference struct {
	Kind     store.Kind
	ID       string
	Name     string
	Field    string
	Old, New string
	Had, Has bool
	// First is set for an object that was not looked for at the time of then: it is known since, which does not make it new.
	First bool
}

// Diff compares a cluster as it was exported with how it is now, field by field, whatever a provider could see of it. Objects that are
// out of sight count as unchanged.
func Diff(then, now *World) []Difference {
	var out []Difference
	for i := range then.Guests {
		old := &then.Guests[i]
		switch g := now.Guest(old.VMID); {
		case g != nil:
			out = append(out, diffGuest(old, g)...)
		default:
			out = append(out, Difference{Kind: store.KindGuest, ID: old.ID(), Name: old.Name, Had: true})
		}
	}
	for i := range now.Guests {
		if g := &now.Guests[i]; then.Guest(g.VMID) == nil {
			out = append(out, Difference{Kind: store.KindGuest, ID: g.ID(), Name: g.Name, Has: true})
		}
	}
	out = append(out, diffObjects(then, now)...)
	slices.SortStableFunc(out, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), pve.CompareKeys(a.ID, b.ID), pve.CompareKeys(a.Field, b.Field))
	})
	return out
}

// observed are kinds that hold figures, not configuration.
var observed = map[store.Kind]bool{store.KindNode: true, store.KindStorage: true, store.KindCluster: true}

// Observed says whether objects of a kind hold figures, not configuration: they are nobody's to write.
func Observed(kind store.Kind) bool { return observed[kind] }

func diffObjects(then, now *World) []Difference {
	var out []Difference
	for i := range then.Objects {
		old := &then.Objects[i]
		if observed[old.Kind] {
			continue
		}
		o := now.Find(old.Kind, old.ID)
		if o == nil && now.Unread.Has(old.Kind, old.ID) {
			continue
		}
		if o == nil {
			out = append(out, Difference{Kind: old.Kind, ID: old.ID, Had: true})
			continue
		}
		if !bytes.Equal(old.Raw, o.Raw) {
			d := differ{kind: o.Kind, id: o.ID}
			d.configs(old.Config(), o.Config())
			out = append(out, d.out...)
		}
	}
	for i := range now.Objects {
		if o := &now.Objects[i]; !observed[o.Kind] && then.Find(o.Kind, o.ID) == nil {
			out = append(out, Difference{Kind: o.Kind, ID: o.ID, Has: true, First: then.Unread.Has(o.Kind, o.ID)})
		}
	}
	return out
}

func diffGuest(old, g *Guest) []Difference {
	d := differ{kind: store.KindGuest, id: g.ID(), name: g.Name}
	if old.Life != g.Life || old.Type != g.Type {
		d.text("life", "another guest", "this guest")
	}
	for _, f := range [][3]string{{"node", old.Node, g.Node}, {"pool", old.Pool, g.Pool}, {"lock", old.Lock, g.Lock}, {"ha", old.HA, g.HA}} {
		d.text(f[0], f[1], f[2])
	}
	if old.Status != unknown && g.Status != unknown {
		d.text("status", old.Status, g.Status)
	}
	if old.Unread == "" && g.Unread == "" {
		d.configs(old.Config, g.Config)
	}
	return d.out
}

// unknown is the status of a guest whose node is silent.
const unknown = "unknown"

// differ collects the differences of one object.
type differ struct {
	kind     store.Kind
	id, name string
	out      []Difference
}

func (d *differ) add(field, old, now string, had, has bool) {
	d.out = append(d.out, Difference{Kind: d.kind, ID: d.id, Name: d.name, Field: field, Old: old, New: now, Had: had, Has: has})
}

// text compares a field whose absence is the empty text.
func (d *differ) text(field, old, now string) {
	if old != now {
		d.add(field, old, now, old != "", now != "")
	}
}

// configs compares two configurations key by key.
func (d *differ) configs(old, now pve.Config) {
	keys := old.Keys()
	for _, k := range now.Keys() {
		if !old.Has(k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, pve.CompareKeys)
	for _, k := range keys {
		was, is := valueText(old[k]), valueText(now[k])
		switch {
		case old.Has(k) == now.Has(k) && was == is:
		case old.Has(k) && now.Has(k) && d.kind == store.KindGuest && IsProps(k):
			d.props(k, was, is)
		default:
			d.add(k, was, is, old.Has(k), now.Has(k))
		}
	}
}

// props compares two property strings part by part; one that cannot be told apart so (order, spelling) as a whole.
func (d *differ) props(key, old, now string) {
	was, is := ParseProps(key, old), ParseProps(key, now)
	before := len(d.out)
	if was.Err == nil && is.Err == nil && !(bareDefault(was) && bareDefault(is)) {
		for _, p := range was.Parts() {
			if v, ok := is.Get(p.Key); v != p.Value || !ok {
				d.add(key+"."+p.Key, p.Value, v, true, ok)
			}
		}
		for _, p := range is.Parts() {
			if _, ok := was.Get(p.Key); !ok {
				d.add(key+"."+p.Key, "", p.Value, false, true)
			}
		}
	}
	if len(d.out) == before {
		d.add(key, old, now, true, true)
	}
}

// bareDefault says that a property string is its default part alone, which the key's own name stands for.
func bareDefault(p Props) bool { return len(p.Properties) == 1 && p.Properties[0].Key == "" }

// valueText is a value of a configuration as text: scalars as they are, all else as JSON.
func valueText(v any) string {
	switch v.(type) {
	case nil:
		return ""
	case string, json.Number, bool, float64:
		return pve.Config{"": v}.Str("")
	}
	raw, err := json.Marshal(v)
	if err != nil { // what came out of JSON can be written as JSON
		return ""
	}
	return string(raw)
}
