package inventory

import (
	"context"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// sideCalls are the cluster-wide reads that run beside the configurations.
type sideCalls struct {
	version  pve.Version
	defs     []pve.StorageDef
	pools    []pve.PoolRow
	tasks    []pve.TaskRow
	noBackup []pve.NotBackedUp
	perms    map[string]map[string]bool

	errs  [6]error
	wg    sync.WaitGroup
	taskD chan struct{}
}

func (s *sideCalls) wait()      { s.wg.Wait() }
func (s *sideCalls) waitTasks() { <-s.taskD }

// sideCalls starts with the task list, which the first configuration waits for. With cluster/resources and cluster/status it fills
// the three slots of the entry node; the rest must not queue before those.
func (r *run) sideCalls(ctx context.Context) *sideCalls {
	s := &sideCalls{taskD: make(chan struct{})}
	s.wg.Go(func() {
		defer close(s.taskD)
		s.tasks, s.errs[0] = r.src.ClusterTasks(ctx)
	})
	return s
}

// rest starts the other five.
func (s *sideCalls) rest(ctx context.Context, src Source) {
	s.wg.Go(func() { s.version, s.errs[1] = src.Version(ctx) })
	s.wg.Go(func() { s.defs, s.errs[2] = src.StorageDefs(ctx) })
	s.wg.Go(func() { s.pools, s.errs[3] = src.Pools(ctx) })
	s.wg.Go(func() { s.noBackup, s.errs[4] = src.NotBackedUp(ctx) })
	s.wg.Go(func() { s.perms, s.errs[5] = src.Permissions(ctx) })
}

// recordSide records what the side calls brought. Permissions come first: they decide what a missing row means.
func (r *run) recordSide(s *sideCalls) {
	for i, what := range []string{"tasks", "the version", "storage definitions", "pools", "which guests no backup job covers", "permissions"} {
		r.noteFailure(what, s.errs[i])
	}
	if s.errs[5] == nil {
		r.seesScope(s.perms)
	}
	if s.errs[1] == nil {
		r.state.Version = s.version.Version
	}
	if s.errs[2] == nil {
		r.recordDefs(s.defs)
	}
	if s.errs[3] == nil {
		r.recordPools(s.pools)
	}
	if s.errs[4] == nil {
		r.recordNoBackup(s.noBackup)
	}
}

// nodeCalls are the reads per node.
type nodeCalls struct {
	wg    sync.WaitGroup
	mu    sync.Mutex
	tasks []pve.TaskRow
}

func (n *nodeCalls) wait() { n.wg.Wait() }

// nodeCalls asks each online node for its status and its tasks. Nodes under suspicion are waited for: their guests' rows are
// believed only when the node answers.
func (r *run) nodeCalls(ctx context.Context) *nodeCalls {
	calls := &nodeCalls{}
	var probes sync.WaitGroup
	for _, id := range sortedNames(r.nodes) {
		n := r.nodes[id]
		if !n.online {
			continue
		}
		if ok, _ := r.trusts(id); !ok {
			probes.Go(func() { r.probeSuspect(ctx, n) })
			continue
		}
		calls.wg.Go(func() { r.probe(ctx, n) })
	}
	probes.Wait()
	for _, id := range sortedNames(r.nodes) {
		if ok, _ := r.trusts(id); ok {
			calls.wg.Go(func() { r.nodeTasks(ctx, id, calls) })
		}
	}
	return calls
}

// probeSuspect lifts the suspicion when the node answers.
func (r *run) probeSuspect(ctx context.Context, n *nodeFact) {
	r.mu.Lock()
	why := r.silent[n.name]
	delete(r.silent, n.name)
	r.mu.Unlock()
	r.probe(ctx, n)
	if ctx.Err() != nil {
		r.markSilent(n.name, why)
	}
}

func (r *run) nodeTasks(ctx context.Context, node string, calls *nodeCalls) {
	since := r.started.Add(-taskBack)
	if last := r.v.state.FullAt.Add(-time.Hour); last.After(since) {
		// What began before the last full sync is known, but for what ran then: an hour covers nearly all of that.
		since = last
	}
	rows, err := r.src.NodeTasks(ctx, node, TaskListFilter{Since: since, Limit: taskRows})
	switch {
	case err == nil:
		calls.mu.Lock()
		calls.tasks = append(calls.tasks, rows...)
		calls.mu.Unlock()
	case isSilent(err):
		r.markSilent(node, err)
	case fault.CodeOf(err) == fault.Forbidden:
		r.warning("forbidden", "the task lists of nodes are not visible to this token (Sys.Audit on /nodes)")
	case ctx.Err() == nil:
		r.noteFailure("tasks of node "+node, err)
	}
}

// listed is how many guests cluster/resources shows to this token.
func (r *run) listed() (n int) {
	for i := range r.res {
		if r.res[i].IsGuest() {
			n++
		}
	}
	return n
}
