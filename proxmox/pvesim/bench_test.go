package pvesim

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func bigRequest(tb testing.TB, s *Sim, path string) *response {
	x := &exchange{ctx: tb.Context(), entry: "node01", method: "GET", path: "/api2/json" + path,
		header: map[string][]string{"Authorization": {"PVEAPIToken=" + s.RootToken()}}}
	return s.serve(x)
}

// TestSpeed is loose, since other work shares the machine: a tenth of what is promised would still be noticed.
func TestSpeed(t *testing.T) {
	began := time.Now()
	s := New(GenerateWorld(GenOptions{Seed: 1, Nodes: 20, Guests: 10_000, Snapshots: 10, Now: time.Now()}))
	made := time.Since(began)
	bigRequest(t, s, "/cluster/resources")
	began = time.Now()
	if r := bigRequest(t, s, "/cluster/resources"); r.status != 200 || len(r.body) < 1<<20 {
		t.Fatalf("status %d, %d bytes", r.status, len(r.body))
	}
	resources := time.Since(began)
	var paths []string
	for _, g := range s.world.Guests()[:500] {
		paths = append(paths, fmt.Sprintf("/nodes/%s/%s/%d/config", g.Node, g.Type, g.VMID))
	}
	began = time.Now()
	for _, p := range paths {
		if r := bigRequest(t, s, p); r.status != 200 {
			t.Fatalf("%s: %d %s", p, r.status, r.body)
		}
	}
	configs := time.Since(began)
	t.Logf("10,000 guests on 20 nodes: made in %v, resources %v, %.0f configs/s", made, resources, 500/configs.Seconds())
	if made > 20*time.Second || resources > 600*time.Millisecond || configs > 2500*time.Millisecond {
		t.Errorf("too slow: made in %v (20 s), resources %v (600 ms), 500 configs %v (2.5 s)", made, resources, configs)
	}
}

func BenchmarkGenerate10k(b *testing.B) {
	for b.Loop() {
		New(GenerateWorld(GenOptions{Seed: 1, Nodes: 20, Guests: 10_000, Snapshots: 10}))
	}
}

func BenchmarkResources10k(b *testing.B) {
	s := New(GenerateWorld(GenOptions{Seed: 1, Nodes: 20, Guests: 10_000}))
	for b.Loop() {
		bigRequest(b, s, "/cluster/resources")
	}
}

func BenchmarkConfig(b *testing.B) {
	s := New(GenerateWorld(GenOptions{Seed: 1, Nodes: 20, Guests: 10_000}))
	g := s.world.Guests()[77]
	path := fmt.Sprintf("/nodes/%s/%s/%d/config", g.Node, g.Type, g.VMID)
	for b.Loop() {
		bigRequest(b, s, path)
	}
}

// TestWorkersAndLatency: with three workers and 20 ms a call, nine calls at once take three rounds, and all nine
// are in flight on the node that they are about.
func TestWorkersAndLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DemoWorld(time.Now()), WithWorkers(3), WithLatency(Latency{Fixed: 20 * time.Millisecond}))
		defer r.stop()
		began := time.Now()
		var wg sync.WaitGroup
		for range 9 {
			wg.Go(func() {
				if got := r.get("/nodes/pve2/qemu/203/config"); got.code != 200 {
					t.Errorf("%s %v", got.status, got.err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took != 60*time.Millisecond {
			t.Errorf("took %v, want 60 ms", took)
		}
		if got := r.sim.Stats().MaxInFlight; got["pve2"] != 9 || got["pve1"] != 0 {
			t.Errorf("in flight %v", got)
		}
		r.sim.ResetStats()
		if st := r.sim.Stats(); st.Requests != 0 || len(r.sim.Requests()) != 0 || len(st.MaxInFlight) != 0 {
			t.Errorf("after a reset: %+v", st)
		}
	})
}

func TestLatencyProfile(t *testing.T) {
	s := New(DemoWorld(time.Now()), WithLatency(Latency{Profile: true}), WithSeed(5))
	r := get("/nodes/{node}/qemu/{vmid}/config", nil, anyone, nil)
	var sum time.Duration
	for range 2000 {
		sum += s.latency.of(s, &exchange{entry: "pve1", target: "pve1"}, &r)
	}
	// median 12 ms, lognormal: mean 15 ms, and 20 ms from one call of a hundred that stalls
	if mean := sum / 2000; mean < 20*time.Millisecond || mean > 55*time.Millisecond {
		t.Errorf("mean %v", mean)
	}
}
