package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// post is a client over Streamable HTTP: what it is told comes through said, as over stdio.
type post struct {
	t            *testing.T
	url, session string
	said         chan map[string]any
	open         sync.WaitGroup
}

// serveHTTP starts a server of the household and greets it.
func (h *household) serveHTTP(allow, metrics string) *post {
	h.t.Helper()
	read, write := io.Pipe()
	ctx, cancel := context.WithCancel(h.t.Context())
	var served sync.WaitGroup
	served.Go(func() {
		o := cli.ServeOptions{Allow: allow, MetricsAddr: metrics, HTTPOptions: cli.HTTPOptions{Over: true, Address: "127.0.0.1:0"}}
		if err := h.app.Serve(ctx, cli.Globals{StatePath: h.state()}, o, io.Discard, write); err != nil {
			h.t.Errorf("serve: %v", err)
		}
		_ = write.Close()
	})
	line, err := bufio.NewReader(read).ReadString('\n')
	url := regexp.MustCompile(`http://\S+/mcp`).FindString(line)
	if err != nil || url == "" {
		h.t.Fatalf("%q, %v", line, err)
	}
	served.Go(func() { _, _ = io.Copy(io.Discard, read) })
	p := &post{t: h.t, url: url, said: make(chan map[string]any, 1000)}
	h.t.Cleanup(func() { cancel(); served.Wait(); p.open.Wait() })
	p.tell(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "t", "version": "1"}}})
	<-p.said
	p.tell(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	return p
}

// tell posts a message and reads what comes back, JSON or a stream of events, in the background where it is a call.
func (p *post) tell(m map[string]any) {
	p.t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(p.t.Context()), http.MethodPost, p.url, bytes.NewReader(raw))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"}}
	if p.session != "" {
		req.Header.Set("Mcp-Session-Id", p.session)
	}
	exchange := func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return // of a server that ends
		}
		defer res.Body.Close()
		if id := res.Header.Get("Mcp-Session-Id"); id != "" && p.session == "" {
			p.session = id
		}
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var told map[string]any
			if json.Unmarshal([]byte(strings.TrimPrefix(lines.Text(), "data: ")), &told) == nil {
				p.said <- told
			}
		}
	}
	if m["method"] == "tools/call" {
		p.open.Go(exchange)
		return
	}
	exchange()
}

// TestWaiting: over each transport a call that waits tells how far it is, under its token and growing, before its answer; cancelling it
// ends the waiting at once and leaves the task in Proxmox VE alone, whose end the plan then tells.
func TestWaiting(t *testing.T) {
	for _, transport := range []string{"stdio", "http"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			h := newHousehold(t)
			tell := h.tell
			metrics := freeAddr(t)
			if transport == "stdio" {
				h.serve(cli.ServeOptions{Allow: "reversible", MetricsAddr: metrics})
			} else {
				p := h.serveHTTP("reversible", metrics)
				tell, h.said = p.tell, p.said
			}
			call := func(id int, guest, token string) {
				tell(map[string]any{"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": map[string]any{"name": "backup_guest",
					"arguments": map[string]any{"guest": guest, "wait_s": 40}, "_meta": map[string]any{"progressToken": token}}})
			}
			h.sim.Update(func(w *pvesim.World) { w.Pace = 0.1 })
			call(101, "208", "t-1")
			steps := h.progress("t-1", 101)
			if len(steps) < 2 {
				t.Errorf("progress: %v", steps)
			}
			for i := 1; i < len(steps); i++ {
				if steps[i] <= steps[i-1] {
					t.Errorf("progress does not grow: %v", steps)
				}
			}
			h.sim.Update(func(w *pvesim.World) { w.Pace = 2 })
			call(102, "104", "t-2")
			if first := h.heard(10 * time.Second); first["method"] != "notifications/progress" {
				t.Fatalf("first: %v", first)
			}
			eventually(t, "the backup runs", func() bool { return h.backup("104") != nil })
			tell(map[string]any{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": map[string]any{"requestId": 102, "reason": "enough"}})
			eventually(t, "the waiting's end", func() bool {
				_, page := fetch(t, "http://"+metrics+"/metrics")
				return strings.Contains(page, `gen_ai_tool_name="backup_guest",error_type="cancelled"} 1`)
			})
			if k := h.backup("104"); k == nil || k.Exit != "" {
				t.Errorf("the task after its call was cancelled: %+v", k)
			}
			h.sim.Update(func(w *pvesim.World) { w.Pace = 0.1 })
			eventually(t, "the task's own end", func() bool { return h.backup("104").Exit == "OK" })
			for _, w := range h.writes() {
				if strings.HasPrefix(w, "DELETE") {
					t.Errorf("a cancelled call sent %s", w)
				}
			}
		})
	}
}

// heard is the next thing that the server says.
func (h *household) heard(within time.Duration) map[string]any {
	h.t.Helper()
	select {
	case m := <-h.said:
		return m
	case <-time.After(within):
		h.t.Fatal("nothing was said")
		return nil
	}
}

// progress gives the figures told under a token until the answer with the id comes, which has to be no error.
func (h *household) progress(token string, id int) (steps []float64) {
	h.t.Helper()
	for {
		m := h.heard(30 * time.Second)
		if n, ok := m["id"].(float64); ok && int(n) == id {
			if res, ok := m["result"].(map[string]any); !ok || res["isError"] == true {
				h.t.Fatalf("answer: %v", m)
			}
			return steps
		}
		if p, ok := m["params"].(map[string]any); ok && m["method"] == "notifications/progress" {
			if p["progressToken"] != token || p["message"] == "" {
				h.t.Errorf("told: %v", p)
			}
			steps = append(steps, p["progress"].(float64))
		}
	}
}

// backup is the newest backup task of a guest that was begun here, nil where there is none.
func (h *household) backup(vmid string) (newest *pvesim.Task) {
	h.sim.Update(func(w *pvesim.World) {
		for _, n := range w.Nodes {
			for _, k := range n.Tasks {
				if k.Type == "vzdump" && k.ID == vmid && time.Since(k.Start) < 5*time.Minute && (newest == nil || k.Start.After(newest.Start)) {
					c := *k
					newest = &c
				}
			}
		}
	})
	return newest
}
