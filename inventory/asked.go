package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// askBudget is how long a question waits for what only Proxmox VE can tell; what comes later is kept for the next one.
	askBudget = 3 * time.Second
	// askLimit ends a question to Proxmox VE: what takes longer hangs (faults.md F39).
	askLimit = 10 * time.Second
	// askPause is how long what hung twice is left alone: each try may hold a worker of its node. After the first time a minute is enough.
	askPause  = 5 * time.Minute
	askRepeat = time.Minute
)

// asked remembers what Proxmox VE answered to questions that the store does not keep: contents of storages, jobs, disks. One question is
// under way per key at most, and it goes on when its first reader has left.
type asked struct {
	mu    sync.Mutex
	items map[string]*answer
	lanes map[string]chan struct{}
}

// answer is what is known under one key. value is nil until the first good answer.
type answer struct {
	value any
	at    time.Time // when value was asked for
	err   error     // of the last question, nil after a good one
	errAt time.Time
	hung  int           // how often in a row it hung
	going chan struct{} // closed when the question under way has ended; nil when there is none
}

// asking says how a question is put. Its answer is as good as new for keep. Questions of one lane go one after the other, each with its
// own deadline, so that the one that hangs is told from those behind it.
type asking struct {
	key   string
	lane  string // "" = none
	keep  time.Duration
	fresh bool
}

// recall answers a question from memory or asks Proxmox VE, until ctx ends. at is when the value was asked for. With an error the value
// may be an older one; at is zero when there is none. An answer that was slow arrives later: ask again then.
func recall[T any](ctx context.Context, c *cluster, q asking, f func(ctx context.Context, src Source) (T, error)) (value T, at time.Time, err error) {
	down := c.down()
	c.asked.mu.Lock()
	a := c.asked.item(q.key)
	now := c.inv.now()
	switch {
	case a.value != nil && !q.fresh && now.Sub(a.at) < q.keep:
		defer c.asked.mu.Unlock()
		return kept[T](a, nil)
	case a.err != nil && !q.fresh && now.Sub(a.errAt) < a.pause():
		defer c.asked.mu.Unlock()
		return kept[T](a, a.err)
	case down != nil:
		defer c.asked.mu.Unlock()
		return kept[T](a, down)
	case a.going == nil && !c.put(a, q, func(ctx context.Context, src Source) (any, error) { return f(ctx, src) }):
		defer c.asked.mu.Unlock()
		return kept[T](a, fault.New(fault.Cancelled, "the program ends"))
	}
	going := a.going
	c.asked.mu.Unlock()
	select {
	case <-going:
	case <-ctx.Done():
		c.asked.mu.Lock()
		defer c.asked.mu.Unlock()
		return kept[T](a, fault.New(fault.Timeout, "no answer yet; ask again in a moment").Retry())
	}
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock()
	return kept[T](a, a.err)
}

// down is the error of a sync that has just failed for the whole cluster: nothing else is asked of it for a while.
func (c *cluster) down() error {
	at, err := c.lastError()
	switch fault.CodeOf(err) {
	case fault.Unauthenticated, fault.Unreachable, fault.Untrusted:
		if c.inv.now().Sub(at) < retryAfter {
			return err
		}
	}
	return nil
}

// pause is how long a failure stands for the next answer.
func (a *answer) pause() time.Duration {
	switch code := fault.CodeOf(a.err); {
	case a.hung > 1:
		return askPause
	case a.hung == 1, code == fault.Forbidden, code == fault.Unsupported:
		return askRepeat
	}
	return retryAfter
}

func kept[T any](a *answer, err error) (T, time.Time, error) {
	value, ok := a.value.(T)
	if !ok {
		return value, time.Time{}, err
	}
	return value, a.at, err
}

func (k *asked) item(key string) *answer {
	if k.items == nil {
		k.items, k.lanes = map[string]*answer{}, map[string]chan struct{}{}
	}
	a := k.items[key]
	if a == nil {
		a = &answer{}
		k.items[key] = a
	}
	return a
}

