package tools

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/change"
)

type nicIn struct {
	Action   string `json:"action" req:"true" enum:"add,change,remove" example:"add"`
	Card     string `json:"card" example:"net1" help:"default: a free one, or the only one"`
	Bridge   string `json:"bridge" example:"vmbr0" help:"what it is connected to"`
	VLAN     *int   `json:"vlan" min:"0" max:"4094" example:"20" desc:"0: none"`
	Firewall *bool  `json:"firewall" help:"filter it by the guest's firewall"`
	Rate     *int   `json:"rate_mb_s" min:"0" example:"10" help:"limit in MB/s, 0 for none"`
	Model    string `json:"model" enum:"virtio,e1000,e1000e,vmxnet3" help:"of a VM's card"`
	LinkDown *bool  `json:"link_down" help:"pull its cable; false plugs it in again"`
	IP       string `json:"ip" example:"192.0.2.10/24" help:"of a container: an address with its prefix length, or dhcp"`
	Gateway  string `json:"gateway" example:"192.0.2.1" help:"of a container's card"`
	Cluster  string `json:"cluster" multi:"true" desc:"configured name"`
	Guest    string `json:"guest" req:"true" example:"104" help:"vmid or name"`
	Quick
}

func manageNIC() Spec {
	return writes(Spec{
		Name: "manage_nic", Title: "Network cards", Family: "change", Command: "guest nic", Args: []string{"guest", "action", "card"}, Tier: R2,
		Acts:    []Act{{"add", R2}, {"change", R2}, {"remove", R2}},
		Needs:   []Need{needNICs.orNothing(), needBridges, needGuests},
		Summary: "Add, change (its MAC stays) or remove a guest's network card; link up or down.",
		Examples: []Example{
			{CLI: "guest nic 208 change --vlan 20 --dry-run", Args: map[string]any{"guest": "208", "action": "change", "vlan": 20, "dry_run": true}, Why: "plan to put it into a VLAN"},
			{CLI: "guest nic 208 add --bridge vmbr0 --dry-run", Args: map[string]any{"guest": "208", "action": "add", "bridge": "vmbr0", "dry_run": true}, Why: "plan a second card"},
		},
	}, func(_ context.Context, _ Deps, in *nicIn) (change.Request, error) {
		nic := change.NIC{Verb: in.Action, Slot: in.Card, Bridge: in.Bridge, VLAN: in.VLAN, Model: in.Model, Firewall: in.Firewall, Down: in.LinkDown, IP: in.IP, Gateway: in.Gateway}
		if in.Rate != nil {
			rate := float64(*in.Rate)
			nic.Rate = &rate
		}
		return on(in.Cluster, in.Guest, nic), nil
	})
}
