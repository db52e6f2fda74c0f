package inventory

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// backupDates are the newest backups that storages list, by cluster and vmid. A guest whose backups were looked for without finding any has
// the zero time; one of which that is not known is not in it.
type backupDates map[string]map[int]time.Time

// seenBackups asks for backups as list_backups does, so that both give the same answer, and only where a query asks for their age. What
// could not be read is told in m.
func (i *Inventory) seenBackups(ctx context.Context, scope []*cluster, q *query, fresh bool, m *Meta) backupDates {
	if !q.backups {
		return nil
	}
	ctx, cancel := i.budget(ctx, fresh, i.now())
	defer cancel()
	reads := make([]backupRead, len(scope))
	i.each(ctx, scope, func(ctx context.Context, k int, c *cluster) {
		reads[k] = c.readBackups(ctx, &BackupQuery{ReadOptions: ReadOptions{Fresh: fresh}}, nil)
	})
	out := backupDates{}
	for k, c := range scope {
		m.older(reads[k].oldest, i.now())
		m.tell(c, reads[k].warnings)
		out[c.name] = map[int]time.Time{}
		for n := range reads[k].guests {
			if g := &reads[k].guests[n]; !g.Newest().IsZero() || !g.Unsure {
				out[c.name][g.VMID] = g.Newest()
			}
		}
	}
	return out
}

// newest is the newest backup of a guest; without a listed one the last task that made one counts, which may be gone since.
func (b backupDates) newest(cv *clusterView, vmid int) (time.Time, bool) {
	if at := b[cv.name][vmid]; !at.IsZero() {
		return at, true
	}
	return cv.tasks.lastBackup(strconv.Itoa(vmid))
}

// missing names the guests that match no age: those without any backup, and those of which none is known.
func (b backupDates) missing(cv *clusterView) []Warning {
	var none, unknown []int
	for _, r := range cv.rows {
		if _, ok := b.newest(cv, r.g.VMID); ok || r.g.Template {
			continue
		}
		if _, looked := b[cv.name][r.g.VMID]; looked {
			none = append(none, r.g.VMID)
		} else {
			unknown = append(unknown, r.g.VMID)
		}
	}
	var out []Warning
	if len(none) > 0 {
		out = append(out, Warning{"partial", fmt.Sprintf("%s have no backup at all and match no age: list_backups missing_since has them", guestList(none))})
	}
	if len(unknown) > 0 {
		out = append(out, Warning{"partial", fmt.Sprintf("backups of %s are not known: they match no age", guestList(unknown))})
	}
	return out
}
