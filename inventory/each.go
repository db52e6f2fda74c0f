package inventory

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// stuck is how long a sync may wait for its first list before a question over several clusters is answered without it. A call of a
	// healthy cluster takes some 15 ms, a slow one's 100 ms (performance.md 5).
	stuck = 500 * time.Millisecond
	// stuckPoll is how often that is looked at while a question waits.
	stuckPoll = 50 * time.Millisecond
)

// errNotAwaited is why a question to a cluster in trouble was ended.
var errNotAwaited = fault.New(fault.Timeout, "it does not answer, or slowly, and the other clusters do: it was not waited for").
	WithHint("name it in cluster to wait for it").Retry()

// each puts a question to all clusters of a scope at once and returns when all have ended. Of several, one in trouble is waited for
// only as long as the others take: then the context of its question ends. A scope of one has all the time that ctx gives.
func (i *Inventory) each(ctx context.Context, scope []*cluster, ask func(ctx context.Context, k int, c *cluster)) {
	if len(scope) == 1 {
		ask(ctx, 0, scope[0])
		return
	}
	ended := make([]atomic.Bool, len(scope))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	changed := make(chan struct{}, len(scope))
	var wg sync.WaitGroup
	for k, c := range scope {
		wg.Go(func() {
			ask(ctx, k, c)
			ended[k].Store(true)
			changed <- struct{}{}
		})
	}
	poll := time.NewTicker(stuckPoll)
	defer poll.Stop()
	for {
		switch i.waitWorth(scope, ended) {
		case awaitNone:
			wg.Wait()
			return
		case awaitTroubled:
			cancel(errNotAwaited)
			wg.Wait()
			return
		}
		select {
		case <-changed:
		case <-poll.C:
		}
	}
}

// What a question over several clusters still waits for.
const (
	awaitSome     = iota
	awaitTroubled // only for clusters in trouble, while others have answered or none could
	awaitNone
)

func (i *Inventory) waitWorth(scope []*cluster, ended []atomic.Bool) int {
	now, open, answered := i.now(), 0, false
	for k, c := range scope {
		switch {
		case ended[k].Load():
			answered = answered || c.trouble(now) == "" || !c.empty()
		case c.trouble(now) == "":
			return awaitSome
		default:
			open++
		}
	}
	switch {
	case open == 0:
		return awaitNone
	case !answered: // nothing could be shown: then each has its time
		return awaitSome
	}
	return awaitTroubled
}

// trouble says why a question over several clusters does not wait for this one: its last sync failed or waited longer than stuck for its
// first list, or the one under way does. "" = none.
func (c *cluster) trouble(now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed != nil && tellsReaders(c.failed):
		return "failed"
	case c.running != nil && c.running.hangs(now):
		return "hangs"
	case c.slow:
		return "slow"
	}
	return ""
}

// silence is why a question that was ended got no answer: what the last sync met says more than that it was not waited for.
func (c *cluster) silence(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil {
		return err
	}
	if _, last := c.lastError(); errors.Is(cause, errNotAwaited) && last != nil {
		return last
	}
	return cause
}
