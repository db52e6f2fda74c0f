package inventory

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// bubble runs f in a synctest bubble with an inventory on the bubble's clock.
func bubble(t *testing.T, w *world, f func(t *testing.T, inv *Inventory, st *memStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := newMemStore(time.Now)
		inv := open(t, w, st, time.Now)
		f(t, inv, st)
		inv.Close()
	})
}

// The first overview on an empty store: 60 guests, 20 ms per call, under 500 ms (issue 2).
func TestFirstOverview(t *testing.T) {
	w := newWorld(3, 60)
	w.delay = 20 * time.Millisecond
	bubble(t, w, func(t *testing.T, inv *Inventory, _ *memStore) {
		began := time.Now()
		o, err := inv.Overview(t.Context(), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("took %s", took)
		}
		if c := o.Clusters[0]; c.Guests.Total != 60 || c.Guests.Running != 60 || len(c.Nodes) != 3 || !hasWarning(o.Warnings, "loading") {
			t.Errorf("overview %+v, warnings %v", c.Guests, o.Warnings)
		}
		time.Sleep(2 * time.Second)
		o, _ = inv.Overview(t.Context(), ReadOptions{})
		if len(o.Warnings) != 0 || w.count("resources") != 1 {
			t.Errorf("later: warnings %v, %d resources calls", o.Warnings, w.count("resources"))
		}
	})
}

func TestReadsAreServedFromTheStoreWhileYoung(t *testing.T) {
	w := newWorld(2, 10)
	bubble(t, w, func(t *testing.T, inv *Inventory, _ *memStore) {
		if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
			t.Fatal(err)
		}
		calls := w.Calls()
		time.Sleep(44 * time.Second)
		if _, err := inv.FindGuests(t.Context(), GuestQuery{}); err != nil || w.Calls() != calls {
			t.Errorf("%d calls, %v", w.Calls()-calls, err)
		}
		time.Sleep(2 * time.Second)
		p, err := inv.FindGuests(t.Context(), GuestQuery{})
		if err != nil || p.Age > time.Second || w.Calls() == calls {
			t.Errorf("age %s after the limit, %v", p.Age, err)
		}
	})
}

func TestStaleReadWaitsTwoSeconds(t *testing.T) {
	w := newWorld(1, 5)
	bubble(t, w, func(t *testing.T, inv *Inventory, _ *memStore) {
		if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.delay = 3 * time.Second
		began := time.Now()
		p, err := inv.FindGuests(t.Context(), GuestQuery{})
		if took := time.Since(began); err != nil || took != waitStale || !hasWarning(p.Warnings, "stale") || p.Counts.Total != 5 {
			t.Errorf("took %s, %v, warnings %v", took, err, p.Warnings)
		}
		began = time.Now()
		p, err = inv.FindGuests(t.Context(), GuestQuery{ReadOptions: ReadOptions{Fresh: true}})
		if took := time.Since(began); err != nil || took > waitFresh || p.Age > waitFresh {
			t.Errorf("fresh took %s, age %s, %v", took, p.Age, err)
		}
	})
}

