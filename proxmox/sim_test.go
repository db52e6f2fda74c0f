package proxmox_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// simRig is a client before a simulated cluster of three nodes over an in-memory network, to be used inside a synctest bubble.
type simRig struct {
	*proxmox.Client
	sim   *pvesim.Sim
	ends  []*pvesim.Endpoint
	guest map[string]pve.Resource // one running guest by node
}

func (r *simRig) close() {
	r.Close()
	for _, e := range r.ends {
		_ = e.Close()
	}
}

func newSimRig(t *testing.T, change func(*proxmox.ClusterConfig), opts ...pvesim.Option) *simRig {
	t.Helper()
	w := pvesim.GenerateWorld(pvesim.GenOptions{Seed: 1, Nodes: 3, Guests: 30, Now: time.Now()})
	r := &simRig{sim: pvesim.New(w, opts...), guest: map[string]pve.Resource{}}
	byAddr := map[string]*pvesim.PipeListener{}
	for i, node := range []string{"node01", "node02", "node03"} {
		l := pvesim.NewPipeListener()
		byAddr["192.0.2.1"+string(rune('1'+i))+":8006"] = l
		r.ends = append(r.ends, r.sim.Serve(l, node))
	}
	cfg := proxmox.ClusterConfig{Name: "sim", Endpoints: []string{"192.0.2.11", "192.0.2.12"}, Token: redact.NewSecret(r.sim.RootToken()),
		Fingerprints: []string{r.ends[0].Fingerprint, r.ends[1].Fingerprint}}
	if change != nil {
		change(&cfg)
	}
	c, err := proxmox.New(cfg, proxmox.WithDialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		if l := byAddr[addr]; l != nil {
			return l.DialContext(ctx, network, addr)
		}
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
	}))
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
	return r
}

// readEverything is what a sync does; it returns the errors by node ("" = cluster calls).
func (r *simRig) readEverything(ctx context.Context) (guests int, errs map[string]error) {
	errs = map[string]error{}
	var mu sync.Mutex
	note := func(node string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil && errs[node] == nil {
			errs[node] = err
		}
	}
	rows, _, err := r.Resources(ctx, "")
	note("", err)
	_, err = r.ClusterStatus(ctx)
	note("", err)
	var wg sync.WaitGroup
	for _, row := range rows {
		switch {
		case row.IsGuest():
			guests++
			wg.Go(func() {
				_, err := r.GuestConfig(ctx, string(row.Node), pve.GuestType(row.Type), int(row.VMID))
				note(string(row.Node), err)
			})
		case row.Type == "node":
			wg.Go(func() { _, err := r.NodeStatus(ctx, string(row.Node)); note(string(row.Node), err) })
			wg.Go(func() { _, err := r.NodeStorage(ctx, string(row.Node)); note(string(row.Node), err) })
		}
	}
	wg.Wait()
	return guests, errs
}

// TestFaultsOfTheSimulator runs a whole read under each fault. A code under a node means that its calls fail so; nodes without a code
// must answer in full. In every row: no write, no secret, an end in bounded time.
func TestFaultsOfTheSimulator(t *testing.T) {
	type codes map[string]fault.Code
	all := func(c fault.Code) codes { return codes{"": c} }
	for name, tc := range map[string]struct {
		fault  pvesim.Fault
		guests int // -1 = not checked
		want   codes
	}{
		"none":                {pvesim.Delay(0), 30, nil},
		"F01 close race":      {pvesim.CloseRace(3), 30, nil},
		"F10 no phrase":       {pvesim.NoPhrase(), 30, nil},
		"F11 node down":       {pvesim.NodeDown("node03"), 30, codes{"node03": fault.NodeSilent}},
		"F12 stale cert":      {pvesim.StaleNodeCertificate("node03"), 30, codes{"node03": fault.NodeSilent}},
		"F13 node hangs":      {pvesim.NodeHangs("node03"), 30, codes{"node03": fault.NodeSilent}},
		"F14 cut":             {pvesim.CutBody(20), -1, all(fault.BadAnswer)},
		"F14 truncated":       {pvesim.TruncateBody(20), -1, all(fault.BadAnswer)},
		"F14 597":             {pvesim.ProxyError(597, "Broken pipe"), -1, nil},
		"F15 expired":         {pvesim.NodeExpired("node03"), 30, codes{"node03": fault.NodeSilent}},
		"F16 pvestatd hangs":  {pvesim.StatsExpired("node02"), 30, nil},
		"F17 no quorum":       {pvesim.NoQuorum(), 30, nil},
		"F18 standalone":      {pvesim.Standalone(), -1, nil},
		"F34 strings":         {pvesim.FlipTypes("string"), 30, nil},
		"F34 mixed":           {pvesim.FlipTypes("mixed"), 30, nil},
		"F34 extra keys":      {pvesim.ExtraKeys(), 30, nil},
		"F34 garbage":         {pvesim.GarbageGuest(1000), 29, nil},
		"F41 rotated":         {pvesim.CertificateRotated("node01"), 30, nil}, // the second endpoint takes over
		"F46 429":             {limited(pvesim.Gateway(429, 2*time.Second), 3), 30, nil},
		"F46 502 for a while": {limited(pvesim.Gateway(502, 0), 3), 30, nil},
		"F54 null":            {pvesim.NullData(), -1, all(fault.BadAnswer)},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newSimRig(t, nil)
			defer r.close()
			r.sim.AddFault(tc.fault)
			start := time.Now()
			guests, errs := r.readEverything(proxmox.WithUserWaiting(t.Context()))
			if tc.guests >= 0 && guests != tc.guests {
				t.Errorf("%s: %d guests, want %d", name, guests, tc.guests)
			}
			for node, err := range errs {
				if want := tc.want[node]; want == "" && tc.guests >= 0 || want != "" && fault.CodeOf(err) != want {
					t.Errorf("%s: %q failed: %s %v", name, node, fault.CodeOf(err), err)
				}
				if strings.Contains(err.Error(), r.sim.RootToken()) {
					t.Errorf("%s: the token is in %v", name, err)
				}
			}
			for node, code := range tc.want {
				if errs[node] == nil {
					t.Errorf("%s: %q should fail with %s", name, node, code)
				}
			}
			if took := time.Since(start); took > 90*time.Second {
				t.Errorf("%s: took %s", name, took)
			}
			st := r.sim.Stats()
			for node, n := range st.MaxInFlight {
				if n > 3 {
					t.Errorf("%s: %s had %d in flight", name, node, n)
				}
			}
			if st.Writes != 0 {
				t.Errorf("%s: %d writes", name, st.Writes)
			}
		})
	}
}

