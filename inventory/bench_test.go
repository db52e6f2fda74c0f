package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// benched is a synced inventory of n guests. Its store answers from memory, so that what is measured is the work beyond the one
// generation query.
func benched(b testing.TB, n int) *rig {
	w := newWorld(max(1, n/500), n)
	withSnapshots(w)
	r := newRig(b, w)
	r.sync()
	return r
}

func BenchmarkReads(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		r := benched(b, n)
		ctx := context.Background()
		for name, read := range map[string]func() error{
			"FindGuests/page1": func() error { _, err := r.FindGuests(ctx, GuestQuery{}); return err },
			"FindGuests/query": func() error {
				_, err := r.FindGuests(ctx, GuestQuery{Query: "state:running node:pve1 order:cpu"})
				return err
			},
			"Guest/vmid": func() error { _, err := r.Guest(ctx, GuestRef{Name: "104"}); return err },
			"Guest/name": func() error { _, err := r.Guest(ctx, GuestRef{Name: "vm104"}); return err },
			"Overview":   func() error { _, err := r.Overview(ctx, ReadOptions{}); return err },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := read(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// parting is a store whose rows share no memory with what it holds, as those of a database.
type parting struct{ *memStore }

func (p *parting) Guests(ctx context.Context, f store.GuestFilter) ([]store.Guest, error) {
	list, err := p.memStore.Guests(ctx, f)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	var out []store.Guest
	err = json.Unmarshal(raw, &out)
	return out, err
}

// The inventory holds at most 15 MB of heap per 10,000 guests (DESIGN §10), configurations of the cache included.
func TestLimitHeap(t *testing.T) {
	const limit = 15 << 20
	w := newWorld(20, 10_000)
	withSnapshots(w)
	st := &parting{newMemStore(time.Now)}
	inv := open(t, w, st, time.Now)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
		t.Fatal(err)
	}
	// Another process loads everything from the store.
	inv = open(t, w, st, time.Now)
	r := &rig{Inventory: inv, t: t, w: w, st: st.memStore}
	if _, err := inv.FindGuests(t.Context(), GuestQuery{}); err != nil {
		t.Fatal(err)
	}
	for id := range configCacheSize {
		r.guest(fmt.Sprint(100 + id))
	}
	full := heap()
	inv.proj.init(inv)
	inv.configs = newConfigCache(1)
	empty := heap()
	limits.Report(t, limits.Row{Name: "heap of the inventory at 10,000 guests, MB", Measured: limits.MB(float64(full - empty)), Value: float64(full-empty) / (1 << 20),
		Limit: limit >> 20})
}
