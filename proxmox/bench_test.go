package proxmox

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

const benchConfig = `{"data":{"boot":"order=scsi0;net0","cores":2,"digest":"0123456789abcdef0123456789abcdef01234567","memory":"2048",` +
	`"meta":"creation-qemu=9.0.2,ctime=1795202687","name":"web-01","net0":"virtio=BC:24:11:00:00:01,bridge=vmbr0","numa":0,"ostype":"l26",` +
	`"scsi0":"local-zfs:vm-100-disk-0,size=32G","scsihw":"virtio-scsi-single","smbios1":"uuid=5ee2a749-9584-42e6-bb81-1c064b5b56e3","sockets":1}}`

// benchServer answers every config after took, over real TCP and TLS.
func benchServer(b *testing.B, took time.Duration) *Client {
	b.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if took > 0 {
			time.Sleep(took)
		}
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_, _ = io.WriteString(w, benchConfig)
	}))
	b.Cleanup(srv.Close)
	c, err := New(ClusterConfig{Endpoints: []string{srv.URL}, Token: redact.NewSecret(testToken), Insecure: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// BenchmarkKeptConnection is the client's own cost of one config read, with the fake server's on the same processor.
func BenchmarkKeptConnection(b *testing.B) {
	c := benchServer(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.GuestConfig(b.Context(), "pve1", pve.Qemu, 100); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareConnection is the same request with net/http alone: what the chain adds is the difference.
func BenchmarkBareConnection(b *testing.B) {
	c := benchServer(b, 0)
	tr := c.ends.current().tr
	u := "https://" + c.ends.current().addr + apiPrefix + "/nodes/pve1/qemu/100/config"
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, u, nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || len(raw) == 0 {
			b.Fatal(err)
		}
	}
}

// Benchmark1000Configs reads 1,000 configs of 5 nodes through one endpoint at 15 ms each. ratio is wall time over the bound
// calls*t/(3K); the budget of a whole sync is 1.25.
func Benchmark1000Configs(b *testing.B) {
	const guests, nodes, took = 1000, 5, 15 * time.Millisecond
	c := benchServer(b, took)
	ctx := WithUserWaiting(b.Context())
	bound := guests * took / (3 * nodes)
	best := time.Duration(1 << 62)
	for b.Loop() {
		start := time.Now()
		readAllConfigs(ctx, b, c, guests, nodes)
		best = min(best, time.Since(start))
	}
	b.ReportMetric(float64(best)/float64(bound), "best/bound")
}

func readAllConfigs(ctx context.Context, b *testing.B, c *Client, guests, nodes int) {
	var wg sync.WaitGroup
	for i := range guests {
		wg.Go(func() {
			if _, err := c.GuestConfig(ctx, "pve"+strconv.Itoa(1+i%nodes), pve.Qemu, 100+i); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	for node, peak := range c.Stats().Peak {
		if peak > 3 {
			b.Errorf("%s had %d in flight", node, peak)
		}
	}
}
