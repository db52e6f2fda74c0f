package proxmox_test

import (
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// BenchmarkSim1000Configs reads the configurations of 1,000 guests on 5 simulated nodes with 3 workers and 15 ms each, through one
// endpoint with one certificate pinned, as a user's full sync does. best/bound is the best wall time over calls*t/(3K).
func BenchmarkSim1000Configs(b *testing.B) {
	const guests, nodes, took = 1000, 5, 15 * time.Millisecond
	sim := pvesim.New(pvesim.GenerateWorld(pvesim.GenOptions{Seed: 1, Nodes: nodes, Guests: guests, Now: time.Now()}),
		pvesim.WithLatency(pvesim.Latency{Fixed: took}))
	end, err := sim.Start("")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = end.Close() }()
	c, err := proxmox.New(proxmox.ClusterConfig{Endpoints: []string{end.URL}, Token: redact.NewSecret(sim.RootToken()), Fingerprints: []string{end.Fingerprint}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx := proxmox.WithUserWaiting(b.Context())
	rows, _, err := c.Resources(ctx, "vm")
	if err != nil || len(rows) != guests {
		b.Fatalf("%d guests, %v", len(rows), err)
	}
	perNode := map[string]int{}
	for _, row := range rows {
		perNode[string(row.Node)]++
	}
	best, fullest := time.Duration(1<<62), 0
	for _, n := range perNode {
		fullest = max(fullest, n)
	}
	for b.Loop() {
		start := time.Now()
		var wg sync.WaitGroup
		for _, row := range rows {
			wg.Go(func() {
				if _, err := c.GuestConfig(ctx, string(row.Node), pve.GuestType(row.Type), int(row.VMID)); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		best = min(best, time.Since(start))
	}
	for node, n := range sim.Stats().MaxInFlight {
		if n > 3 {
			b.Errorf("%s had %d requests in flight", node, n)
		}
	}
	b.ReportMetric(float64(best)/float64(guests*took/(3*nodes)), "best/bound")
	b.ReportMetric(float64(fullest)/float64(guests/nodes), "fullest-node")
}
