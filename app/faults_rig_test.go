package app

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// bubbleNow is the time at which every testing/synctest bubble begins.
func bubbleNow() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// shownName is a guest's name as answers show it.
func shownName(s string) string { return clean.Line(s, 100) }

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// network is where the program's connections end: an in-memory listener per address, which a fault may refuse or replace.
type network struct {
	mu      sync.Mutex
	at      map[string]*pvesim.PipeListener
	refused map[string]bool
}

func (n *network) dial(ctx context.Context, name, addr string) (net.Conn, error) {
	n.mu.Lock()
	l, refused := n.at[addr], n.refused[addr]
	n.mu.Unlock()
	switch {
	case refused:
		return nil, &net.OpError{Op: "dial", Net: name, Err: syscall.ECONNREFUSED}
	case l == nil:
		// A packet filter swallows what goes elsewhere.
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: name, Err: ctx.Err()}
	}
	return l.DialContext(ctx, name, addr)
}

func (n *network) set(addr string, l *pvesim.PipeListener) (old *pvesim.PipeListener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old, n.at[addr] = n.at[addr], l
	return old
}

func (n *network) refuse(addr string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refused[addr] = on
}

// The endpoints that are configured, with the nodes behind them.
var matrixEndpoints = []struct{ addr, node string }{{"192.0.2.11:8006", "node01"}, {"192.0.2.12:8006", "node02"}}

// matrixRig is the real program over a simulated cluster, all in one bubble: client, inventory, SQLite store and tools.
type matrixRig struct {
	t     *testing.T
	sim   *pvesim.Sim
	net   *network
	ends  []*pvesim.Endpoint
	pins  []string
	path  string
	log   *syncBuffer
	login func(*config.Cluster)
	parts *parts
	tasks handles
	heard strings.Builder // every text that anybody was told since the fault

	complaints map[string]int // by stage
	reborn     int            // a vmid that another guest takes over
}

func newMatrixRig(t *testing.T, row *faultRow) *matrixRig {
	t.Helper()
	w := matrixWorld(t)
	if row.prepare != nil {
		row.prepare(w)
	}
	m := &matrixRig{t: t, net: &network{at: map[string]*pvesim.PipeListener{}, refused: map[string]bool{}}, log: &syncBuffer{},
		complaints: map[string]int{}, reborn: row.reborn,
		path: filepath.Join(t.TempDir(), "state.db"), login: row.login}
	m.sim = pvesim.New(w)
	m.sim.Update(func(w *pvesim.World) { m.tasks = addTasks(w) })
	for _, e := range matrixEndpoints {
		m.serve(m.sim, e.addr, e.node)
		m.pins = append(m.pins, m.sim.Fingerprint(e.node))
	}
	m.open()
	return m
}

// serve puts a node's daemon at an address.
func (m *matrixRig) serve(sim *pvesim.Sim, addr, node string) (before *pvesim.PipeListener) {
	l := pvesim.NewPipeListener()
	m.ends = append(m.ends, sim.Serve(l, node))
	return m.net.set(addr, l)
}

