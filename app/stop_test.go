package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

var planShape = regexp.MustCompile(`\bp-[a-z2-7]{8}\b`)

// household is the simulated homelab, configured in a home of its own, with a server on standard input and output.
type household struct {
	t    *testing.T
	sim  *pvesim.Sim
	app  *App
	home string

	cluster config.Cluster

	in   io.Writer
	said chan map[string]any // messages of the server
	id   int
}

func (h *household) state() string { return filepath.Join(h.home, "state.db") }

func newHousehold(t *testing.T) *household {
	t.Helper()
	world := pvesim.DemoWorld(time.Now())
	token := world.RootToken()
	h := &household{t: t, sim: pvesim.New(world), home: t.TempDir()}
	end, err := h.sim.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	h.app = &App{Env: func(string) string { return "" }, Home: h.home, GOOS: "linux", Clock: time.Now, Stderr: io.Discard}
	h.cluster = config.Cluster{Name: "home", Endpoints: []string{end.URL}, Token: redact.NewSecret(token), Fingerprints: []string{end.Fingerprint}}
	if err := config.SaveCluster(config.DefaultPath(h.app.loadOptions(cli.Globals{})), h.cluster, true); err != nil {
		t.Fatal(err)
	}
	return h
}

// config is the homelab's, with a store in its home.
func (h *household) config() *config.Config {
	return &config.Config{Clusters: []config.Cluster{h.cluster}, State: config.State{Path: h.state()}}
}

