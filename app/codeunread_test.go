package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
)

// whole opens the program anew with the parts that a configuration has by default.
func (c *coder) whole() {
	c.t.Helper()
	cfg := c.config()
	cfg.Code = config.DefaultCode()
	c.build(cfg)
}

// settings reads what the cluster is beside its guests.
func (c *coder) settings() {
	c.t.Helper()
	if _, err := c.p.inv.Settings(c.t.Context(), ""); err != nil {
		c.t.Fatal(err)
	}
}

// lacks calls a tool and wants words not to be in its answer.
func (c *coder) lacks(tool, args string, words ...string) {
	c.t.Helper()
	text, err := c.call(tool, args)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, w := range words {
		if strings.Contains(text, w) {
			c.t.Errorf("%s says %q:\n%s", tool, w, text)
		}
	}
}

// TestCodeUnread: settings that no reading brought are told, not passed over; once they are read they are neither drift nor, in git, new.
func TestCodeUnread(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is needed")
		}
		t.Skip("no git here")
	}
	t.Setenv("HOME", t.TempDir())
	c := newCoder(t)
	c.whole()
	c.sync()
	c.says("export_code", `{"git":"commit"}`, "settings were not all read yet", "not in the code: HA, SDN, access", "commit ")
	if !strings.Contains(c.text("COVERAGE.md"), "HA, SDN, access") {
		t.Errorf("COVERAGE.md is silent:\n%.1500s", c.text("COVERAGE.md"))
	}
	select {
	case <-c.p.wanted:
	default:
		t.Error("nobody is told that settings are wanted")
	}
	c.settings()
	c.elsewhere("/nodes/pve1/qemu/210/config", "memory", "6144")
	c.sync()
	c.says("diff_code", `{}`, "1 difference ", "first read since that export", " access", " firewall", " networks", "guest 210 runner\tmemory\t4096\t6144")
	c.lacks("diff_code", `{}`, "(whole)", "not read yet")
	c.says("export_code", `{"git":"commit"}`, "new\t7\tterraform/", "commit ")
	log, err := exec.CommandContext(t.Context(), "git", "-C", c.dir, "log", "-1", "--format=%B").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(log), "guest 210 runner: memory 4096 -> 6144 (seen 20") || !strings.Contains(string(log), "First read: ") || strings.Contains(string(log), ": new") {
		t.Errorf("%v\n%s", err, log)
	}
	c.says("diff_code", `{}`, "no drift")
}

// TestCodeNewStore: a store that never read the settings, on another machine, takes nothing of them out of code that is there.
func TestCodeNewStore(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	c.door = "cli"
	c.whole()
	c.sync()
	c.settings()
	folder := filepath.Join(t.TempDir(), "infra")
	args := `{"folder":"` + folder + `"}`
	c.says("export_code", args, "kinds more")
	cfg := *c.p.cfg
	cfg.State.Path = filepath.Join(t.TempDir(), "state.db")
	c.build(&cfg)
	c.sync()
	c.says("diff_code", args, "no drift", "settings were not all read yet")
	c.lacks("export_code", args, "removed.tf", "new\t", "rewritten\t1\tterraform")
	c.settings()
	c.says("diff_code", args, "no drift")
}

// TestCodeAbsent: kinds of which nothing is written are counted with the reason, and their drift is told apart.
func TestCodeAbsent(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	c.whole()
	c.sync()
	c.settings()
	const why = "code.parts of the configuration leaves out access"
	c.says("export_code", `{}`, "2 users\t"+why, "this program writes no resource of this kind")
	if text := c.text("COVERAGE.md"); !strings.Contains(text, "| 2 users | | left out | "+why+" |") {
		t.Errorf("COVERAGE.md:\n%.3000s", text)
	}
	c.elsewhere("/access/users/root@pam", "comment", "me")
	c.elsewhere("/nodes/pve1/qemu/210/config", "memory", "6144", "shares", "500")
	c.sync()
	c.settings()
	c.says("diff_code", `{}`, "4 differences (3 of what is not in the Terraform code", "memory\t4096\t6144\tyes", "shares\t-\t500\tno", "user root@pam\tcomment\t-\tme\tno")
}

// TestReadSettings: a command reads the settings once, and again when they are old.
func TestReadSettings(t *testing.T) {
	t.Parallel()
	c := newCoder(t)
	c.sync()
	read := func() int {
		t.Helper()
		c.sim.ResetStats()
		if err := c.p.readSettings(t.Context(), func(string) {}); err != nil {
			t.Fatal(err)
		}
		return c.sim.Stats().Requests
	}
	if n := read(); n == 0 {
		t.Error("settings that were never read were not read")
	}
	if n := read(); n != 0 {
		t.Errorf("settings of just now were read again with %d requests", n)
	}
	now := c.p.clock
	c.p.clock = func() time.Time { return now().Add(settingsEvery) }
	if n := read(); n == 0 {
		t.Error("old settings were not read again")
	}
}
