package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// checkup is what a check looks at: one cluster as last observed.
type checkup struct {
	cv       *clusterView
	now      time.Time
	silenced map[string]int // findings that a person's intent silences, by code
}

// check is one health check. skip says why it cannot run; "" = it can. topic is what it needs to be asked beyond what syncs read, and
// lacks what of the answers could not be had.
type check struct {
	name  string
	skip  func(*checkup) string
	run   func(*checkup) []Finding
	topic string
	lacks func(*checkup) []miss
}

// checks are all health checks. Their order is that of Health.Checked.
var checks = []check{
	{name: "node_offline", run: checkNodes},
	{name: "quorum", skip: skipQuorum, run: checkQuorum},
	{name: "ha", topic: "ha", run: checkHA},
	{name: "replication", topic: "replication", run: checkReplication, lacks: lacksReplication},
	{name: "disk_health", topic: "disks", run: checkDisks, lacks: lacksDisks},
	{name: "zfs_pool", topic: "zfs", run: checkZFS},
	{name: "thin_pool", topic: "thin", run: checkThin},
	{name: "storage_full", run: checkStorages},
	{name: "node_memory", run: checkNodeMemory},
	{name: "memory_overcommit", run: checkOvercommit},
	{name: "host_pressure", topic: "pressure", run: checkPressure, lacks: lacksPressure},
	{name: "stats_stale", run: checkStale},
	{name: "clock_skew", topic: "clock", run: checkClocks},
	{name: "certificate", topic: "certificates", run: checkCertificates},
	{name: "updates", topic: "updates", run: checkUpdates},
	{name: "task_failed", run: checkTasks},
	{name: "backup_failed", run: checkFailedBackups},
	{name: "no_backup", skip: skipBackups, run: checkBackups},
	{name: "backup_old", skip: skipBackupAge, run: checkBackupAge},
	{name: "onboot_stopped", run: checkOnBoot},
	{name: "guest_locked", run: checkLocks},
	{name: "guests_unknown", run: checkUnknown},
	{name: "no_agent", run: checkAgents},
	{name: "old_snapshot", run: checkSnapshots},
}

// HealthQuery asks for findings; with Code only those of one code, each by itself.
type HealthQuery struct {
	Code string
	ReadOptions
}

// Health answers the findings of all clusters in scope, worst first, which checks ran and which could not. What syncs do not read is asked of
// Proxmox VE when its last answer is too old, whoever asked for it. Errors as of FindGuests.
func (i *Inventory) Health(ctx context.Context, q HealthQuery) (Health, error) {
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return Health{}, err
	}
	if q.Code != "" && !slices.Contains(findingCodes(), q.Code) {
		return Health{}, fault.BadField("code", "must be the code of a finding: "+strings.Join(findingCodes(), ", "), "no_backup")
	}
	i.each(ctx, scope, func(ctx context.Context, _ int, c *cluster) {
		c.probe(ctx, q.Fresh)
		c.jobLog(ctx)
	})
	h := Health{Meta: i.meta(scope), Checks: len(checks)}
	h.Checked, h.Skipped = i.coverage(scope)
	h.Findings, h.Silenced = i.findings(scope, q.Code)
	return h, nil
}

