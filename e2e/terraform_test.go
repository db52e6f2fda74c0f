package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const terraformProvider = "github.com/bpg/terraform-provider-proxmox"

// terraform drives one configuration in a folder of its own.
type terraform struct {
	bin, dir string
	env      []string
}

// startTerraform gives terraform a copy of a folder of configuration.
func startTerraform(t *testing.T, config string) *terraform {
	t.Helper()
	tf := emptyTerraform(t)
	if err := os.CopyFS(tf.dir, os.DirFS(filepath.Join("terraform", config))); err != nil {
		t.Fatal(err)
	}
	return tf
}

// emptyTerraform finds terraform and the provider that make e2e-deps built, and gives terraform a mirror that holds nothing else and an
// empty folder.
func emptyTerraform(t *testing.T) *terraform {
	t.Helper()
	bin, err := exec.LookPath("terraform")
	if err != nil {
		missing(t, "terraform on PATH")
	}
	return mirrored(t, bin, "registry.terraform.io")
}

// mirrored gives a program a mirror of its registry.
func mirrored(t *testing.T, bin, registry string) *terraform {
	t.Helper()
	version := providerVersion(t)
	built := filepath.Join(cacheFolder(t), "terraform-provider-proxmox_"+version)
	if _, err := os.Stat(built); err != nil {
		missing(t, built+" (make e2e-deps)")
	}
	dir := t.TempDir()
	mirror := filepath.Join(dir, "mirror")
	number := strings.TrimPrefix(version, "v")
	folder := filepath.Join(mirror, registry, "bpg", "proxmox", number, runtime.GOOS+"_"+runtime.GOARCH)
	rc := filepath.Join(dir, "terraformrc")
	for _, err := range []error{
		os.MkdirAll(folder, 0o755),
		os.Symlink(built, filepath.Join(folder, filepath.Base(built))),
		os.WriteFile(rc, fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror { path = %q }\n}\ndisable_checkpoint = true\n", mirror), 0o600),
		os.Mkdir(filepath.Join(dir, "work"), 0o750),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return &terraform{bin: bin, dir: filepath.Join(dir, "work"), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=" + rc,
		"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0", "TF_CLI_ARGS=-no-color"}}
}

