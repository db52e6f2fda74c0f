package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
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
	checked, skipped := i.coverage(scope)
	return Health{Meta: i.meta(scope), Findings: i.findings(scope), Checked: checked, Skipped: skipped}, nil
}

// coverage names the checks that run on the clusters in scope, and those that cannot, with the reason.
func (i *Inventory) coverage(scope []*cluster) (checked, skipped []string) {
	v, now := i.proj.view.Load(), i.now()
	for _, k := range checks {
		ran := false
		for _, c := range scope {
			why := k.skipped(&checkup{cv: v.clusters[c.name], now: now})
			if why == "" {
				ran = true
				continue
			}
			if len(i.clusters) > 1 {
				why += " on " + c.name
			}
			skipped = append(skipped, k.name+": "+why)
		}
		if ran {
			checked = append(checked, k.name)
		}
	}
	return checked, skipped
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
		out = append(out, c.unseen(v.clusters[c.name], now)...)
		out = append(out, v.clusters[c.name].findings(now)...)
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(severityRank(a.Severity), severityRank(b.Severity)), cmp.Compare(b.Score, a.Score),
			cmp.Compare(a.Object, b.Object))
	})
	return out
}

// unseen is the finding of a cluster that cannot be asked: whatever else is said of it is not of now (invariant I3).
func (c *cluster) unseen(cv *clusterView, now time.Time) []Finding {
	failAt, err := c.lastError()
	if err == nil || failAt.Before(cv.asOf()) || !tellsReaders(err) {
		return nil
	}
	e := fault.Of(err)
	f := Finding{Severity: Critical, Code: "cluster_unreachable", Cluster: c.name, Object: "cluster " + c.name, Score: 110,
		Title: "cannot be asked; nothing is known of it", Evidence: e.Error(), Hint: e.Hint, Since: cv.asOf()}
	if !cv.asOf().IsZero() {
		f.Title = fmt.Sprintf("cannot be asked; last observed %s ago", ago(now.Sub(cv.asOf())))
	}
	return []Finding{f}
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
