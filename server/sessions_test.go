package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"
)

// begin opens a session of who and returns its id.
func begin(t *testing.T, h http.Handler, who string) string {
	t.Helper()
	w := request(h, "POST", "/mcp", initialize, "Who", who)
	id := w.Header().Get("Mcp-Session-Id")
	if w.Code != http.StatusOK || id == "" {
		t.Fatalf("initialize: %d %s", w.Code, w.Body)
	}
	return id
}

// TestHTTPSessions: only the principal that opened a session reaches it, until it ends.
func TestHTTPSessions(t *testing.T) {
	h := full()
	anns := begin(t, h, "ann")
	for name, c := range map[string]struct {
		who, id string
		code    int
	}{
		"her own":   {"ann", anns, 200},
		"bob's try": {"bob", anns, 404},
		"made up":   {"ann", "mcp-session-7f0c4bd5-0000-4000-8000-000000000000", 404},
		"changed":   {"ann", anns[:len(anns)-1], 404},
		"signature": {"ann", anns[:30] + strings.Repeat("A", len(anns)-30), 404},
		"too short": {"ann", "x", 404},
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			if c.code == 200 && method != "POST" {
				continue
			}
			if w := request(h, method, "/mcp", call(2, "list_nodes", "{}"), "Mcp-Session-Id", c.id, "Who", c.who); w.Code != c.code {
				t.Errorf("%s, %s: %d %s", name, method, w.Code, w.Body)
			}
		}
	}
	if w := request(h, "DELETE", "/mcp", "", "Mcp-Session-Id", anns); w.Code != http.StatusOK {
		t.Errorf("ending it: %d", w.Code)
	}
	if w := request(h, "POST", "/mcp", call(2, "list_nodes", "{}"), "Mcp-Session-Id", anns); w.Code != http.StatusNotFound {
		t.Errorf("after its end: %d", w.Code)
	}
	if len(h.sessions.held) != 0 {
		t.Errorf("an ended session is remembered: %v", h.sessions.held)
	}
}

// TestSessionBounds: the longest idle session ends when there are too many or its time is over, and mcp-go is told; what is in use stays.
func TestSessionBounds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var forgotten []string
	s := newSessions(func() time.Time { return now }, func(id string) { forgotten = append(forgotten, id) })
	ids := make([]string, 0, sessionsOfOne)
	for range sessionsOfOne {
		ids = append(ids, s.open("token:ann", nil))
		now = now.Add(time.Second)
	}
	done, _ := s.use(ids[0], "token:ann")
	stopped := false
	s.open("token:bob", func() { stopped = true })
	now = now.Add(time.Second)
	s.open("token:ann", nil)
	now = now.Add(time.Second)
	if len(forgotten) != 1 || forgotten[0] != ids[1] || len(s.held) != sessionsOfOne+1 || stopped {
		t.Fatalf("forgot %v, holds %d", forgotten, len(s.held))
	}
	for i := range sessionsInAll {
		s.open(fmt.Sprintf("token:%d", i), nil)
	}
	if len(s.held) != sessionsInAll || s.held[ids[0]] == nil || s.held[ids[2]] != nil || !stopped {
		t.Fatalf("holds %d", len(s.held))
	}
	now = now.Add(sessionIdle)
	s.sweep()
	if len(s.held) != 1 || s.held[ids[0]] == nil {
		t.Fatalf("after its time %d are held", len(s.held))
	}
	done()
	now = now.Add(sessionIdle)
	if _, ok := s.use(ids[0], "token:ann"); ok {
		t.Error("a session that ran out is taken before it was swept")
	}
}

// unregistered hears of the sessions that mcp-go lets go.
type unregistered struct{ ids []string }

func (u *unregistered) Options(h *mcpserver.Hooks) []mcpserver.ServerOption {
	h.AddOnUnregisterSession(func(_ context.Context, s mcpserver.ClientSession) { u.ids = append(u.ids, s.SessionID()) })
	return nil
}

func (*unregistered) Attach(*MCP) {}

// TestSessionsAreFreed: mcp-go lets go of a session that had to make room, too.
func TestSessionsAreFreed(t *testing.T) {
	u := &unregistered{}
	h := httpDoor(HTTPOptions{Admit: byHeader}, u)
	first := begin(t, h, "ann")
	for range sessionsOfOne {
		begin(t, h, "ann")
	}
	if !slices.Equal(u.ids, []string{first}) {
		t.Errorf("let go of %v, want %s", u.ids, first)
	}
	if w := request(h, "POST", "/mcp", call(2, "list_nodes", "{}"), "Mcp-Session-Id", first); w.Code != http.StatusNotFound {
		t.Errorf("the one that made room: %d", w.Code)
	}
}

func TestEvents(t *testing.T) {
	s := newEvents()
	put := func(session, stream string, size int) string {
		id, err := s.StoreEvent(t.Context(), session, stream, json.RawMessage(strings.Repeat("1", size)))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	replay := func(session, after string) (string, int, error) {
		n := 0
		stream, err := s.ReplayEventsAfter(t.Context(), session, after, func(string, json.RawMessage) error { n++; return nil })
		return stream, n, err
	}
	first := put("ann", "a", 1)
	put("ann", "b", 1)
	put("ann", "a", 1)
	if stream, n, err := replay("ann", first); stream != "a" || n != 1 || err != nil {
		t.Errorf("stream %s, %d events, %v", stream, n, err)
	}
	for _, c := range [][2]string{{"bob", first}, {"ann", "99"}, {"ann", "x"}, {"ann", ""}} {
		if _, _, err := replay(c[0], c[1]); err == nil {
			t.Errorf("%q was replayed", c)
		}
	}
	for range eventsOfOne {
		put("ann", "b", 1)
	}
	if _, _, err := replay("ann", first); err == nil {
		t.Error("an event beyond the bound is kept")
	}
	put("big", "a", eventBytesOfOne+1)
	if s.logs["big"] != nil {
		t.Error("a message beyond a session's bytes is kept")
	}
	for i := range 40 {
		put(fmt.Sprint(i), "a", eventBytesOfOne/2)
	}
	if s.bytes > eventBytesInAll || len(s.logs) > 20 {
		t.Errorf("%d bytes of %d sessions are kept", s.bytes, len(s.logs))
	}
	for session := range s.logs {
		_ = s.PurgeSession(t.Context(), session)
	}
	if s.bytes != 0 || len(s.logs) != 0 {
		t.Errorf("%d bytes are left", s.bytes)
	}
}

// TestSSESession: messages reach a stream of the old transport from its principal alone.
func TestSSESession(t *testing.T) {
	srv := httptest.NewServer(full())
	defer srv.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/sse", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Who", "ann")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get(allowOrigin) != "" {
		t.Error("pages of everywhere may read the stream")
	}
	lines := bufio.NewScanner(res.Body)
	endpoint := ""
	for lines.Scan() && endpoint == "" {
		endpoint, _ = strings.CutPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(endpoint, "/message?") {
			endpoint = ""
		}
	}
	for who, code := range map[string]int{"ann": http.StatusAccepted, "bob": http.StatusNotFound} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+endpoint, strings.NewReader(initialize))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Who", who)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != code {
			t.Errorf("%s: %d, want %d", who, res.StatusCode, code)
		}
	}
}
