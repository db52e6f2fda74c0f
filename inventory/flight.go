package inventory

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// leaseTTL and leaseRenew: a process that dies frees its cluster in 15 s; three renewals fit into that (DESIGN §5).
	leaseTTL   = 15 * time.Second
	leaseRenew = 5 * time.Second
	// leasePoll is how often the results of another process are looked for.
	leasePoll = 200 * time.Millisecond
)

// flight is one sync of one cluster that this process runs or waits for. Any number of readers wait on it.
type flight struct {
	mode   string        // full or tick, as asked
	rows   chan struct{} // closed when the guests' rows are in the store
	done   chan struct{} // closed at the end
	report SyncReport    // valid after done
	err    error         // valid after done

	rowsOnce sync.Once
	began    time.Time
	heard    atomic.Int64 // nanoseconds that the cluster took to list its guests; 0 = it has not
	progMu   sync.Mutex
	progress []func(Progress)
	last     Progress
}

func newFlight(mode string, began time.Time) *flight {
	return &flight{mode: mode, began: began, rows: make(chan struct{}), done: make(chan struct{})}
}

func (f *flight) rowsReady() { f.rowsOnce.Do(func() { close(f.rows) }) }

// hangs says that its rows have not come and that they are overdue.
func (f *flight) hangs(now time.Time) bool {
	select {
	case <-f.rows:
		return false
	default:
	}
	limit := stuck
	if f.heard.Load() > 0 {
		limit = waitStale
	}
	return now.Sub(f.began) >= limit
}

func (f *flight) finish(r SyncReport, err error) {
	f.report, f.err = r, err
	f.rowsReady()
	close(f.done)
}

func (f *flight) listen(fn func(Progress)) {
	if fn == nil {
		return
	}
	f.progMu.Lock()
	defer f.progMu.Unlock()
	f.progress = append(f.progress, fn)
}

// say tells the listeners how far the sync is. Listeners are called one at a time.
func (f *flight) say(p Progress) {
	f.progMu.Lock()
	defer f.progMu.Unlock()
	f.last = p
	for _, fn := range f.progress {
		fn(p)
	}
}

// at is how far the sync was when it last said so.
func (f *flight) at() Progress {
	f.progMu.Lock()
	defer f.progMu.Unlock()
	return f.last
}

// The modes of a sync.
const (
	modeFull = "full"
	modeTick = "tick"
)

// start returns the flight that is under way or starts one. A full sync that is asked for while a tick runs waits for it: the
// caller starts again. joined says that the flight was there before. Of ctx only the trace counts: the flight outlives it.
func (c *cluster) start(ctx context.Context, mode string, waited bool) (f *flight, joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		return c.running, true
	}
	f = newFlight(mode, c.inv.now())
	c.running = f
	if !c.inv.background(func(life context.Context) { c.fly(telemetry.Carry(life, ctx), f, waited) }) {
		c.running = nil
		f.finish(SyncReport{Cluster: c.name}, fault.New(fault.Cancelled, "the inventory is closed"))
	}
	return f, false
}

// fly runs the flight to its end and keeps its outcome.
func (c *cluster) fly(ctx context.Context, f *flight, waited bool) {
	ctx, span := telemetry.Start(ctx, "inventory.sync")
	span.Set("proxmox.cluster", c.name)
	defer span.End()
	report, err := c.sync(ctx, f, waited)
	if err != nil {
		span.Fail(string(fault.CodeOf(err)))
	}
	c.mu.Lock()
	c.running = nil
	c.failed, c.failAt = err, c.inv.now()
	if err == nil {
		c.slow = time.Duration(f.heard.Load()) > stuck
	}
	c.mu.Unlock()
	f.finish(report, err)
	if err == nil && c.inv.proj.refresh(ctx) == nil {
		// What was written is loaded at once, so that no reader waits for it; should it fail, the next read says why.
		_ = c.inv.proj.relast(ctx)
	}
	c.inv.opt.AfterSync()
}

