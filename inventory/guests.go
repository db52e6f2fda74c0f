package inventory

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	defaultPage = 50 // a list's default page holds at least 50 rows (DESIGN §10)
	maxPage     = 500
)

// FindGuests answers a query with a page of guests; templates are among them. Errors: fault.Invalid for a query or cursor that
// breaks a rule, and those of a store or, with nothing stored yet, of Proxmox VE.
func (i *Inventory) FindGuests(ctx context.Context, q GuestQuery) (GuestPage, error) {
	parsed, err := parseQuery(q.Query)
	if err != nil {
		return GuestPage{}, err
	}
	offset, err := decodePage(q.Cursor, q.sum())
	if err != nil {
		return GuestPage{}, err
	}
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return GuestPage{}, err
	}
	v := i.proj.view.Load()
	page := GuestPage{Meta: i.meta(scope)}
	seen := i.seenBackups(ctx, scope, &parsed, q.Fresh, &page.Meta)
	rows, counts := i.selectRows(v, scope, &parsed, seen)
	page.Counts = counts
	page.Warnings = append(page.Warnings, slices.Concat(backupWarning(v, scope, &parsed, seen), parsed.strangers(v, scope, counts.Total == 0))...)
	end := min(len(rows), offset+pageSize(q.Limit))
	page.Rows = make([]Guest, 0, max(0, end-offset))
	for k := offset; k < end; k++ {
		page.Rows = append(page.Rows, rows[k].view())
	}
	if end < len(rows) {
		page.NextCursor = pageCursor(end, q.sum())
	}
	return page, nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}

// selectRows are the rows that match, in order, with their counts. Without terms and order nothing is copied.
func (i *Inventory) selectRows(v *view, scope []*cluster, q *query, seen backupDates) ([]*row, GuestCounts) {
	all, counts := v.rows, v.counts
	switch {
	case len(scope) == 1:
		cv := v.clusters[scope[0].name]
		all, counts = cv.rows, cv.counts
	case len(scope) != len(i.active()): // what a credential reaches
		in := namesOf(scope)
		all = slices.DeleteFunc(slices.Clone(all), func(r *row) bool { return !slices.Contains(in, r.g.Cluster) })
		counts = GuestCounts{}
		for _, r := range all {
			counts.add(r)
		}
	}
	if len(q.terms) == 0 && (q.order == "" || q.order == "vmid" && !q.reverse) {
		return all, counts
	}
	e := &evaluation{now: i.now(), view: v, facts: map[string]*clusterFacts{}, backups: seen}
	counts = GuestCounts{}
	var out []*row
	for _, r := range all {
		if q.matches(e, r) {
			out = append(out, r)
			counts.add(r)
		}
	}
	q.sort(out)
	return out, counts
}

// backupWarning says what the answer to a question about backups rests on.
func backupWarning(v *view, scope []*cluster, q *query, seen backupDates) []Warning {
	var out []Warning
	if q.backups {
		for _, c := range scope {
			out = append(out, seen.missing(v.clusters[c.name])...)
		}
	}
	for _, c := range scope {
		if q.coverage && v.clusters[c.name].state.NoBackupAt.IsZero() {
			out = append(out, Warning{"partial", "which guests no backup job covers is not known on " + c.name})
		}
	}
	return out
}

// A cursor is the next row's position with a check sum of the query it belongs to.
func pageCursor(offset int, sum string) string { return fmt.Sprintf("%d-%s", offset, sum) }

func decodePage(cursor, sum string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	pos, got, _ := strings.Cut(cursor, "-")
	n, err := strconv.Atoi(pos)
	if err != nil || n < 0 || got != sum {
		return 0, fault.BadField("cursor", "it must be next_cursor of a page of the same query", pageCursor(defaultPage, sum))
	}
	return n, nil
}

func cursorSum(text string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // a hash takes everything
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

func (q GuestQuery) sum() string { return cursorSum(q.Query + "\x00" + q.Cluster) }
