package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// ansibleInventory is the program of Debian's package ansible, which brings the inventory plugin community.general.proxmox.
const ansibleInventory = "/usr/bin/ansible-inventory"

// inventoryGroup is a group in the output of ansible-inventory --list.
type inventoryGroup struct{ Hosts, Children []string }

// TestAnsibleInventory lists homelab and generated cluster by Debian's inventory plugin, with a token and with a password.
func TestAnsibleInventory(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(ansibleInventory); err != nil {
		missing(t, "ansible-inventory (Debian: apt install ansible)")
	}
	if err := exec.CommandContext(t.Context(), systemPython, "-c", "import requests").Run(); err != nil {
		missing(t, "requests of the system's Python (apt install python3-requests)")
	}
	t.Run("token", func(t *testing.T) {
		t.Parallel()
		startThreeNodes(t).checkInventory(t, true)
	})
	t.Run("password, a node is off", func(t *testing.T) {
		t.Parallel()
		startSimulated(t).checkInventory(t, false)
	})
	t.Run("generated cluster", func(t *testing.T) {
		t.Parallel()
		startWorld(t, pvesim.GenerateWorld(pvesim.GenOptions{Seed: 1, Snapshots: 20, Now: time.Now()})).checkInventory(t, true)
	})
}

// checkInventory lists the world, logged in with root's token or password, and compares.
func (s *simulated) checkInventory(t *testing.T, token bool) {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true",
		"PROXMOX_URL=" + s.end.URL, "PROXMOX_USER=" + demoUser}
	if _, name, _ := strings.Cut(s.tokenID, "!"); token {
		env = append(env, "PROXMOX_TOKEN_ID="+name, "PROXMOX_TOKEN_SECRET="+s.tokenSecret)
	} else {
		env = append(env, "PROXMOX_PASSWORD="+demoPassword)
	}
	o := run(t, env, "", ansibleInventory, "--list", "-i", filepath.Join("ansible", "homelab.proxmox.yml"))
	if o.code != 0 {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	meta := decode[struct {
		Meta struct{ Hostvars map[string]map[string]any } `json:"_meta"`
	}](t, o.stdout)
	groups := decode[map[string]inventoryGroup](t, o.stdout)
	delete(groups, "_meta")
	delete(groups, "all")
	want, facts := s.inventory()
	if diff := cmp.Diff(want, membersOf(groups)); diff != "" {
		t.Errorf("groups: %s", diff)
	}
	for host, address := range map[string]string{"docker1": "192.168.1.22", "home-assistant": "192.168.1.21"} { // their agents say so
		if facts[host] != nil {
			facts[host]["ansible_host"] = address
		}
	}
	for host, expected := range facts {
		got := maps.Clone(meta.Meta.Hostvars[host])
		maps.DeleteFunc(got, func(k string, _ any) bool { _, known := expected[k]; return !known })
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("facts of %s: %s", host, diff)
		}
	}
}

// membersOf gives the hosts of the groups that have any, in order.
func membersOf(groups map[string]inventoryGroup) map[string][]string {
	out := map[string][]string{}
	for name, g := range groups {
		if len(g.Hosts) > 0 {
			out[name] = slices.Sorted(slices.Values(g.Hosts))
		}
	}
	return out
}

// inventory is what the plugin has to find in the world: the hosts of the groups and some facts of each host. The members of a pool
// have no names in Proxmox VE 9 where the plugin asks for them (15/003), so that its groups of pools are empty.
func (s *simulated) inventory() (groups map[string][]string, facts map[string]map[string]any) {
	groups, facts = map[string][]string{}, map[string]map[string]any{}
	s.Update(func(w *pvesim.World) {
		for _, n := range w.Nodes {
			groups["proxmox_nodes"] = append(groups["proxmox_nodes"], n.Name)
		}
		for _, g := range w.Guests() {
			if fmt.Sprint(g.Config["template"]) == "1" || !w.Node(g.Node).Online {
				continue
			}
			facts[g.Name()] = guestFacts(g)
			for _, group := range guestGroups(g) {
				groups[group] = append(groups[group], g.Name())
			}
		}
	})
	for name, hosts := range groups {
		groups[name] = slices.Sorted(slices.Values(hosts))
	}
	return groups, facts
}

func tagsOf(g *pvesim.Guest) []string {
	tags, _ := g.Config["tags"].(string)
	return strings.FieldsFunc(tags, func(r rune) bool { return r == ';' })
}

func guestGroups(g *pvesim.Guest) []string {
	groups := []string{"proxmox_all_" + g.Type, "proxmox_" + g.Node + "_" + g.Type, "proxmox_all_" + g.Status()}
	for _, tag := range tagsOf(g) {
		groups = append(groups, "tag_"+tag)
		if tag == "dns" {
			groups = append(groups, "dns_servers")
		}
	}
	return groups
}

// guestFacts are facts that every guest has, as the plugin makes them of the configuration, in which pending values stand already (facts
// 41): texts of key=value pairs become objects.
func guestFacts(g *pvesim.Guest) map[string]any {
	facts := map[string]any{"proxmox_vmid": float64(g.VMID), "proxmox_node": g.Node, "proxmox_vmtype": g.Type, "proxmox_status": g.Status()}
	snapshots := []any{}
	for _, snap := range g.Snapshots {
		snapshots = append(snapshots, snap.Name)
	}
	facts["proxmox_snapshots"] = snapshots
	tags := []any{}
	for _, tag := range tagsOf(g) {
		tags = append(tags, tag)
	}
	if len(tags) > 0 {
		facts["proxmox_tags_parsed"] = tags
	}
	for _, key := range []string{"cores", "memory", "description", "ostype", "protection"} {
		if v, ok := g.Config[key]; ok {
			facts["proxmox_"+key] = decoded(v)
		}
		if v, ok := g.Pending[key]; ok {
			facts["proxmox_"+key] = decoded(v)
		}
	}
	net := map[string]any{}
	for pair := range strings.SplitSeq(fmt.Sprint(g.Config["net0"]), ",") {
		key, value, _ := strings.Cut(pair, "=")
		net[key] = value
	}
	facts["proxmox_net0"] = net
	return facts
}

// decoded is a number as JSON gives it; other values stay.
func decoded(v any) any {
	if n, ok := v.(int); ok {
		return float64(n)
	}
	return v
}
