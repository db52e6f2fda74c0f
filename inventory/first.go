package inventory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Complete runs the first full sync of each cluster in scope that never had one, and waits for it; where there is one it does nothing.
// A door whose process ends with its answer (the command line) calls it before the first read, because the sync that a read starts
// in the background would end with the process. A sync that stalls is not waited for, and half a second only where
// other clusters can be answered from. The error is that of a single cluster; of several, reads tell which are missing.
func (i *Inventory) Complete(ctx context.Context, clusterName string, progress func(Progress)) error {
	if err := errors.Join(i.proj.refresh(ctx), i.proj.relast(ctx)); err != nil {
		return err
	}
	scope, err := i.scope(ctx, clusterName)
	if err != nil {
		return err
	}
	scope = slices.DeleteFunc(slices.Clone(scope), func(c *cluster) bool { return i.proj.cluster(c.name).synced })
	moved := make(chan struct{}, 1)
	errs := make([]error, len(scope))
	var others atomic.Bool // what other clusters have is there to be answered
	others.Store(clusterName == "" && len(i.active()) > len(scope))
	var wg sync.WaitGroup
	for k, c := range scope {
		wg.Go(func() {
			if _, errs[k] = c.syncNow(ctx, tell(progress, moved)); errs[k] == nil {
				others.Store(true)
				tell(nil, moved)(Progress{})
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	patience := func() time.Duration {
		if others.Load() {
			return stuck
		}
		return stalled
	}
	if !moving(done, moved, patience) {
		return nil // a node hangs: what the others said is there, and reads say what is missing
	}
	if len(i.clusters) == 1 && len(errs) == 1 {
		return errs[0]
	}
	return nil
}

// Unsynced says that a cluster that is not another name of one was never read.
func (i *Inventory) Unsynced(ctx context.Context) bool {
	if errors.Join(i.proj.refresh(ctx), i.proj.relast(ctx)) != nil {
		return false
	}
	return slices.ContainsFunc(i.active(), func(c *cluster) bool { return !i.proj.cluster(c.name).synced })
}

// stalled is how long a first sync may make no step before it is no longer waited for: a read answers within 15 ms or so, a node that
// hangs is given up by its cluster after 30 s (faults.md F13).
const stalled = 8 * time.Second

// tell passes progress on and notes that there was some.
func tell(progress func(Progress), moved chan<- struct{}) func(Progress) {
	return func(p Progress) {
		select {
		case moved <- struct{}{}:
		default:
		}
		if progress != nil {
			progress(p)
		}
	}
}

// moving waits for done as long as something moves within patience.
func moving(done, moved <-chan struct{}, patience func() time.Duration) bool {
	t := time.NewTimer(patience())
	defer t.Stop()
	for {
		select {
		case <-done:
			return true
		case <-moved:
			t.Reset(patience())
		case <-t.C:
			return false
		}
	}
}