// open starts the program on the network of the bubble.
func (m *matrixRig) open() {
	m.t.Helper()
	c := config.Cluster{Name: "lab", Token: redact.NewSecret(matrixUser + "!" + matrixToken + "=" + matrixSecret), Fingerprints: m.pins, ReadOnly: true}
	for _, e := range matrixEndpoints {
		c.Endpoints = append(c.Endpoints, "https://"+e.addr)
	}
	if m.login != nil {
		m.login(&c)
	}
	log := slog.New(slog.NewJSONHandler(m.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a := &App{Clock: time.Now}
	p, err := a.build(&config.Config{Clusters: []config.Cluster{c}, State: config.State{Path: m.path},
		Code: config.Code{Terraform: "no-such-program"}}, log, proxmox.WithDialer(m.net.dial))
	if err != nil {
		m.t.Fatal(err)
	}
	m.parts = p
}

// close ends the program; what is left running then makes the bubble fail.
func (m *matrixRig) close() {
	m.closeParts()
	for _, e := range m.ends {
		_ = e.Close()
	}
	if s := m.log.String(); strings.Contains(s, matrixSecret) || strings.Contains(s, matrixPassword) {
		m.t.Error("a secret is in the log")
	}
	if s := m.heard.String(); strings.Contains(s, matrixSecret) || strings.Contains(s, matrixPassword) {
		m.t.Error("a secret is in an answer")
	}
}

func (m *matrixRig) closeParts() {
	if err := m.parts.Close(); err != nil {
		m.t.Error(err)
	}
}

func (m *matrixRig) db() *store.DB {
	m.t.Helper()
	db, err := m.parts.openStore(m.t.Context(), time.Now)
	if err != nil {
		m.t.Fatal(err)
	}
	return db
}

// reply is what a call brought.
type reply struct {
	tool     string
	args     map[string]any
	fresh    bool
	err      *fault.Error
	text     string // as a model reads it, errors too
	json     []byte
	warnings []inventory.Warning
	took     time.Duration
}

func (r reply) name() string { b, _ := json.Marshal(r.args); return r.tool + string(b) }

// warned says that one of the codes is among the warnings.
func (r reply) warned(codes ...string) bool {
	return slices.ContainsFunc(r.warnings, func(w inventory.Warning) bool { return slices.Contains(codes, w.Code) })
}

// beyondRights are the warnings but for the one that an auditor always gets: backups are shown to stronger rights alone.
func (r reply) beyondRights() []inventory.Warning {
	return slices.DeleteFunc(slices.Clone(r.warnings), func(w inventory.Warning) bool {
		return r.tool == "find_recovery" && w.Code == "forbidden" && strings.Contains(w.Text, "Datastore.AllocateSpace on /storage")
	})
}

// callLimitTest ends a call that would hang; every stated deadline is far below.
const callLimitTest = 3 * time.Minute

func (m *matrixRig) call(tool string, args map[string]any) reply {
	m.t.Helper()
	spec, err := tools.Find(tool)
	if err != nil {
		m.t.Fatal(err)
	}
	raw, err := json.Marshal(args)
	if err != nil {
		m.t.Fatal(err)
	}
	r := reply{tool: tool, args: args, fresh: args["fresh"] == true}
	ctx, cancel := context.WithTimeout(m.t.Context(), callLimitTest)
	defer cancel()
	deps := tools.Deps{Inventory: m.parts.inv, Now: time.Now, Zone: time.UTC}
	began := time.Now()
	res, err := spec.Call(ctx, deps, raw)
	r.took = time.Since(began)
	if err != nil {
		r.err, r.text = fault.Of(err), tools.ErrorText(err)
	} else {
		view := res.Answer.View(deps)
		r.text, r.warnings = view.Compact(), view.Warnings
		if r.json, err = json.Marshal(res.Answer); err != nil {
			m.t.Fatal(err)
		}
	}
	m.heard.WriteString(r.text + "\n" + string(r.json) + "\n")
	return r
}

// sync runs a full sync as the command does; its error is a finding of the row, not of the test.
func (m *matrixRig) sync() (inventory.SyncReport, error) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 10*time.Minute)
	defer cancel()
	reports, err := m.parts.inv.Sync(ctx, inventory.SyncRequest{})
	if err != nil {
		m.heard.WriteString(tools.ErrorText(err) + "\n")
		return inventory.SyncReport{}, err
	}
	for _, w := range reports[0].Warnings {
		m.heard.WriteString(w.Text + "\n")
	}
	return reports[0], nil
}

// watch serves for a while: ticks as they come while somebody reads.
func (m *matrixRig) watch(d time.Duration) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), d)
	defer cancel()
	if err := m.parts.inv.Serve(ctx); err != nil {
		m.t.Errorf("Serve: %v", err)
	}
}
