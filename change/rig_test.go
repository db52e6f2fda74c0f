package change

import (
	"context"
	"fmt"
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
	ends    []*pvesim.Endpoint
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

// entrance is how a rig gets into its cluster.
type entrance func(w *pvesim.World, c *proxmox.ClusterConfig)

func byToken(w *pvesim.World, c *proxmox.ClusterConfig) { c.Token = redact.NewSecret(w.RootToken()) }

func byPassword(w *pvesim.World, c *proxmox.ClusterConfig) {
	w.AddUser("op@pve", "a password of the test")
	w.AddACL("/", "user", "op@pve", "Administrator", true)
	c.Username, c.Password = "op@pve", redact.NewSecret("a password of the test")
}

// byTwoNodes has a second way in.
func byTwoNodes(w *pvesim.World, c *proxmox.ClusterConfig) {
	byToken(w, c)
	c.Endpoints = append(c.Endpoints, "192.0.2.12")
}

// byHalfToken may do everything to guests, and sees no tasks but its own.
func byHalfToken(w *pvesim.World, c *proxmox.ClusterConfig) {
	const secret = "8f14e45f-0000-4000-8000-00000000c5c5"
	w.AddUser("agent@pve", "")
	w.AddToken("agent@pve", "mcp", secret, false)
	for path, role := range map[string]string{"/vms": "PVEVMAdmin", "/storage": "PVEDatastoreAdmin", "/sdn": "PVESDNUser", "/pool": "PVEPoolAdmin"} {
		w.AddACL(path, "user", "agent@pve", role, true)
	}
	c.Token = redact.NewSecret("agent@pve!mcp=" + secret)
}

func newRig(t *testing.T, opts ...pvesim.Option) *rig { return newRigBy(t, byToken, opts...) }

func newRigBy(t *testing.T, by entrance, opts ...pvesim.Option) *rig {
	t.Helper()
	w := pvesim.DemoWorld(time.Now())
	cfg := proxmox.ClusterConfig{Name: "home", Endpoints: []string{"192.0.2.11"}}
	by(w, &cfg)
	r := &rig{t: t, sim: pvesim.New(w, opts...), path: filepath.Join(t.TempDir(), "state.db"), grants: []Grant{{Tier: Host}}}
	ways := map[string]*pvesim.PipeListener{}
	for k, addr := range cfg.Endpoints {
		l := pvesim.NewPipeListener()
		e := r.sim.Serve(l, []string{"pve1", home}[k])
		ways[addr], r.ends, cfg.Fingerprints = l, append(r.ends, e), append(cfg.Fingerprints, e.Fingerprint)
	}
	c, err := proxmox.New(cfg, proxmox.WithPermits(), proxmox.WithDialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(addr); err == nil && ways[host] != nil {
			return ways[host].DialContext(ctx, network, addr)
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
	r.sheriff = &Sheriff{Rules: Rules{Maximum: Host, Caps: DefaultCaps, ImageHosts: []string{"cloud.debian.org", "ghcr.io"}, Exec: execRules("echo ...", "sleep *", "cat /etc/*", "nosuch")}, Clock: time.Now,
		Grants:  func(context.Context) ([]Grant, error) { return r.grants, nil },
		Stopped: func(context.Context) (bool, string, error) { return r.stopped != "", r.stopped, nil },
		Self:    func(Target) string { return "" },
		Created: func(ctx context.Context, cluster string, vmid int, since time.Time) ([]Creation, error) {
			return Creations(ctx, db, cluster, vmid, since)
		},
		Count: db.CountSteps}
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
	for _, e := range r.ends {
		_ = e.Close()
	}
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
	// pools are those that the inventory still believes.
	pools map[int]string
	// unsure are the guests that a query might mean
	unsure []Skip
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
			pool := x.Pool
			if p, ok := g.pools[x.VMID]; ok {
				pool = p
			}
			out = append(out, Found{Target: Target{Cluster: "home", Type: pve.GuestType(x.Type), VMID: x.VMID, Node: x.Node, Name: name, Pool: pool, HA: g.ha[x.VMID]}, Life: 1 + g.lives[x.VMID]})
		}
	})
	slices.SortFunc(out, func(a, b Found) int { return a.VMID - b.VMID })
	return out, nil
}

func (g *simGuests) Unsure(context.Context, string, string) []Skip { return g.unsure }

func (g *simGuests) Stored(ctx context.Context, cluster string, vmid int) (*Found, bool) {
	f, err := g.FindOne(ctx, cluster, strconv.Itoa(vmid))
	if err != nil {
		return nil, true
	}
	return &f, false
}

func (g *simGuests) LastBackup(context.Context, string, int) (*time.Time, bool) {
	return g.backup, true
}

// Places gives all storages that nodes which are on have.
func (g *simGuests) Places(context.Context, string) (p Places, err error) {
	g.sim.Update(func(w *pvesim.World) {
		for _, n := range w.Nodes {
			p.Nodes = append(p.Nodes, NodePlace{Name: n.Name, Online: n.Online, Memory: pve.Ptr(int64(256 << 30)), Committed: pve.Ptr(int64(0))})
		}
		for _, o := range w.Storages {
			s := StoragePlace{Name: fmt.Sprint(o["storage"]), Type: fmt.Sprint(o["type"]), Content: strings.Split(fmt.Sprint(o["content"]), ","), Shared: o["shared"] == 1}
			for _, n := range w.Nodes {
				if on, limited := o["nodes"]; n.Online && (!limited || on == n.Name) {
					s.Nodes = append(s.Nodes, n.Name)
				}
			}
			p.Storages = append(p.Storages, s)
		}
	})
	return p, nil
}

// Bridges are those of every node of the simulated homelab.
func (g *simGuests) Bridges(context.Context, string, string) []string {
	return []string{"vmbr0", "vmbr1"}
}

func (g *simGuests) Resync(context.Context, string, int) {}

// propose makes a plan for one guest.
func (r *rig) propose(guest int, a Action) Proposal {
	r.t.Helper()
	p, err := r.Propose(r.t.Context(), Request{Tool: "test", Guest: strconv.Itoa(guest), Action: a, Caller: agent})
	if err != nil {
		r.t.Fatalf("propose %s of %d: %v", a.Name(), guest, err)
	}
	return r.asked(p)
}

// asked submits a plan that needs an operator, as tools do that were not told to plan only.
func (r *rig) asked(p Proposal) Proposal {
	r.t.Helper()
	if p.Verdict.Decision != Operator || p.State != Planned {
		return p
	}
	kept, err := r.Submit(r.t.Context(), p.ID, agent)
	if err != nil {
		r.t.Fatal(err)
	}
	p.Plan.Plan = kept.Plan
	return p
}

// approved lets an operator approve a plan that waits.
func (r *rig) approved(p Proposal) {
	r.t.Helper()
	if p = r.asked(p); p.State == Waiting {
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
