package tools

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/change"
)

type diskIn struct {
	Action  string `json:"action" req:"true" enum:"add,grow,move,detach,attach,remove" example:"grow"`
	Disk    string `json:"disk" example:"scsi1" desc:"slot: scsi1, mp0, unused0; add: chosen"`
	Size    string `json:"size" example:"+32G" desc:"add: 32G; grow: 64G or +32G, never smaller"`
	Storage string `json:"storage" example:"local-zfs" desc:"add, move: where to"`
	Format  string `json:"disk_format" enum:"raw,qcow2" help:"add, move: where the storage keeps files"`
	Mount   string `json:"mount" example:"/data" desc:"mount point of a container volume"`
	Options string `json:"options" example:"discard=on,ssd=1" help:"add, attach: more properties"`
	To      string `json:"to" example:"scsi2" desc:"attach: slot, default free"`
	Keep    bool   `json:"keep_source" desc:"move: as unused"`
	WriteOne
}

func manageDisk() Spec {
	return writes(Spec{
		Name: "manage_disk", Title: "Disks", Family: "change", Command: "guest disk", Args: []string{"guest", "action", "disk"}, Tier: R2,
		Acts:    []Act{{"add", R2}, {"grow", R2}, {"move", R2}, {"detach", R2}, {"attach", R2}, {"remove", R3}},
		Needs:   []Need{needDisks.orNothing(), needSpace, needGuests},
		Summary: "Add, grow, move, detach (it becomes unused), attach or erase a guest's disk or container volume.",
		Examples: []Example{
			{CLI: "guest disk 208 grow scsi0 --size +16G --dry-run", Args: map[string]any{"guest": "208", "action": "grow", "disk": "scsi0", "size": "+16G", "dry_run": true}, Why: "plan a larger disk"},
			{CLI: "guest disk 208 add --size 32G --dry-run", Args: map[string]any{"guest": "208", "action": "add", "size": "32G", "dry_run": true}, Why: "a second disk"},
		},
	}, func(_ context.Context, _ Deps, in *diskIn) (change.Request, error) {
		return in.acting(change.Disk{Verb: in.Action, Slot: in.Disk, To: in.To, Storage: in.Storage, Size: in.Size, Format: in.Format, Mount: in.Mount,
			Options: in.Options, Keep: in.Keep}), nil
	})
}
