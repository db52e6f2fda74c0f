package app

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// coder is a homelab that is kept as code.
type coder struct {
	*household
	p    *parts
	door string
	dir  string
}

func newCoder(t *testing.T) *coder {
	t.Helper()
	c := &coder{household: newHousehold(t), door: "stdio"}
	c.open()
	c.dir = c.app.codeFolder(c.p.cfg, "home")
	return c
}

func (c *coder) open() {
	c.t.Helper()
	c.build(c.config())
}

func (c *coder) build(cfg *config.Config) {
	c.t.Helper()
	p, err := c.app.build(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = p.Close() })
	c.p = p
}

func (c *coder) sync() {
	c.t.Helper()
	if _, err := c.p.inv.Sync(c.t.Context(), inventory.SyncRequest{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *coder) call(tool, args string) (string, error) {
	c.t.Helper()
	spec, err := tools.Find(tool)
	if err != nil {
		c.t.Fatal(err)
	}
	d := c.app.deps(c.p, server.LocalPrincipal(), c.door)
	res, err := spec.Call(c.t.Context(), d, []byte(args))
	if err != nil {
		return "", err
	}
	v := res.Answer.View(d)
	return v.Compact(), nil
}

// says calls a tool and wants words in its answer.
func (c *coder) says(tool, args string, words ...string) {
	c.t.Helper()
	text, err := c.call(tool, args)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			c.t.Errorf("%s does not say %q:\n%s", tool, w, text)
		}
	}
}

// elsewhere changes the cluster past this program's store.
func (c *coder) elsewhere(path string, pairs ...string) {
	c.t.Helper()
	pool, err := proxmox.NewPool([]proxmox.ClusterConfig{clientConfig(c.cluster)})
	if err != nil {
		c.t.Fatal(err)
	}
	defer pool.Close()
	client, err := pool.Get("home")
	if err != nil {
		c.t.Fatal(err)
	}
	var params proxmox.Params
	for i := 0; i < len(pairs); i += 2 {
		params = params.Str(pairs[i], pairs[i+1])
	}
	if _, err := client.Raw(context.WithoutCancel(c.t.Context()), "PUT", path, params); err != nil {
		c.t.Fatal(err)
	}
}

func (c *coder) file(name string) string { return filepath.Join(c.dir, filepath.FromSlash(name)) }