// coverage names the checks that run on the clusters in scope, and those that cannot, with the reason.
func (i *Inventory) coverage(scope []*cluster) (checked, skipped []string) {
	v, now := i.proj.view.Load(), i.now()
	ran := map[string]bool{}
	for _, c := range scope {
		cu := &checkup{cv: v.clusters[c.name], now: now}
		var all []miss
		for _, k := range checks {
			ok, gaps := k.gaps(cu)
			ran[k.name] = ran[k.name] || ok
			all = append(all, gaps...)
		}
		named := ""
		if len(i.clusters) > 1 {
			named = c.name
		}
		skipped = append(skipped, gapLines(all, named)...)
	}
	for _, k := range checks {
		if ran[k.name] {
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

// findings runs the checks on the clusters in scope and ranks what they found; with a code only those of it, ungrouped. silenced counts by
// code what intents silence.
func (i *Inventory) findings(scope []*cluster, code string) (out []Finding, silenced map[string]int) {
	v, now := i.proj.view.Load(), i.now()
	silenced = map[string]int{}
	for _, c := range scope {
		if code == "" || code == "cluster_unreachable" {
			out = append(out, c.unseen(v.clusters[c.name], now)...)
		}
		f := v.clusters[c.name].findings(now)
		for k, n := range f.silenced {
			silenced[k] += n
		}
		if code == "" {
			out = append(out, f.list...)
			continue
		}
		out = append(out, slices.DeleteFunc(v.clusters[c.name].examine(now, false).list, func(f Finding) bool { return f.Code != code })...)
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(severityRank(a.Severity), severityRank(b.Severity)), cmp.Compare(b.Score, a.Score),
			cmp.Compare(a.Object, b.Object))
	})
	return out, silenced
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

func (c *clusterView) findings(now time.Time) *found {
	if last := c.found.Load(); last != nil && now.Sub(last.at) < findingsAge && !now.Before(last.at) {
		return last
	}
	f := c.examine(now, true)
	c.found.Store(f)
	return f
}

// examine runs the checks; group makes one finding of many equal ones.
func (c *clusterView) examine(now time.Time, group bool) *found {
	cu := &checkup{cv: c, now: now, silenced: map[string]int{}}
	out := []Finding{}
	if !c.synced {
		return &found{at: now, silenced: cu.silenced}
	}
	for _, k := range checks {
		if k.skipped(cu) != "" {
			continue
		}
		list := slices.DeleteFunc(k.run(cu), func(f Finding) bool { return cu.quiet(f.Code, f.On) })
		if group {
			list = grouped(list)
		}
		for _, f := range list {
			f.Cluster = c.name
			out = append(out, f)
		}
	}
	return &found{at: now, list: out, silenced: cu.silenced}
}

// quiet says that a person means it to be so; it is counted.
func (c *checkup) quiet(code string, on Subject) bool {
	if !c.cv.silences(code, on, c.now) {
		return false
	}
	c.silenced[code]++
	return true
}

// found are the findings of a view at a time.
type found struct {
	at       time.Time
	list     []Finding
	silenced map[string]int
}

func severityRank(s Severity) int {
	return slices.Index([]Severity{Critical, Warn, Info}, s)
}

// groupRule says from how many findings of a code on one makes one of them, and what it says.
type groupRule struct {
	limit int
	title string
}

// groupRules hold for findings that many objects have at once; others group beyond groupLimit.
var groupRules = map[string]groupRule{
	"onboot_stopped":    {3, "guests that start at boot are stopped"},
	"guest_locked":      {5, "guests are locked without a running task"},
	"no_agent":          {1, "running VMs without guest agent"},
	"no_backup":         {1, "guests that no backup job covers"},
	"backup_old":        {1, "guests whose newest backup is older than 7d"},
	"old_snapshot":      {2, "guests with old snapshots"},
	"backup_failed":     {3, "guests whose last backup failed"},
	"updates":           {1, "nodes with packages to update"},
	"task_failed":       {5, "kinds of tasks failed in 24h"},
	"memory_overcommit": {3, "nodes promise more memory than they have"},
	"node_offline":      {5, "nodes are away"},
}

const groupLimit = 4

// grouped makes one finding of many of the same code and severity.
func grouped(list []Finding) []Finding {
	type key struct {
		code string
		sev  Severity
	}
	by := map[key][]Finding{}
	var order []key
	for _, f := range list {
		k := key{f.Code, f.Severity}
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], f)
	}
	var out []Finding
	for _, k := range order {
		rule, ok := groupRules[k.code]
		if !ok {
			rule = groupRule{groupLimit, "times: " + by[k][0].Title + " and the like"}
		}
		if len(by[k]) <= rule.limit {
			out = append(out, by[k]...)
			continue
		}
		out = append(out, allOf(by[k], rule.title))
	}
	return out
}

// allOf is the worst of a group, in the name of all, since the first began.
func allOf(list []Finding, title string) Finding {
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(b.Score, a.Score) })
	f := list[0]
	var names []string
	for i := range list {
		if i < groupNames {
			one := strings.TrimPrefix(strings.TrimPrefix(list[i].Object, "guest "), "node ")
			if age, ok := strings.CutPrefix(list[i].Title, newestWas); ok {
				one += " " + strings.TrimSuffix(age, " ago")
			}
			names = append(names, one)
		}
		if !list[i].Since.IsZero() && (f.Since.IsZero() || list[i].Since.Before(f.Since)) {
			f.Since = list[i].Since
		}
	}
	kind, _, _ := strings.Cut(f.Object, " ")
	f.Object, f.Title, f.Evidence = kind+"s", fmt.Sprintf("%d %s", len(list), title), strings.Join(names, ", ")
	if more := len(list) - len(names); more > 0 {
		f.Evidence += fmt.Sprintf(" and %d more", more)
	}
	f.Hint, f.Count, f.Score = strings.ReplaceAll(f.Hint, "add it", "add them"), len(list), f.Score+min(len(list), 30)/3
	return f
}

// groupNames is how many members of a group are named; check_health with its code lists all.
const groupNames = 5

// findingCodes are the codes that findings may have.
func findingCodes() []string {
	out := []string{"cluster_unreachable", "quorum_lost", "quorum_at_risk", "disk_failing", "disk_worn", "ha_error"}
	for _, k := range checks {
		if !slices.Contains([]string{"quorum", "ha", "disk_health"}, k.name) {
			out = append(out, k.name)
		}
	}
	slices.Sort(out)
	return out
}