// forget drops the answers that a change makes old: what storages hold, and the backup jobs. A question under way goes on; what it brings
// may be from before.
func (k *asked) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, a := range k.items {
		if a.going == nil && (strings.HasPrefix(key, "content ") || key == "backup jobs") {
			delete(k.items, key)
		}
	}
}

// put sends the question in the background; the caller holds the lock. It reports false when the inventory is closed.
func (c *cluster) put(a *answer, q asking, f func(ctx context.Context, src Source) (any, error)) bool {
	lane := c.asked.lanes[q.lane]
	if lane == nil && q.lane != "" {
		lane = make(chan struct{}, 1)
		c.asked.lanes[q.lane] = lane
	}
	going := make(chan struct{})
	ok := c.inv.background(func(life context.Context) {
		defer close(going)
		value, at, err := c.pose(life, lane, f)
		// While everything fails, its silence says nothing of the part that was asked for.
		_, all := c.lastError()
		hung := all == nil && fault.CodeOf(err) == fault.Timeout
		c.asked.mu.Lock()
		defer c.asked.mu.Unlock()
		a.going, a.err, a.errAt = nil, err, c.inv.now()
		if a.hung++; !hung {
			a.hung = 0
		}
		if err == nil {
			a.value, a.at = value, at
		}
	})
	if ok {
		a.going = going
	}
	return ok
}

func (c *cluster) pose(life context.Context, lane chan struct{}, f func(ctx context.Context, src Source) (any, error)) (any, time.Time, error) {
	if lane != nil {
		select {
		case lane <- struct{}{}:
			defer func() { <-lane }()
		case <-life.Done():
			return nil, time.Time{}, life.Err()
		}
	}
	ctx, cancel := context.WithTimeout(c.inv.opt.Waiting(life), askLimit)
	defer cancel()
	at := c.inv.now()
	src, err := c.source(ctx)
	if err != nil {
		return nil, at, err
	}
	value, err := f(ctx, src)
	if err != nil && ctx.Err() != nil && life.Err() == nil {
		err = fault.Wrap(fault.Timeout, err, "no answer within %s", askLimit).Retry()
	}
	return value, at, err
}

// budget bounds the wait of one answer for what only Proxmox VE can tell. A fresh one may use what its 20 s leave, and 3 s in any case.
func (i *Inventory) budget(ctx context.Context, fresh bool, began time.Time) (context.Context, context.CancelFunc) {
	limit := askBudget
	if fresh {
		limit = min(askLimit, max(askBudget, waitFresh-i.now().Sub(began)))
	}
	return context.WithTimeout(ctx, limit)
}

// gaps collects what could not be read for one answer, grouped by reason, so that one hanging node or missing privilege is one warning.
type gaps struct {
	mu    sync.Mutex
	parts map[Warning][]string // reason (code and words): what is missing for it
}

// add notes that a part could not be read. at is when what is shown in its place was read; zero = nothing is shown.
func (g *gaps) add(part string, at time.Time, now time.Time, err error) {
	if err == nil || fault.CodeOf(err) == fault.Cancelled {
		return
	}
	e := fault.Of(err)
	w := Warning{gapCode(e.Code), e.Error()}
	if e.Code == fault.Forbidden {
		w.Text += wayOut(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.parts == nil {
		g.parts = map[Warning][]string{}
	}
	if !at.IsZero() {
		part += " (shown as " + ago(now.Sub(at)) + " ago)"
	}
	g.parts[w] = append(g.parts[w], part)
}

func gapCode(code fault.Code) string {
	switch code {
	case fault.NodeSilent, fault.Forbidden:
		return string(code)
	}
	return "partial"
}

// warnings are the gaps in words, in a fixed order.
func (g *gaps) warnings(what string) []Warning {
	g.mu.Lock()
	defer g.mu.Unlock()
	texts := map[string]Warning{}
	for w, parts := range g.parts {
		text := fmt.Sprintf("%s not read: %s: %s", what, shortList(slices.Sorted(slices.Values(parts)), 6), w.Text)
		texts[text] = Warning{w.Code, text}
	}
	var out []Warning
	for _, t := range sortedNames(texts) {
		out = append(out, texts[t])
	}
	return out
}
