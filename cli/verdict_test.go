package cli_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestVerdicts: a gate reads the exit code. 6 where something is otherwise than the code says, 3 where not all could be compared.
func TestVerdicts(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	r.allow(t)
	for _, c := range []struct {
		args, holds string
		code        int
	}{
		{"code export", "left out", 0},
		{"code verify", "unknown", 3}, // its guests are not known, all others are as declared
		{"guest tags 208 add drifted", "", 0},
		{"code verify", "1 drifted", 6},
		{"code verify -o json", `"drift": 1`, 6},
		{"code diff", "drifted", 6},
	} {
		if out, errOut, code := r.run(t.Context(), strings.Fields(c.args)...); code != c.code || !strings.Contains(out, c.holds) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s%s", c.args, code, c.code, c.holds, out, errOut)
		}
	}
}

// TestNamesOfCommands: who types commands is told commands, and names of tools only where these are typed.
func TestNamesOfCommands(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	for args, want := range map[string]string{
		"guest show 9999":       "hint: list guests with proxmox-mcp guest list\nnext: proxmox-mcp guest list\n",
		"code apply --help":     "Run a plan of code plan once",
		"operation --help":      "Usage:",
		"guest diagnose 104":    "proxmox-mcp guest diagnose 202",
		"guest tags --help":     "or as guest list",
		"operation list --help": "such as power_guest",
	} {
		out, errOut, _ := r.run(t.Context(), strings.Fields(args)...)
		if !strings.Contains(out+errOut, want) {
			t.Errorf("%s: no %q in\n%s%s", args, want, out, errOut)
		}
	}
}

// TestCompletion completes names from the store, values from the table, folders where one is meant, and never a file in place of a name.
func TestCompletion(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	if _, errOut, code := r.run(t.Context(), "sync"); code != 3 {
		t.Fatalf("sync: exit code %d, %s", code, errOut)
	}
	if _, errOut, code := r.run(t.Context(), "token", "create", "wallboard"); code != 0 {
		t.Fatalf("token create: exit code %d, %s", code, errOut)
	}
	for _, c := range []struct {
		typed []string
		want  string // the candidates, then the directive: 4 no file, 16 folders, 0 files
	}{
		{[]string{"node", "show", "pve2"}, "pve2 :4"},
		{[]string{"storage", "list", "local"}, "local local-lvm local-zfs :4"},
		{[]string{"token", "revoke", ""}, "wallboard :4"},
		{[]string{"pool", "manage", "l"}, "lab :4"},
		{[]string{"guest", "migrate", "104", ""}, "pve1 pve2 pve3 :4"},
		{[]string{"guest", "tags", "104", "r"}, "remove :4"},
		{[]string{"metric", "show", "jelly"}, "jellyfin\t104 :4"},
		{[]string{"volume", "list", "--node", "pve3"}, "pve3 :4"},
		{[]string{"sync", "--cluster", ""}, "home :4"},
		{[]string{"token", "create", ""}, ":4"},
		{[]string{"code", "verify", ""}, ":16"},
		{[]string{"db", "backup", ""}, ":0"},
		{[]string{"--config", ""}, ":0"},
	} {
		out, errOut, _ := r.run(t.Context(), slices.Concat([]string{"__complete"}, c.typed)...)
		if got := strings.Join(strings.Split(strings.TrimSpace(out), "\n"), " "); got != c.want {
			t.Errorf("%q: %q, want %q\n%s", c.typed, got, c.want, errOut)
		}
	}
}

// TestTokenSaysWhatIs: nothing is said of a token that is not made, and a name that is not configured is answered with those that are.
func TestTokenSaysWhatIs(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	for _, c := range []struct {
		args, says string
		code       int
	}{
		{"token create x --tier reversible", "no operator's passphrase", 4},
		{"token create x --cluster hom", "configured: home\nexample: home", 2},
		{"grant --tier reversible --cluster hom", "configured: home", 2},
		{"token create wallboard", "Made token wallboard: reads; until it is revoked.", 0},
		{"token create wallboard --tier destructive", "already", 1},
	} {
		out, errOut, code := r.run(t.Context(), strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(errOut, c.says) || c.code != 0 && (out != "" || strings.Contains(errOut, ": reads")) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s%s", c.args, code, c.code, c.says, out, errOut)
		}
	}
}
