package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// systemPython is the Python that Debian's packages are for; another one on PATH does not know them.
const systemPython = "/usr/bin/python3"

type proxmoxerSeen struct {
	Reads struct {
		Version, Hostname, ACL, Agent    string
		Nodes, Running, Templates, Pools []string
		Guests                           int
	}
	Machine struct {
		Status             string
		Config             map[string]any
		Snapshots, Ends    []string
		DeleteWhileRunning []any `json:"delete while running"`
	}
	Container struct {
		Status string
		Config map[string]any
		Ends   []string
	}
	Mistakes      map[string][]any
	WrongPassword string `json:"wrong password"`
}

// TestProxmoxer drives Debian's proxmoxer by a script, once with a ticket and once with a token.
func TestProxmoxer(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"password", "token"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := startSimulated(t)
			checkProxmoxer(t, decode[proxmoxerSeen](t, s.proxmoxer(t, how, "guests")))
			s.gone(t, newVM, newCT)
		})
	}
}

// TestProxmoxerNodes reads three nodes through one and moves guests between them.
func TestProxmoxerNodes(t *testing.T) {
	t.Parallel()
	s := startThreeNodes(t)
	want := s.nodesSeen()
	seen := decode[proxmoxerNodes](t, s.proxmoxer(t, "password", "nodes"))
	if diff := cmp.Diff(want, seen.Nodes); diff != "" {
		t.Errorf("nodes: %s", diff)
	}
	if diff := cmp.Diff(proxmoxerMoves{
		Allowed: []string{"pve1", "pve3"},
		Ends:    []string{"OK", "OK", "OK", "migration aborted"},
		Whereabouts: [][]any{
			{"pve3", "stopped", []any{"local-lvm:vm-204-disk-0"}}, {"pve3", "running", []any{"local-lvm:vm-210-disk-0"}},
			{"pve1", "running", []any{"local-lvm:vm-102-disk-0"}}, {"pve1", "stopped", []any{"local-lvm:vm-208-disk-0"}},
		},
		Mistakes: [][]any{
			{500.0, "Configuration file 'nodes/pve2/qemu-server/204.conf' does not exist"}, {400.0, "Parameter verification failed."},
			{500.0, "no such cluster node 'pve9'"},
		},
	}, seen.Moves); diff != "" {
		t.Errorf("moves: %s", diff)
	}
}

// proxmoxer runs the script and gives what it printed.
func (s *simulated) proxmoxer(t *testing.T, how, what string) string {
	t.Helper()
	if err := exec.CommandContext(t.Context(), systemPython, "-c", "import proxmoxer, requests").Run(); err != nil {
		missing(t, "proxmoxer of the system's Python (apt install python3-proxmoxer python3-requests)")
	}
	_, name, _ := strings.Cut(s.tokenID, "!")
	o := run(t, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "PVE_HOST=" + strings.TrimPrefix(s.end.URL, "https://"), "PVE_PASSWORD=" + demoPassword,
		"PVE_TOKEN_NAME=" + name, "PVE_TOKEN_VALUE=" + s.tokenSecret, "PVE_TEMPLATE=" + demoTemplate}, "",
		systemPython, "-B", filepath.Join("clients", "use_proxmoxer.py"), how, what)
	if o.code != 0 {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// proxmoxerNode is what the script reads of a node.
type proxmoxerNode struct {
	Release, Domain      string
	Up, Samples          bool
	Bridges, Storages    []string
	Machines, Containers []int
	Volumes, Services    int
}

type proxmoxerMoves struct {
	Allowed, Ends []string
	// Whereabouts are node, status and volumes of each guest; Mistakes are status and reason.
	Whereabouts, Mistakes [][]any
}

type proxmoxerNodes struct {
	Nodes map[string]proxmoxerNode
	Moves proxmoxerMoves
}

// nodesSeen is what the script has to read.
func (s *simulated) nodesSeen() map[string]proxmoxerNode {
	seen := map[string]proxmoxerNode{}
	s.Update(func(w *pvesim.World) {
		for _, n := range w.Nodes {
			p := proxmoxerNode{Release: "9.2", Domain: "home.lan", Up: true, Samples: true, Bridges: []string{"vmbr0"}, Volumes: len(n.Content["local-lvm"]), Services: 20}
			for _, store := range n.Storage {
				p.Storages = append(p.Storages, fmt.Sprint(store["storage"]))
			}
			slices.Sort(p.Storages)
			for _, g := range w.Guests() {
				switch {
				case g.Node != n.Name:
				case g.Type == "qemu":
					p.Machines = append(p.Machines, g.VMID)
				default:
					p.Containers = append(p.Containers, g.VMID)
				}
			}
			seen[n.Name] = p
		}
	})
	return seen
}

func checkProxmoxer(t *testing.T, seen proxmoxerSeen) {
	t.Helper()
	r := seen.Reads
	if diff := cmp.Diff([]any{"9.2", "jellyfin", "viewer@pve", "eth0", "pve1 pve2 pve3", "home-assistant", demoTemplate, "home lab", 25},
		[]any{r.Version, r.Hostname, r.ACL, r.Agent, strings.Join(r.Nodes, " "), strings.Join(r.Running, " "), strings.Join(r.Templates, " "),
			strings.Join(r.Pools, " "), r.Guests}); diff != "" {
		t.Errorf("reads: %s", diff)
	}
	for _, end := range slices.Concat(seen.Machine.Ends, seen.Container.Ends) {
		if end != "OK" {
			t.Errorf("a task ended as %q: machine %v, container %v", end, seen.Machine.Ends, seen.Container.Ends)
		}
	}
	m, c := seen.Machine, seen.Container
	wantValues(t, "machine", m.Config, map[string]string{"cores": "4", "memory": "1024", "description": "changed by Python: äöü & <b>", "scsi0": "size=9G", "scsi1": "tank:vm-5000-disk-0,size=2G",
		"name": "from-python", "parent": "before"})
	wantValues(t, "container", c.Config, map[string]string{"memory": "512", "description": "changed\n", "mp0": "mp=/srv,size=1G", "hostname": "from-python"})
	if diff := cmp.Diff([]any{"running", "running", []string{"before", "current"}}, []any{m.Status, c.Status, m.Snapshots}); diff != "" {
		t.Errorf("status and snapshots: %s", diff)
	}
	if diff := cmp.Diff([]any{500.0, "VM 5000 is running - destroy failed"}, m.DeleteWhileRunning); diff != "" {
		t.Errorf("delete while running: %s", diff)
	}
	checkMistakes(t, seen)
}

func checkMistakes(t *testing.T, seen proxmoxerSeen) {
	t.Helper()
	for name, want := range map[string][]any{
		"no such machine":         {500.0, "Configuration file 'nodes/pve1/qemu-server/5999.conf' does not exist"},
		"machine of an id in use": {500.0, "unable to create VM 201 - VM 201 already exists on node 'pve1'"},
		"wrong parameters":        {400.0, "Parameter verification failed."},
		"no such method":          {501.0, "Method 'GET /nodes/pve1/nothing' not implemented"},
		"no such node":            {500.0, "hostname lookup 'pve9' failed - failed to get address info for: pve9: Temporary failure in name resolution"},
		"node that is off":        {595.0, "No route to host"},
		"no such storage":         {500.0, "storage 'nowhere' does not exist"},
	} {
		if diff := cmp.Diff(want, seen.Mistakes[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if seen.WrongPassword != "AuthenticationError" {
		t.Errorf("wrong password: %s", seen.WrongPassword)
	}
}
