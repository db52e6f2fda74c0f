package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// byHeader admits everybody as who the header says.
func byHeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := r.Header.Get("Who")
		if who == "" {
			refuse(w, http.StatusUnauthorized, "who are you")
			return
		}
		next.ServeHTTP(w, r.WithContext(WithIdentity(r.Context(), Identity{Principal{"token", who}, Everything()})))
	})
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func httpDoor(o HTTPOptions, parts ...Part) *HTTP {
	log := slog.New(slog.DiscardHandler)
	o.Logger = log
	return NewHTTP(New(Options{Version: "test", Specs: tools.All(), Logger: log, Parts: parts, Deps: func(context.Context) (tools.Deps, error) {
		return tools.Deps{Inventory: stub{}, Now: time.Now, Zone: time.UTC}, nil
	}}), o)
}

// full is a door with every route, for principals by header.
func full() *HTTP {
	return httpDoor(HTTPOptions{SSE: true, Admit: byHeader, Hosts: []string{"mcp.example.com"}, Origins: []string{"https://app.example.com"},
		Open:   map[string]http.Handler{"GET /healthz": http.HandlerFunc(hello)},
		Closed: map[string]http.Handler{"GET /metrics": http.HandlerFunc(hello)}})
}

func request(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8811"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Who", "ann")
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestHTTPRebinding: pages of the web reach no route, by Origin or by a name that points here, and are refused before authentication.
func TestHTTPRebinding(t *testing.T) {
	h := full()
	for _, route := range []struct{ method, path, body string }{
		{"POST", "/mcp", initialize}, {"GET", "/mcp", ""}, {"DELETE", "/mcp", ""}, {"OPTIONS", "/mcp", ""}, {"GET", "/sse", ""}, {"POST", "/message?sessionId=x", initialize},
		{"GET", "/metrics", ""}, {"GET", "/healthz", ""}, {"GET", "/", ""}, {"GET", "/nowhere", ""},
	} {
		for _, bad := range [][]string{
			{"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1.evil.example"}, {"Origin", "file://"}, {"Origin", "https://app.example.com.evil.example"},
			{"Origin", "http://localhost@evil.example"}, {"Host", "evil.example"}, {"Host", "evil.example:8811"}, {"Host", "127.0.0.1.evil.example:8811"}, {"Host", ""},
		} {
			for _, who := range []string{"ann", ""} {
				if w := request(h, route.method, route.path, route.body, append(bad, "Who", who)...); w.Code != http.StatusForbidden || w.Header().Get(allowOrigin) != "" {
					t.Errorf("%s %s with %q: %d %v", route.method, route.path, bad, w.Code, w.Header())
				}
			}
		}
	}
	for _, good := range [][]string{{}, {"Origin", "http://localhost:6274"}, {"Origin", "http://[::1]:8811"}, {"Origin", "https://app.example.com"},
		{"Host", "localhost:8811"}, {"Host", "[::1]:8811"}, {"Host", "mcp.example.com"}, {"Host", "MCP.example.com:443"}} {
		w := request(h, "POST", "/mcp", initialize, good...)
		if w.Code != http.StatusOK {
			t.Errorf("%q: %d %s", good, w.Code, w.Body)
		}
		listed := len(good) == 2 && good[1] == "https://app.example.com"
		if got := w.Header().Get(allowOrigin); (got == "https://app.example.com") != listed || !listed && got != "" {
			t.Errorf("%q: %s: %q", good, allowOrigin, got)
		}
	}
	w := request(h, "OPTIONS", "/mcp", "", "Origin", "https://app.example.com", "Who", "", "Access-Control-Request-Headers", "mcp-session-id,content-type")
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Headers") != "mcp-session-id,content-type" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}

// TestHTTPRefusals: what a door says to requests that are no good, in the words of stdio where stdio has them.
func TestHTTPRefusals(t *testing.T) {
	h := full()
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		code               int
		text               string
	}{
		"put":              {"PUT", "/mcp", "{}", nil, 405, "GET, POST, DELETE"},
		"head":             {"HEAD", "/mcp", "", nil, 405, ""},
		"post to the sse":  {"POST", "/sse", "{}", nil, 405, "GET"},
		"nobody":           {"POST", "/mcp", initialize, []string{"Who", ""}, 401, "who are you"},
		"nobody's metrics": {"GET", "/metrics", "", []string{"Who", ""}, 401, "who are you"},
		"anybody's health": {"GET", "/healthz", "", []string{"Who", ""}, 200, "hello"},
		"no json":          {"POST", "/mcp", "hello", nil, 400, "-32700"},
		"no json type":     {"POST", "/mcp", initialize, []string{"Content-Type", "text/plain"}, 400, "application/json"},
		"a batch":          {"POST", "/mcp", "[" + initialize + "]", nil, 400, "-32700"},
		"METHOD":           {"POST", "/mcp", `{"jsonrpc":"2.0","id":4,"METHOD":"ping"}`, nil, 400, `unknown top-level key \"METHOD\"`},
		"method twice":     {"POST", "/mcp", `{"jsonrpc":"2.0","id":4,"method":"ping","method":"tools/list"}`, nil, 400, `\"method\" is given twice`},
		"no session":       {"POST", "/mcp", call(2, "list_nodes", "{}"), nil, 404, ""},
		"no session get":   {"GET", "/mcp", "", nil, 400, "Mcp-Session-Id"},
		"modern get":       {"GET", "/mcp", "", []string{"Mcp-Protocol-Version", "2026-07-28"}, 405, ""},
		"too long":         {"POST", "/mcp", initialize + strings.Repeat(" ", maxBody), nil, 413, "1 MiB"},
		"too long message": {"POST", "/mcp", strings.Repeat("a", 100<<20), nil, 413, "1 MiB"},
	} {
		w := request(h, c.method, c.path, c.body, c.headers...)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s: %d %.300s, want %d with %q", name, w.Code, w.Body, c.code, c.text)
		}
	}
	r := httptest.NewRequest("POST", "http://127.0.0.1:8811/mcp", io.MultiReader(strings.NewReader(strings.Repeat(" ", maxBody)), strings.NewReader(initialize)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Who", "ann")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); r.ContentLength != -1 || w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of unknown length that is too long: %d", w.Code)
	}
}

