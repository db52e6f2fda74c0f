package terraform

import (
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// referred is an attribute whose values name other objects: attr of their resource is the same value.
type referred struct {
	attr string
	key  func(x *export, value string) (iac.Key, bool)
	of   string
}

// refer makes of a claim's function one whose plain values are references where what they name is in the code. Names of nodes stay, which are
// nobody's resources, and values that a name is only a part of: the id of a replication (101-0), the one of an HA resource (vm:101).
func refer(c *claim, list ...referred) {
	write := c.write
	c.write = func(x *export, k *keys) {
		write(x, k)
		for _, r := range list {
			for i := range k.body.items {
				if it := &k.body.items[i]; it.name == r.attr && it.body == nil {
					it.value = r.value(x, it.value)
				}
			}
		}
	}
}

func (r *referred) value(x *export, v any) any {
	switch v := v.(type) {
	case string:
		if key, ok := r.key(x, v); ok {
			return x.ref(key, r.of, v)
		}
	case []string:
		out := make([]Ref, len(v))
		for i, e := range v {
			out[i] = Ref(quoted(e))
			key, ok := r.key(x, e)
			if address, there := x.addresses[key]; ok && there {
				out[i] = Ref(address + "." + r.of)
			}
		}
		return out
	}
	return v
}

// Keys of what values name.
func keyOf(kind store.Kind) func(x *export, value string) (iac.Key, bool) {
	return func(_ *export, value string) (iac.Key, bool) {
		return iac.Key{Target: target, Kind: kind, ID: value}, true
	}
}

func guestKey(x *export, value string) (iac.Key, bool) {
	vmid, err := strconv.Atoi(value)
	if err != nil || x.Guest(vmid) == nil {
		return iac.Key{}, false
	}
	return x.Guest(vmid).Key(target), true
}
