package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

func labCluster() Cluster {
	return Cluster{Name: "lab", Endpoints: []string{"https://10.0.0.9:8006"}, Token: redact.NewSecret(canaryToken),
		Fingerprints: []string{pinA}}
}

const labEntry = `- name: "lab"
  endpoints: ["https://10.0.0.9:8006"]
  token: "` + canaryToken + `"
  fingerprints: ["` + pinA + `"]
`

func TestSaveCluster(t *testing.T) {
	t.Parallel()
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(labEntry), "\n", "\n  ") + "\n"
	const other = "  # the flat\n  - name: home # mine\n    endpoints: https://a\n    token_command: [pass, pve]\n"
	for name, c := range map[string]struct {
		old   string
		force bool
		want  string
	}{
		"new file":             {"", false, header + "clusters:\n" + indented},
		"behind the last":      {"clusters:\n" + other + "\n# about logs\nlog: {level: debug}\n", false, "clusters:\n" + other + indented + "\n# about logs\nlog: {level: debug}\n"},
		"no newline at end":    {"clusters:\n" + strings.TrimSpace(other[2:]), false, "clusters:\n" + other[2:len(other)-1] + "\n" + indented},
		"dashes at margin":     {"clusters:\n- name: home\n  endpoints: https://a\n  token_file: x\nzone: UTC\n", false, "clusters:\n- name: home\n  endpoints: https://a\n  token_file: x\n" + labEntry + "zone: UTC\n"},
		"no clusters yet":      {"zone: UTC # mine\n", false, "zone: UTC # mine\nclusters:\n" + indented},
		"empty list":           {"clusters: []\nzone: UTC\n", false, "clusters:\n" + indented + "zone: UTC\n"},
		"null":                 {"clusters:\nzone: UTC\n", false, "clusters:\n" + indented + "zone: UTC\n"},
		"replaced":             {"clusters:\n  - name: lab\n    endpoints: https://old\n    token_file: x\n\n" + other, true, "clusters:\n" + indented + "\n" + other},
		"replaced, last":       {"clusters:\n" + other + "  - name: lab\n    endpoints: https://old\n    token_file: x\ntick: 9s\n", true, "clusters:\n" + other + indented + "tick: 9s\n"},
		"force without a need": {"clusters:\n" + other, true, "clusters:\n" + other + indented},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "new", "config.yaml")
			if c.old != "" {
				put(t, path, c.old, 0o644)
			}
			if name == "no newline at end" {
				c.want = "clusters:\n" + strings.TrimSpace(other[2:]) + "\n" + indented
			}
			if err := SaveCluster(path, labCluster(), c.force); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
			checkModes(t, path, c.old == "")
		})
	}
}

func checkModes(t *testing.T, path string, madeFolder bool) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if madeFolder && (err != nil || dir.Mode().Perm() != 0o700) {
		t.Errorf("folder mode %v, %v; want 0700", dir.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".config-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSaveClusterRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old  string
		code fault.Code
		want string
	}{
		"same name":    {"clusters:\n- name: lab\n  endpoints: https://a\n", fault.Conflict, "already defines a cluster named lab"},
		"flow list":    {"clusters: [{name: home}]\n", fault.Config, "could not be added"},
		"broken":       {"clusters: [\n", fault.Config, "not valid YAML"},
		"unknown key":  {"cluster: []\n", fault.Config, `did you mean "clusters"?`},
		"document end": {"zone: UTC\n...\n", fault.Config, "could not be added"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := put(t, filepath.Join(t.TempDir(), "config.yaml"), c.old, 0o600)
			err := SaveCluster(path, labCluster(), false)
			if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canarySecret) {
				t.Errorf("got %v", err)
			}
			if got, _ := os.ReadFile(path); string(got) != c.old {
				t.Errorf("the file changed to %q", got)
			}
		})
	}
}

// TestSaveThenLoad: what was written is read back the same, odd characters and passwords included.
func TestSaveThenLoad(t *testing.T) {
	t.Parallel()
	o := home(t, nil)
	path := DefaultPath(o)
	want := []Cluster{labCluster(), {Name: "b", Endpoints: []string{"https://[2001:db8::1]:8006", "https://c:1"}, Username: "root@pam",
		Password: redact.NewSecret("it's \"#: é\t%{}"), Insecure: true}}
	for _, c := range want {
		if err := SaveCluster(path, c, false); err != nil {
			t.Fatal(err)
		}
	}
	cfg, _, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, cfg.Clusters, secretEqual); diff != "" {
		t.Error(diff)
	}
	for name, has := range map[string]bool{"lab": true, "b": true, "c": false} {
		if got, err := HasCluster(path, name); got != has || err != nil {
			t.Errorf("HasCluster(%s) = %v, %v", name, got, err)
		}
	}
	if got, err := HasCluster(path+".none", "lab"); got || err != nil {
		t.Errorf("HasCluster without a file: %v, %v", got, err)
	}
}

func TestSaveKeepsLink(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // links need a privilege there
	}
	dir := t.TempDir()
	target := put(t, filepath.Join(dir, "dotfiles", "c.yaml"), "zone: UTC\n", 0o600)
	link := filepath.Join(dir, "config.yaml")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := SaveCluster(link, labCluster(), false); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if got, err := os.ReadFile(target); err != nil || !strings.Contains(string(got), "lab") {
		t.Errorf("the target was not written: %q, %v", got, err)
	}
}