// TestKeepAlive: a stream that is silent shows that it lives; an answer that is no stream stays as it is.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for kind, want := range map[string]string{"text/event-stream": "data: 1\n\n:\n:\ndata: 2\n\n", "application/json": "data: 1\n\ndata: 2\n\n"} {
			w := httptest.NewRecorder()
			var kept http.ResponseWriter
			flowing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				kept = w
				w.Header().Set("Content-Type", kind)
				w.Header().Set(allowOrigin, "*")
				_, _ = io.WriteString(w, "data: 1\n\n")
				time.Sleep(2*keepAlive + time.Second)
				_, _ = io.WriteString(w, "data: 2\n\n")
			})).ServeHTTP(w, httptest.NewRequest("GET", "/sse", nil))
			time.Sleep(2 * keepAlive)
			if _, err := io.WriteString(kept, "data: 3\n\n"); err == nil {
				t.Error("a writer whose request is over takes more")
			}
			if w.Body.String() != want || w.Header().Get(allowOrigin) != "" {
				t.Errorf("%s: %q, %v", kind, w.Body, w.Header())
			}
		}
	})
}

// TestShutdown: answers in flight arrive, streams end at once.
func TestShutdown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := full()
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- h.Serve(ctx, l) }()
	send := func(method, path, body string, headers ...string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Who", "ann")
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	id := send("POST", "/mcp", initialize).Header.Get("Mcp-Session-Id")
	streams := map[string]*http.Response{
		"GET /mcp": send("GET", "/mcp", "", "Mcp-Session-Id", id),
		"GET /sse": send("GET", "/sse", ""),
		listenMethod: send("POST", "/mcp", `{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`,
			"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", listenMethod),
	}
	for name, s := range streams {
		if s.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", name, s.StatusCode)
		}
	}
	answer := make(chan string, 1)
	go func() {
		raw, err := io.ReadAll(send("POST", "/mcp", call(9, "get_guest", `{"guest":"slow"}`), "Mcp-Session-Id", id).Body)
		answer <- fmt.Sprint(string(raw), err)
	}()
	time.Sleep(100 * time.Millisecond) // the stub answers after 300 ms
	began := time.Now()
	stop()
	for name, s := range streams {
		if _, err := io.Copy(io.Discard, bufio.NewReader(s.Body)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	if took := time.Since(began); took > 150*time.Millisecond {
		t.Errorf("the streams took %s to end", took)
	}
	if got := <-answer; !strings.Contains(got, "slow") || !strings.Contains(got, `"id":9`) {
		t.Errorf("the answer in flight: %s", got)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the end took %s", took)
	}
}
