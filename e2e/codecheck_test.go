package e2e

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestCodeCheck keeps a homelab as code by the program's own commands, with the real provider: nothing to change after an export, the
// drift of one guest named with its reason, an edit kept by the next export, nothing to change again. Only reading reaches Proxmox VE.
func TestCodeCheck(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.ApplySDN()
	tf, log := emptyTerraform(t), &requestLog{}
	planner := tokenWith(w, allRights)
	c := &coded{cluster: startCluster(t, w, pvesim.New(w).RootToken(), pvesim.WithLogger(slog.New(log))), log: log, tf: tf}
	env := slices.Concat(c.env, []string{"TF_CLI_CONFIG_FILE=" + filepath.Join(filepath.Dir(c.tf.dir), "terraformrc"), "PROXMOX_MCP_CODE_TOKEN=" + planner})
	folder := filepath.Join(t.TempDir(), "infra")
	if o := run(t, c.env, "", program(t), "sync"); o.code != 3 {
		t.Fatalf("sync: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	says := func(code int, args []string, words ...string) {
		t.Helper()
		o := run(t, env, "", program(t), args...)
		if o.code != code {
			t.Fatalf("%v: exit %d, want %d\n%s%s", args, o.code, code, o.stdout, o.stderr)
		}
		for _, w := range words {
			if !strings.Contains(o.stdout, w) {
				t.Errorf("%v does not say %q:\n%s", args, w, o.stdout)
			}
		}
	}
	says(0, []string{"code", "export", folder}, folder)
	says(0, []string{"code", "check", folder}, " to import, 0 to add, 0 to change, 0 to destroy", "terraform ")
	c.sim.Update(func(w *pvesim.World) { w.SetConfig(210, "memory", "6144") })
	says(3, []string{"sync"})
	says(6, []string{"code", "check", folder}, "1 to change", "guest 210", "memory 4096 -> 6144", "6144 -> 4096")
	vms := filepath.Join(folder, "terraform", "vms.tf")
	text, err := os.ReadFile(vms)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vms, []byte(strings.Replace(string(text), "\"runner\"\n", "\"runner\" # ours\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	says(0, []string{"code", "export", folder}, "merged")
	says(0, []string{"code", "check", folder}, "0 to change")
	if text, err = os.ReadFile(vms); err != nil || !strings.Contains(string(text), "# ours") {
		t.Errorf("the edit is gone: %v", err)
	}
	if w := c.writes(); len(w) > 0 {
		t.Errorf("not only reading: %v", w)
	}
}