func (c *coder) text(name string) string {
	c.t.Helper()
	raw, err := os.ReadFile(c.file(name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(raw)
}

// edit replaces text in a generated file, as its owner would.
func (c *coder) edit(name, old, now string) {
	c.t.Helper()
	text := c.text(name)
	if !strings.Contains(text, old) {
		c.t.Fatalf("%s does not hold %q", name, old)
	}
	if err := os.WriteFile(c.file(name), []byte(strings.Replace(text, old, now, 1)), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// TestCode exports a homelab, changes it, and exports it again beside an edit, from the store alone.
func TestCode(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	if _, err := c.call("export_code", `{}`); fault.CodeOf(err) != fault.NotFound || !strings.Contains(fault.Of(err).Hint, "synchronised") {
		t.Errorf("an empty store: %v", err)
	}
	c.sync()
	if _, err := c.call("diff_code", `{}`); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("nothing was exported: %v", err)
	}
	c.sim.ResetStats()
	c.says("export_code", `{}`, "25 guests", "13 vm", "9 container", "guest 303\tits configuration was never read", c.dir)
	c.says("diff_code", `{}`, "no drift")
	c.says("describe_as_code", `{"guest":"docker1"}`, `resource "proxmox_virtual_environment_vm" "docker1"`, `id = "pve1/202"`)
	before := c.text("terraform/vms.tf")
	c.says("export_code", `{}`, "unchanged")
	if c.text("terraform/vms.tf") != before {
		t.Error("a second export wrote other bytes")
	}
	if n := c.sim.Stats().Requests; n != 0 {
		t.Errorf("%d requests went to Proxmox VE", n)
	}

	c.says("run_checks", `{}`, "as declared", "unknown\tguest 303")
	c.elsewhere("/nodes/pve1/qemu/210/config", "memory", "6144")
	c.says("run_checks", `{}`, "1 drifted", "drift\tguest 210 runner\tmemory\t4096\t6144")
	c.says("diff_code", `{}`, "1 difference", "guest 210 runner\tmemory\t4096\t6144", "rewritten\t1\tterraform/vms.tf")
	c.edit("terraform/vms.tf", "\"runner\"\n", "\"runner\" # ours\n")
	c.says("diff_code", `{}`, "merged\t1\tterraform/vms.tf")
	c.says("export_code", `{}`, "merged\t1\tterraform/vms.tf")
	if text := c.text("terraform/vms.tf"); !strings.Contains(text, `"runner" # ours`) || !strings.Contains(text, "dedicated = 6144") {
		t.Errorf("after the merge:\n%s", text)
	}
	c.says("diff_code", `{}`, "no drift", "edited")
}

// TestCodeFolder: an agent writes to its folder alone; a person at a terminal anywhere.
func TestCodeFolder(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	c.sync()
	other := filepath.Join(t.TempDir(), "infra")
	if _, err := c.call("export_code", `{"folder":"`+other+`"}`); fault.CodeOf(err) != fault.Denied {
		t.Errorf("an agent chose a folder: %v", err)
	}
	c.door = "cli"
	c.says("export_code", `{"folder":"`+other+`","target":"terraform","query":"tag:docker"}`, "2 guests", other)
	c.dir = other
	if text := c.text("terraform/vms.tf"); strings.Contains(text, "runner") || !strings.Contains(text, "docker1") {
		t.Errorf("selected guests:\n%s", text)
	}
	c.says("diff_code", `{"folder":"`+other+`"}`, "no drift")
}

// TestCodeFollow brings exported code up to date after a synchronisation, and writes none that nobody asked for.
func TestCodeFollow(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	c.p.cfg.Code.Follow = true
	c.sync()
	c.p.followOnce(t.Context())
	e, err := c.p.code.Follow(t.Context(), "home")
	if _, missing := os.Stat(c.dir); e != nil || err != nil || missing == nil {
		t.Errorf("code was written that nobody asked for: %v", err)
	}
	c.says("export_code", `{"query":"tag:lab"}`, "3 guests")
	c.elsewhere("/nodes/pve1/qemu/210/config", "memory", "6144")
	c.sync()
	for range 200 { // it begins once readers have the result
		if strings.Contains(c.text("terraform/vms.tf"), "dedicated = 6144") {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	c.p.following.end()
	if text := c.text("terraform/vms.tf"); !strings.Contains(text, "dedicated = 6144") || strings.Contains(text, "docker1") {
		t.Errorf("after the synchronisation:\n%s", text)
	}
	c.says("diff_code", `{}`, "no drift")
}

// TestCodeGit commits with what changed, where and by whom.
func TestCodeGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is needed")
		}
		t.Skip("no git here")
	}
	t.Setenv("HOME", t.TempDir())
	c := newCoder(t)
	c.sync()
	c.says("export_code", `{}`, "new")
	c.says("export_code", `{"git":"commit"}`, "commit ") // of what was there already
	c.p.grants.Process = []change.Grant{{Tier: change.Disruptive}}
	c.elsewhere("/nodes/pve1/qemu/210/config", "memory", "6144")
	c.sync()
	c.says("export_code", `{"git":"commit"}`, "commit ")
	text, err := c.call("export_code", `{"git":"commit"}`)
	if err != nil || strings.Contains(text, "commit ") {
		t.Errorf("nothing changed: %v\n%s", err, text)
	}
	log, err := exec.CommandContext(t.Context(), "git", "-C", c.dir, "log", "--format=%s", "--stat").CombinedOutput()
	if err != nil || !strings.Contains(string(log), "guest 210 runner: memory 4096 -> 6144 (seen 20") || !strings.Contains(string(log), "Cluster home as code: 25 guests") {
		t.Errorf("%v\n%s", err, log)
	}
	status, err := exec.CommandContext(t.Context(), "git", "-C", c.dir, "status", "--porcelain").CombinedOutput()
	if err != nil || len(status) > 0 {
		t.Errorf("left uncommitted: %v\n%s", err, status)
	}
}

// A selection never takes the guests beyond it out of code that holds more.
func TestExportNarrowed(t *testing.T) {
	c := newCoder(t)
	c.sync()
	if _, err := c.call("export_code", `{"target":"terraform","query":"vmid:101"}`); err != nil {
		t.Fatalf("a selection in an empty folder: %v", err)
	}
	if _, err := c.call("export_code", `{"target":"terraform"}`); err != nil {
		t.Fatalf("all of it, over a selection: %v", err)
	}
	_, err := c.call("export_code", `{"target":"terraform","query":"vmid:101"}`)
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "all guests") {
		t.Errorf("a selection over all of it: %v", err)
	}
	c.says("diff_code", `{}`, "no drift")
	if _, err := c.call("export_code", `{"target":"ansible","query":"vmid:101"}`); err != nil {
		t.Errorf("another kind of code, which is not there yet: %v", err)
	}
}
