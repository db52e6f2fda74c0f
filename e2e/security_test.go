package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/server"
)

const initializeBody = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// TestRebinding: no route of the program answers a page of the web or a name that points here, whether the route exists or not.
func TestRebinding(t *testing.T) {
	t.Parallel()
	s := demoHTTP(t)
	for _, route := range []string{"POST /mcp", "GET /mcp", "DELETE /mcp", "OPTIONS /mcp", "GET /sse", "POST /message?sessionId=x", "GET /metrics", "GET /healthz", "GET /readyz",
		"GET /.well-known/oauth-protected-resource", "GET /.well-known/oauth-protected-resource/mcp", "GET /", "GET /nowhere"} {
		method, path, _ := strings.Cut(route, " ")
		for _, bad := range [][2]string{{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Host", "evil.example"}, {"Host", "127.0.0.1.evil.example"}} {
			if r := s.send(method, path, strings.NewReader(initializeBody), bad[0], bad[1]); r.code != http.StatusForbidden || r.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s with %s %s: %d", route, bad[0], bad[1], r.code)
			}
		}
	}
	for _, good := range [][2]string{{"Origin", "http://localhost:6274"}, {"Host", "localhost"}, {"Accept", "application/json, text/event-stream"}} {
		if r := s.send("POST", server.MCPPath, strings.NewReader(initializeBody), good[0], good[1]); r.code != http.StatusOK {
			t.Errorf("%s %s: %d %s", good[0], good[1], r.code, r.body)
		}
	}
}

// zeros is a body of n bytes; net/http does not see its length.
func zeros(n int64) io.Reader { return io.LimitReader(endless{}, n) }

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestHugeBody: a body of 100 MB, its length told or not, is refused, and the process stays small.
func TestHugeBody(t *testing.T) {
	t.Parallel()
	const size, most = 100 << 20, 64 << 20
	s := demoHTTP(t)
	before := s.memory("VmHWM")
	for _, chunked := range []bool{false, true} {
		for range 3 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, zeros(size))
			if err != nil {
				t.Fatal(err)
			}
			if !chunked {
				r.ContentLength = size
			}
			r.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(r)
			if err != nil { // the server hung up while we were still sending
				continue
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("chunked %v: %d", chunked, res.StatusCode)
			}
		}
	}
	if r := s.send("POST", server.MCPPath, strings.NewReader(initializeBody)); r.code != http.StatusOK {
		t.Errorf("after it: %d", r.code)
	}
	if peak := s.memory("VmHWM"); peak > most {
		t.Errorf("the process held %.1f MB, %.1f MB before", peak/(1<<20), before/(1<<20))
	}
}

// TestSlowLoris: a connection that brings its request a byte at a time is closed within 10 s, in the headers or in the body.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	s := demoHTTP(t)
	for name, opening := range map[string]string{
		"nothing": "", "headers": "POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"body": "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			began := time.Now()
			if _, err := io.WriteString(c, opening); err != nil {
				t.Fatal(err)
			}
			go func() {
				for name != "nothing" && time.Since(began) < 20*time.Second {
					time.Sleep(500 * time.Millisecond)
					if _, err := io.WriteString(c, " "); err != nil {
						return
					}
				}
			}()
			_ = c.SetReadDeadline(began.Add(20 * time.Second))
			_, err = io.Copy(io.Discard, c)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("closed after %s (%v)", took.Round(time.Millisecond), err)
			}
		})
	}
}

