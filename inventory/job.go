package inventory

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// JobQuery names a backup job.
type JobQuery struct {
	ID string
	ReadOptions
}

// JobState is a backup job as Proxmox VE has it now: Was is its row of GET /cluster/backup, nil where there is none of that id. Guests are the
// vmids that it covers, were it enabled.
type JobState struct {
	Cluster string
	Was     pve.Config
	Guests  []string
	Free    *int64 // on its storage
}

// Job reads a backup job live. Errors: those of FindGuests, and of GET /cluster/backup (Sys.Audit on /).
func (i *Inventory) Job(ctx context.Context, q JobQuery) (JobState, error) {
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return JobState{}, err
	}
	if len(scope) > 1 {
		return JobState{}, fault.BadField("cluster", "several are configured: one is needed", scope[0].name)
	}
	c := scope[0]
	src, err := c.source(ctx)
	if err != nil {
		return JobState{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*askBudget)
	defer cancel()
	rows, err := src.BackupJobs(ctx)
	if err != nil {
		return JobState{}, err
	}
	out := JobState{Cluster: c.name}
	var ids []string
	for _, row := range rows {
		ids = append(ids, clean.Line(row.Str("id"), maxName))
		if row.Str("id") == q.ID {
			out.Was = row
		}
	}
	if out.Was == nil {
		return out, fault.New(fault.NotFound, "there is no backup job %s", clean.Line(q.ID, maxName)).WithHint("there are: %s", strings.Join(ids, ", ")).WithNext("list_backups")
	}
	i.covered(&out)
	return out, nil
}

// covered finds the guests of a job and the room on its storage.
func (i *Inventory) covered(out *JobState) {
	cv, j := i.proj.cluster(out.Cluster), backupJobOf(out.Cluster, out.Was)
	j.Enabled, j.NextRun = true, time.Time{}
	for _, r := range cv.rows {
		g := GuestBackups{Cluster: out.Cluster, VMID: r.g.VMID, Node: r.g.Node, Pool: r.g.Pool}
		if covers, _ := j.covers(&g); !covers {
			continue
		}
		out.Guests = append(out.Guests, strconv.Itoa(r.g.VMID))
		if p := cv.roomiest(r.g.Node, "backup", j.Storage); p != nil {
			out.Free = p.Free
		}
	}
}
