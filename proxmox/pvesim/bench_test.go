package pvesim

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func bigRequest(tb testing.TB, s *Sim, path string) *response {
	return s.serve(asking(tb.Context(), s, "GET", path, ""))
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
	r := get("/nodes/{node}/qemu/{vmid}/config", anyone, nil)
	var sum time.Duration
	for range 2000 {
		sum += s.latency.of(s, &exchange{entry: "pve1", target: "pve1"}, &r)
	}
	// median 12 ms, lognormal: mean 15 ms, and 20 ms from one call of a hundred that stalls
	if mean := sum / 2000; mean < 20*time.Millisecond || mean > 55*time.Millisecond {
		t.Errorf("mean %v", mean)
	}
}

// BenchmarkWrite10k: a write that does not touch rights costs the same however many guests there are.
func BenchmarkWrite10k(b *testing.B) {
	s := New(GenerateWorld(GenOptions{Seed: 1, Nodes: 20, Guests: 10_000}))
	g := s.world.Guests()[77]
	path := fmt.Sprintf("/nodes/%s/%s/%d/config", g.Node, g.Type, g.VMID)
	for i := 0; b.Loop(); i++ {
		if got := s.serve(asking(b.Context(), s, "PUT", path, fmt.Sprintf("description=%d", i))); got.status != 200 {
			b.Fatalf("%d %s", got.status, got.body)
		}
	}
}

// TestServeHasThreeWorkers: storages that hang use up the three workers that each node of `sim serve` has (F39): of four calls one
// has to wait for another.
func TestServeHasThreeWorkers(t *testing.T) {
	const hang = 300 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- ServeForever(ctx, ServeOptions{Faults: []string{"F39:storage=tank,by=" + hang.String()}}, in)
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	lines := make([]byte, 4096)
	n, err := out.Read(lines)
	if err != nil {
		t.Fatal(err)
	}
	url, _, _ := strings.Cut(strings.TrimPrefix(string(lines[:n]), "export PROXMOX_VE_ENDPOINT="), "\n")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, 4)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range took {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api2/json/nodes/pve1/storage/tank/status", nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "PVEAPIToken=root@pam!demo="+demoSecret)
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	if last := slices.Max(took); last < 2*hang {
		t.Errorf("four calls took %v", took)
	}
}
