package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testGeneration sees on one handle what another one commits.
func testGeneration(t *testing.T, s *suite) {
	other := s.open(t)
	l := s.lease(t, "p")
	for want := int64(1); want <= 3; want++ {
		done := s.apply(t, l, store.Batch{Guests: []store.Guest{guest(100, 1)}})
		same(t, "applied", want, done.Generation)
		same(t, "own handle", want, must(s.Generation(t.Context()))(t))
		same(t, "other handle", want, must(other.Generation(t.Context()))(t))
		same(t, "own handle, a moment ago", want, must(s.RecentGeneration(t.Context()))(t))
		if seen := must(other.RecentGeneration(t.Context()))(t); seen != want {
			time.Sleep(10 * time.Millisecond)
			same(t, "other handle, a moment ago", want, must(other.RecentGeneration(t.Context()))(t))
		}
		same(t, "row", want, must(other.Guests(t.Context(), store.GuestFilter{}))(t)[0].Gen)
	}
}

// testOpenRace opens a place that nobody used before from 8 sides at once.
func testOpenRace(t *testing.T, s *suite) {
	fresh := &suite{b: s.b, place: s.b.New(t), now: t0}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			h, err := s.b.Open(t.Context(), fresh.place, fresh.clock)
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if _, _, err := h.AcquireLease(t.Context(), fmt.Sprint(i), "p", time.Hour); err != nil {
				t.Errorf("lease: %v", err)
			}
			if err := h.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	fresh.Store = fresh.open(t)
	same(t, "leases", int64(8), fresh.rows(t)["leases"])
	fresh.sound(t)
}

// testManyWriters lets 8 handles write and read at once: nobody is told that the database is locked, nothing is lost.
func testManyWriters(t *testing.T, s *suite) {
	const handles, batches, guests = 8, 5, 50
	var wg sync.WaitGroup
	for i := range handles {
		h := s.open(t)
		wg.Go(func() { s.writeMany(t, h, i, batches, guests) })
	}
	wg.Wait()
	same(t, "guests", handles*guests, len(must(s.Guests(t.Context(), store.GuestFilter{}))(t)))
	same(t, "generation", int64(handles*batches), must(s.Generation(t.Context()))(t))
	same(t, "versions", int64(handles*batches), s.rows(t)["object_versions"])
}

func (s *suite) writeMany(t *testing.T, h Store, i, batches, guests int) {
	cluster := fmt.Sprintf("c%d", i)
	l, ok, err := h.AcquireLease(t.Context(), cluster, "p", time.Hour)
	if err != nil || !ok {
		t.Errorf("lease: %v, %v", ok, err)
		return
	}
	for n := range batches {
		b := store.Batch{Cluster: cluster, At: t0, Contents: []store.Content{content("100", 1, fmt.Sprintf(`"%d/%d"`, i, n))}}
		for v := range guests {
			b.Guests = append(b.Guests, guest(100+v, 1))
		}
		if _, err := h.ApplyBatch(t.Context(), l, b); err != nil {
			t.Errorf("ApplyBatch: %v", err)
		}
		if got, err := h.Guests(t.Context(), store.GuestFilter{Cluster: cluster}); err != nil || len(got) != guests {
			t.Errorf("Guests: %d, %v", len(got), err)
		}
	}
}

// testCancelled says Cancelled for a context that ended, writes nothing and works on afterwards.
func testCancelled(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.ApplyBatch(ctx, l, store.Batch{Cluster: "a", Guests: []store.Guest{guest(100, 1)}})
	wantCode(t, err, fault.Cancelled)
	_, err = s.Generation(ctx)
	wantCode(t, err, fault.Cancelled)
	_, err = s.Guests(ctx, store.GuestFilter{})
	wantCode(t, err, fault.Cancelled)
	_, err = s.Content(ctx, "x")
	wantCode(t, err, fault.Cancelled)
	same(t, "guests", int64(0), s.rows(t)["guests"])
	s.apply(t, l, store.Batch{Guests: []store.Guest{guest(100, 1)}})
}

func testBackup(t *testing.T, s *suite) {
	s.apply(t, s.lease(t, "p"), store.Batch{Guests: []store.Guest{guest(100, 1)}, Contents: []store.Content{content("100", 1, `{}`)}})
	copied := &suite{b: s.b, place: s.b.Copy(t, s.Store, s.place), now: t0}
	copied.Store = copied.open(t)
	same(t, "rows", s.rows(t), copied.rows(t))
	same(t, "guests", must(s.Guests(t.Context(), store.GuestFilter{}))(t), must(copied.Guests(t.Context(), store.GuestFilter{}))(t))
	copied.sound(t)
}

// testBackupLive copies while another handle writes: each copy is one moment.
func testBackupLive(t *testing.T, s *suite) {
	writer := s.open(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.writeMany(t, writer, 0, 20, 50) })
	for range 3 {
		copied := &suite{b: s.b, place: s.b.Copy(t, s.Store, s.place), now: t0}
		copied.Store = copied.open(t)
		copied.sound(t)
		if gen := must(copied.Generation(t.Context()))(t); copied.rows(t)["object_versions"] != gen {
			t.Errorf("the copy has generation %d and %d versions", gen, copied.rows(t)["object_versions"])
		}
	}
}