// TestMadeUpSessions: an id that the server did not give out is of no use for anything, nor is one whose session was ended.
func TestMadeUpSessions(t *testing.T) {
	t.Parallel()
	s := demoHTTP(t)
	c := s.caller("2025-11-25", false)
	own := c.session
	if r := s.send("DELETE", server.MCPPath, nil, c.headers...); r.code != http.StatusOK {
		t.Errorf("ending a session: %d", r.code)
	}
	for _, id := range []string{own, "mcp-session-0b1e4c5e-4f6b-4f5e-9f0a-0123456789ab", "1", strings.Repeat("A", 48), strings.Repeat("A", 8000)} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			if r := s.send(method, server.MCPPath, strings.NewReader(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`), "Mcp-Session-Id", id); r.code != http.StatusNotFound {
				t.Errorf("%s with %.20q: %d %s", method, id, r.code, r.body)
			}
		}
		if r := s.send("POST", "/message?sessionId="+id, strings.NewReader(initializeBody)); r.code != http.StatusNotFound {
			t.Errorf("message of %.20q: %d %s", id, r.code, r.body)
		}
	}
}

var stop = map[string]any{"guest": "210", "action": "stop"}

// TestNoCapability: a client that can show its user nothing gets the plan within a second, over HTTP in both eras and over HTTP+SSE, even
// where it says that it can and its transport cannot carry the question.
func TestNoCapability(t *testing.T) {
	t.Parallel()
	s := demoHTTP(t, "--allow", "disruptive")
	for _, era := range eras {
		c := s.caller(era, false)
		c.call("list_nodes", nil, nil) // opens the simulated cluster
		began := time.Now()
		_, m := c.call("power_guest", stop, nil)
		if took := time.Since(began); took > time.Second || !strings.Contains(text(m), "apply_plan p-") {
			t.Errorf("%s: after %s: %v", era, took, m)
		}
	}
	messages, send := s.openSSE(t)
	send(strings.Replace(initializeBody, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
	<-messages
	began := time.Now()
	send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"power_guest","arguments":{"guest":"210","action":"stop"}}}`)
	m := <-messages
	if took := time.Since(began); took > time.Second || !strings.Contains(text(m), "apply_plan p-") {
		t.Errorf("sse: after %s: %v", took, m)
	}
}

// openSSE opens a stream of the old transport: its messages, and what sends one.
func (s *httpServer) openSSE(t *testing.T) (messages <-chan map[string]any, send func(body string)) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/sse", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	endpoint, out := make(chan string, 1), make(chan map[string]any, 16)
	go func() {
		defer close(out)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			switch {
			case strings.HasPrefix(data, "/message"):
				endpoint <- data
			case ok:
				out <- message(t, data)
			}
		}
	}()
	path := <-endpoint
	return out, func(body string) {
		if r := s.send("POST", path, strings.NewReader(body)); r.code != http.StatusAccepted {
			t.Fatalf("message: %d %s", r.code, r.body)
		}
	}
}

// TestSealedState: what a client carries between a question and its answer is of use once, unchanged, for that tool and those arguments.
func TestSealedState(t *testing.T) {
	t.Parallel()
	s := demoHTTP(t, "--allow", "disruptive")
	c := s.caller("2026-07-28", true)
	_, m := c.call("power_guest", stop, nil)
	result, _ := m["result"].(map[string]any)
	state, _ := result["requestState"].(string)
	asked, _ := result["inputRequests"].(map[string]any)
	if state == "" || len(asked) != 1 || result["resultType"] != "input_required" {
		t.Fatalf("%v", m)
	}
	answers := map[string]any{}
	for plan := range asked {
		if answers[plan] = map[string]any{"action": "accept", "content": map[string]any{}}; strings.Contains(state, plan) {
			t.Errorf("the state %s tells its plan", state)
		}
	}
	running := func() bool {
		_, m := c.call("get_guest", map[string]any{"guest": "210"}, nil)
		return strings.Contains(text(m), "on pve1: running")
	}
	for name, try := range map[string]struct {
		tool, state string
		arguments   map[string]any
		rpcError    bool
	}{
		"changed":         {"power_guest", state[:len(state)-5] + "AAAAA", stop, true},
		"longer":          {"power_guest", state + "-TAMPERED", stop, true},
		"the plan itself": {"power_guest", fmt.Sprint(asked), stop, true},
		"another tool":    {"snapshot_guest", state, map[string]any{"guest": "210", "action": "create", "name": "s"}, true},
		"another guest":   {"power_guest", state, map[string]any{"guest": "201", "action": "stop"}, false},
		"another action":  {"power_guest", state, map[string]any{"guest": "210", "action": "reset"}, false},
	} {
		_, m := c.call(try.tool, try.arguments, map[string]any{"requestState": try.state, "inputResponses": answers})
		again, _ := m["result"].(map[string]any)
		if _, failed := m["error"]; failed != try.rpcError || !try.rpcError && again["resultType"] != "input_required" || !running() {
			t.Errorf("%s: %v", name, m)
		}
	}
	if _, m := c.call("power_guest", stop, map[string]any{"requestState": state, "inputResponses": answers}); !strings.Contains(text(m), "stop 210 runner: done") || running() {
		t.Errorf("as asked: %v", m)
	}
	if _, m := c.call("power_guest", map[string]any{"guest": "210", "action": "start"}, nil); !strings.Contains(text(m), "done") {
		t.Fatalf("start: %v", m)
	}
	if _, m := c.call("power_guest", stop, map[string]any{"requestState": state, "inputResponses": answers}); !running() {
		t.Errorf("a second time: %v", m)
	}
}
