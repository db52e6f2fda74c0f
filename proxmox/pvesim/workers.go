package pvesim

import "sync"

// workers bound how many requests a node works on at once: its proxy workers hold unprotected calls, its daemon
// workers protected ones (faults.md 3.2).
type workers struct {
	n     int
	mu    sync.Mutex
	slots map[string]chan struct{}
}

func newWorkers(n int) *workers {
	if n <= 0 {
		return nil
	}
	return &workers{n: n, slots: map[string]chan struct{}{}}
}

// take waits for a worker of the node that does the work and gives what releases it.
func (w *workers) take(x *exchange, r *route) (func(), error) {
	if w == nil {
		return func() {}, nil
	}
	key := x.target
	if r.protected {
		key += " daemon"
	}
	w.mu.Lock()
	slot := w.slots[key]
	if slot == nil {
		slot = make(chan struct{}, w.n)
		w.slots[key] = slot
	}
	w.mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-x.ctx.Done():
		return nil, x.ctx.Err()
	}
}