func limited(f pvesim.Fault, n int) pvesim.Fault { f.Count = n; return f }

// F47: pveproxy of both endpoints restarts under a running client.
func TestSimRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimRig(t, nil)
		defer r.close()
		if _, err := r.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		end := r.sim.AddFault(pvesim.Refuse(""))
		time.AfterFunc(5*time.Second, end)
		if _, errs := r.readEverything(t.Context()); len(errs) != 0 {
			t.Errorf("%v", errs)
		}
	})
}

// F05: ticket login against the simulator over hours; a read-only client logs in all the same.
func TestSimPasswordLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimRig(t, func(c *proxmox.ClusterConfig) {
			c.Token, c.Username, c.Password, c.ReadOnly = redact.Secret{}, "root@pam", redact.NewSecret("wrong"), true
		})
		defer r.close()
		start := time.Now()
		_, err := r.Version(t.Context())
		if fault.CodeOf(err) != fault.Unauthenticated || time.Since(start) < 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		if _, err := r.Raw(t.Context(), "POST", "/nodes/pve1/qemu/100/status/start", nil); err == nil {
			t.Error("a write was sent")
		}
		if st := r.sim.Stats(); st.Writes != 0 || st.Logins != 1 {
			t.Errorf("%d writes, %d logins", st.Writes, st.Logins)
		}
	})
}

// F05, F06: a run of five hours over tickets that live two, on nodes whose clock is off.
func TestSimTicketLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimRig(t, func(c *proxmox.ClusterConfig) {
			c.Token, c.Username, c.Password, c.ReadOnly = redact.Secret{}, "root@pam", redact.NewSecret("right horse"), true
		})
		defer r.close()
		r.sim.Update(func(w *pvesim.World) {
			for _, u := range w.Access.Users {
				if u.ID == "root@pam" {
					u.Password = "right horse"
				}
			}
		})
		for range 10 {
			if _, errs := r.readEverything(t.Context()); len(errs) != 0 {
				t.Fatalf("%v", errs)
			}
			time.Sleep(30 * time.Minute)
		}
		if st := r.sim.Stats(); st.Logins != 5 || st.Writes != 0 {
			t.Errorf("%d logins in 5 h, %d writes", st.Logins, st.Writes)
		}
	})
}

// F20: the members' addresses of the generated world cannot be reached from here: nothing is learnt, nothing breaks.
func TestSimLearnPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newSimRig(t, func(c *proxmox.ClusterConfig) {
			c.Endpoints, c.Fingerprints = c.Endpoints[:1], c.Fingerprints[:1]
		})
		defer r.close()
		nodes, err := r.LearnPins(t.Context())
		if err != nil || len(nodes) != 3 {
			t.Fatalf("%+v, %v", nodes, err)
		}
		for i, n := range nodes {
			if len(n.Fingerprints) == 0 || n.Fingerprints[0] != r.ends[i].Fingerprint {
				t.Errorf("%s: learnt %v, serves %s (%v)", n.Node, n.Fingerprints, r.ends[i].Fingerprint, n.Err)
			}
		}
		if _, errs := r.readEverything(t.Context()); len(errs) != 0 {
			t.Errorf("%v", errs)
		}
	})
}
