package inventory

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// rig is an inventory over one world and a store in memory, with a clock that tests move.
type rig struct {
	*Inventory
	t     testing.TB
	w     *world
	st    *memStore
	clock *clock
}

func newRig(t testing.TB, w *world) *rig {
	t.Helper()
	c := &clock{t: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	r := &rig{t: t, w: w, clock: c, st: newMemStore(c.now)}
	w.clock = c.now
	r.Inventory = open(t, w, r.st, c.now)
	return r
}

func open(t testing.TB, w Source, st Store, now func() time.Time) *Inventory {
	t.Helper()
	inv, err := New(Options{Store: func(context.Context) (Store, error) { return st, nil }, Clock: now, Zone: time.UTC, Owner: t.Name(),
		Sources: []NamedSource{{Name: "lab", Open: func(context.Context) (Source, error) { return w, nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inv.Close() })
	return inv
}

// sync runs a full sync.
func (r *rig) sync() SyncReport {
	r.t.Helper()
	reports, err := r.Sync(context.Background(), SyncRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return reports[0]
}

// tick moves the clock on by 10 s and runs a tick as Serve does.
func (r *rig) tick() SyncReport {
	r.t.Helper()
	r.clock.advance(10 * time.Second)
	f, joined := r.clusters[0].start(context.Background(), modeTick, false)
	if joined {
		r.t.Fatal("a sync was under way")
	}
	<-f.done
	if f.err != nil {
		r.t.Fatal(f.err)
	}
	return f.report
}

func (r *rig) guest(name string) GuestDetail {
	r.t.Helper()
	d, err := r.Guest(context.Background(), GuestRef{Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *rig) find(q string) GuestPage {
	r.t.Helper()
	p, err := r.FindGuests(context.Background(), GuestQuery{Query: q, Limit: 500})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func vmids(p GuestPage) []int {
	out := []int{}
	for _, g := range p.Rows {
		out = append(out, g.VMID)
	}
	return out
}

func hasWarning(ws []Warning, code string) bool {
	for _, w := range ws {
		if w.Code == code {
			return true
		}
	}
	return false
}
