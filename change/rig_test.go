package change

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// rig is an engine over the simulated homelab and a real store, to be used inside a synctest bubble.
type rig struct {
	t       *testing.T
	sim     *pvesim.Sim
	end     *pvesim.Endpoint
	client  *proxmox.Client
	db      *store.DB
	path    string
	sheriff *Sheriff
	grants  []Grant
	stopped string
	guests  *simGuests
	*Engine
}

var (
	agent    = Caller{Principal: "local:1000", Door: "stdio"}
	stranger = Caller{Principal: "local:1001", Door: "stdio"}
	operator = Caller{Principal: OperatorPrincipal, Door: "cli"}
)

func newRig(t *testing.T, opts ...pvesim.Option) *rig {
	t.Helper()
	w := pvesim.DemoWorld(time.Now())
	r := &rig{t: t, sim: pvesim.New(w, opts...), path: filepath.Join(t.TempDir(), "state.db"), grants: []Grant{{Tier: Host}}}
	l := pvesim.NewPipeListener()
	r.end = r.sim.Serve(l, "pve1")
	c, err := proxmox.New(proxmox.ClusterConfig{Name: "home", Endpoints: []string{"192.0.2.11"}, Token: redact.NewSecret(r.sim.RootToken()),
		Fingerprints: []string{r.end.Fingerprint}}, proxmox.WithPermits(), proxmox.WithDialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "192.0.2.11") {
			return l.DialContext(ctx, network, addr)
		}
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}))
	if err != nil {
		t.Fatal(err)
	}
	r.client, r.guests = c, &simGuests{sim: r.sim, lives: map[int]int{}}
	r.start()
	return r
}

// start opens store and engine, as a process does that begins.
func (r *rig) start() {
	r.t.Helper()
	db, err := store.Open(r.t.Context(), store.Options{Path: r.path, Clock: time.Now})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db = db
	r.sheriff = &Sheriff{Rules: Rules{Maximum: Host, Caps: DefaultCaps}, Clock: time.Now,
		Grants:  func(context.Context) ([]Grant, error) { return r.grants, nil },
		Stopped: func(context.Context) (bool, string, error) { return r.stopped != "", r.stopped, nil },
		Self:    func(Target) string { return "" },
		Count:   db.CountSteps}
	r.Engine = New(Options{Store: func(context.Context) (Store, error) { return db, nil },
		Cluster: func(string) (Cluster, error) { return r.client, nil }, Guests: r.guests, Policy: r.sheriff, Secrets: secretsOf{"ci": "canary"}, Clock: time.Now})
}

// halt ends engine and store, as a process does.
func (r *rig) halt() {
	if err := r.Engine.Close(); err != nil {
		r.t.Error(err)
	}
	if err := r.db.Close(); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) close() {
	r.halt()
	r.client.Close()
	_ = r.end.Close()
}

// secretsOf are secrets in clear, by name.
type secretsOf map[string]string

func (s secretsOf) Has(_ context.Context, name string) (bool, error) { return s[name] != "", nil }

func (s secretsOf) Resolve(_ context.Context, name string) (string, error) {
	if s[name] == "" {
		return "", fault.New(fault.NotFound, "no secret %s", name)
	}
	return s[name], nil
}

// simGuests is the inventory's part, from the simulator's own state.
type simGuests struct {
	ha    map[int]string // states of guests under HA
	sim   *pvesim.Sim
	lives map[int]int // beyond the first
	// backup is what every guest has; nil: none
	backup *time.Time
}

func (g *simGuests) FindOne(ctx context.Context, cluster, text string) (Found, error) {
	all, _ := g.FindAll(ctx, cluster, "")
	k := slices.IndexFunc(all, func(f Found) bool { return f.ID() == text || f.Name == text })
	if k < 0 {
		return Found{}, fault.New(fault.NotFound, "no guest %q is known", text)
	}
	return all[k], nil
}

func (g *simGuests) FindAll(_ context.Context, _, query string) ([]Found, error) {
	var out []Found
	g.sim.Update(func(w *pvesim.World) {
		for _, x := range w.Guests() {
			name, _ := x.Config["name"].(string)
			if x.Type != "qemu" {
				name, _ = x.Config["hostname"].(string)
			}
			tags, _ := x.Config["tags"].(string)
			if query != "" && !slices.Contains(strings.Split(tags, ";"), strings.TrimPrefix(query, "tag:")) {
				continue
			}
			out = append(out, Found{Target: Target{Cluster: "home", Type: pve.GuestType(x.Type), VMID: x.VMID, Node: x.Node, Name: name, Pool: x.Pool, HA: g.ha[x.VMID]}, Life: 1 + g.lives[x.VMID]})
		}
	})
	slices.SortFunc(out, func(a, b Found) int { return a.VMID - b.VMID })
	return out, nil
}

func (g *simGuests) LastBackup(context.Context, string, int) (*time.Time, bool) {
	return g.backup, true
}

func (g *simGuests) Resync(context.Context, string, int) {}

// propose makes a plan for one guest.
func (r *rig) propose(guest int, a Action) Proposal {
	r.t.Helper()
	p, err := r.Propose(r.t.Context(), Request{Tool: "test", Guest: strconv.Itoa(guest), Action: a, Caller: agent})
	if err != nil {
		r.t.Fatalf("propose %s of %d: %v", a.Name(), guest, err)
	}
	return p
}

// approved lets an operator approve a plan that waits.
func (r *rig) approved(p Proposal) {
	r.t.Helper()
	if p.State == Waiting {
		if _, err := r.Approve(r.t.Context(), p.ID, operator, "the test"); err != nil {
			r.t.Fatal(err)
		}
	}
}

// apply runs a plan to its end.
func (r *rig) apply(id string) Plan {
	r.t.Helper()
	p, err := r.Apply(r.t.Context(), id, agent, ApplyOptions{Wait: time.Hour})
	if err != nil {
		r.t.Fatalf("apply %s: %v", id, err)
	}
	return p
}

// do proposes, approves and applies, and demands that it worked.
func (r *rig) do(guest int, a Action) Plan {
	r.t.Helper()
	p := r.propose(guest, a)
	r.approved(p)
	done := r.apply(p.ID)
	if done.State != Done {
		r.t.Fatalf("%s of %d ended %s: %s", a.Name(), guest, done.State, done.Note)
	}
	return done
}

// guest looks at a guest of the simulator.
func (r *rig) guest(id int, look func(g *pvesim.Guest)) {
	r.sim.Update(func(w *pvesim.World) { look(w.Guest(id)) })
}

func (r *rig) config(id int, key string) any {
	var v any
	r.guest(id, func(g *pvesim.Guest) { v = g.Config[key] })
	return v
}

func (r *rig) running(id int) bool {
	var on bool
	r.guest(id, func(g *pvesim.Guest) { on = g.Live.Running })
	return on
}
