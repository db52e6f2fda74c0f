package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// Accounts of the demo world: see pvesim.World.RootToken.
const (
	demoUser     = "root@pam"
	demoPassword = "demo-password"
	demoTemplate = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
)

// taskPace is how much of their real time tasks take: still longer than a client's first look at them.
const taskPace = 0.2

// noSuchPath ends a path that no Proxmox VE has either; clients ask for it on purpose.
const noSuchPath = "/nothing"

// simulated is a simulated cluster that clients of other projects drive over TLS on the loopback.
type simulated struct {
	*pvesim.Sim
	end *pvesim.Endpoint
	log *requestLog
	// tokenID and tokenSecret are those of root's token.
	tokenID, tokenSecret string
}

// startSimulated serves the demo world, whose third node is off. A failed test prints what was asked; a request that the simulator does
// not know fails the test.
func startSimulated(t *testing.T) *simulated {
	t.Helper()
	return startWorld(t, pvesim.DemoWorld(time.Now()))
}

// startThreeNodes serves the demo world with its third node on since long, metric servers that can be reached and a keyboard that nobody
// chose, as who gives the datacenter's options to Terraform loses those that Terraform is not told of.
func startThreeNodes(t *testing.T) *simulated {
	t.Helper()
	world := pvesim.DemoWorld(time.Now())
	world.Node("pve3").Online = true
	world.Cluster.Firewall.Rules = nil        // the provider makes no list where one is
	world.Node("pve1").Firewall.Options = nil // as with the notes
	world.ApplySDN()                          // whose network for visitors waits for it
	delete(world.Cluster.Options, "keyboard")
	delete(world.Node("pve3").Info, "config") // a destroy would take away the notes that were there before
	world.Servers = []string{"192.168.1.33", "192.168.1.34"}
	return startWorld(t, world)
}

// startWorld serves the first node of a world.
func startWorld(t *testing.T, world *pvesim.World) *simulated {
	t.Helper()
	log := &requestLog{}
	world.Pace = taskPace
	sim := pvesim.New(world, pvesim.WithLogger(slog.New(log)), pvesim.WithAuthDelay(50*time.Millisecond))
	end, err := sim.Start(world.Nodes[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	id, secret, ok := strings.Cut(sim.RootToken(), "=")
	if !ok {
		t.Fatal("RootToken is not of the form id=secret")
	}
	t.Cleanup(func() {
		_ = end.Close()
		unknown := slices.DeleteFunc(log.matching(" 501"), func(r string) bool { return strings.HasSuffix(r, noSuchPath+" 501") })
		if len(unknown) > 0 {
			t.Errorf("requests that the simulator does not know:\n%s", strings.Join(slices.Compact(unknown), "\n"))
		}
		if t.Failed() {
			t.Logf("requests:\n%s", strings.Join(log.matching(""), "\n"))
		}
	})
	return &simulated{Sim: sim, end: end, log: log, tokenID: id, tokenSecret: secret}
}

// guest gives what the simulator holds of a guest: its configuration, status and pool; ok is false when there is none.
func (s *simulated) guest(vmid int) (config pvesim.Object, status, pool string, ok bool) {
	s.Update(func(w *pvesim.World) {
		if g := w.Guest(vmid); g != nil {
			config, status, pool, ok = maps.Clone(g.Config), g.Status(), g.Pool, true
		}
	})
	return config, status, pool, ok
}

// volumes lists the volumes of a guest on all nodes, backups left out: id and size in GiB.
func (s *simulated) volumes(vmid int) []string {
	var list []string
	s.Update(func(w *pvesim.World) {
		for _, n := range w.Nodes {
			for _, store := range n.Content {
				for _, v := range store {
					if fmt.Sprint(v["vmid"]) == fmt.Sprint(vmid) && v["content"] != "backup" {
						list = append(list, fmt.Sprintf("%v %dG", v["volid"], size(v["size"])>>30))
					}
				}
			}
		}
	})
	slices.Sort(list)
	return slices.Compact(list)
}

// size is a number of bytes in any of the types that JSON and the simulator have for it; 0 when it is none.
func size(v any) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	return n
}

// gone checks that nothing is left of guests: no configuration, no volume, no row in the resource list.
func (s *simulated) gone(t *testing.T, vmids ...int) {
	t.Helper()
	for _, id := range vmids {
		if _, _, _, ok := s.guest(id); ok {
			t.Errorf("guest %d is still there", id)
		}
		if v := s.volumes(id); len(v) > 0 {
			t.Errorf("guest %d left volumes: %v", id, v)
		}
	}
}

// wantConfig compares keys of a guest's configuration with substrings that their values must have; an empty want means absent.
func (s *simulated) wantConfig(t *testing.T, vmid int, want map[string]string) {
	t.Helper()
	config, _, _, ok := s.guest(vmid)
	if !ok {
		t.Errorf("no guest %d", vmid)
		return
	}
	for key, part := range want {
		got, has := config[key]
		if has != (part != "") || !strings.Contains(fmt.Sprint(got), part) {
			t.Errorf("guest %d: %s is %v, want %q in it", vmid, key, got, part)
		}
	}
}

// eventually waits until a key of a guest's configuration holds a value.
func (s *simulated) eventually(t *testing.T, vmid int, key, value string) {
	t.Helper()
	for range 50 {
		if config, _, _, _ := s.guest(vmid); strings.Contains(fmt.Sprint(config[key]), value) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("guest %d: %s does not become %q", vmid, key, value)
}

// requestLog keeps the simulator's log of requests as "METHOD path status".
type requestLog struct {
	mu   sync.Mutex
	list []string
}

func (l *requestLog) Enabled(context.Context, slog.Level) bool { return true }
func (l *requestLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *requestLog) WithGroup(string) slog.Handler            { return l }

func (l *requestLog) Handle(_ context.Context, r slog.Record) error {
	v := map[string]string{}
	r.Attrs(func(a slog.Attr) bool { v[a.Key] = a.Value.String(); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, v["method"]+" "+v["path"]+" "+v["status"])
	return nil
}

// matching gives the requests that hold part, in order.
func (l *requestLog) matching(part string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, s := range l.list {
		if strings.Contains(s, part) {
			out = append(out, s)
		}
	}
	return out
}

// wantValues wants the values of a configuration to hold a part each.
func wantValues(t *testing.T, what string, config map[string]any, want map[string]string) {
	t.Helper()
	for key, part := range want {
		if got := fmt.Sprint(config[key]); config[key] == nil || !strings.Contains(got, part) {
			t.Errorf("%s: %s is %q, want %q in it", what, key, got, part)
		}
	}
}