// providerVersion is the one that tools/go.mod pins.
func providerVersion(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join("tools", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^require ` + regexp.QuoteMeta(terraformProvider) + ` (v\S+)$`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("tools/go.mod does not pin " + terraformProvider)
	}
	return string(m[1])
}

// cacheFolder is where .ci/e2e-deps keeps what it builds.
func cacheFolder(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "proxmox-mcp")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(home, ".cache", "proxmox-mcp")
}

// run runs a command of terraform with further variables of the environment and wants the given exit code.
func (tf *terraform) run(t *testing.T, code int, env []string, args ...string) string {
	t.Helper()
	start := time.Now()
	o := run(t, slices.Concat(tf.env, env), "", tf.bin, append([]string{"-chdir=" + tf.dir}, args...)...)
	t.Logf("terraform %s: %.1f s", strings.Join(args, " "), time.Since(start).Seconds())
	if o.code != code {
		t.Fatalf("terraform %s: exit %d, want %d\n%s%s", strings.Join(args, " "), o.code, code, o.stdout, o.stderr)
	}
	return o.stdout
}

// apply brings the simulated cluster to the values of a file and wants a second plan to find nothing left to do.
func (tf *terraform) apply(t *testing.T, env []string, file, summary string) {
	t.Helper()
	out := tf.run(t, 0, env, "apply", "-auto-approve", "-var-file="+file)
	if !strings.Contains(out, summary) {
		t.Errorf("apply of %s: want %q in\n%s", file, summary, out)
	}
	tf.run(t, 0, env, "plan", "-detailed-exitcode", "-var-file="+file)
}

// credentials are the variables that the provider reads: a token or a password.
func (s *simulated) credentials() (token, password []string) {
	at := []string{"PROXMOX_VE_ENDPOINT=" + s.end.URL, "PROXMOX_VE_INSECURE=true"}
	return slices.Concat(at, []string{"PROXMOX_VE_API_TOKEN=" + s.tokenID + "=" + s.tokenSecret}),
		slices.Concat(at, []string{"PROXMOX_VE_USERNAME=" + demoUser, "PROXMOX_VE_PASSWORD=" + demoPassword})
}

// destroy takes everything away again and wants nothing to be left in the state.
func (tf *terraform) destroy(t *testing.T, env []string, file string) {
	t.Helper()
	tf.run(t, 0, env, "destroy", "-auto-approve", "-var-file="+file)
	if left := tf.run(t, 0, env, "state", "list"); strings.TrimSpace(left) != "" {
		t.Errorf("Terraform's state still holds %s", left)
	}
}

// TestTerraform takes a machine and a container through the provider: create, change while they run, stop, destroy. Every plan that
// follows an apply is empty: the provider reads back what it wrote.
func TestTerraform(t *testing.T) {
	t.Parallel()
	tf := startTerraform(t, "guests")
	s := startSimulated(t)
	token, password := s.credentials()
	tf.run(t, 0, token, "init")
	tf.run(t, 0, token, "validate")
	tf.run(t, 2, token, "plan", "-detailed-exitcode", "-var-file=created.tfvars")

	tf.apply(t, token, "created.tfvars", "4 added, 0 changed, 0 destroyed")
	s.wantConfig(t, newVM, map[string]string{"name": "web", "description": "first", "tags": "terraform;zoo", "cores": "2", "memory": "1024", "scsihw": "virtio-scsi-single",
		"scsi0": "local-lvm:vm-5000-disk-", "scsi1": "tank:vm-5000-disk-0", "net0": "tag=10", "ciuser": "admin", "nameserver": "192.168.1.1 192.168.1.2",
		"searchdomain": "home.lan", "ipconfig0": "gw=192.168.1.1,ip=192.168.1.70/24", "sshkeys": "ssh-ed25519", "serial0": "socket", "ide2": "cloudinit"})
	s.wantConfig(t, newCT, map[string]string{"hostname": "db", "description": "first", "tags": "terraform", "cores": "1", "memory": "512", "swap": "256",
		"rootfs": "size=4G", "mp0": "size=2G", "features": "nesting=1", "net0": "ip=192.168.1.71/24", "unprivileged": "1"})
	s.wantStatus(t, "running", "zoo")

	tf.apply(t, password, "changed.tfvars", "0 added, 2 changed, 0 destroyed")
	s.wantConfig(t, newVM, map[string]string{"name": "web-2", "description": "${braces}", "tags": "alpha;terraform", "cores": "4", "memory": "2048",
		"scsi0": "size=12G", "scsi1": "size=4G", "virtio0": "size=2G", "net0": "tag=20", "ipconfig0": "192.168.1.80/24", "unused0": ""})
	s.wantConfig(t, newCT, map[string]string{"hostname": "db-2", "description": "second", "tags": "alpha;terraform", "cores": "2", "memory": "1024", "swap": "0",
		"mp0": "size=2G"})
	s.wantVolumes(t, newCT, "local-lvm:vm-5001-disk-0 6G", "local-lvm:vm-5001-disk-1 2G")
	s.wantStatus(t, "running", "zoo")

	// Another size of a mount point replaces the container, and with it the membership.
	tf.apply(t, token, "stopped.tfvars", "2 added, 1 changed, 2 destroyed")
	s.wantStatus(t, "stopped", "zoo")
	s.wantConfig(t, newVM, map[string]string{"virtio0": ""})
	s.wantConfig(t, newCT, map[string]string{"mp0": "size=3G"})

	tf.destroy(t, token, "stopped.tfvars")
	s.gone(t, newVM, newCT)
}

// TestTerraformCopies clones templates, one of them on another node, in full and linked, moves and grows disks of a UEFI machine and
// manages a user with rights.
func TestTerraformCopies(t *testing.T) {
	t.Parallel()
	tf := startTerraform(t, "copies")
	s := startSimulated(t)
	_, password := s.credentials()
	tf.run(t, 0, password, "init")

	tf.apply(t, password, "created.tfvars", "9 added, 0 changed, 0 destroyed")
	s.wantConfig(t, newVM, map[string]string{"name": "full", "cores": "2", "description": "first", "scsi0": "size=10G", "ide2": "local-lvm:vm-5000-cloudinit", "template": ""})
	s.wantConfig(t, fullCopy, map[string]string{"name": "linked", "memory": "1024", "scsi0": "local-lvm:vm-5002-disk-0", "template": ""})
	s.wantConfig(t, linkCopy, map[string]string{"bios": "ovmf", "efidisk0": "efitype=4m", "tpmstate0": "version=v2.0", "ide3": "media=cdrom", "startup": "order=3,up=10",
		"scsi0": "local-lvm:vm-5003-disk-"})
	s.wantConfig(t, newCT, map[string]string{"hostname": "copy", "rootfs": "local-lvm:vm-5001-disk-0", "template": ""})

	tf.apply(t, password, "changed.tfvars", "1 added, 6 changed, 1 destroyed")
	s.wantVolumes(t, newVM, "local-lvm:vm-5000-cloudinit 0G", "local-lvm:vm-5000-disk-0 12G")
	s.wantConfig(t, linkCopy, map[string]string{"cores": "4", "scsi0": "tank:vm-5003-disk-0", "unused0": ""})

	tf.destroy(t, password, "changed.tfvars")
	s.gone(t, newVM, newCT, fullCopy, linkCopy)
}

// wantStatus wants machine and container to have a status and to be in a pool.
func (s *simulated) wantStatus(t *testing.T, status, pool string) {
	t.Helper()
	for _, id := range []int{newVM, newCT} {
		_, gotStatus, gotPool, ok := s.guest(id)
		if diff := cmp.Diff([]any{true, status, pool}, []any{ok, gotStatus, gotPool}); diff != "" {
			t.Errorf("guest %d exists, status, pool: %s", id, diff)
		}
	}
}

// wantVolumes wants a guest to have these volumes and no others.
func (s *simulated) wantVolumes(t *testing.T, vmid int, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.volumes(vmid)); diff != "" {
		t.Errorf("volumes of %d: %s", vmid, diff)
	}
}
