package tools

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/change"
)

type snapshotIn struct {
	Action      string `json:"action" req:"true" enum:"create,delete,rollback" example:"create"`
	Snapshot    string `json:"snapshot" req:"true" example:"before-upgrade" desc:"its name"`
	Description string `json:"description" help:"what it is for"`
	RAM         bool   `json:"ram" desc:"keep the memory of a running VM too"`
	Start       bool   `json:"start" desc:"after a rollback"`
	Write
}

func snapshotGuest() Spec {
	return writes(Spec{
		Name: "snapshot_guest", Title: "Snapshot", Family: "change", Command: "guest snapshot", Args: []string{"guest", "action", "snapshot"}, Tier: R1,
		Needs:   []Need{needSnapshots.orNothing(), needRollback, needGuests},
		Acts:    []Act{{"create", R1}, {"delete", R3}, {"rollback", R3}},
		Summary: "Create, delete or roll back to a snapshot.",
		Examples: []Example{
			{CLI: "guest snapshot 208 create before-upgrade", Args: map[string]any{"guest": "208", "action": "create", "snapshot": "before-upgrade"}, Why: "before something risky"},
		},
	}, func(_ context.Context, _ Deps, in *snapshotIn) (change.Request, error) {
		return in.acting(change.Snapshot{Verb: in.Action, Snapshot: in.Snapshot, Description: in.Description, RAM: in.RAM, Start: in.Start}), nil
	})
}

type deleteIn struct {
	Purge        bool `json:"purge" desc:"also from backup jobs, replication, HA"`
	Unreferenced bool `json:"unreferenced_disks" desc:"also disks that only carry its vmid"`
	Write
}

func deleteGuest() Spec {
	return writes(Spec{
		Name: "delete_guest", Title: "Destroy", Family: "change", Command: "guest delete", Args: []string{"guest"}, Tier: R3,
		Needs:   []Need{needAllocate.orNothing(), needGuests},
		Summary: "Destroy a stopped guest and its disks, for good.",
		Examples: []Example{
			{CLI: "guest delete 208 --dry-run", Args: map[string]any{"guest": "208", "dry_run": true}, Why: "see what would be lost"},
		},
	}, func(_ context.Context, _ Deps, in *deleteIn) (change.Request, error) {
		return in.acting(change.Destroy{Purge: in.Purge, Unreferenced: in.Unreferenced}), nil
	})
}
