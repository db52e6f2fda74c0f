package proxmox

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// meter measures what is in flight per node and of the calls that may block.
type meter struct {
	mu          sync.Mutex
	now, peak   map[string]int
	took        time.Duration
	total, most int
}

func (m *meter) handler(w http.ResponseWriter, r *http.Request) {
	node := strings.Split(r.URL.Path, "/")[4]
	keys := []string{node}
	if strings.HasSuffix(r.URL.Path, "/current") {
		keys = append(keys, node+" block")
	}
	m.mu.Lock()
	m.total++
	m.most = max(m.most, m.total)
	for _, k := range keys {
		m.now[k]++
		m.peak[k] = max(m.peak[k], m.now[k])
	}
	m.mu.Unlock()
	time.Sleep(m.took)
	m.mu.Lock()
	m.total--
	for _, k := range keys {
		m.now[k]--
	}
	m.mu.Unlock()
	data(`{"digest":"x","status":"running"}`)(w, r)
}

func TestInFlightPerNode(t *testing.T) {
	for name, tc := range map[string]struct {
		user                  bool
		perNode, total, block int
	}{
		"background":   {false, 2, 8, 1}, // 8 = a third of the entry node's 24
		"user waiting": {true, 3, 15, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := &meter{now: map[string]int{}, peak: map[string]int{}, took: 15 * time.Millisecond}
			r := newRig(t, map[string]http.HandlerFunc{"*": m.handler}, nil)
			defer r.close()
			ctx := t.Context()
			if tc.user {
				ctx = WithUserWaiting(ctx)
			}
			var wg sync.WaitGroup
			start := time.Now()
			for i := range 500 {
				node := "pve" + string(rune('1'+i%5))
				wg.Go(func() {
					if _, err := r.GuestConfig(ctx, node, pve.Qemu, 100+i); err != nil {
						t.Error(err)
					}
				})
				if i < 50 {
					wg.Go(func() {
						if _, err := r.GuestStatus(ctx, node, pve.Qemu, 100+i); err != nil {
							t.Error(err)
						}
					})
				}
			}
			wg.Wait()
			for k, n := range m.peak {
				want := tc.perNode
				if strings.HasSuffix(k, "block") {
					want = tc.block
				}
				if n > want || tc.user && n < want {
					t.Errorf("%s: %s had %d in flight, limit %d", name, k, n, want)
				}
			}
			if m.most != tc.total {
				t.Errorf("%s: %d in flight in all, want %d", name, m.most, tc.total)
			}
			if took := time.Since(start); tc.user && took > 550*15*time.Millisecond/15*5/4 {
				t.Errorf("%s: took %s of virtual time", name, took)
			}
		})
	}
}

// A cancelled call gives its place in the queue, and its slot, back.
func TestGateGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gate)
		one := ask{max: 1, maxBlock: 1}
		if err := g.enter(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if g.enter(ctx, one) == nil {
					t.Error("entered a full gate")
				}
			})
		}
		entered := make(chan struct{})
		wg.Go(func() {
			synctest.Wait()
			if err := g.enter(t.Context(), one); err != nil {
				t.Error(err)
			}
			close(entered)
		})
		time.Sleep(time.Millisecond)
		cancel()
		time.Sleep(time.Millisecond)
		g.leave(false)
		<-entered
		g.leave(false)
		wg.Wait()
		if g.inFlight != 0 || g.blocking != 0 {
			t.Errorf("%d in flight, %d blocking", g.inFlight, g.blocking)
		}
	})
}

// A user's call goes before waiting background calls, and a hung class leaves room for the others.
func TestGateOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gate)
		block := ask{max: 2, maxBlock: 1, mayBlock: true}
		plain := ask{max: 2, maxBlock: 1}
		user := ask{max: 3, maxBlock: 1, user: true}
		_ = g.enter(t.Context(), block) // hangs for ever
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = g.enter(ctx, block) }()
		synctest.Wait()
		if err := g.enter(t.Context(), plain); err != nil {
			t.Fatal(err)
		}
		order := make(chan string, 2)
		go func() { _ = g.enter(ctx, plain); order <- "background" }()
		synctest.Wait()
		if err := g.enter(t.Context(), user); err != nil { // the third slot
			t.Fatal(err)
		}
		go func() { _ = g.enter(ctx, user); order <- "user" }()
		synctest.Wait()
		g.leave(false)
		if first := <-order; first != "user" {
			t.Errorf("%s went first", first)
		}
		cancel()
	})
}
