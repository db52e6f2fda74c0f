package proxmox

import (
	"context"
	"net/http"
	"sync"
)

// limit bounds what is in flight per target node. A slot is held for one try, until its answer is read; waiting for a retry holds none.
type limit struct {
	next   http.RoundTripper
	limits Limits
	ends   *endpoints

	mu    sync.Mutex
	gates map[string]*gate
}

// RoundTrip implements http.RoundTripper.
func (l *limit) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callOf(req.Context())
	g := l.gate(c.node)
	if err := g.enter(req.Context(), l.ask(c)); err != nil {
		return nil, err
	}
	defer g.leave(c.class == classMayBlock)
	return l.next.RoundTrip(req)
}

func (l *limit) ask(c *call) ask {
	a := ask{max: l.limits.Background, user: c.user, mayBlock: c.class == classMayBlock, maxBlock: l.limits.MayBlock}
	if c.user {
		a.max = l.limits.UserWaiting
	}
	return a
}

// gate of a node; calls without a node run on the entry node, whose name is known after the first cluster status.
func (l *limit) gate(node string) *gate {
	if node == "" {
		node = l.ends.current().nodeName()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	g, ok := l.gates[node]
	if !ok {
		g = new(gate)
		l.gates[node] = g
	}
	return g
}

func (l *limit) peaks() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]int, len(l.gates))
	for n, g := range l.gates {
		g.mu.Lock()
		out[n] = g.peak
		g.mu.Unlock()
	}
	return out
}

type ask struct {
	max, maxBlock  int
	user, mayBlock bool
}

// gate is a semaphore whose size depends on who asks. Four queues (user or not, may block or not) keep each kind first come, first
// served, and a release looks at their heads only, so that 10,000 waiting calls cost nothing.
type gate struct {
	mu       sync.Mutex
	inFlight int
	blocking int
	peak     int
	queues   [4][]*waiter
}

type waiter struct {
	ask   ask
	ready chan struct{}
	gone  bool
}

func (a ask) queue() int {
	q := 0
	if !a.user {
		q += 2
	}
	if a.mayBlock {
		q++
	}
	return q
}

func (g *gate) fits(a ask) bool {
	return g.inFlight < a.max && (!a.mayBlock || g.blocking < a.maxBlock)
}

func (g *gate) full(a ask) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.fits(a)
}

func (g *gate) take(a ask) {
	g.inFlight++
	g.peak = max(g.peak, g.inFlight)
	if a.mayBlock {
		g.blocking++
	}
}

func (g *gate) enter(ctx context.Context, a ask) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	q := a.queue()
	if len(g.queues[q]) == 0 && g.fits(a) {
		g.take(a)
		g.mu.Unlock()
		return nil
	}
	w := &waiter{ask: a, ready: make(chan struct{})}
	g.queues[q] = append(g.queues[q], w)
	g.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return g.abandon(ctx, w)
	}
}

// abandon leaves the queue. A slot that was given in the same moment is passed on.
func (g *gate) abandon(ctx context.Context, w *waiter) error {
	g.mu.Lock()
	select {
	case <-w.ready:
		g.mu.Unlock()
		g.leave(w.ask.mayBlock)
	default:
		w.gone = true
		g.wake() // w may have been a head that kept others waiting
		g.mu.Unlock()
	}
	return ctx.Err()
}

func (g *gate) leave(mayBlock bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if mayBlock {
		g.blocking--
	}
	g.wake()
}

func (g *gate) wake() {
	for q := range g.queues {
		for len(g.queues[q]) > 0 {
			w := g.queues[q][0]
			if !w.gone {
				if !g.fits(w.ask) {
					break
				}
				g.take(w.ask)
				close(w.ready)
			}
			g.queues[q][0] = nil
			g.queues[q] = g.queues[q][1:]
		}
	}
}

var _ http.RoundTripper = (*limit)(nil)
