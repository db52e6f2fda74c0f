package app

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/server/auth"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// overheard is a node in front of the simulated cluster that keeps what it was sent.
type overheard struct {
	*httptest.Server
	mu   sync.Mutex
	sent strings.Builder
}

func (c *cage) overhear() *overheard {
	o := &overheard{}
	o.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		_ = r.Header.Write(&o.sent)
		_, _ = fmt.Fprintln(&o.sent, r.Method, r.URL)
		o.mu.Unlock()
		c.sim.ServeHTTP(w, r)
	}))
	c.t.Cleanup(o.Close)
	return o
}

// fingerprint is that of the node's certificate, as a configuration pins it.
func (o *overheard) fingerprint() string {
	sum := sha256.Sum256(o.Certificate().Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// http asks the server over HTTP, with a token of ours and one that is none: neither reaches Proxmox VE, a log, the store or an answer, and
// the token for Proxmox VE goes there alone.
func (c *cage) http() {
	c.t.Helper()
	node := c.overhear()
	env := c.world(map[string]string{"PROXMOX_VE_ENDPOINT": node.URL, "PROXMOX_VE_FINGERPRINT": node.fingerprint()})
	var errOut syncedBuffer
	a := &App{Env: func(k string) string { return env[k] }, Home: c.t.TempDir(), GOOS: "linux", Clock: time.Now, Stderr: &errOut}
	db, err := store.Open(c.t.Context(), store.Options{Path: c.state, Clock: time.Now})
	if err != nil {
		c.t.Fatal(err)
	}
	token, hash := auth.NewToken()
	if err := db.AddToken(c.t.Context(), store.TokenRow{Name: "canary", Tier: 4, Hash: hash}, store.AuditEntry{Event: "token"}); err != nil {
		c.t.Fatal(err)
	}
	_ = db.Close()
	wrong, _ := auth.NewToken()
	d, stop := serveHTTP(c.t, a, cli.Globals{StatePath: c.state, LogLevel: "debug"}, cli.ServeOptions{})
	var said strings.Builder
	for _, format := range []string{"text", "json"} {
		for _, q := range []question{{"get_overview", nil}, {"find_guests", nil}, {"get_guest", map[string]any{"guest": "208", "detail": "full", "fresh": true}},
			{"get_guest", map[string]any{"guest": "104", "detail": "full", "fresh": true}}, {"find_operations", nil}, {"check_access", nil}, {"read_log", map[string]any{"node": "pve1"}},
			{"get_guest", map[string]any{"guest": token}}, {"power_guest", map[string]any{"guest": "104", "action": "start"}}} {
			args := map[string]any{"format": format}
			if q.tool == "power_guest" {
				args = map[string]any{}
			}
			maps.Copy(args, q.args)
			said.WriteString(d.call(token, q.tool, args))
		}
	}
	code, refused := d.send(wrong, "tools/list", map[string]any{}, "Authorization", "Bearer "+wrong)
	stop()
	heard := node.sent.String()
	if n := strings.Count(said.String(), marker); n < 4 || code != 401 || strings.Count(heard, "PVEAPIToken="+canaryUser) < 3 {
		c.t.Errorf("%d texts with canaries were shown, a wrong token was answered %d, the node heard\n%s", n, code, heard)
	}
	state, err := os.ReadFile(c.state)
	if err != nil {
		c.t.Fatal(err)
	}
	c.said["http"] = said.String() + refused + d.said.String() + errOut.String()
	for place, text := range map[string]string{"Proxmox VE": heard, "the log": d.said.String() + errOut.String(), "the store": string(state), "a refusal": refused, "an answer": said.String()} {
		for _, s := range []string{token, wrong, token[len(auth.Prefix):]} {
			if strings.Contains(text, s) {
				c.t.Errorf("%s has a client's token", place)
			}
		}
	}
}

// syncedBuffer is written to by several goroutines.
type syncedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncedBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