// Many readers of a stale store cost one tick.
func TestSingleFlight(t *testing.T) {
	w := newWorld(1, 5)
	w.delay = 50 * time.Millisecond
	bubble(t, w, func(t *testing.T, inv *Inventory, _ *memStore) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := inv.FindGuests(t.Context(), GuestQuery{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		if n := w.count("resources"); n != 1 {
			t.Errorf("%d resources calls", n)
		}
	})
}

func TestProxmoxAway(t *testing.T) {
	w := newWorld(1, 5)
	w.down = fault.New(fault.Unreachable, "no endpoint answers")
	bubble(t, w, func(t *testing.T, inv *Inventory, _ *memStore) {
		_, err := inv.Overview(t.Context(), ReadOptions{})
		if fault.CodeOf(err) != fault.Unreachable {
			t.Fatalf("empty store: %v", err)
		}
		w.set(func() { w.down = nil })
		time.Sleep(retryAfter)
		if _, err := inv.Overview(t.Context(), ReadOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.set(func() { w.down = fault.New(fault.Unreachable, "no endpoint answers") })
		for _, read := range []func() (Meta, error){
			func() (Meta, error) { o, err := inv.Overview(t.Context(), ReadOptions{}); return o.Meta, err },
			func() (Meta, error) { p, err := inv.FindGuests(t.Context(), GuestQuery{}); return p.Meta, err },
			func() (Meta, error) { d, err := inv.Guest(t.Context(), GuestRef{Name: "100"}); return d.Meta, err },
			func() (Meta, error) { n, err := inv.Nodes(t.Context(), ReadOptions{}); return n.Meta, err },
			func() (Meta, error) { h, err := inv.Health(t.Context(), HealthQuery{}); return h.Meta, err },
		} {
			m, err := read()
			if err != nil || !hasWarning(m.Warnings, "unreachable") || m.Age < time.Hour {
				t.Errorf("age %s, warnings %v, %v", m.Age, m.Warnings, err)
			}
		}
	})
}

// Two processes on one store: one syncs, the other uses its results.
func TestTwoProcesses(t *testing.T) {
	w := newWorld(2, 20)
	w.delay = 20 * time.Millisecond
	bubble(t, w, func(t *testing.T, inv *Inventory, st *memStore) {
		other := open(t, w, st, time.Now)
		defer other.Close()
		var wg sync.WaitGroup
		for _, i := range []*Inventory{inv, other} {
			wg.Go(func() {
				if _, err := i.Sync(t.Context(), SyncRequest{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.count("resources"); n != 1 {
			t.Errorf("%d resources calls", n)
		}
		p, err := other.FindGuests(t.Context(), GuestQuery{})
		if err != nil || p.Counts.Running != 20 {
			t.Errorf("the other process sees %+v, %v", p.Counts, err)
		}
	})
}

// One cluster that is down delays another by no more than it takes to see that.
func TestClustersAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad := newWorld(1, 5), newWorld(1, 5)
		st := newMemStore(time.Now)
		var list []NamedSource
		for name, w := range map[string]*world{"good": good, "bad": bad} {
			list = append(list, NamedSource{name, func(context.Context) (Source, error) { return w, nil }})
		}
		inv, err := New(Options{Store: func(context.Context) (Store, error) { return st, nil }, Sources: list})
		if err != nil {
			t.Fatal(err)
		}
		defer inv.Close()
		bad.delay, bad.down = 30*time.Second, fault.New(fault.Unreachable, "no endpoint answers")
		began := time.Now()
		if _, err := inv.FindGuests(t.Context(), GuestQuery{ReadOptions: ReadOptions{Cluster: "good"}}); err != nil || time.Since(began) > time.Second {
			t.Errorf("good alone took %s, %v", time.Since(began), err)
		}
		p, err := inv.FindGuests(t.Context(), GuestQuery{})
		if took := time.Since(began); err != nil || took > waitEmpty+time.Second || p.Counts.Total != 5 {
			t.Errorf("both took %s, %+v, %v", took, p.Counts, err)
		}
		time.Sleep(31 * time.Second)
		began = time.Now()
		p, err = inv.FindGuests(t.Context(), GuestQuery{})
		if took := time.Since(began); err != nil || took > 0 || !hasWarning(p.Warnings, "unreachable") {
			t.Errorf("known to be down: took %s, warnings %v, %v", took, p.Warnings, err)
		}
	})
}

// Serve looks at once and keeps the store young afterwards.
func TestServe(t *testing.T) {
	w := newWorld(1, 5)
	bubble(t, w, func(t *testing.T, inv *Inventory, st *memStore) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- inv.Serve(ctx) }()
		time.Sleep(time.Second)
		if last, ok, _ := st.LastSync(ctx, "lab"); !ok || last.Mode != modeFull {
			t.Errorf("the first tick of an empty store is a full sync: %+v", last)
		}
		time.Sleep(5 * time.Minute)
		if last, ok, _ := st.LastSync(ctx, "lab"); !ok || time.Since(last.Started) > defaultTickIdle || last.Mode != modeTick {
			t.Errorf("last sync %+v", last)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
