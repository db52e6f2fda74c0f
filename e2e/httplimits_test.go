package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
)

const (
	httpOverEcho  = 1.5
	httpClients   = 64
	httpOfEcho    = 0.7 // of the echo server's calls a second, by that many clients
	httpCalls     = 1000
	httpCrowdTime = 1500 * time.Millisecond
)

// repeater sends one request over and over, over connections that stay open.
type repeater struct {
	t       *testing.T
	url     string
	body    []byte
	headers http.Header
	client  *http.Client
}

func (s *httpServer) repeater(params string, headers ...string) *repeater {
	h := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &repeater{t: s.t, url: s.url, headers: h, body: []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":` + params + `}`),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: httpClients}}}
}

func (r *repeater) once() error {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header = r.headers
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(raw, []byte(`"content"`)) || bytes.Contains(raw, []byte(`"isError":true`))) {
		err = fmt.Errorf("%d %.300s", res.StatusCode, raw)
	}
	return err
}

// p50 is the median of calls one after the other.
func (r *repeater) p50() time.Duration {
	d := make([]time.Duration, 0, httpCalls)
	for i := range httpCalls + 100 {
		began := time.Now()
		if err := r.once(); err != nil {
			r.t.Fatal(err)
		}
		if i >= 100 {
			d = append(d, time.Since(began))
		}
	}
	return median(d)
}

// crowd is how many calls a second many clients get answered.
func (r *repeater) crowd() float64 {
	var calls atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range httpClients {
		wg.Go(func() {
			for time.Since(began) < httpCrowdTime {
				if err := r.once(); err != nil {
					r.t.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(calls.Load()) / time.Since(began).Seconds()
}

// openLimits let tokens do as much as a measurement wants.
const openLimits = "http:\n  limits: {reads_per_second: 100000, concurrent: 1000}\n"

// TestLimitHTTP compares a read over HTTP, of one client and of many, with a token and its checks, with the echo server on the same library over HTTP.
func TestLimitHTTP(t *testing.T) {
	timed(t)
	w := pvesim.GenerateWorld(pvesim.GenOptions{Seed: 7, Nodes: thousandOnNodes, Guests: thousand, Now: time.Now()})
	cl := startCluster(t, w, w.RootToken())
	cl.cli(t, "sync")
	first := decode[struct{ Rows [][]any }](t, cl.cli(t, "guest", "list", "state:running", "-o", "json")).Rows[0][0]
	cl.configure(t, openLimits)
	bearer := []string{"Authorization", "Bearer " + strings.TrimSpace(cl.cli(t, "token", "create", "bench"))}
	s := cl.serveHTTP(t)
	if r := s.send("POST", server.MCPPath, strings.NewReader(initializeBody)); r.code != http.StatusUnauthorized {
		t.Fatalf("without the token: %d %s", r.code, r.body)
	}
	ours := s.repeater(fmt.Sprintf(`{"name":"get_guest","arguments":{"guest":"%v"}}`, first), s.caller("2025-11-25", false, bearer...).headers...)
	e := startHTTP(t, cl.env, echoServer(t), "http")
	echo := e.repeater(`{"name":"echo","arguments":{"text":"hello"}}`, e.caller("2025-11-25", false).headers...)
	p50 := limits.Row{Name: "get_guest at 1,000 guests over HTTP, us over echo", Value: 1e9, Limit: httpOverEcho}
	for range rounds {
		mine, ref := ours.p50(), echo.p50()
		if ratio := float64(mine) / float64(ref); ratio < p50.Value {
			p50.Value, p50.Measured, p50.Reference = ratio, "p50 "+mine.String(), "echo "+ref.String()
		}
		if p50.Value <= p50.Limit {
			break
		}
	}
	limits.Report(t, p50)
	many := limits.Row{Name: fmt.Sprintf("%d clients over HTTP, echo's calls a second over ours", httpClients), Value: 1e9, Limit: 1 / httpOfEcho}
	for range rounds {
		mine, ref := ours.crowd(), echo.crowd()
		if ratio := ref / mine; ratio < many.Value {
			many.Value, many.Measured, many.Reference = ratio, fmt.Sprintf("%.0f/s", mine), fmt.Sprintf("echo %.0f/s", ref)
		}
		if many.Value <= many.Limit {
			break
		}
	}
	limits.Report(t, many)
}
