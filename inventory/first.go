package inventory

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Complete runs the first full sync of each cluster in scope that never had one, and waits for it; where there is one it does nothing.
// A door whose process ends with its answer (the command line) calls it before the first read, because the sync that a read starts
// in the background would end with the process. The error is that of a single cluster; of several, reads tell which are missing.
func (i *Inventory) Complete(ctx context.Context, clusterName string, progress func(Progress)) error {
	scope, err := i.scope(clusterName)
	if err != nil {
		return err
	}
	if err := errors.Join(i.proj.refresh(ctx), i.proj.relast(ctx)); err != nil {
		return err
	}
	scope = slices.DeleteFunc(slices.Clone(scope), func(c *cluster) bool { return i.proj.cluster(c.name).synced })
	errs := make([]error, len(scope))
	var wg sync.WaitGroup
	for k, c := range scope {
		wg.Go(func() { _, errs[k] = c.syncNow(ctx, progress) })
	}
	wg.Wait()
	if len(i.clusters) == 1 && len(errs) == 1 {
		return errs[0]
	}
	return nil
}
