package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/ansible"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// nastyNames are names that Proxmox VE's own form would never take; what an emitter makes of them has to pass all the same.
var nastyNames = []string{`quo"te'd`, "${jndi}", "%{if true}", "{{ lookup('pipe','id') }}", "zeile\numbruch", "9lives", "web", "web", "../../etc/passwd", "ünïcødé-名前",
	strings.Repeat("long-name-", 20), "- yaml: injection", "#comment", "", "all", "localhost", "nul"}

// exported syncs a cluster with the program and writes what an emitter makes of the store into a folder; no request goes to Proxmox VE
// meanwhile.
func exported(t *testing.T, c *cluster, o iac.Options, emitters ...iac.Emitter) string {
	t.Helper()
	c.cli(t, "sync")
	c.sim.ResetStats()
	w := c.stored(t, o)
	dir := t.TempDir()
	for _, e := range emitters {
		r, err := e.Emit(w)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Files {
			path := filepath.Join(dir, filepath.FromSlash(f.Path))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(c.sim.Requests()); n != 0 {
		t.Errorf("the export sent %d requests to Proxmox VE", n)
	}
	return dir
}

func (c *cluster) database(t *testing.T) string {
	t.Helper()
	home := strings.TrimPrefix(c.env[slices.IndexFunc(c.env, func(s string) bool { return strings.HasPrefix(s, "HOME=") })], "HOME=")
	found, err := filepath.Glob(filepath.Join(home, ".local", "state", "proxmox-mcp", "state.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the store is not where it is expected: %v %v", found, err)
	}
	return found[0]
}

// stored is the cluster as the program's store has it.
func (c *cluster) stored(t *testing.T, o iac.Options) *iac.World {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: c.database(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	w, err := iac.Load(t.Context(), db, "test", o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestAnsibleCode exports the demo homelab with nasty names: linters of the production profile, the inventory as Ansible reads it, the
// playbooks' syntax, and the verification, which passes twice without changing a thing and names what drifted.
func TestAnsibleCode(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"ansible-lint", "yamllint", "ansible-playbook"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool+" (Debian: apt install ansible ansible-lint yamllint)")
		}
	}
	world := pvesim.DemoWorld(time.Now())
	world.Node("pve3").Online = true
	vmids := demoVMs(world)
	for k, name := range nastyNames {
		world.Guest(vmids[k%len(vmids)]).Config["name"] = name
		if k < len(vmids) {
			world.Guest(vmids[k]).Config["description"] = name
		}
	}
	token := world.RootToken()
	c := startCluster(t, world, token)
	dir := filepath.Join(exported(t, c, iac.Options{With: map[string]bool{ansible.GuestsPlaybook: true}}, ansible.Emitter{}), "ansible")
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "NO_COLOR=1", "ANSIBLE_NOCOLOR=1", "ANSIBLE_CONFIG=" + filepath.Join(dir, "ansible.cfg")}
	in := func(name string, args ...string) output { return runIn(t, dir, env, name, args...) }

	if o := in("yamllint", "-s", "."); o.code != 0 {
		t.Errorf("yamllint: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := in("ansible-lint", "--offline", "-p"); o.code != 0 || !strings.Contains(o.stdout+o.stderr, "0 failure(s), 0 warning(s)") {
		t.Errorf("ansible-lint: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	for _, p := range []string{"playbooks/site.yml", "playbooks/verify.yml"} {
		if o := in("ansible-playbook", "--syntax-check", p); o.code != 0 {
			t.Errorf("%s: %s%s", p, o.stdout, o.stderr)
		}
	}
	checkHosts(t, in("ansible-inventory", "--list"), world)
	verifyTwice(t, c, vmids[0], func(args ...string) output {
		return runIn(t, dir, append(env, "PROXMOX_VE_ENDPOINT="+c.end.URL+"/", "PROXMOX_VE_API_TOKEN="+token, "PROXMOX_VE_INSECURE=true"), "ansible-playbook", args...)
	})
}

// demoVMs are the vmids of the demo's virtual machines that are on nodes that answer.
func demoVMs(w *pvesim.World) []int {
	var out []int
	for _, g := range w.Guests() {
		if g.Type == "qemu" && w.Node(g.Node).Online && g.Config["template"] == nil {
			out = append(out, g.VMID)
		}
	}
	return out
}

// checkHosts wants each guest as a host of its own and no text of a guest templated.
func checkHosts(t *testing.T, o output, w *pvesim.World) {
	t.Helper()
	list := decode[map[string]json.RawMessage](t, o.stdout)
	vars := decode[struct{ Hostvars map[string]map[string]any }](t, `{"hostvars":`+string(decode[map[string]json.RawMessage](t, string(list["_meta"]))["hostvars"])+`}`).Hostvars
	seen := map[float64]bool{}
	for name, v := range vars {
		if !regexp.MustCompile(`^[a-z0-9_-]+$`).MatchString(name) {
			t.Errorf("host name %q", name)
		}
		if id, ok := v["pve_vmid"].(float64); ok {
			seen[id] = true
		}
	}
	if want := len(w.Guests()); len(seen) != want {
		t.Errorf("%d guests in the inventory, the cluster has %d", len(seen), want)
	}
	if strings.Contains(o.stdout, "uid=0(") {
		t.Error("the name of a guest was templated")
	}
}

// recap is the closing line of a host.
var recap = regexp.MustCompile(`ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)`)

func verifyTwice(t *testing.T, c *cluster, vmid int, play func(args ...string) output) {
	t.Helper()
	for range 2 {
		o := play("playbooks/verify.yml")
		lines := recap.FindAllStringSubmatch(o.stdout, -1)
		if o.code != 0 || len(lines) == 0 {
			t.Fatalf("verify: exit %d\n%s%s", o.code, o.stdout, o.stderr)
		}
		for _, l := range lines {
			if l[1] != "0" || l[3] != "0" {
				t.Errorf("verify: %s", l[0])
			}
		}
	}
	c.sim.Update(func(w *pvesim.World) { w.Guest(vmid).Config["memory"] = "12345" })
	o := play("playbooks/verify.yml")
	if o.code == 0 || !strings.Contains(o.stdout, "differs in: memory") || len(regexp.MustCompile(`failed=1`).FindAllString(o.stdout, -1)) != 1 {
		t.Errorf("drift in memory is not named: exit %d\n%s", o.code, o.stdout)
	}
	if n := c.sim.Stats().Writes; n != 0 {
		t.Errorf("the verification sent %d writes", n)
	}
}

func runIn(t *testing.T, dir string, env []string, name string, args ...string) output {
	t.Helper()
	return run(t, env, "", "/usr/bin/env", append([]string{"-C", dir, name}, args...)...)
}
