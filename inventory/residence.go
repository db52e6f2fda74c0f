package inventory

import (
	"context"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Residence is a guest with what tells it from others and what it stands on: for a program that looks for itself among them. It is what the
// inventory knew last; MACs are filled in only where they were asked for.
type Residence struct {
	VMID                                      int
	Type                                      pve.GuestType
	Node, Name, UUID                          string
	MACs                                      []string // upper case
	Addresses, Volumes, Storages, NetsAndTags []string
}

// Bridges are the bridges and vnets of its network devices.
func (r *Residence) Bridges() []string {
	var out []string
	for _, n := range r.NetsAndTags {
		bridge, _, _ := strings.Cut(n, " ")
		out = append(out, bridge)
	}
	return out
}

// FindResidence gives the first guest of a cluster that is accepted, by what the projection holds, and failing that by the addresses of its
// network devices, for which all configurations are read from the store once. False where none is, or nothing is known of the cluster.
func (i *Inventory) FindResidence(ctx context.Context, cluster string, is func(*Residence) bool) (Residence, bool) {
	if i.proj.refresh(ctx) != nil {
		return Residence{}, false
	}
	cv := i.proj.cluster(cluster)
	if cv == nil {
		return Residence{}, false
	}
	for _, r := range cv.rows {
		if out := residence(r); is(&out) {
			return out, true
		}
	}
	for _, r := range cv.rows {
		out := residence(r)
		if r.g.ConfigHash == "" || ctx.Err() != nil {
			continue
		}
		cfg, err := i.config(ctx, r.g.ConfigHash)
		if err != nil {
			continue
		}
		for _, n := range cfg.nics {
			out.MACs = append(out.MACs, strings.ToUpper(n.MAC))
		}
		if is(&out) {
			return out, true
		}
	}
	return Residence{}, false
}

func residence(r *row) Residence {
	out := Residence{VMID: r.g.VMID, Type: r.typ(), Node: r.g.Node, Name: r.g.Name, Addresses: r.ips}
	if r.f != nil {
		out.UUID, out.Volumes, out.Storages, out.NetsAndTags = r.f.UUID, append(slices.Clone(r.f.Volumes), r.f.Loose...), r.f.Storages, r.f.Nets
	}
	return out
}

// NodeAt is the node of a cluster that has one of these addresses, "" for none that is known.
func (i *Inventory) NodeAt(ctx context.Context, cluster string, addresses []string) string {
	if i.proj.refresh(ctx) != nil {
		return ""
	}
	cv := i.proj.cluster(cluster)
	if cv == nil {
		return ""
	}
	for _, n := range cv.nodes {
		if n.st.IP != "" && slices.Contains(addresses, n.st.IP) {
			return n.name
		}
	}
	return ""
}
