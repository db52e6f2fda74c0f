package inventory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// backupJobs are the jobs of a cluster, remembered for the time of freshness; nil when they could not be read.
func (c *cluster) backupJobs(ctx context.Context, fresh bool) ([]BackupJob, error) {
	rows, at, err := recall(ctx, c, asking{key: "backup jobs", keep: c.inv.opt.Freshness, fresh: fresh},
		func(ctx context.Context, src Source) ([]pve.Config, error) { return src.BackupJobs(ctx) })
	if at.IsZero() {
		return nil, err
	}
	out := make([]BackupJob, 0, len(rows))
	for _, row := range rows {
		out = append(out, backupJobOf(c.name, row))
	}
	slices.SortFunc(out, func(a, b BackupJob) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// backupJobOf reads a row of GET /cluster/backup (recording 02/021). enabled is 1 where it is absent (schema). next-run is told of jobs that are
// switched off too: it means nothing there.
func backupJobOf(cluster string, row pve.Config) BackupJob {
	text := func(key string) string { return clean.Line(row.Str(key), maxName) }
	j := BackupJob{Cluster: cluster, ID: text("id"), Comment: text("comment"), Schedule: text("schedule"), Storage: text("storage"), Mode: text("mode"),
		Node: text("node"), Pool: text("pool"), Enabled: !row.Has("enabled") || row.Bool("enabled"), All: row.Bool("all"), VMIDs: idList(row.Str("vmid")),
		Exclude: idList(row.Str("exclude")), Keep: keepText(row["prune-backups"])}
	if next, ok := row.Int("next-run"); ok && j.Enabled && next > 0 {
		j.NextRun = time.Unix(next, 0).UTC()
	}
	if len(j.Exclude) > 0 && j.Pool == "" && j.VMIDs == nil {
		j.All = true // exclude assumes all (schema)
	}
	return j
}

// keepText is a rule of retention: a map in newer versions, a property string in older ones.
func keepText(v any) string {
	switch v := v.(type) {
	case string:
		return clean.Line(v, maxName)
	case map[string]any:
		var parts []string
		for _, k := range sortedNames(v) {
			parts = append(parts, k+"="+pve.Config(v).Str(k))
		}
		return clean.Line(strings.Join(parts, ","), maxName)
	}
	return ""
}

func idList(s string) []int {
	var out []int
	for _, p := range pve.SplitTags(s) {
		if id, ok := vmidOf(p); ok {
			out = append(out, id)
		}
	}
	return out
}

// covers says that a job backs the guest up, excludes that it is left out by name. A job for one node takes only guests that are there.
func (j *BackupJob) covers(g *GuestBackups) (covers, excludes bool) {
	switch {
	case !j.Enabled || j.Node != "" && j.Node != g.Node:
		return false, false
	case j.VMIDs != nil:
		return slices.Contains(j.VMIDs, g.VMID), false
	case j.All || j.Pool != "" && j.Pool == g.Pool:
		out := slices.Contains(j.Exclude, g.VMID)
		return !out, out
	}
	return false, false
}

// cover fills in the jobs of a guest.
func (g *GuestBackups) cover(jobs []BackupJob) {
	for k := range jobs {
		j := &jobs[k]
		if j.Cluster != g.Cluster {
			continue
		}
		switch covers, excludes := j.covers(g); {
		case covers:
			g.Jobs = append(g.Jobs, j.ID)
			if !j.NextRun.IsZero() && (g.NextRun.IsZero() || j.NextRun.Before(g.NextRun)) {
				g.NextRun = j.NextRun
			}
		case excludes:
			g.Excluded = append(g.Excluded, j.ID)
		}
	}
}
