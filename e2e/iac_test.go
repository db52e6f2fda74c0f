package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	tfcode "github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// coded is a simulated cluster, what the store knows of it after a synchronisation, and its code.
type coded struct {
	*cluster
	log   *requestLog
	world *iac.World
	code  iac.Result
	tf    *terraform
	token []string // variables of the provider
}

// startCoded synchronises a world by the program itself and writes its code for terraform.
func startCoded(t *testing.T, w *pvesim.World) *coded {
	t.Helper()
	return codedBy(t, emptyTerraform(t), w)
}

// codedBy is startCoded for a program.
func codedBy(t *testing.T, tf *terraform, w *pvesim.World) *coded {
	t.Helper()
	log := &requestLog{}
	token, planner := pvesim.New(w).RootToken(), planningToken(w)
	c := &coded{cluster: startCluster(t, w, token, pvesim.WithLogger(slog.New(log))), log: log, tf: tf}
	c.token = []string{"PROXMOX_VE_ENDPOINT=" + c.end.URL, "PROXMOX_VE_INSECURE=true", "PROXMOX_VE_API_TOKEN=" + planner}
	c.refresh(t)
	c.export(t)
	return c
}

// guestRights is the smallest role that plans guests (rule E2), and allRights the one that plans an export with its infrastructure (rule E5).
const (
	guestRights = "VM.Audit,Pool.Audit,Datastore.Audit,VM.Config.Disk,VM.Config.Options"
	allRights   = guestRights + ",Datastore.Allocate,Sys.Audit,SDN.Audit,SDN.Allocate,Mapping.Audit"
)

// planningToken makes the token that plans guests. It must not ask the guest agent, as one that is silent
// makes a plan hang (rule E3).
func planningToken(w *pvesim.World) string { return tokenWith(w, guestRights) }

// tokenWith makes a token with these rights everywhere.
func tokenWith(w *pvesim.World, rights string) string {
	w.Access.Roles = append(w.Access.Roles, pvesim.Object{"roleid": "TerraformPlan", "privs": rights})
	w.AddUser("terraform@pve", "")
	token := w.AddToken("terraform@pve", "plan", "deadbeef-0000-4000-8000-000000000b1a", false)
	w.AddACL("/", "user", "terraform@pve", "TerraformPlan", true)
	return token
}