// sync takes the lease and runs, or waits until another process has done the same work.
func (c *cluster) sync(ctx context.Context, f *flight, waited bool) (SyncReport, error) {
	began := c.inv.now()
	st, err := c.inv.openStore(ctx)
	if err != nil {
		return SyncReport{Cluster: c.name, Mode: f.mode}, err
	}
	src, err := c.source(ctx)
	if err != nil {
		return SyncReport{Cluster: c.name, Mode: f.mode}, err
	}
	for wait := false; ; wait = true {
		if last, ok, err := st.LastSync(ctx, c.name); wait && err == nil && ok && last.Finished.After(began) && f.covers(last.Mode) {
			return reportOf(last), nil
		}
		lease, ok, err := st.AcquireLease(ctx, "sync:"+c.name, c.inv.opt.Owner, leaseTTL)
		if err != nil {
			return SyncReport{Cluster: c.name, Mode: f.mode}, err
		}
		if ok {
			return c.leased(ctx, st, src, lease, f, waited)
		}
		if c.othersRows(ctx) {
			f.rowsReady()
		}
		if err := sleep(ctx, leasePoll); err != nil {
			return SyncReport{Cluster: c.name, Mode: f.mode}, err
		}
	}
}

// reportOf is the report of a sync that another process ran.
func reportOf(s store.Sync) SyncReport {
	return SyncReport{Cluster: s.Cluster, Mode: s.Mode, Calls: s.Calls, Created: s.Created, Updated: s.Updated, Gone: s.Gone,
		Unchanged: s.Unchanged, Unknown: s.Unknown, Complete: s.Complete, Elapsed: s.Finished.Sub(s.Started), Warnings: parseWarnings(s.Warnings)}
}

// covers says that a sync of that mode did what the flight was to do.
func (f *flight) covers(mode string) bool { return mode == modeFull || f.mode == modeTick }

// othersRows says that another process has guests in the store already: its first rows are there.
func (c *cluster) othersRows(ctx context.Context) bool {
	return c.inv.proj.refresh(ctx) == nil && len(c.inv.proj.cluster(c.name).rows) > 0
}

// leased runs the sync while a goroutine renews the lease. When the lease is lost the run's context ends and the store refuses
// whatever it still tries to write.
func (c *cluster) leased(ctx context.Context, st Store, src Source, lease store.Lease, f *flight, waited bool) (SyncReport, error) {
	r := &run{c: c, st: st, src: src, lease: lease, flight: f, waited: waited, started: c.inv.now(), calls0: src.Calls()}
	var report SyncReport
	err := c.holding(ctx, st, lease, func(ctx context.Context) (err error) {
		report, err = r.do(ctx)
		return err
	})
	return report, err
}

// holding works while a goroutine renews the lease, and gives it back, also when the work was cancelled: if that fails it runs out by itself.
func (c *cluster) holding(ctx context.Context, st Store, lease store.Lease, work func(ctx context.Context) error) error {
	runCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	wg.Go(func() { keepLease(runCtx, st, lease, cancel) })
	err := work(runCtx)
	if cause := context.Cause(runCtx); cause != nil && err != nil && ctx.Err() == nil {
		err = cause
	}
	cancel(nil)
	wg.Wait()
	return firstError(err, c.release(ctx, st, lease))
}

// keepLease renews until ctx ends. A store that is busy once is tried again: the lease outlives one missed renewal.
func keepLease(ctx context.Context, st Store, lease store.Lease, cancel context.CancelCauseFunc) {
	for missed := 0; sleep(ctx, leaseRenew) == nil; {
		_, err := st.RenewLease(ctx, lease, leaseTTL)
		switch {
		case err == nil:
			missed = 0
		case ctx.Err() != nil:
			return
		case fault.CodeOf(err) == fault.Fenced || missed > 0:
			cancel(fault.Wrap(fault.Fenced, err, "the sync lost its lease to another process"))
			return
		default:
			missed++
		}
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
