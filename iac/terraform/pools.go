package terraform

import (
	"cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	poolType       = "proxmox_virtual_environment_pool"
	membershipType = "proxmox_pool_membership"
)

func poolClaims(x *export, o *iac.Object) []*claim {
	return []*claim{x.of(o, o.ID, o.ID, func(_ *export, k *keys) {
		k.body.Set("pool_id", o.ID)
		k.take("poolid", "pool_id")
		k.text(k.body, "comment", "comment", "comment")
	})}
}

// membership puts a container into its pool: pool_id of a container itself forces a replacement (facts 10.2).
func (x *export) membership(g *iac.Guest) *claim {
	key := g.Key(target)
	key.ID += "#pool/" + g.Pool
	return &claim{key: key, typ: membershipType, file: "pools.tf", name: cmp.Or(g.Name, g.ID()), prefix: "guest", suffix: g.ID(), importID: g.Pool + "/vm/" + g.ID(),
		title: g.Name, conf: newKeys(nil, &Body{}),
		write: func(x *export, k *keys) {
			k.body.Set("pool_id", x.ref(iac.Key{Target: target, Kind: store.KindPool, ID: g.Pool}, "pool_id", g.Pool))
			k.body.Set("vm_id", x.ref(g.Key(target), "id", int64(g.VMID))) // vm_id of a container is not set by an import, its id is
		}}
}
