package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// nullStore keeps nothing: what a sync costs with it is reading and deciding alone. What the inventory has adopted stays in memory, so that a
// second sync finds everything unchanged.
type nullStore struct {
	Store // nil: a sync asks for no more than what is below
	last  store.Sync
}

var _ Store = (*nullStore)(nil)

func (n *nullStore) Generation(context.Context) (int64, error) { return 0, nil }

func (n *nullStore) RecentGeneration(context.Context) (int64, error) { return 0, nil }

func (n *nullStore) AcquireLease(_ context.Context, name, owner string, ttl time.Duration) (store.Lease, bool, error) {
	return store.Lease{Name: name, Owner: owner, Epoch: 1, Expires: time.Now().Add(ttl)}, true, nil
}
func (n *nullStore) RenewLease(_ context.Context, l store.Lease, _ time.Duration) (store.Lease, error) {
	return l, nil
}
func (n *nullStore) ReleaseLease(context.Context, store.Lease) error                   { return nil }
func (n *nullStore) BeginSync(context.Context, store.Lease, store.Sync) (int64, error) { return 1, nil }
func (n *nullStore) ApplyBatch(context.Context, store.Lease, store.Batch) (store.Applied, error) {
	return store.Applied{}, nil
}
func (n *nullStore) FinishSync(_ context.Context, _ store.Lease, s store.Sync) error {
	n.last = s
	return nil
}
func (n *nullStore) LastSync(context.Context, string) (store.Sync, bool, error) {
	return n.last, !n.last.Finished.IsZero(), nil
}
func (n *nullStore) Guests(context.Context, store.GuestFilter) ([]store.Guest, error) {
	return nil, nil
}
func (n *nullStore) Objects(context.Context, string, int64) ([]store.Object, error) { return nil, nil }
func (n *nullStore) Content(context.Context, string) (json.RawMessage, error)       { return nil, nil }
func (n *nullStore) Tasks(context.Context, store.TaskFilter) ([]store.Task, error)  { return nil, nil }
func (n *nullStore) Steps(context.Context, store.StepFilter) ([]store.PlanStep, error) {
	return nil, nil
}
func (n *nullStore) TaskByHandle(context.Context, string) (store.Task, bool, error) {
	return store.Task{}, false, nil
}

// threeAtOnce is a world that answers three requests of a node at once, as the client sends them.
type threeAtOnce struct {
	*world
	free map[string]chan struct{}
}

func newThreeAtOnce(w *world) *threeAtOnce {
	s := &threeAtOnce{world: w, free: map[string]chan struct{}{}}
	for name := range w.nodes {
		s.free[name] = make(chan struct{}, 3)
	}
	return s
}

func (s *threeAtOnce) GuestConfig(ctx context.Context, node string, t pve.GuestType, vmid int) (pve.Config, error) {
	s.free[node] <- struct{}{}
	defer func() { <-s.free[node] }()
	return s.world.GuestConfig(ctx, node, t, vmid)
}

func (s *threeAtOnce) Snapshots(ctx context.Context, node string, t pve.GuestType, vmid int) ([]pve.Snapshot, error) {
	s.free[node] <- struct{}{}
	defer func() { <-s.free[node] }()
	return s.world.Snapshots(ctx, node, t, vmid)
}

// TestLimitSyncStore bounds what the store adds to the wall time of a sync of 10,000 guests: a tenth to the first one, a fiftieth to an
// unchanged one. Each call takes 15 ms, so that reading bounds it as in life. Best of a few rounds, in turn: noise only adds.
func TestLimitSyncStore(t *testing.T) {
	limits.Timed(t)
	const rounds = 6
	most := map[string]float64{"first": 1.10, "unchanged": 1.02}
	best := map[string][2]time.Duration{} // by phase: with the store, with none
	for range rounds {
		for k, st := range []Store{realStore(t, time.Now), &nullStore{}} {
			took := syncTwice(t, st)
			for phase, d := range took {
				b := best[phase]
				if b[k] == 0 || d < b[k] {
					b[k] = d
				}
				best[phase] = b
			}
		}
		if timesOver(best["first"]) <= most["first"] && timesOver(best["unchanged"]) <= most["unchanged"] {
			break
		}
	}
	for _, phase := range []string{"first", "unchanged"} {
		b := best[phase]
		limits.Report(t, limits.Row{Name: phase + " sync of 10,000 guests with the store, wall time at 15 ms a call", Measured: b[0].Round(time.Millisecond).String(),
			Reference: fmt.Sprintf("null store %s", b[1].Round(time.Millisecond)), Value: timesOver(b), Limit: most[phase]})
	}
}

func timesOver(b [2]time.Duration) float64 { return float64(b[0]) / float64(b[1]) }

func syncTwice(t *testing.T, st Store) map[string]time.Duration {
	w := newWorld(20, 10_000)
	w.delay = 15 * time.Millisecond
	inv := open(t, newThreeAtOnce(w), st, time.Now)
	defer func() { _ = inv.Close() }()
	out := map[string]time.Duration{}
	for _, phase := range []string{"first", "unchanged"} {
		began := time.Now()
		if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
			t.Fatal(err)
		}
		out[phase] = time.Since(began)
	}
	return out
}

// TestLimitTick bounds the calls of ticks: three when nothing happened, three and one for each dirty guest; the sweep is counted apart.
func TestLimitTick(t *testing.T) {
	const dirty = 10
	w := newWorld(5, 1000)
	r := newRig(t, w)
	r.sync()
	idle := r.tick()
	for id := range dirty {
		w.guests[200+id].tags = "web"
		w.guests[200+id].config["tags"] = "web"
	}
	busy := r.tick()
	for _, c := range []struct {
		name  string
		rep   SyncReport
		limit int
	}{{"idle tick at 1,000 guests, calls", idle, 3}, {"tick with 10 dirty guests, calls", busy, 3 + dirty}} {
		n := c.rep.Calls - c.rep.Swept
		limits.Report(t, limits.Row{Name: c.name, Measured: fmt.Sprintf("%d (golden)", n), Reference: fmt.Sprintf("sweep, apart: %d", c.rep.Swept), Value: float64(n), Limit: float64(c.limit)})
		if n != c.limit {
			t.Errorf("%s: %d, golden %d", c.name, n, c.limit)
		}
	}
}

func (*nullStore) Intents(context.Context, string) ([]store.Intent, error) { return nil, nil }
