package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// Saving is what the tools about backups ask of package inventory.
type Saving interface {
	BackupChoice(ctx context.Context, q inventory.BackupAsk) (inventory.BackupChoice, error)
	RestoreChoice(ctx context.Context, q inventory.RestoreAsk) (inventory.RestoreChoice, error)
	Job(ctx context.Context, q inventory.JobQuery) (inventory.JobState, error)
	Deletable(ctx context.Context, q inventory.DeleteAsk) (inventory.Volume, error)
}

type backupIn struct {
	MissingSince string `json:"missing_since" example:"7d" desc:"only guests without a backup newer than 7d"`
	Storage      string `json:"storage" example:"nas-backup" desc:"default: most room"`
	Mode         string `json:"mode" enum:"snapshot,suspend,stop" desc:"default snapshot: no downtime"`
	Compress     string `json:"compress" enum:"zstd,gzip,lzo,0"`
	Notes        string `json:"notes" example:"before upgrade" help:"a note kept with the backup"`
	Protected    bool   `json:"protected" help:"prune and delete leave it alone"`
	Write
}

func backupGuest() Spec {
	return writes(Spec{
		Name: "backup_guest", Title: "Back up", Family: "change", Command: "guest backup", Args: []string{"guest"}, Tier: R1,
		Needs:   []Need{needBackup.orNothing(), needSpace.orNothing(), needStorages, needGuests, needJobs},
		Summary: "Back up guests now, one task per node that goes on by itself; prunes nothing.",
		Examples: []Example{
			{CLI: "guest backup 208", Args: map[string]any{"guest": "208"}, Why: "back up one guest"},
			{CLI: "guest backup --missing-since 7d --dry-run", Args: map[string]any{"missing_since": "7d", "dry_run": true}, Why: "plan backups of all that lack a recent one"},
		},
	}, func(ctx context.Context, d Deps, in *backupIn) (change.Request, error) {
		return in.request(ctx, d)
	})
}

func (in *backupIn) request(ctx context.Context, d Deps) (change.Request, error) {
	r := in.acting(nil)
	since, err := when(d, "missing_since", in.MissingSince)
	switch {
	case err != nil:
		return r, err
	case r.Guest != "" && (r.Query != "" || in.MissingSince != ""):
		return r, fault.BadField("guest", "give guest, or query and missing_since", "104")
	case r.Guest == "" && r.Query == "" && in.MissingSince == "":
		return r, fault.BadField("guest", "a vmid, a name, a query or missing_since is needed", "104")
	}
	c, err := d.Inventory.BackupChoice(ctx, inventory.BackupAsk{Guest: r.Guest, Query: r.Query, MissingSince: since, Storage: strings.TrimSpace(in.Storage),
		ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}})
	if err != nil {
		return r, err
	}
	if len(c.Guests) == 0 {
		return r, fault.New(fault.Conflict, "every guest that is meant has a backup newer than %s: nothing to do", shortStamp(d, since)).WithNext("list_backups")
	}
	if in.MissingSince != "" {
		r.Query, r.Guests = "", c.Guests
	}
	a := change.BackupGuests{Places: map[string]change.BackupPlace{}, Sizes: c.Sizes, Mode: in.Mode, Compress: in.Compress, Notes: in.Notes, Protected: in.Protected,
		Templates: r.Guest != ""}
	for node, p := range c.Places {
		a.Places[node] = change.BackupPlace(p)
	}
	r.Cluster, r.Action, r.Notes = c.Cluster, a, uncovered(c.Uncovered)
	return r, nil
}

// uncovered says which guests will not be backed up again by themselves.
func uncovered(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	shown := strings.Join(list[:min(len(list), 8)], ", ")
	if more := len(list) - 8; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return []string{"no backup job covers " + shown + ": nothing backs them up again by itself (manage_backup_job create)"}
}
