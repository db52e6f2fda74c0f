package terraform

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// put writes one thing of an object into its block.
type put func(k *keys)

// object is a kind whose resources are made of a table: what is written of which key, in the order of the file.
type object struct {
	typ   string
	id    func(o *iac.Object) string // of the import; nil = the object's own
	label func(o *iac.Object) string // what the address is made of; nil = the object's id
	puts  []put
	apart []string // keys that Proxmox VE derives; they are nobody's to set
}

// claim makes the resource of an object; leave gives the reason where there is none.
func (d *object) claim(x *export, o *iac.Object) *claim {
	id, label := o.ID, o.ID
	if d.id != nil {
		id = d.id(o)
	}
	if d.label != nil {
		label = d.label(o)
	}
	c := x.of(o, label, id, func(_ *export, k *keys) {
		for _, p := range d.puts {
			p(k)
		}
	})
	c.typ = d.typ
	c.internal = func(key string) bool { return slices.Contains(d.apart, key) }
	return c
}

// one is the claims function of a kind that has one resource type.
func one(d object) func(x *export, o *iac.Object) []*claim {
	return func(x *export, o *iac.Object) []*claim { return []*claim{d.claim(x, o)} }
}

// byType is that of a kind whose objects differ by a key: network devices, storages, zones. why gives the reason for types without a
// resource.
func byType(key string, types map[string]object, why map[string]string) func(x *export, o *iac.Object) []*claim {
	return func(x *export, o *iac.Object) []*claim {
		t := o.Config().Str(key)
		d, ok := types[t]
		c := d.claim(x, o)
		if !ok {
			c.status, c.leave = iac.LeftOut, cmp.Or(why[t], "the provider has no resource for the type "+iac.Name(t, "unknown"))
		}
		return []*claim{c}
	}
}

func text(key, attr string) put { return func(k *keys) { k.text(k.body, key, attr, Ref(attr)) } }

// line is a text whose last line break Proxmox VE adds.
func line(key, attr string) put {
	return func(k *keys) {
		if v := strings.TrimRight(k.conf.Str(key), "\n"); v != "" {
			k.take(key, attr)
			k.body.Set(attr, v)
		}
	}
}

func number(key, attr string) put { return func(k *keys) { k.number(k.body, key, attr) } }

// yes writes a switch in any case; absent is what its absence means in Proxmox VE.
func yes(key, attr string, absent bool) put {
	return func(k *keys) {
		v := absent
		if k.conf.Has(key) {
			v = k.conf.Bool(key)
		}
		k.take(key, attr)
		k.body.Set(attr, v)
	}
}

// set writes a list, sorted: for Proxmox VE it has no order.
func set(key, attr string) put {
	return func(k *keys) {
		parts := split(k.conf.Str(key), ",; ")
		slices.Sort(parts)
		if len(parts) > 0 {
			k.take(key, attr)
			k.body.Set(attr, parts)
		}
	}
}

func listed(key, attr string) put { return func(k *keys) { k.list(k.body, key, attr, ",; \n") } }

// inside writes a property string, or the object that some answers hold in its place, as an attribute with parts.
func inside(key, attr string, parts ...[2]string) put {
	return func(k *keys) {
		var out []Named
		have := partsOf(k.conf, key)
		for _, p := range parts {
			if v, ok := have[p[0]]; ok {
				out = append(out, Named{p[1], scalar(v)})
			}
		}
		if len(out) > 0 {
			k.take(key, attr)
			k.body.Set(attr, out)
		}
	}
}

// spread writes parts of a property string as attributes of their own.
func spread(key string, parts ...[2]string) put {
	return func(k *keys) {
		have := partsOf(k.conf, key)
		for _, p := range parts {
			if v, ok := have[p[0]]; ok {
				k.take(key, p[1])
				k.body.Set(p[1], scalar(v))
			}
		}
	}
}

// partsOf are the parts of a property string, or of the object that stands in its place.
func partsOf(c pve.Config, key string) map[string]any {
	out := map[string]any{}
	switch v := c[key].(type) {
	case map[string]any:
		return v
	case nil:
	default:
		props, err := pve.ParseProperties(c.Str(key))
		if err != nil {
			return nil
		}
		for _, p := range props {
			out[p.Key] = p.Value
		}
	}
	return out
}

// scalar is a value as HCL writes it: numbers as numbers.
func scalar(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		return v.String()
	case string:
		return v
	case bool:
		return v
	}
	return pve.Config{"": v}.Str("")
}

// textual is a value of which the provider makes text in any case.
func textual(v any) string { return pve.Config{"": v}.Str("") }

// onNode splits the id of what belongs to a node: pve1/vmbr0.
func onNode(o *iac.Object) (node, name string) {
	node, name, _ = strings.Cut(o.ID, "/")
	return node, name
}
