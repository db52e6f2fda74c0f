package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

const (
	soakClients = 16
	// soakSessions are left behind before anything is measured: more than a principal may have.
	soakSessions = 300
	// soakAlone is what CI takes with the limits, alone and without race detector, soakShort with it; SOAK=30m is the full set (make e2e-full).
	soakAlone, soakShort = 2 * time.Minute, 8 * time.Second
	// soakLinger is how long connections and sessions that nobody ended may take to go by themselves: the door's idle limit of 2 minutes, and some.
	soakLinger = 150 * time.Second
	// What may be more at the end than after the first quarter: heap for what the simulated cluster and the caches of connections hold.
	soakHeap       = 3 << 20
	soakGoroutines = 12
	soakFiles      = 8
)

func soakTime(t *testing.T) time.Duration {
	t.Helper()
	v := os.Getenv("SOAK")
	switch {
	case v == "" && os.Getenv("LIMITS") != "":
		return soakAlone
	case v == "":
		return soakShort
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var httpAt = regexp.MustCompile(`http://\S+/mcp`)

// soak is a server over HTTP and the clients that use it badly.
type soak struct {
	t     *testing.T
	base  string
	calls atomic.Int64
}

// TestSoak keeps clients of every kind calling, streaming, hanging up and walking away without a word. Heap, goroutines and files are as
// many at the end as after the first quarter.
func TestSoak(t *testing.T) {
	h := newHousehold(t)
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- h.app.Serve(ctx, cli.Globals{StatePath: h.state()}, cli.ServeOptions{HTTPOptions: cli.HTTPOptions{Over: true, Address: "127.0.0.1:0", SSE: true}}, io.Discard, write)
	}()
	lines := bufio.NewScanner(read)
	s := &soak{t: t}
	for lines.Scan() {
		if u := httpAt.FindString(lines.Text()); u != "" {
			s.base = strings.TrimSuffix(u, "/mcp")
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	whole := soakTime(t)
	for range soakSessions {
		s.walkAway(ctx)
	}
	full := s.measure().goroutines // each of these sessions has its own, later ones have not all opened a stream
	s.run(whole / 4)
	before := s.measure()
	s.run(whole - whole/4)
	more := func(f footprint) bool {
		return f.heap > before.heap+soakHeap || f.goroutines > full+soakGoroutines || f.files > before.files+soakFiles
	}
	after := s.measure()
	for began := time.Now(); more(after) && time.Since(began) < soakLinger; time.Sleep(5 * time.Second) {
		after = s.measure()
	}
	t.Logf("%d calls in %s: %d goroutines of sessions that were left behind; %s, then %s", s.calls.Load(), whole, full, before, after)
	if more(after) {
		t.Errorf("after %s: %s; after %s: %s", whole/4, before, whole, after)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

type footprint struct{ heap, goroutines, files int }

func (f footprint) String() string {
	return fmt.Sprintf("%.1f MB, %d goroutines, %d files", float64(f.heap)/(1<<20), f.goroutines, f.files)
}

// measure is what is held when nobody calls.
func (s *soak) measure() footprint {
	http.DefaultClient.CloseIdleConnections()
	time.Sleep(time.Second)
	runtime.GC()
	runtime.GC() // what has a finalizer goes in the second round
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")                                // where there is none, none are counted
	return footprint{int(m.HeapAlloc), runtime.NumGoroutine(), len(files)} //nolint:gosec // a heap
}

func (s *soak) run(d time.Duration) {
	ctx, stop := context.WithTimeout(s.t.Context(), d)
	defer stop()
	var wg sync.WaitGroup
	for range soakClients {
		wg.Go(func() {
			for ctx.Err() == nil {
				s.client(ctx)
			}
		})
	}
	wg.Wait()
}

// client is one client's life, of a kind by chance.
func (s *soak) client(ctx context.Context) {
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	switch rand.IntN(4) { //nolint:gosec // for variety
	case 0:
		s.older(ctx)
	case 1:
		s.newer(ctx)
	case 2:
		s.oldest(ctx)
	default:
		s.impatient(ctx)
	}
}

const soakModern = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"progressToken":1}}}`

const soakInit = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}}`

func soakCall(tool, args string) string {
	return `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + args
}

// walkAway leaves a session with a stream behind.
func (s *soak) walkAway(ctx context.Context) {
	res := s.post(ctx, "/mcp", soakInit)
	if res == nil {
		return
	}
	if stream := s.open(ctx, "/mcp", res.Header.Get("Mcp-Session-Id")); stream != nil {
		_ = stream.Close()
	}
}

// older opens a session with a stream, calls, and ends one in four: the others are left behind.
func (s *soak) older(ctx context.Context) {
	res := s.post(ctx, "/mcp", soakInit)
	if res == nil {
		return
	}
	id := res.Header.Get("Mcp-Session-Id")
	stream := s.open(ctx, "/mcp", id)
	for range 5 {
		s.post(ctx, "/mcp", soakCall("get_guest", `{"guest":"101"}`)+`,"_meta":{"progressToken":"p"}}}`, "Mcp-Session-Id", id)
		s.post(ctx, "/mcp", soakCall("find_guests", `{}`)+`}}`, "Mcp-Session-Id", id)
	}
	if stream != nil {
		_ = stream.Close()
	}
	if rand.IntN(4) == 0 { //nolint:gosec // for variety
		s.send(ctx, http.MethodDelete, "/mcp", "", "Mcp-Session-Id", id)
	}
}

func (s *soak) newer(ctx context.Context) {
	head := []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method"}
	listen := s.request(ctx, http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["pve://home/guests/101"]}`+soakModern,
		append(head, "subscriptions/listen")...)
	for range 5 {
		s.post(ctx, "/mcp", soakCall("get_guest", `{"guest":"101"}`)+soakModern, append(head, "tools/call", "Mcp-Name", "get_guest")...)
	}
	if listen != nil {
		_ = listen.Body.Close()
	}
}