// keep works on the operator's side, as who proved the passphrase.
func (h *household) keep(f func(db *store.DB, k *change.Keeper) error) {
	h.t.Helper()
	db, err := store.Open(h.t.Context(), store.Options{Path: h.state(), Clock: time.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := errors.Join(f(db, h.app.keeper(db)), db.Close()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *household) allow(g change.Grant) {
	h.t.Helper()
	h.keep(func(_ *store.DB, k *change.Keeper) error {
		return k.Open(h.t.Context(), &change.GrantFile{Path: h.app.allowedPath()}, g)
	})
}

// serve starts a server and greets it.
func (h *household) serve(o cli.ServeOptions) {
	h.t.Helper()
	in, write := io.Pipe()
	read, out := io.Pipe()
	said := make(chan map[string]any, 100)
	h.in, h.said = write, said
	o.In = in
	var served sync.WaitGroup
	served.Go(func() {
		if err := h.app.Serve(context.WithoutCancel(h.t.Context()), cli.Globals{StatePath: h.state()}, o, out, io.Discard); err != nil {
			h.t.Errorf("serve: %v", err)
		}
		_ = out.Close()
	})
	served.Go(func() {
		lines := bufio.NewScanner(read)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var m map[string]any
			if json.Unmarshal(lines.Bytes(), &m) == nil {
				said <- m
			}
		}
		close(said)
	})
	h.t.Cleanup(func() { _ = write.Close(); served.Wait() })
	h.ask("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "t", "version": "1"}})
	h.tell(map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
}

func (h *household) tell(m map[string]any) {
	h.t.Helper()
	raw, err := json.Marshal(m)
	if err == nil {
		_, err = h.in.Write(append(raw, '\n'))
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// ask sends a request and gives its answer as JSON; notifications before it are dropped.
func (h *household) ask(method string, params any) string {
	h.t.Helper()
	h.id++
	h.tell(map[string]any{"jsonrpc": "2.0", "id": h.id, "method": method, "params": params})
	for m := range h.said {
		if n, ok := m["id"].(float64); ok && int(n) == h.id {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(m); err != nil {
				h.t.Fatal(err)
			}
			return b.String()
		}
	}
	h.t.Fatalf("%s: no answer", method)
	return ""
}

func (h *household) call(tool string, args map[string]any) string {
	h.t.Helper()
	return h.ask("tools/call", map[string]any{"name": tool, "arguments": args})
}

func (h *household) lists(tool string) bool {
	h.t.Helper()
	return strings.Contains(h.ask("tools/list", map[string]any{}), `"name":"`+tool+`"`)
}

// told waits for the notification that the list of tools changed.
func (h *household) told(within time.Duration) bool {
	timeout := time.After(within)
	for {
		select {
		case m, ok := <-h.said:
			if !ok {
				return false
			}
			if m["method"] == "notifications/tools/list_changed" {
				return true
			}
		case <-timeout:
			return false
		}
	}
}

// writes are the requests that changed something.
func (h *household) writes() []string {
	var out []string
	for _, q := range h.sim.Requests() {
		if q.Method != "GET" {
			out = append(out, q.Method+" "+q.Path)
		}
	}
	return out
}

// TestReadOnlyAtFirst: with a fresh configuration nothing that writes is listed; a call by name is denied and audited (S01).
func TestReadOnlyAtFirst(t *testing.T) {
	h := newHousehold(t)
	h.serve(cli.ServeOptions{})
	if h.lists("power_guest") || h.lists("delete_guest") || h.lists("apply_plan") || !h.lists("get_overview") {
		t.Error("the list is not that of a server that reads")
	}
	if got := h.call("power_guest", map[string]any{"guest": "208", "action": "start"}); !strings.Contains(got, "read-only") || !strings.Contains(got, " allow reversible") {
		t.Errorf("a call by name: %s", got)
	}
	if w := h.writes(); len(w) > 0 {
		t.Errorf("sent: %v", w)
	}
	h.keep(func(db *store.DB, _ *change.Keeper) error {
		rows, err := db.Audit(t.Context(), store.AuditFilter{Events: []string{"deny"}})
		if len(rows) != 1 || rows[0].Tool != "power_guest" {
			t.Errorf("audit: %+v", rows)
		}
		return err
	})
}

// TestAllowFlag: --allow counts for one process, and changes.maximum bounds it.
func TestAllowFlag(t *testing.T) {
	h := newHousehold(t)
	path := config.DefaultPath(h.app.loadOptions(cli.Globals{}))
	raw, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(raw, "changes: {maximum: disruptive}\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.serve(cli.ServeOptions{Allow: "host"})
	if !h.lists("power_guest") || h.lists("delete_guest") {
		t.Error("the list is not that of a server that allows up to disruptive")
	}
	if _, err := os.Stat(h.app.allowedPath()); err == nil {
		t.Error("--allow was written down for others")
	}
}

// TestStopEverywhere: each way of the emergency stop makes a running server read-only within a second, tells its client, and holds after a
// restart (S25).
func TestStopEverywhere(t *testing.T) {
	for name, stop := range map[string]func(h *household){
		"command": func(h *household) {
			if _, err := h.app.Stop(h.t.Context(), cli.Globals{StatePath: h.state()}, cli.StopOptions{Reason: "smoke"}, cli.Terminal{Out: io.Discard}); err != nil {
				h.t.Fatal(err)
			}
		},
		"file": func(h *household) {
			if err := os.WriteFile(h.app.stopPath(), []byte(`{"reason":"smoke"}`), 0o600); err != nil {
				h.t.Fatal(err)
			}
		},
		"store": func(h *household) {
			h.keep(func(db *store.DB, _ *change.Keeper) error {
				return db.SetStop(h.t.Context(), true, time.Time{}, "another machine", "smoke", store.AuditEntry{Event: "stop", Principal: "x"})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHousehold(t)
			h.allow(change.Grant{Tier: change.Host})
			h.serve(cli.ServeOptions{})
			if !h.lists("power_guest") {
				t.Fatal("nothing is listed that writes")
			}
			stop(h)
			if !h.told(time.Second) {
				t.Error("the client was not told within a second")
			}
			if h.lists("power_guest") {
				t.Error("what writes is still listed")
			}
			if got := h.call("power_guest", map[string]any{"guest": "208", "action": "start"}); !strings.Contains(got, "smoke") {
				t.Errorf("a call: %s", got)
			}
			if w := h.writes(); len(w) > 0 {
				t.Errorf("sent: %v", w)
			}
			h.serve(cli.ServeOptions{})
			if h.lists("power_guest") {
				t.Error("a server that began later lists what writes")
			}
		})
	}
}

// TestTampered: a file that was written by hand allows nothing, and the server goes on reading.
func TestTampered(t *testing.T) {
	h := newHousehold(t)
	h.allow(change.Grant{Tier: change.Reversible})
	raw, err := os.ReadFile(h.app.allowedPath())
	if err == nil {
		err = os.WriteFile(h.app.allowedPath(), bytes.ReplaceAll(raw, []byte("reversible"), []byte("host")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.serve(cli.ServeOptions{})
	if h.lists("power_guest") || !h.lists("get_overview") {
		t.Error("the list is not that of a server that reads")
	}
	if got := h.call("power_guest", map[string]any{"guest": "208", "action": "start"}); !strings.Contains(got, "changed without the operator") {
		t.Errorf("a call: %s", got)
	}
}
