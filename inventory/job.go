package inventory

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// JobQuery names a backup job. Set are settings that it is to get, as the API takes them: Others are judged with them.
type JobQuery struct {
	ID  string
	Set map[string]string
	ReadOptions
}

// JobState is a backup job as Proxmox VE has it now: Was is its row of GET /cluster/backup, nil where there is none of that id. Guests are the
// vmids that it covers, were it enabled.
type JobState struct {
	Cluster string
	Was     pve.Config
	Guests  []string
	Free    *int64 // on its storage
	Others  []SharedGuests
}

// SharedGuests is another job that is enabled and backs up some of the same guests. Prunes says that both keep to a number on the same
// storage, where each then removes what the other wants kept.
type SharedGuests struct {
	Job, Schedule, Keep string
	Guests              int
	Prunes              bool
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
	out.Others = i.sharing(c.name, &q, out.Was, rows)
	if out.Was == nil {
		return out, fault.New(fault.NotFound, "there is no backup job %s", clean.Line(q.ID, maxName)).WithHint("there are: %s", strings.Join(ids, ", ")).WithNext("list_backups")
	}
	i.covered(&out)
	return out, nil
}

// sharing finds the other jobs that back up guests of this one, as it is to be.
func (i *Inventory) sharing(cluster string, q *JobQuery, was pve.Config, rows []pve.Config) []SharedGuests {
	wanted := pve.Config{}
	maps.Copy(wanted, was)
	for k, v := range q.Set {
		wanted[k] = v
	}
	j := backupJobOf(cluster, wanted)
	var out []SharedGuests
	for _, row := range rows {
		o := backupJobOf(cluster, row)
		if row.Str("id") == q.ID || !o.Enabled {
			continue
		}
		s := SharedGuests{Job: o.ID, Schedule: o.Schedule, Keep: o.Keep, Prunes: o.Storage == j.Storage && o.Keep != "" && j.Keep != "" && o.Keep != j.Keep}
		for _, r := range i.proj.cluster(cluster).rows {
			g := GuestBackups{Cluster: cluster, VMID: r.g.VMID, Node: r.g.Node, Pool: r.g.Pool}
			mine, _ := j.covers(&g)
			theirs, _ := o.covers(&g)
			if mine && theirs {
				s.Guests++
			}
		}
		if s.Guests > 0 {
			out = append(out, s)
		}
	}
	return out
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
