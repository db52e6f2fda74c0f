package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/checks"
	tfcode "github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestGossCode runs the exported checks of the homelab by goss: all pass, a change and a stop are named, and nothing is written.
func TestGossCode(t *testing.T) {
	t.Parallel()
	built, err := filepath.Glob(filepath.Join(cacheFolder(t), "goss_*"))
	if err != nil || len(built) == 0 {
		missing(t, "goss (make e2e-deps)")
	}
	world := pvesim.DemoWorld(time.Now())
	world.Node("pve3").Online = true
	vmids := demoVMs(world)
	for k, name := range nastyNames[:len(vmids)] {
		world.Guest(vmids[k]).Config["name"] = name
	}
	token := world.RootToken()
	c := startCluster(t, world, token)
	dir := exported(t, c, iac.Options{}, checks.Emitter{})
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PROXMOX_VE_ENDPOINT=" + c.end.URL, "PROXMOX_VE_API_TOKEN=" + token,
		"PROXMOX_VE_INSECURE=true"}
	goss := func() output {
		return runIn(t, dir, env, built[len(built)-1], "-g", "tests/goss.yaml", "validate", "--no-color", "--max-concurrent", "2")
	}
	if o := goss(); o.code != 0 || !strings.Contains(o.stdout, "Failed: 0,") {
		t.Errorf("goss: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	c.sim.Update(func(w *pvesim.World) { w.Guest(vmids[0]).Config["memory"] = "12345" })
	if o := goss(); o.code == 0 || !strings.Contains(o.stdout, "12345") {
		t.Errorf("a changed memory is not named: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if n := c.sim.Stats().Writes; n != 0 {
		t.Errorf("goss sent %d writes", n)
	}
	if strings.Contains(read(t, filepath.Join(dir, "tests", "spec.json")), "secret") {
		t.Error("a secret is in spec.json")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestTerraformTests runs the exported tests by the real terraform: they pass, fail for what drifted or stopped, name it, and none can apply.
func TestTerraformTests(t *testing.T) {
	t.Parallel()
	tf := emptyTerraform(t)
	world := pvesim.DemoWorld(time.Now())
	world.Node("pve3").Online = true
	vmids := demoVMs(world)
	world.Guest(vmids[1]).Config["name"] = nastyNames[1] // text that would be a template
	token := world.RootToken()
	c := startCluster(t, world, token)
	code, err := tfcode.New("")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(exported(t, c, iac.Options{}, code, checks.Emitter{}), "terraform")
	if strings.Contains(read(t, filepath.Join(dir, "tests", "drift.tftest.hcl"))+read(t, filepath.Join(dir, "tests", "health.tftest.hcl")), "= apply") {
		t.Fatal("a generated test applies")
	}
	tf.dir = dir
	env := []string{"PROXMOX_VE_ENDPOINT=" + c.end.URL, "PROXMOX_VE_INSECURE=true", "PROXMOX_VE_API_TOKEN=" + token}
	tf.run(t, 0, env, "fmt", "-check", "-recursive", "-diff")
	tf.run(t, 0, env, "init")
	if out := tf.run(t, 0, env, "test", "-no-color"); !strings.Contains(out, "2 passed, 0 failed") {
		t.Errorf("%s", out)
	}
	c.sim.Update(func(w *pvesim.World) { w.Guest(vmids[0]).Config["cores"] = 7 })
	o := run(t, append(tf.env, env...), "", tf.bin, "-chdir="+dir, "test", "-no-color")
	if o.code == 0 || !strings.Contains(o.stdout+o.stderr, "cores is not as declared") || !strings.Contains(o.stdout, "1 passed, 1 failed") {
		t.Errorf("changed cores are not named: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if n := c.sim.Stats().Writes; n != 0 {
		t.Errorf("the tests sent %d writes", n)
	}
}
