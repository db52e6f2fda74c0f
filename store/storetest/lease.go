package storetest

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func testSyncs(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	if _, ok, err := s.LastSync(t.Context(), "a"); ok || err != nil {
		t.Fatalf("LastSync of an empty store: %v, %v", ok, err)
	}
	run := store.Sync{Cluster: "a", Mode: "full", Started: t0}
	id := must(s.BeginSync(t.Context(), l, run))(t)
	if _, ok, _ := s.LastSync(t.Context(), "a"); ok {
		t.Error("an unfinished sync counts as the last one")
	}
	done := store.Sync{
		ID: id, Cluster: "a", Mode: "full", Started: t0, Finished: t0.Add(time.Second), Complete: true, Calls: 1, Created: 2, Updated: 3,
		Gone: 4, Unchanged: 5, Unknown: 6, Warnings: []string{"node pve3 is silent\x1f", ""},
	}
	if err := s.FinishSync(t.Context(), l, done); err != nil {
		t.Fatal(err)
	}
	got, ok, err := s.LastSync(t.Context(), "a")
	if err != nil || !ok {
		t.Fatalf("LastSync: %v, %v", ok, err)
	}
	same(t, "last sync", done, got)
	if second := must(s.BeginSync(t.Context(), l, run))(t); second <= id {
		t.Errorf("ids do not grow: %d after %d", second, id)
	}
	got, _, _ = s.LastSync(t.Context(), "a")
	same(t, "while the next one runs", done, got)
	if _, ok, _ := s.LastSync(t.Context(), "b"); ok {
		t.Error("a cluster has the sync of another one")
	}
	done.ID = 999
	wantCode(t, s.FinishSync(t.Context(), l, done), fault.NotFound)
}

// testSyncRetention ticks on without change: rows and size stay.
func testSyncRetention(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	var last store.Sync
	for range 520 {
		last = s.finish(t, l)
		s.pass(time.Second)
	}
	same(t, "syncs", int64(500), s.rows(t)["syncs"])
	got, _, _ := s.LastSync(t.Context(), "a")
	same(t, "last", last, got)
	same(t, "generation", int64(0), must(s.Generation(t.Context()))(t))
}

func testLease(t *testing.T, s *suite) {
	ctx := t.Context()
	acquire := func(owner string, ttl time.Duration) (store.Lease, bool) {
		l, ok, err := s.AcquireLease(ctx, "sync:a", owner, ttl)
		if err != nil {
			t.Fatal(err)
		}
		return l, ok
	}
	want := store.Lease{Name: "sync:a", Owner: "p", Epoch: 1, Expires: t0.Add(15 * time.Second)}
	first, ok := acquire("p", 15*time.Second)
	same(t, "free", true, ok)
	same(t, "lease", want, first)

	other, ok := acquire("q", time.Minute)
	same(t, "held by another", false, ok)
	same(t, "holder", want, other)

	s.pass(10 * time.Second)
	want.Expires = s.clock().Add(15 * time.Second)
	again, ok := acquire("p", 15*time.Second)
	same(t, "own", true, ok)
	same(t, "own keeps its epoch", want, again)

	want.Expires = s.clock().Add(time.Minute)
	same(t, "renewed", want, must(s.RenewLease(ctx, again, time.Minute))(t))

	if err := s.ReleaseLease(ctx, again); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.ReleaseLease(ctx, again), fault.Fenced)
	_, err := s.RenewLease(ctx, again, time.Minute)
	wantCode(t, err, fault.Fenced)
	next, ok := acquire("p", time.Minute)
	same(t, "after release", true, ok)
	same(t, "a released lease gets a new epoch", int64(2), next.Epoch)

	if b, ok, err := s.AcquireLease(ctx, "sync:b", "q", time.Minute); !ok || err != nil || b.Epoch != 1 {
		t.Errorf("leases of two names are not apart: %+v, %v, %v", b, ok, err)
	}
}

