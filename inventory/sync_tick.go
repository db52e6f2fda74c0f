package inventory

import (
	"context"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// tick reads three lists, then the configurations of guests whose row or tasks say that something happened, then a slice of the
// rest: what leaves no trace (a container's configuration, an edited file) is found by that sweep (faults.md 3.4).
func (r *run) tick(ctx context.Context) error {
	var tasks []pve.TaskRow
	var taskErr error
	var wg sync.WaitGroup
	wg.Go(func() { tasks, taskErr = r.src.ClusterTasks(ctx) })
	members, err := r.rowsAndMembers(ctx)
	wg.Wait()
	if err != nil {
		return err
	}
	r.noteFailure("tasks", taskErr)
	r.clusterMembers(members)
	r.seesNodes(members)
	r.distrust()
	r.probeSuspects(ctx)
	dirty, snaps := map[int]bool{}, map[int]bool{}
	r.seesTasks(r.contiguous(ctx, tasks), dirty, snaps)
	if taskErr == nil {
		r.seesTasks(r.unheard(ctx, tasks), dirty, snaps)
	}
	rows := r.guestRows()
	for id := range r.truth(ctx, rows) {
		dirty[id], snaps[id] = true, true
	}
	for id := range r.applyRows(ctx, rows) {
		dirty[id] = true
	}
	r.newPools(ctx)
	r.recordRows()
	r.readGuests(ctx, r.targets(func(id int) bool { return dirty[id] }, snaps))
	if err := r.cut(ctx); err != nil {
		return err
	}
	r.vanished(ctx)
	if !r.waited {
		r.sweep(ctx, dirty)
	}
	return r.conclude(ctx)
}

// unheard asks nodes for tasks that ran when last seen and are no longer in the cluster's list: it holds all running ones and only
// some that ended (faults.md 3.4), so they ended unheard. Each task is asked for once.
func (r *run) unheard(ctx context.Context, listed []pve.TaskRow) []pve.TaskRow {
	known := map[string]bool{}
	for _, t := range listed {
		known[t.UPID] = true
	}
	oldest := map[string]time.Time{}
	for _, k := range r.v.tasks.list {
		if ok, _ := r.trusts(k.Node); !ok || !running(k, r.started) || known[k.UPID] || r.c.heard[k.UPID] {
			continue
		}
		r.c.heard[k.UPID] = true
		if t, ok := oldest[k.Node]; !ok || k.Start.Before(t) {
			oldest[k.Node] = k.Start
		}
	}
	var out []pve.TaskRow
	for _, node := range sortedNames(oldest) {
		rows, err := r.src.NodeTasks(ctx, node, TaskListFilter{Since: oldest[node].Add(-time.Second), Limit: taskRows})
		if isSilent(err) {
			r.markSilent(node, err)
		}
		out = append(out, rows...)
	}
	return out
}

func (r *run) probeSuspects(ctx context.Context) {
	var wg sync.WaitGroup
	for _, id := range sortedNames(r.silent) {
		wg.Go(func() { r.probeSuspect(ctx, r.nodes[id]) })
	}
	wg.Wait()
}

// sweep is the place of the round-robin reading between ticks.
type sweep struct {
	mu   sync.Mutex
	next int       // vmid to go on with
	at   time.Time // when the last slice was read
}

// maxSlice bounds a slice: after a pause nothing is made up for at once.
const maxSlice = 30

// slice picks the next guests: one for each second since the last slice.
func (s *sweep) slice(ids []int, now time.Time) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 1
	if !s.at.IsZero() {
		n = int(now.Sub(s.at) / time.Second)
	}
	s.at = now
	n = min(n, maxSlice, len(ids))
	start := 0
	for start < len(ids) && ids[start] < s.next {
		start++
	}
	var out []int
	for i := range n {
		out = append(out, ids[(start+i)%len(ids)])
	}
	if n > 0 {
		s.next = out[n-1] + 1
	}
	return out
}

func (r *run) sweep(ctx context.Context, read map[int]bool) {
	pick := map[int]bool{}
	for _, id := range r.c.sweep.slice(sortedIDs(r.next), r.started) {
		pick[id] = !read[id]
	}
	list := r.targets(func(id int) bool { return pick[id] }, nil)
	r.report.Swept = len(list)
	r.readGuests(ctx, list)
}