// refresh synchronises and loads the world anew.
func (c *coded) refresh(t *testing.T) {
	t.Helper()
	if o := run(t, c.env, "", program(t), "sync"); o.code != 0 && o.code != 3 { // 3: a node is silent
		t.Fatalf("sync: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	before := len(c.log.matching(""))
	known := map[iac.Key]string{}
	if c.world != nil {
		known = c.world.Known
	}
	c.world = c.stored(t, iac.Options{})
	if n := len(c.log.matching("")) - before; n > 0 {
		t.Errorf("loading sent %d requests", n)
	}
	c.world.Known = known
}

// export writes the code into terraform's folder and keeps the addresses.
func (c *coded) export(t *testing.T) {
	t.Helper()
	e, err := tfcode.New("")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if c.code, err = e.Emit(c.world); err != nil {
		t.Fatal(err)
	}
	t.Logf("code of %d guests in %s", len(c.world.Guests), time.Since(start).Round(time.Millisecond))
	for _, a := range c.code.Addresses {
		c.world.Known[iac.Key{Target: a.Target, Kind: a.Kind, ID: a.ID, Life: a.Life}] = a.Address
	}
	for _, f := range c.code.Files {
		name, ok := strings.CutPrefix(f.Path, "terraform/")
		if !ok {
			continue
		}
		if err := os.WriteFile(filepath.Join(c.tf.dir, name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// resources is how many resources the code has, and of how many guests none as the provider cannot read them.
func (c *coded) resources() (n, unreadable int) {
	for _, count := range c.code.Counts {
		n += count.N
	}
	for _, cov := range c.code.Coverage {
		if cov.Status == iac.Unreadable {
			unreadable++
		}
	}
	return n, unreadable
}

// wantClean wants terraform to import all and change nothing: the plan says so, the apply sends no request but reads, the plan after it
// is empty.
func (c *coded) wantClean(t *testing.T) {
	t.Helper()
	n, _ := c.resources()
	c.tf.run(t, 0, c.token, "fmt", "-check", "-recursive", "-diff")
	c.tf.run(t, 0, c.token, "init")
	c.tf.run(t, 0, c.token, "validate")
	out := c.tf.run(t, 2, c.token, "plan", "-detailed-exitcode", "-out=saved.tfplan")
	if want := fmt.Sprintf("Plan: %d to import, 0 to add, 0 to change, 0 to destroy.", n); !strings.Contains(out, want) {
		t.Fatalf("want %q in\n%s", want, changesOnly(out))
	}
	writes := len(c.writes())
	c.tf.run(t, 0, c.token, "apply", "saved.tfplan")
	if sent := c.writes()[writes:]; len(sent) > 0 {
		t.Errorf("the apply sent %v", sent)
	}
	c.tf.run(t, 0, c.token, "plan", "-detailed-exitcode")
}

// writes lists the requests that were no reads.
func (c *coded) writes() []string {
	return slices.DeleteFunc(c.log.matching(""), func(r string) bool { return strings.HasPrefix(r, "GET ") })
}

// changesOnly is a plan without the resources that are only imported.
func changesOnly(plan string) string {
	var out []string
	for block := range strings.SplitSeq(plan, "\n\n  # ") {
		if !strings.Contains(block, "will be imported\n") || strings.Contains(block, "    ~ ") {
			out = append(out, block)
		}
	}
	return strings.Join(out, "\n\n  # ")
}

// zooGuest is a guest of a real Proxmox VE as its API answered, and what the real provider plans of it.
type zooGuest struct {
	vmid       int
	typ, node  string
	pool       string
	config     pvesim.Object
	running    bool
	volumes    map[string]pvesim.Object
	importable bool
}

func zooGuests(t *testing.T) []zooGuest {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(shared(t, "terraform", "zoo"), "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("%d guests, %v", len(dirs), err)
	}
	var out []zooGuest
	for _, dir := range dirs {
		parts := strings.SplitN(filepath.Base(dir), "-", 3)
		vmid, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		config := readJSON[struct{ Data pvesim.Object }](t, dir, "config.json").Data
		delete(config, "digest")
		status := readJSON[struct{ Data struct{ Status string } }](t, dir, "status.json").Data
		about := readJSON[struct {
			Node    string
			Pools   []string
			Volumes map[string]pvesim.Object
		}](t, dir, "context.json")
		plan := readJSON[struct{ Import int }](t, dir, "expected-plan.json")
		g := zooGuest{vmid: vmid, typ: map[string]string{"vm": "qemu", "ct": "lxc"}[parts[0]], node: about.Node, config: config,
			running: status.Status == "running", volumes: about.Volumes, importable: plan.Import == 1}
		if len(about.Pools) > 0 {
			g.pool = about.Pools[0]
		}
		out = append(out, g)
	}
	return out
}

func readJSON[T any](t *testing.T, dir, name string) T {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s/%s: %v", dir, name, err)
	}
	return v
}

// zooWorld is the recorded world with the zoo in it.
func zooWorld(t *testing.T, guests []zooGuest) *pvesim.World {
	t.Helper()
	w := recordedWorld(t)
	for _, g := range guests {
		if g.pool != "" && !slices.ContainsFunc(w.Pools, func(p *pvesim.Pool) bool { return p.ID == g.pool }) {
			w.Pools = append(w.Pools, &pvesim.Pool{ID: g.pool})
		}
		guest := &pvesim.Guest{VMID: g.vmid, Type: g.typ, Node: g.node, Pool: g.pool, Config: maps.Clone(g.config)}
		guest.Live.Running = g.running
		w.AddGuest(guest)
		node := w.Node(g.node)
		for volid, body := range g.volumes {
			addVolume(node, volid, body)
		}
	}
	return w
}

// addVolume puts a volume on a node's storage; body is what the API answers about it.
func addVolume(n *pvesim.Node, volid string, body pvesim.Object) {
	st, _, _ := strings.Cut(volid, ":")
	row := maps.Clone(body)
	row["content"], row["volid"] = "images", volid
	row["attributes"] = body
	n.Content[st] = append(n.Content[st], row)
}

// TestTerraformCodeZoo plans the guests of a real Proxmox VE with the real provider: each is imported without a change, or was found
// unreadable beforehand, as on the real one.
func TestTerraformCodeZoo(t *testing.T) {
	t.Parallel()
	guests := zooGuests(t)
	c := startCoded(t, zooWorld(t, guests))
	want, got := map[string]bool{}, map[string]bool{}
	for _, g := range guests {
		want[strconv.Itoa(g.vmid)] = g.importable
	}
	for _, cov := range c.code.Coverage {
		if _, ok := want[cov.ID]; ok && cov.Kind == store.KindGuest {
			got[cov.ID] = cov.Status == iac.Written
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("guests that are imported: %s", diff)
	}
	c.wantClean(t)
}

// generatedGuests is how many random guests are planned at once, and generatorSeeds how often: together 500.
const generatedGuests = 250

var generatorSeeds = []uint64{8, 9}

// TestTerraformCodeGenerated plans random guests: whatever is configured, the code changes nothing.
func TestTerraformCodeGenerated(t *testing.T) {
	t.Parallel()
	for _, seed := range generatorSeeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			c := startCoded(t, generatedWorld(seed))
			n, unreadable := c.resources()
			t.Logf("%d resources, %d guests left out", n, unreadable)
			c.wantClean(t)
		})
	}
}

// generatedWorld is the homelab with random guests besides.
func generatedWorld(seed uint64) *pvesim.World {
	g := newGenerator(seed)
	w := pvesim.DemoWorld(time.Now())
	w.Node("pve3").Online = true
	w.Pools = append(w.Pools, &pvesim.Pool{ID: "generated"})
	for i := range generatedGuests {
		guest := w.AddGuest(g.guest(2000 + i))
		for _, volid := range g.volumes {
			addVolume(w.Node(guest.Node), volid, pvesim.Object{"format": strings.TrimPrefix(cmp.Or(filepath.Ext(volid), ".raw"), "."), "size": 528 << 10, "used": 0,
				"path": "/dev/" + volid})
		}
		g.volumes = nil
	}
	return w
}

// TestTerraformCodeHome plans the homelab of the demo.
func TestTerraformCodeHome(t *testing.T) {
	t.Parallel()
	c := startCoded(t, pvesim.DemoWorld(time.Now()))
	c.wantClean(t)
}

// TestTerraformCodeNotes plans guests whose notes the provider would write otherwise than they are.
func TestTerraformCodeNotes(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.Node("pve3").Online = true
	for i, d := range []string{"  lead", "a\r\nb", "x", "tail \n\n"} {
		w.AddGuest(&pvesim.Guest{VMID: 3000 + i, Type: "qemu", Node: "pve1", Config: pvesim.Object{"name": "v", "description": d}})
		w.AddGuest(&pvesim.Guest{VMID: 3100 + i, Type: "lxc", Node: "pve1", Config: pvesim.Object{"hostname": "v", "description": d + "\n", "rootfs": "local:1/x.raw,size=8G"}})
	}
	startCoded(t, w).wantClean(t)
}
