package inventory

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// checkup is what a check looks at: one cluster as last observed.
type checkup struct {
	cv  *clusterView
	now time.Time
}

// check is one health check. skip says why it cannot run; "" = it can.
type check struct {
	name string
	skip func(*checkup) string
	run  func(*checkup) []Finding
}

// checks are all health checks. Their order is that of Health.Checked.
var checks = []check{
	{"node_offline", nil, checkNodes},
	{"quorum", skipQuorum, checkQuorum},
	{"storage_full", nil, checkStorages},
	{"node_memory", nil, checkNodeMemory},
	{"task_failed", nil, checkTasks},
	{"no_backup", skipBackups, checkBackups},
	{"onboot_stopped", nil, checkOnBoot},
	{"guest_locked", nil, checkLocks},
	{"guests_unknown", nil, checkUnknown},
	{"stats_stale", nil, checkStale},
}

// Health answers the findings of all clusters in scope, worst first, which checks ran and which could not. Errors as of FindGuests.
func (i *Inventory) Health(ctx context.Context, ro ReadOptions) (Health, error) {
	scope, err := i.ready(ctx, ro)
	if err != nil {
		return Health{}, err
	}
	h := Health{Meta: i.meta(scope), Findings: i.findings(scope)}
	v, now := i.proj.view.Load(), i.now()
	for _, k := range checks {
		ran := false
		for _, c := range scope {
			cu := &checkup{cv: v.clusters[c.name], now: now}
			why := k.skipped(cu)
			if why == "" {
				ran = true
				continue
			}
			if len(i.clusters) > 1 {
				why += " on " + c.name
			}
			h.Skipped = append(h.Skipped, k.name+": "+why)
		}
		if ran {
			h.Checked = append(h.Checked, k.name)
		}
	}
	return h, nil
}

func (k *check) skipped(c *checkup) string {
	if !c.cv.synced {
		return "the first sync has not ended"
	}
	if k.skip == nil {
		return ""
	}
	return k.skip(c)
}

// findings runs the checks on the clusters in scope and ranks what they found.
func (i *Inventory) findings(scope []*cluster) []Finding {
	v, now := i.proj.view.Load(), i.now()
	var out []Finding
	for _, c := range scope {
		out = append(out, v.clusters[c.name].findings(now)...)
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(severityRank(a.Severity), severityRank(b.Severity)), cmp.Compare(b.Score, a.Score),
			cmp.Compare(a.Object, b.Object))
	})
	return out
}

// findingsAge is how long computed findings are kept for one and the same state: their ages then are off by as much.
const findingsAge = 5 * time.Second

func (c *clusterView) findings(now time.Time) []Finding {
	if !c.synced {
		return nil
	}
	if last := c.found.Load(); last != nil && now.Sub(last.at) < findingsAge && !now.Before(last.at) {
		return last.list
	}
	cu := &checkup{cv: c, now: now}
	var out []Finding
	for _, k := range checks {
		if k.skipped(cu) != "" {
			continue
		}
		for _, f := range k.run(cu) {
			f.Cluster = c.name
			out = append(out, f)
		}
	}
	c.found.Store(&found{at: now, list: out})
	return out
}

// found are the findings of a view at a time.
type found struct {
	at   time.Time
	list []Finding
}

func severityRank(s Severity) int {
	return slices.Index([]Severity{Critical, Warn, Info}, s)
}
