package app

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestStory tells the story of a change: what a reader has to see, in order. It touches nothing of its user, and leaves nothing.
func TestStory(t *testing.T) {
	told(t, "change",
		fmt.Sprintf("%d tools, 0 of them", len(tools.Listed(tools.R0))), "this server is read-only here", "allowed: destructive for everything", fmt.Sprintf("%d tools, %d of them", len(tools.Listed(tools.R3)), len(tools.Listed(tools.R3))-len(tools.Listed(tools.R0))),
		"create snapshot before-upgrade: 210 runner: done (reversible)", "memory 4096 > 6144",
		"web interface> PUT /nodes/pve1/qemu/210/config memory=5120",
		"error stale:", "memory was 4096, is 5120, plan", "wants 6144; nothing was sent",
		"set memory: 210 runner: done (disruptive)", "memory is 6144", "to take it back: undo_change p-",
		"destroy 208 test-debian: waiting (destructive)", "lost for good: 208 test-debian: disk scsi0", "plan approve p-", "waits for an operator's approval",
		"rolled back: 208", "passphrase (not shown while you type): ********", "destroy 208 test-debian: done (destructive)", "it does not exist any more",
		"undo p-", "done (disruptive)", "memory is 5120",
		"/config", "memory 5120", "snapshots: before-upgrade", "guest 208 does not exist; 24 guests",
		"1 deny,", "1 approve", "audit verify", "sound: ")
}

// TestStoryLifecycle tells the story of guests that are made, saved and moved.
func TestStoryLifecycle(t *testing.T) {
	told(t, "lifecycle",
		"allowed: destructive",
		"create VM", "guest.create  done", "address: ",
		"guest.clone  done", "disk.grow  done", "web2  guest.start  done",
		"grow disk scsi0: ", "20G > 32G",
		"back up: ", "guests without a backup since",
		"gitlab-old", "done",
		"migrate", "done (disruptive)", "dry run: nothing was sent",
		"2 calls: create snapshot before-6g: ", "guest.configure  done", "undo_change p-",
		"snapshot before-6g does not exist",
		"web2", "running, memory 4096 MiB, disk 32 GiB", "backups on nas-backup",
		"audit verify", "sound: ")
}

// TestStoryCode tells the story of a homelab as code, on a machine without terraform: e2e lets the real one plan.
func TestStoryCode(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	told(t, "code",
		"25 guests, as of", "13 vm", "resource \"proxmox_virtual_environment_vm\" \"runner\"", "not here: there is no terraform or tofu",
		"PUT /nodes/pve1/qemu/210/config memory=6144", "1 difference between", "memory  4096  6144", "rewritten",
		"owner> edits", "merged  1  terraform/vms.tf", "# ours: the CI runner", "dedicated = 6144")
}

// told tells a story and wants texts in it, in order.
func told(t *testing.T, name string, texts ...string) {
	t.Helper()
	home, temp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	a := &App{Env: func(string) string { return "" }, Home: home, GOOS: "linux", Clock: time.Now}
	var out, errOut bytes.Buffer
	if err := a.Demo(t.Context(), cli.Globals{Output: "table"}, cli.DemoOptions{Story: name}, &out, &errOut); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errOut.String())
	}
	rest := out.String()
	for _, want := range texts {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("the story lacks %q after what came before it:\n%s", want, out.String())
		}
		rest = after
	}
	for k, l := range strings.Split(out.String(), "\n") {
		if n := len([]rune(l)); n > 130 {
			t.Errorf("line %d has %d characters: %s", k+1, n, l)
		}
	}
	for _, dir := range []string{home, temp} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s holds %v, %v; want nothing", dir, left, err)
		}
	}
	if errOut.Len() > 0 {
		t.Errorf("standard error: %s", errOut.String())
	}
}

func TestWrapped(t *testing.T) {
	for _, c := range [][2]string{
		{"short", "  short"},
		{"one two six four", "  one two\n      six\n      four"},
		{"abcdefghijklmnop", "  abcdefgh\n      ijkl\n      mnop"},
	} {
		if got := wrapped(c[0], 10, "  "); got != c[1] {
			t.Errorf("%q becomes %q, want %q", c[0], got, c[1])
		}
	}
}
