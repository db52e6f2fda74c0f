package pvesim

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestLimitBigCluster: 10,000 guests on 20 nodes are there at once and answer so fast that benchmarks measure the client
// and not the simulator. It runs alone (LIMITS=1), on one core for the rate of reads.
func TestLimitBigCluster(t *testing.T) {
	if os.Getenv("LIMITS") == "" {
		t.Skip("needs the machine for itself: LIMITS=1")
	}
	began := time.Now()
	s := New(GenerateWorld(GenOptions{Seed: 1, Nodes: 20, Guests: 10_000, Snapshots: 10, Now: time.Now()}))
	e, err := s.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	atMost(t, "start", time.Since(began), 2*time.Second)

	var list []string
	s.Update(func(w *World) {
		for _, g := range w.Guests()[:500] {
			list = append(list, fmt.Sprintf("/nodes/%s/%s/%d/config", g.Node, g.Type, g.VMID))
		}
	})
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	token := s.RootToken()
	read := func(path string) int64 {
		req, err := http.NewRequestWithContext(t.Context(), "GET", e.URL+"/api2/json"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "PVEAPIToken="+token)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s %v", path, resp.Status, err)
		}
		return n
	}
	if n := read("/cluster/resources"); n < 1<<20 {
		t.Fatalf("cluster/resources has %d bytes", n)
	}
	atMost(t, "cluster/resources (median of 9)", median(9, func() { read("/cluster/resources") }), 60*time.Millisecond)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // client and TLS included
	rate := 0.0
	for range 5 {
		began = time.Now()
		for _, path := range list {
			read(path)
		}
		rate = max(rate, float64(len(list))/time.Since(began).Seconds())
	}
	t.Logf("config reads: %.0f/s on one core with their client (limit 2,000)", rate)
	if rate < 2000 {
		t.Error("too slow")
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	t.Logf("memory: %d MB in use, %d MB from the system (limit 300)", m.HeapAlloc>>20, m.Sys>>20)
	if m.Sys > 300<<20 {
		t.Error("too much memory")
	}
}

func atMost(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %v (limit %v)", what, took.Round(time.Millisecond), limit)
	if took > limit {
		t.Errorf("%s took %v", what, took)
	}
}

func median(n int, f func()) time.Duration {
	var list []time.Duration
	for range n {
		began := time.Now()
		f()
		list = append(list, time.Since(began))
	}
	slices.Sort(list)
	return list[n/2]
}
