package tools

import (
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type restoreIn struct {
	Action  string `json:"action" req:"true" enum:"new,beside,swap,over" example:"beside" desc:"beside: copy with links down; swap: the copy vmid replaces guest, which is kept off; over: in place, guest backed up first"`
	Guest   string `json:"guest" example:"104" desc:"also one that is gone"`
	At      string `json:"at" example:"yesterday" desc:"newest backup not after it"`
	Backup  string `json:"backup" example:"nas-backup:backup/vzdump-qemu-204-2026_11_15-02_30_00.vma.zst" desc:"volume, instead"`
	VMID    int    `json:"vmid" min:"100" max:"999999999" example:"304" desc:"of the copy; default free"`
	Name    string `json:"name" example:"web-restored" desc:"of the copy"`
	Storage string `json:"storage" example:"local-lvm" desc:"for its disks"`
	Start   bool   `json:"start" help:"start it when it is restored"`
	Discard bool   `json:"discard" desc:"over: no backup first"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

func restoreGuest() Spec {
	return writes(Spec{
		Name: "restore_guest", Title: "Restore", Family: "change", Command: "guest restore", Args: []string{"guest", "action"}, Tier: R1,
		Acts:    []Act{{"new", R1}, {"beside", R1}, {"swap", R2}, {"over", R3}},
		Needs:   []Need{needBackup.orNothing(), needSpace.orNothing(), needAllocate, needNICs, needStorages, needGuests},
		Summary: "Restore a guest from a backup.",
		Examples: []Example{
			{CLI: "guest restore 204 beside --dry-run", Args: map[string]any{"guest": "204", "action": "beside", "dry_run": true}, Why: "plan its newest backup as a copy that no network reaches"},
			{CLI: "guest restore 204 over --at yesterday --dry-run", Args: map[string]any{"guest": "204", "action": "over", "at": "yesterday", "dry_run": true}, Why: "plan to put it back as it was then"},
		},
	}, func(ctx context.Context, d Deps, in *restoreIn) (change.Request, error) {
		if in.Action == "swap" {
			return in.swap()
		}
		return in.restore(ctx, d)
	})
}

func (in *restoreIn) swap() (change.Request, error) {
	guest := strings.TrimSpace(in.Guest)
	if guest == "" || in.VMID == 0 {
		return change.Request{}, fault.BadField("vmid", "guest is the one that is kept, vmid the one that was restored beside it", "304")
	}
	return change.Request{Cluster: in.Cluster, Guests: []string{guest, strconv.Itoa(in.VMID)}, Action: change.Swap{}}, nil
}

func (in *restoreIn) restore(ctx context.Context, d Deps) (change.Request, error) {
	at, err := wanted(d, "at", in.At)
	switch {
	case err != nil:
		return change.Request{}, err
	case strings.TrimSpace(in.Guest) == "" && in.Backup == "":
		return change.Request{}, fault.BadField("guest", "a vmid, a name or a backup is needed", "104")
	case in.Action == "over" && (in.VMID != 0 || in.Name != ""):
		return change.Request{}, fault.BadField("vmid", "vmid and name are those of a copy; over takes the guest's own place", "")
	}
	c, err := d.Inventory.RestoreChoice(ctx, inventory.RestoreAsk{Guest: in.Guest, Backup: strings.TrimSpace(in.Backup), At: at, Storage: in.Storage, VMID: in.VMID, Taken: d.Taken,
		Over: in.Action == "over", ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}})
	if err != nil {
		return change.Request{}, err
	}
	r := change.Request{Cluster: c.Cluster, Notes: c.Why}
	if c.Exists || in.Action == "over" {
		r.Guest = strconv.Itoa(c.Of)
	}
	saved := change.Saved{Cluster: c.Cluster, Node: c.Node, VolID: c.Volume, Type: c.Type, VMID: c.Of, At: c.At, Config: c.Config}
	if in.Action == "over" {
		r.Action = change.RestoreOver{Saved: saved, Storage: c.Storage, Place: change.BackupPlace(c.Place), Discard: in.Discard, Start: in.Start}
		return r, nil
	}
	r.Direct = change.Restore{Saved: saved, NewID: c.VMID, NewName: copyName(in, &c), Storage: c.Storage, Apart: in.Action == "beside",
		Itself: !c.Exists && in.Action == "new" && c.VMID == c.Of, Start: in.Start}
	return r, nil
}

// copyName is the name of a copy: two guests of one name cannot be told apart by it.
func copyName(in *restoreIn, c *inventory.RestoreChoice) string {
	name := c.Config.Str("name") + c.Config.Str("hostname") // a machine has the one, a container the other
	switch {
	case in.Name != "":
		return strings.TrimSpace(in.Name)
	case !c.Exists || name == "":
		return ""
	}
	const suffix = "-restored"
	return name[:min(len(name), 63-len(suffix))] + suffix
}
