package inventory

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func realStore(t testing.TB, now func() time.Time) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{Path: filepath.Join(t.TempDir(), "state.db"), Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// The same over the real store: what one process wrote another reads back as it was, and an unchanged sync adds no row.
func TestRealStore(t *testing.T) {
	w := queryWorld()
	c := &clock{t: time.Date(2026, 11, 20, 12, 0, 0, 123_456_789, time.UTC)}
	db := realStore(t, c.now)
	first, second := open(t, w, db, c.now), open(t, w, db, c.now)
	if _, err := first.Sync(t.Context(), SyncRequest{}); err != nil {
		t.Fatal(err)
	}
	a, err1 := first.FindGuests(t.Context(), GuestQuery{})
	b, err2 := second.FindGuests(t.Context(), GuestQuery{})
	if err1 != nil || err2 != nil || len(a.Rows) != 10 {
		t.Fatal(len(a.Rows), err1, err2)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	da, err1 := first.Guest(t.Context(), GuestRef{Name: "105"})
	dbl, err2 := second.Guest(t.Context(), GuestRef{Name: "105"})
	if diff := cmp.Diff(da, dbl); diff != "" || err1 != nil || err2 != nil || len(da.Snapshots) != 1 {
		t.Error(diff, err1, err2)
	}
	before, err := db.Changes(t.Context(), store.HistoryFilter{Cluster: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	reports, err := second.Sync(t.Context(), SyncRequest{})
	if err != nil || reports[0].Unchanged != 10 {
		t.Fatalf("%+v, %v", reports, err)
	}
	after, err := db.Changes(t.Context(), store.HistoryFilter{Cluster: "lab"})
	if err != nil || len(after) != len(before) {
		t.Errorf("changes %d>%d, %v", len(before), len(after), err)
	}
	vs, err := db.Versions(t.Context(), store.Ref{Cluster: "lab", Kind: store.KindGuest, ID: "105"})
	if err != nil || len(vs) != 1 {
		t.Errorf("versions %+v, %v", vs, err)
	}
	if p, err := first.FindGuests(t.Context(), GuestQuery{}); err != nil || p.Age != 0 {
		t.Errorf("the first process sees the second one's sync %s late, %v", p.Age, err)
	}
}

// BenchmarkSync compares a full sync with the real store and with one in memory: the first one and an unchanged one. Each call
// takes 15 ms, so that reading bounds it as in life.
func BenchmarkSync(b *testing.B) {
	stores := map[string]func() Store{"sqlite": func() Store { return realStore(b, time.Now) }, "memory": func() Store { return newMemStore(time.Now) }}
	for name, make := range stores {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w := newWorld(20, 10_000)
				w.delay = 15 * time.Millisecond
				inv := open(b, w, make(), time.Now)
				for _, phase := range []string{"first-ms", "unchanged-ms"} {
					began := time.Now()
					if _, err := inv.Sync(context.Background(), SyncRequest{}); err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(time.Since(began).Milliseconds()), phase)
				}
				inv.Close()
			}
		})
	}
}
