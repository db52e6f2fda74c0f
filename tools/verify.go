package tools

import (
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type verifyIn struct {
	Guest   string `json:"guest" example:"104"`
	Backup  string `json:"backup" example:"nas-backup:backup/vzdump-qemu-204-2026_11_15-02_30_00.vma.zst" desc:"default: its newest"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

func verifyBackup() Spec {
	return writes(Spec{
		Name: "verify_backup", Title: "Verify backup", Family: "change", Command: "backup verify", Args: []string{"guest"}, Tier: R1,
		Needs:   []Need{needBackup.orNothing(), needSpace.orNothing(), needAllocate.orNothing(), needPower, needNICs, needStorages, needGuests},
		Summary: "Prove that a backup restores: a copy without network is started, seen to run, removed.",
		Examples: []Example{
			{CLI: "backup verify 204 --dry-run", Args: map[string]any{"guest": "204", "dry_run": true}, Why: "plan a proof of its newest backup"},
		},
	}, func(ctx context.Context, d Deps, in *verifyIn) (change.Request, error) {
		guest, backup := strings.TrimSpace(in.Guest), strings.TrimSpace(in.Backup)
		if guest == "" && backup == "" {
			return change.Request{}, fault.BadField("guest", "a vmid, a name or a backup is needed", "104")
		}
		c, err := d.Inventory.RestoreChoice(ctx, inventory.RestoreAsk{Guest: guest, Backup: backup, Taken: d.Taken, Copy: true, ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}})
		if err != nil {
			return change.Request{}, err
		}
		r := change.Request{Cluster: c.Cluster, Notes: c.Why}
		if c.Exists {
			r.Guest = strconv.Itoa(c.Of)
		}
		r.Direct = change.Verify{NewID: c.VMID, Storage: c.Storage,
			Saved: change.Saved{Cluster: c.Cluster, Node: c.Node, VolID: c.Volume, Type: c.Type, VMID: c.Of, At: c.At, Config: c.Config}}
		return r, nil
	})
}
