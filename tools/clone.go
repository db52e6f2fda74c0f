package tools

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/change"
)

type cloneIn struct {
	Name     string   `json:"name" example:"web2" help:"of the new guest"`
	VMID     int      `json:"vmid" min:"100" max:"999999999" example:"310" help:"default: the next free one"`
	Linked   bool     `json:"linked" desc:"share disks with a template or snapshot; default full copy"`
	Snapshot string   `json:"snapshot" example:"clean" help:"clone what it holds"`
	Target   string   `json:"target" example:"pve2" desc:"another node"`
	Storage  string   `json:"storage" example:"local-zfs" help:"for the copied disks"`
	Pool     string   `json:"pool" example:"lab" help:"put it into this pool"`
	Set      []string `json:"set" lines:"true" example:"ciuser=admin" desc:"then key=value as update_guest"`
	Grow     string   `json:"grow" example:"scsi0=32G" desc:"then enlarge a disk"`
	Start    bool     `json:"start" help:"then start it"`
	WriteOne
}

func cloneGuest() Spec {
	return writes(Spec{
		Name: "clone_guest", Title: "Clone", Family: "change", Command: "guest clone", Args: []string{"guest", "name"}, Tier: R1,
		Needs:   []Need{needClone.orNothing(), needAllocate, needSpace, needBridges, needGuests},
		Summary: "Make a new guest from a guest, template or snapshot; configure, enlarge and start it.",
		Examples: []Example{
			{CLI: "guest clone 900 web2 --dry-run", Args: map[string]any{"guest": "900", "name": "web2", "dry_run": true}, Why: "plan a copy of a template"},
			{CLI: "guest clone 900 web2 --set memory=4096 --grow 20G --start", Args: map[string]any{"guest": "900", "name": "web2", "set": []string{"memory=4096"}, "grow": "20G", "start": true},
				Why: "a new machine with 4 GiB and 20 GiB, running"},
		},
	}, func(_ context.Context, _ Deps, in *cloneIn) (change.Request, error) {
		set, err := pairs(in.Set)
		if err != nil {
			return change.Request{}, err
		}
		return in.acting(change.Clone{NewID: in.VMID, NewName: in.Name, Linked: in.Linked, Snapshot: in.Snapshot, Target: in.Target, Storage: in.Storage,
			Pool: in.Pool, Set: set, Grow: in.Grow, Start: in.Start}), nil
	})
}
