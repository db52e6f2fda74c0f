package config

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const needsToken = "clusters:\n- name: a\n  endpoints: https://a\n"

func TestFileModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // no modes there; the rule is off by GOOS below
	}
	for name, c := range map[string]struct {
		goos   string
		config os.FileMode
		secret os.FileMode // 0 = token in the configuration itself
		want   string      // part of the error, "" = none
	}{
		"private":                      {"linux", 0o600, 0, ""},
		"group reads":                  {"linux", 0o640, 0, "config.yaml: it holds a secret, and others than its owner can use this file (mode 0640); close it with: chmod 600 "},
		"world reads":                  {"darwin", 0o604, 0, "mode 0604"},
		"open without secret":          {"linux", 0o644, 0o600, ""},
		"secret file open":             {"linux", 0o644, 0o644, "config.yaml:4: clusters[0].token_file: others than its owner can use this file (mode 0644); close it with: chmod 600 "},
		"modes say nothing on Windows": {"windows", 0o644, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := home(t, nil)
			o.GOOS = c.goos
			o.Path = filepath.Join(o.Home, "config.yaml")
			text := needsToken + "  token: " + canaryToken + "\n"
			if c.secret != 0 {
				text = needsToken + "  token_file: tok\n"
				put(t, filepath.Join(o.Home, "tok"), canaryToken+"\r\n", c.secret)
			}
			put(t, o.Path, text+"state: {path: s.db}\n", c.config)
			cfg, _, err := Load(t.Context(), o)
			if c.want == "" {
				if err != nil || cfg.Clusters[0].Token.Reveal() != canaryToken {
					t.Errorf("err %v", err)
				}
				return
			}
			if texts(t, err); !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestSecretSources(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // the programs below are those of Unix
	}
	for name, c := range map[string]struct {
		line, file string
		want       []string // problems; nil = the canary token is read
	}{
		"command":            {line: "token_command: [echo, '" + canaryToken + "']"},
		"command fails":      {line: "token_command: [sh, -c, 'echo " + canarySecret + " >&2; exit 3']", want: []string{"clusters[0].token_command: the command failed: exit status 3; run it by hand to see why"}},
		"command missing":    {line: "token_command: [/nonexistent/program]", want: []string{"clusters[0].token_command: the command failed: no such file or directory; run it by hand to see why"}},
		"command silent":     {line: "token_command: ['true']", want: []string{"clusters[0].token_command: the command's output is empty"}},
		"command chatty":     {line: "token_command: [printf, 'a\\nb']", want: []string{"clusters[0].token_command: the command's output has more than one line"}},
		"command not a form": {line: "token_command: [echo, " + canarySecret + "]", want: []string{"clusters[0].token_command: the !tokenid part is missing; " + tokenShape}},
		"command endless":    {line: "token_command: [sh, -c, 'head -c 200000 /dev/zero']", want: []string{"clusters[0].token_command: the command's output is too long for a secret"}},
		"not run when wrong": {line: "token_command: [/nonexistent/program]\n  insecure: no-idea", want: []string{"clusters[0].insecure: must be true or false"}},
		"file":               {line: "token_file: tok", file: "\n " + canaryToken + " \n"},
		"file empty":         {line: "token_file: tok", file: "\n", want: []string{"clusters[0].token_file: the file is empty"}},
		"file is a folder":   {line: "token_file: .", want: []string{"clusters[0].token_file: is a folder, not a file"}},
		"file malformed":     {line: "token_file: tok", file: "mcp@pve!agent:" + canarySecret, want: []string{"clusters[0].token_file: the token id (between ! and =) is malformed; " + tokenShape}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := home(t, nil)
			if c.file != "" {
				put(t, filepath.Join(filepath.Dir(DefaultPath(o)), "tok"), c.file, 0o600)
			}
			put(t, DefaultPath(o), needsToken+"  "+c.line+"\n", 0o600)
			cfg, _, err := Load(t.Context(), o)
			if c.want == nil {
				if err != nil || cfg.Clusters[0].Token.Reveal() != canaryToken {
					t.Errorf("err %v", err)
				}
				return
			}
			for i, got := range texts(t, err) {
				_, text, _ := strings.Cut(got, "clusters")
				if diff := cmp.Diff(c.want[i], "clusters"+text); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestCommandIsBounded shows that a command that hangs, and its child that holds the output open, end with the context.
func TestCommandIsBounded(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	argv := settings{items: []setting{{text: "sh"}, {text: "-c"}, {text: "sleep 20 & sleep 20"}}}
	_, wrong := runSecretCommand(ctx, argv)
	if took := time.Since(began); took > 3*time.Second || !strings.Contains(wrong, "did not end within") {
		t.Errorf("took %s: %q", took, wrong)
	}
}

func TestDefaultPaths(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // filepath follows the platform that the test runs on
	}
	for name, c := range map[string]struct {
		goos, home  string
		env         map[string]string
		file, state string
	}{
		"linux":         {"linux", "/home/u", nil, "/home/u/.config/proxmox-mcp/config.yaml", "/home/u/.local/state/proxmox-mcp/state.db"},
		"xdg":           {"linux", "/home/u", map[string]string{"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/proxmox-mcp/config.yaml", "/s/proxmox-mcp/state.db"},
		"xdg relative":  {"freebsd", "/home/u", map[string]string{"XDG_CONFIG_HOME": "c"}, "/home/u/.config/proxmox-mcp/config.yaml", "/home/u/.local/state/proxmox-mcp/state.db"},
		"macOS":         {"darwin", "/Users/u", nil, "/Users/u/Library/Application Support/proxmox-mcp/config.yaml", "/Users/u/Library/Application Support/proxmox-mcp/state.db"},
		"windows":       {"windows", "", map[string]string{"AppData": "/r", "LocalAppData": "/l"}, "/r/proxmox-mcp/config.yaml", "/l/proxmox-mcp/state.db"},
		"no home known": {"linux", "", nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := LoadOptions{GOOS: c.goos, Home: c.home, Env: func(k string) string { return c.env[k] }}
			if diff := cmp.Diff([]string{c.file, c.state}, []string{DefaultPath(o), DefaultStatePath(o)}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFilePrecedence(t *testing.T) {
	t.Parallel()
	o := LoadOptions{GOOS: "linux", Home: "/h", Env: func(k string) string {
		return map[string]string{"PROXMOX_MCP_CONFIG": "~/mine.yaml"}[k]
	}}
	if p, named := o.File(); p != "/h/mine.yaml" || !named {
		t.Errorf("environment: %s %v", p, named)
	}
	o.Path = "/flag.yaml"
	if p, named := o.File(); p != "/flag.yaml" || !named {
		t.Errorf("flag: %s %v", p, named)
	}
	if p, named := (LoadOptions{GOOS: "linux", Home: "/h"}).File(); p != "/h/.config/proxmox-mcp/config.yaml" || named {
		t.Errorf("default: %s %v", p, named)
	}
}
