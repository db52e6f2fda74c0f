package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestOpenTofu: the code of the homelab is as good for OpenTofu: formatted, valid, imported without a change, and judged by it where it is the
// program on PATH. make e2e-full builds it and names it by TOFU; the build takes minutes.
func TestOpenTofu(t *testing.T) {
	bin := os.Getenv("TOFU")
	if bin == "" {
		t.Skip("make e2e-full builds OpenTofu and runs this")
	}
	tf := mirrored(t, bin, "registry.opentofu.org")
	c := codedBy(t, tf, pvesim.DemoWorld(time.Now()))
	c.wantClean(t)

	on := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(on, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bin, filepath.Join(on, "tofu")); err != nil {
		t.Fatal(err)
	}
	env := append([]string{"PATH=" + on, "TF_CLI_CONFIG_FILE=" + filepath.Join(filepath.Dir(tf.dir), "terraformrc")}, c.env[1:]...)
	if o := run(t, env, "", program(t), "code", "export"); o.code != 0 {
		t.Fatalf("export: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	o := run(t, env, "", program(t), "code", "check")
	if !strings.Contains(o.stdout, "0 to change, 0 to destroy") || !strings.Contains(o.stdout, "tofu 1.") {
		t.Errorf("check: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}
