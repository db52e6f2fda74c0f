package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// many is the stretch size of DESIGN 10.
const many = 10_000

var t0 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func openAt(tb testing.TB, path string) *store.DB {
	tb.Helper()
	d, err := store.Open(context.Background(), store.Options{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func lease(tb testing.TB, d *store.DB) store.Lease {
	tb.Helper()
	l, ok, err := d.AcquireLease(context.Background(), "sync/a", "bench", time.Hour)
	if err != nil || !ok {
		tb.Fatalf("AcquireLease: %v, %v", ok, err)
	}
	return l
}

// manyGuests builds n guests whose counters depend on tick, and their contents of about 0.9 kB when asked for.
func manyGuests(n, tick int, contents bool) store.Batch {
	b := store.Batch{Cluster: "a", At: t0.Add(time.Duration(tick) * time.Second), SyncID: 1}
	for i := range n {
		cpu, mem, up := float64(tick%100)/100, int64(tick)<<20, int64(tick)
		body := fmt.Appendf(nil, `{"name":"guest-%d","cores":"4","memory":"4096","net0":"virtio=BC:24:11:00:%02X:%02X,bridge=vmbr0","pad":"%0800d"}`,
			i, i>>8&255, i&255, i)
		g := store.Guest{
			VMID: 100 + i, Life: 1, Type: "qemu", Node: fmt.Sprintf("pve%d", i%20), Name: fmt.Sprintf("guest-%d", i), Status: "running",
			Tags: "web;prod", CPU: &cpu, MaxCPU: &cpu, Mem: &mem, MaxMem: &mem, MaxDisk: &mem, Uptime: &up, NetIn: &mem, NetOut: &mem,
			ConfigHash: pve.Hash(body), Digest: "0123456789abcdef0123456789abcdef01234567", ConfigAt: t0,
			Facets:    `{"onboot":true,"os":"l26","agent":true,"disks":[{"id":"scsi0","storage":"local-zfs","size":34359738368}],"nics":1}`,
			FirstSeen: t0, LastSeen: b.At,
		}
		b.Guests = append(b.Guests, g)
		if contents {
			b.Contents = append(b.Contents, store.Content{
				Ref: store.Ref{Cluster: "a", Kind: store.KindGuest, ID: fmt.Sprint(100 + i)}, Life: 1, Hash: g.ConfigHash, JSON: body,
			})
		}
	}
	return b
}

func apply(tb testing.TB, d *store.DB, l store.Lease, b store.Batch) store.Applied {
	tb.Helper()
	done, err := d.ApplyBatch(context.Background(), l, b)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

func BenchmarkApply10k(b *testing.B) {
	b.Run("first", func(b *testing.B) {
		batch := manyGuests(many, 0, true)
		for b.Loop() {
			b.StopTimer()
			d := openAt(b, filepath.Join(b.TempDir(), "s.db"))
			l := lease(b, d)
			b.StartTimer()
			apply(b, d, l, batch)
		}
	})
	b.Run("first-by-500", func(b *testing.B) { // as a sync writes while it reads on
		batch := manyGuests(many, 0, true)
		for b.Loop() {
			b.StopTimer()
			d := openAt(b, filepath.Join(b.TempDir(), "s.db"))
			l := lease(b, d)
			b.StartTimer()
			for at := 0; at < many; at += 500 {
				part := batch
				part.Guests, part.Contents = batch.Guests[at:at+500], batch.Contents[at:at+500]
				apply(b, d, l, part)
			}
		}
	})
	d := openAt(b, filepath.Join(b.TempDir(), "s.db"))
	l := lease(b, d)
	apply(b, d, l, manyGuests(many, 0, true))
	b.Run("volatile", func(b *testing.B) {
		for tick := 1; b.Loop(); tick++ {
			b.StopTimer()
			batch := manyGuests(many, tick, false)
			b.StartTimer()
			apply(b, d, l, batch)
		}
	})
	b.Run("unchanged", func(b *testing.B) {
		batch := manyGuests(many, 0, true)
		batch.Guests = nil
		for b.Loop() {
			if done := apply(b, d, l, batch); done.NewVersions != 0 {
				b.Fatal("an unchanged content made a version")
			}
		}
	})
	b.Run("tick", func(b *testing.B) { // an idle tick's writes: lease, sync row, nothing else
		for b.Loop() {
			tick(b, d)
		}
	})
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			apply(b, d, l, store.Batch{Cluster: "a", At: t0})
		}
	})
}

// tick writes what a sync that finds nothing writes.
func tick(b *testing.B, d *store.DB) {
	b.Helper()
	l, _, err := d.AcquireLease(b.Context(), "sync:a", "tick", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	run := store.Sync{Cluster: "a", Mode: "tick", Started: t0}
	if run.ID, err = d.BeginSync(b.Context(), l, run); err != nil {
		b.Fatal(err)
	}
	run.Finished = t0
	if err := errors.Join(d.FinishSync(b.Context(), l, run), d.ReleaseLease(b.Context(), l)); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "s.db")
	d := openAt(b, path)
	batch := manyGuests(many, 0, true)
	apply(b, d, lease(b, d), batch)
	ctx, cancel := context.WithCancel(b.Context()) // as a request's context: it can end
	defer cancel()
	b.Run("Generation", func(b *testing.B) {
		for b.Loop() {
			if gen, err := d.Generation(ctx); err != nil || gen != 1 {
				b.Fatal(gen, err)
			}
		}
	})
	b.Run("Content", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if body, err := d.Content(ctx, batch.Contents[i%many].Hash); err != nil || len(body) < 800 {
				b.Fatal(err)
			}
		}
	})
	b.Run("Guests", func(b *testing.B) {
		for b.Loop() {
			if all, err := d.Guests(ctx, store.GuestFilter{}); err != nil || len(all) != many {
				b.Fatal(len(all), err)
			}
		}
	})
	b.Run("GuestsUnchanged", func(b *testing.B) {
		for b.Loop() {
			if all, err := d.Guests(ctx, store.GuestFilter{Cluster: "a", AfterGen: 1, WithGone: true}); err != nil || len(all) != 0 {
				b.Fatal(len(all), err)
			}
		}
	})
	b.Run("LastSync", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := d.LastSync(ctx, "a"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			other, err := store.Open(ctx, store.Options{Path: path})
			if err != nil {
				b.Fatal(err)
			}
			if err := other.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
