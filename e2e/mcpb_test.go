package e2e

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// bundle is the part of a manifest that a host works with.
type bundle struct {
	Version string
	Server  struct {
		EntryPoint string `json:"entry_point"`
		MCPConfig  struct {
			Command string
			Args    []string
			Env     map[string]string
		} `json:"mcp_config"`
	}
	UserConfig map[string]struct {
		Required, Sensitive bool
		Default             string
	} `json:"user_config"`
	Tools []struct{ Name string }
}

// TestBundle packs the bundle with the mcpb program, unpacks it as a host does, starts what is in it with nothing but address and token, and lets
// it read a cluster whose certificate an authority does not vouch for once its fingerprint is given.
func TestBundle(t *testing.T) {
	t.Parallel()
	mcpb, err := filepath.Abs("node_modules/@anthropic-ai/mcpb/dist/cli/cli.js")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mcpb); err != nil {
		missing(t, "mcpb of e2e/package.json (make e2e-deps)")
	}
	file := filepath.Join(t.TempDir(), "proxmox-mcp.mcpb")
	env := append(os.Environ(), "BINARY="+program(t), "VERSION=1.2.3")
	node(t)
	if o := run(t, env, "", "../deploy/mcpb/pack", file); o.code != 0 || !strings.Contains(o.stdout, "Manifest schema validation passes") {
		t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	dir := unpack(t, file)
	var m bundle
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	m = decode[bundle](t, string(text))
	var required []string
	for name, c := range m.UserConfig {
		if c.Required {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	if diff := cmp.Diff([]string{"endpoint", "token"}, required); diff != "" || m.Version != "1.2.3" || !m.UserConfig["token"].Sensitive {
		t.Errorf("version %s, token sensitive %v, required: %s", m.Version, m.UserConfig["token"].Sensitive, diff)
	}

	w := pvesim.DemoWorld(time.Now())
	w.AddUser("mcp@pve", "")
	w.AddACL("/", "user", "mcp@pve", "PVEAuditor", true)
	token := w.AddToken("mcp@pve", "bundle", "0badcafe-dead-4bad-8bad-c0ffeec0ffee", false)
	end, err := pvesim.New(w).Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	host := startBundle(t, dir, m, map[string]string{"endpoint": end.URL, "token": token})
	var list struct{ Tools []struct{ Name string } }
	host.ask(t, "tools/list", map[string]any{}, &list)
	var names, meant []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	for _, s := range tools.Listed(tools.R0) {
		meant = append(meant, s.Name)
	}
	slices.Sort(names)
	slices.Sort(meant)
	if diff := cmp.Diff(meant, names); diff != "" {
		t.Errorf("tools that only read (-) and tools of the bundle (+):\n%s", diff)
	}
	if answer := host.call(t, "get_overview"); !strings.Contains(answer, end.Fingerprint) {
		t.Errorf("the answer does not say which fingerprint to give: %s", answer)
	}
	host = startBundle(t, dir, m, map[string]string{"endpoint": end.URL, "token": token, "fingerprint": end.Fingerprint})
	if answer := host.call(t, "get_overview"); !strings.Contains(answer, "25 guests") {
		t.Errorf("no overview: %s", answer)
	}
}

// unpack writes the files of a bundle out with the modes that it has for them.
func unpack(t *testing.T, file string) string {
	t.Helper()
	r, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	dir := t.TempDir()
	for _, f := range r.File {
		if f.FileInfo().IsDir() {
			continue
		}
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(from)
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err != nil || !filepath.IsLocal(f.Name) || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if err := os.WriteFile(path, data, f.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// host is a program that speaks MCP over the pipes of a bundle's server.
type host struct {
	in  io.Writer
	out *bufio.Reader
	id  int
}

// startBundle puts what a user set in the place of ${user_config.*}, starts the server in an empty home and shakes hands.
func startBundle(t *testing.T, dir string, m bundle, set map[string]string) *host {
	t.Helper()
	values := map[string]string{"${__dirname}": dir}
	for name, c := range m.UserConfig {
		values["${user_config."+name+"}"] = c.Default
	}
	for name, v := range set {
		values["${user_config."+name+"}"] = v
	}
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, k, values[k])
	}
	fill := strings.NewReplacer(pairs...).Replace
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, fill(m.Server.MCPConfig.Command), m.Server.MCPConfig.Args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for k, v := range m.Server.MCPConfig.Env {
		cmd.Env = append(cmd.Env, k+"="+fill(v))
	}
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		t.Fatalf("the server of the bundle does not start: %v %v", err1, err2)
	}
	t.Cleanup(func() {
		_ = in.Close()
		cancel()
		_ = cmd.Wait()
	})
	h := &host{in: in, out: bufio.NewReader(out)}
	var hello struct{ ServerInfo struct{ Name string } }
	h.ask(t, "initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "host", "version": "1"}}, &hello)
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"); err != nil || hello.ServerInfo.Name == "" {
		t.Fatalf("no handshake: %+v, %v", hello, err)
	}
	return h
}

func (h *host) ask(t *testing.T, method string, params, result any) {
	t.Helper()
	h.id++
	line, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": h.id, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	for {
		text, err := h.out.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
		}
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if a.ID != h.id {
			continue // a notification
		}
		if len(a.Error) > 0 || json.Unmarshal(a.Result, result) != nil {
			t.Fatalf("%s: %s", method, text)
		}
		return
	}
}

func (h *host) call(t *testing.T, tool string) string {
	t.Helper()
	var res struct{ Content []struct{ Text string } }
	h.ask(t, "tools/call", map[string]any{"name": tool, "arguments": map[string]any{}}, &res)
	if len(res.Content) == 0 {
		return ""
	}
	return res.Content[0].Text
}