// testLeaseTakeover refuses every write of a holder that was replaced; expiry alone refuses nothing.
func testLeaseTakeover(t *testing.T, s *suite) {
	ctx := t.Context()
	old, _, err := s.AcquireLease(ctx, "sync:a", "p", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	id := must(s.BeginSync(ctx, old, store.Sync{Cluster: "a", Started: t0}))(t)
	s.pass(time.Second) // to the very moment of expiry
	s.apply(t, old, store.Batch{Guests: []store.Guest{guest(100, 1)}})
	now := s.lease(t, "q")
	same(t, "epoch", int64(2), now.Epoch)
	before := s.rows(t)

	_, err = s.ApplyBatch(ctx, old, store.Batch{Cluster: "a", Guests: []store.Guest{guest(101, 1)}})
	wantCode(t, err, fault.Fenced)
	_, err = s.ApplyBatch(ctx, old, store.Batch{Cluster: "a"})
	wantCode(t, err, fault.Fenced)
	_, err = s.BeginSync(ctx, old, store.Sync{Cluster: "a"})
	wantCode(t, err, fault.Fenced)
	wantCode(t, s.FinishSync(ctx, old, store.Sync{ID: id, Cluster: "a", Finished: t0}), fault.Fenced)
	_, err = s.RenewLease(ctx, old, time.Hour)
	wantCode(t, err, fault.Fenced)
	wantCode(t, s.ReleaseLease(ctx, old), fault.Fenced)
	_, err = s.ApplyBatch(ctx, store.Lease{}, store.Batch{Cluster: "a"})
	wantCode(t, err, fault.Fenced)
	same(t, "rows", before, s.rows(t))
	s.apply(t, now, store.Batch{Guests: []store.Guest{guest(102, 1)}})
}

// testLeaseRace lets 16 owners on 4 handles reach for one lease.
func testLeaseRace(t *testing.T, s *suite) {
	handles := []Store{s.Store, s.open(t), s.open(t), s.open(t)}
	for round := range 5 {
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				l, ok, err := handles[i%4].AcquireLease(t.Context(), "sync:a", fmt.Sprintf("%d/%d", round, i), time.Second)
				if err != nil || l.Epoch != int64(round+1) {
					t.Errorf("round %d: %+v, %v", round, l, err)
				}
				if ok {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		same(t, "holders", int64(1), won.Load())
		s.pass(time.Second)
	}
}

// testFencingRace takes the lease over again and again while 16 writers use whatever lease they got: each write of an epoch is
// committed before the first one of the next epoch.
func testFencingRace(t *testing.T, s *suite) {
	handles := []Store{s.Store, s.open(t), s.open(t), s.open(t)}
	var written, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			h := handles[i%4]
			for range 5 {
				l, ok, err := h.AcquireLease(t.Context(), "sync:a", fmt.Sprint(i), time.Millisecond)
				if err != nil {
					t.Errorf("AcquireLease: %v", err)
				}
				s.pass(time.Millisecond)
				if !ok {
					continue
				}
				_, err = h.ApplyBatch(t.Context(), l, store.Batch{Cluster: "a", At: t0, Changes: []store.Change{{What: fmt.Sprint(l.Epoch), At: t0}}})
				switch fault.CodeOf(err) {
				case fault.Fenced:
					refused.Add(1)
				default:
					if err != nil {
						t.Errorf("ApplyBatch: %v", err)
					}
					written.Add(1)
				}
			}
		})
	}
	wg.Wait()
	changes := must(s.Changes(t.Context(), store.HistoryFilter{Cluster: "a"}))(t)
	same(t, "committed", written.Load(), int64(len(changes)))
	if written.Load() == 0 {
		t.Error("nobody wrote")
	}
	for i := 1; i < len(changes); i++ { // newest first
		newer, older := epoch(t, changes[i-1]), epoch(t, changes[i])
		if older > newer {
			t.Errorf("epoch %d wrote after epoch %d", newer, older)
		}
	}
	t.Logf("%d written, %d refused", written.Load(), refused.Load())
}

// epoch is the one that a change of testFencingRace was written under.
func epoch(t *testing.T, c store.Change) int64 {
	t.Helper()
	n, err := strconv.ParseInt(c.What, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
