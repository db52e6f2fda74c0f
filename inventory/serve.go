package inventory

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// SyncRequest asks for a full sync that a user waits for. Progress, if set, is called from one goroutine at a time.
type SyncRequest struct {
	Cluster  string // "" = all
	Progress func(Progress)
}

// Sync reads everything of the clusters in scope, all at once, and waits. It returns a report for each that ended and the first
// error of those that did not; a lost lease is fault.Fenced.
func (i *Inventory) Sync(ctx context.Context, q SyncRequest) ([]SyncReport, error) {
	scope, err := i.scope(ctx, q.Cluster)
	if err != nil {
		return nil, err
	}
	reports, errs := make([]SyncReport, len(scope)), make([]error, len(scope))
	var wg sync.WaitGroup
	for k, c := range scope {
		wg.Go(func() { reports[k], errs[k] = c.syncNow(ctx, q.Progress) })
	}
	wg.Wait()
	var out []SyncReport
	var first error
	for k := range scope {
		if errs[k] == nil {
			out = append(out, reports[k])
		} else if first == nil {
			first = errs[k]
		}
	}
	return out, first
}

// syncNow runs a full sync. A tick or a full sync that is under way already is waited for first: it began before this request.
func (c *cluster) syncNow(ctx context.Context, progress func(Progress)) (SyncReport, error) {
	for first := true; ; first = false {
		f, joined := c.start(ctx, modeFull, true)
		f.listen(progress)
		select {
		case <-f.done:
		case <-ctx.Done():
			return SyncReport{}, ctx.Err()
		}
		if !joined || !first && f.mode == modeFull && f.err == nil { // what was met at first began before this request
			return f.report, f.err
		}
	}
}

// watch remembers when the last read came in.
type watch struct {
	mu sync.Mutex
	at time.Time
}

func (w *watch) touch(now time.Time) { w.mu.Lock(); w.at = now; w.mu.Unlock() }

// watchedFor is how long a read keeps the pace of Serve up.
const watchedFor = time.Minute

func (i *Inventory) pace() time.Duration {
	i.watched.mu.Lock()
	defer i.watched.mu.Unlock()
	if !i.watched.at.IsZero() && i.now().Sub(i.watched.at) < watchedFor {
		return i.opt.TickWatched
	}
	return i.opt.TickIdle
}

// Serve keeps the store in step until ctx ends: a sync per cluster at each tick, unless another process has just done it. The first
// comes at once. Failures are logged once per change of their text; reads show them as warnings.
func (i *Inventory) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, c := range i.clusters {
		wg.Go(func() { c.serve(ctx) })
	}
	wg.Wait()
	return nil
}

func (c *cluster) serve(ctx context.Context) {
	said := ""
	for err := ctx.Err(); err == nil; err = sleep(ctx, c.inv.pace()) {
		err := c.beat(ctx)
		text := ""
		if err != nil && ctx.Err() == nil {
			text = err.Error()
		}
		if text != said {
			said = text
			if text != "" {
				c.inv.opt.Logger.WarnContext(ctx, "background sync failed", "cluster", c.name, "code", fault.CodeOf(err), "error", text)
			} else {
				c.inv.opt.Logger.InfoContext(ctx, "background sync works again", "cluster", c.name)
			}
		}
	}
}

// beat is one tick, or nothing when the store is younger than half a pace: another process has ticked.
func (c *cluster) beat(ctx context.Context) error {
	if err := errors.Join(c.inv.proj.refresh(ctx), c.inv.proj.relast(ctx)); err != nil {
		return err
	}
	if c.inv.aliasOf(c.name) != "" {
		return nil
	}
	v := c.inv.proj.cluster(c.name)
	if v.synced && c.inv.now().Sub(v.asOf()) < c.inv.pace()/2 {
		return nil
	}
	f, _ := c.start(ctx, c.mode(), false)
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
