package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/checks"
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