func (s *soak) oldest(ctx context.Context) {
	stream := s.request(ctx, http.MethodGet, "/sse", "")
	if stream == nil {
		return
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() {
		if path, ok := strings.CutPrefix(lines.Text(), "data: /message"); ok {
			s.post(ctx, "/message"+path, soakInit)
			s.post(ctx, "/message"+path, soakCall("get_overview", `{}`)+`}}`)
		}
		if strings.Contains(lines.Text(), `"id":2`) {
			return
		}
	}
}

// impatient hangs up before it is answered.
func (s *soak) impatient(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(3000))*time.Microsecond) //nolint:gosec // for variety
	defer cancel()
	s.older(ctx)
}

func (s *soak) open(ctx context.Context, path, id string) io.Closer {
	if res := s.request(ctx, http.MethodGet, path, "", "Mcp-Session-Id", id); res != nil {
		return res.Body
	}
	return nil
}

func (s *soak) post(ctx context.Context, path, body string, headers ...string) *http.Response {
	return s.send(ctx, http.MethodPost, path, body, headers...)
}

// send reads the whole answer; nil when the client's time was over.
func (s *soak) send(ctx context.Context, method, path, body string, headers ...string) *http.Response {
	res := s.request(ctx, method, path, body, headers...)
	if res == nil {
		return nil
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	switch {
	case err != nil && ctx.Err() == nil:
		s.t.Errorf("%s %s: %v", method, path, err)
	case err == nil && res.StatusCode >= 300 || strings.Contains(string(raw), `"error"`):
		// A session that had to make room for those that were left behind is a client's everyday life.
		if res.StatusCode != http.StatusNotFound {
			s.t.Errorf("%s %s: %d %.300s", method, path, res.StatusCode, raw)
		}
		return nil
	}
	s.calls.Add(1)
	return res
}

func (s *soak) request(ctx context.Context, method, path, body string, headers ...string) *http.Response {
	r, err := http.NewRequestWithContext(ctx, method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return nil
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			s.t.Errorf("%s %s: %v", method, path, err)
		}
		return nil
	}
	return res
}
