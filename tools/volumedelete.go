package tools

import (
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type deleteVolumeIn struct {
	Volume  string `json:"volume" req:"true" rule:"must be a volume id" example:"local:iso/old.iso"`
	Node    string `json:"node" example:"pve1"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

func deleteVolume() Spec {
	return writes(Spec{
		Name: "delete_volume", Title: "Delete volume", Family: "change", Command: "volume delete", Args: []string{"volume"}, Tier: R3,
		Needs:   []Need{needDropVolumes.orNothing(), needStorages, needGuests},
		Summary: "Delete a backup, ISO, template or unused disk.",
		Examples: []Example{
			{CLI: "volume delete local:iso/debian-13.1.0-amd64-netinst.iso --dry-run", Args: map[string]any{"volume": "local:iso/debian-13.1.0-amd64-netinst.iso", "dry_run": true}, Why: "see what would be lost"},
		},
	}, func(ctx context.Context, d Deps, in *deleteVolumeIn) (change.Request, error) {
		v, err := d.Inventory.Deletable(ctx, inventory.DeleteAsk{Volume: strings.TrimSpace(in.Volume), Node: strings.TrimSpace(in.Node),
			ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}})
		if err != nil {
			return change.Request{}, err
		}
		r := change.Request{Cluster: v.Cluster, Direct: change.DeleteVolume{Cluster: v.Cluster, Node: v.Node, VolID: v.ID, Kind: v.Content, Size: v.Size}}
		if v.Owner != 0 {
			r.Guest = strconv.Itoa(v.Owner)
		}
		return r, nil
	})
}
