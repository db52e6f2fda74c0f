package telemetry

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Options are what a process measures.
type Options struct {
	Metrics bool
	Traces  *Exporter    // nil: no traces
	Log     *slog.Logger // of slow calls; nil: none
	// SlowTool and SlowPVE are from when on a call is logged as slow; 0: never.
	SlowTool, SlowPVE time.Duration
	Clock             func() time.Time
}

// T measures what one process does. A nil T measures nothing; it is safe for concurrent use.
type T struct {
	o     Options
	reg   *registry // nil: no metrics
	began time.Time

	mu       sync.Mutex
	gathers  []Gather
	sessions map[string]time.Time
}

// maxSessions bounds the sessions whose age is known.
const maxSessions = 10_000

// New measures as o says; nil where it asks for nothing.
func New(o Options) *T {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	slow := o.Log != nil && (o.SlowTool > 0 || o.SlowPVE > 0)
	if !o.Metrics && o.Traces == nil && !slow {
		return nil
	}
	t := &T{o: o, began: o.Clock(), sessions: map[string]time.Time{}}
	if o.Metrics {
		t.reg = newRegistry()
	}
	return t
}

// Gather adds what is read at each scrape.
func (t *T) Gather(g ...Gather) {
	if t != nil {
		t.mu.Lock()
		t.gathers = append(t.gathers, g...)
		t.mu.Unlock()
	}
}

// Write writes all metrics in Prometheus's text format.
func (t *T) Write(ctx context.Context, w io.Writer) error {
	if t == nil || t.reg == nil {
		return nil
	}
	t.mu.Lock()
	gathers := t.gathers
	t.mu.Unlock()
	live := newRegistry()
	page := Page{live}
	t.own(page)
	for _, g := range gathers {
		failed := 0.0
		if g.Read(ctx, page) != nil {
			failed = 1
		}
		page.Set(GatherErrors, failed, g.Part)
	}
	return t.reg.write(w, live)
}

func (t *T) observe(name string, took time.Duration, labels ...string) {
	if t.reg != nil {
		t.reg.families[name].observe(took.Seconds(), keyOf(labels))
	}
}

func (t *T) count(name string, labels ...string) {
	if t.reg != nil {
		t.reg.families[name].add(1, keyOf(labels))
	}
}

func keyOf(labels []string) (k key) {
	for i, l := range labels {
		k[i] = label(l)
	}
	return k
}

// SessionBegan notes that a client's session began.
func (t *T) SessionBegan(id string) {
	if t == nil || t.reg == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.sessions[id]; !known && len(t.sessions) < maxSessions {
		t.sessions[id] = t.o.Clock()
	}
}

// SessionEnded counts a session that ended.
func (t *T) SessionEnded(id string) {
	if t == nil || t.reg == nil {
		return
	}
	t.mu.Lock()
	began, ok := t.sessions[id]
	delete(t.sessions, id)
	t.mu.Unlock()
	if ok {
		t.observe(SessionSeconds, t.o.Clock().Sub(began))
	}
}

// Close sends what is left of the traces, for a short while.
func (t *T) Close() {
	if t != nil && t.o.Traces != nil {
		t.o.Traces.Close()
	}
}
