package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// evaluation is the world that a query is asked of.
type evaluation struct {
	now   time.Time
	view  *view
	facts map[string]*clusterFacts

	backups backupDates
}

// clusterFacts are what matchers need of a cluster, computed once per query.
type clusterFacts struct {
	cv        *clusterView
	uncovered map[int]bool // guests that no backup job covers
}

func (e *evaluation) of(r *row) *clusterFacts {
	f := e.facts[r.g.Cluster]
	if f == nil {
		cv := e.view.clusters[r.g.Cluster]
		f = &clusterFacts{cv: cv, uncovered: map[int]bool{}}
		for _, id := range cv.state.NoBackup {
			f.uncovered[id] = true
		}
		e.facts[r.g.Cluster] = f
	}
	return f
}

func (q *query) matches(e *evaluation, r *row) bool {
	for i := range q.terms {
		if t := &q.terms[i]; !t.answerable(r) || t.holds(e, r) == t.negate {
			return false
		}
	}
	return true
}

// answerable says that what a term asks for was read of the guest: what is unknown matches neither a term nor its negation.
func (t *term) answerable(r *row) bool {
	switch t.key {
	case "", "node", "vmid", "type", "state", "backup": // backups and jobs are known of guests that were never seen
		return true
	case "cpu", "mem", "disk", "maxmem", "maxdisk":
		_, ok := figure(t.key, r)
		return ok
	case "storage", "os", "agent", "onboot", "snapshot":
		return r.f != nil
	}
	return r.f != nil || !r.g.LastSeen.IsZero()
}

func (t *term) holds(e *evaluation, r *row) bool {
	for _, m := range t.any {
		if m(e, r) {
			return true
		}
	}
	return false
}

// sort orders rows by the query's order; what is unknown comes last in either direction. Equal ones keep the order of vmids.
func (q *query) sort(rows []*row) {
	if q.order == "" || q.order == "vmid" && !q.reverse {
		return
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		c, ranked := compareBy(q.order, a, b)
		if ranked && q.reverse {
			return -c
		}
		return c
	})
}

// compareBy compares two guests; ranked is false when the result only puts the unknown last.
func compareBy(order string, a, b *row) (c int, ranked bool) {
	switch order {
	case "name":
		return strings.Compare(a.lower, b.lower), true
	case "node":
		return strings.Compare(a.g.Node, b.g.Node), true
	case "state":
		return strings.Compare(a.state, b.state), true
	case "vmid":
		return cmp.Compare(a.g.VMID, b.g.VMID), true
	}
	x, okX := figure(order, a)
	y, okY := figure(order, b)
	switch {
	case okX && okY:
		return cmp.Compare(x, y), true
	case okX:
		return -1, false
	case okY:
		return 1, false
	}
	return 0, false
}

// figure is what a guest is measured by: cpu, mem and disk as shares of its limits, memused, diskused, maxmem and maxdisk in bytes, uptime in
// seconds; false where it is not known.
func figure(order string, r *row) (float64, bool) {
	switch order {
	case "cpu":
		return fraction(r.cpu())
	case "mem":
		return ratio(r.g.Mem, r.g.MaxMem, r)
	case "disk":
		return ratio(r.g.Disk, r.g.MaxDisk, r)
	case "memused":
		return number(r.g.Mem, r.state != stUnknown)
	case "diskused":
		return number(r.g.Disk, r.state != stUnknown)
	case "maxmem":
		return number(r.g.MaxMem, true) // a limit holds whether the guest is seen or not
	case "maxdisk":
		return number(r.g.MaxDisk, true)
	}
	return number(r.g.Uptime, r.state != stUnknown)
}

func number(v *int64, known bool) (float64, bool) {
	if v == nil || !known {
		return 0, false
	}
	return float64(*v), true
}

// glob matches text against a pattern with * and ?; without them it is equality. It works in linear space and without
// backtracking over more than the last star.
func glob(pattern, s string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return pattern == s
	}
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i] && pattern[p] != '*'):
			p, i = p+1, i+1
		case p < len(pattern) && pattern[p] == '*':
			star, mark, p = p, i, p+1
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
