package e2e

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInspector runs the MCP Inspector's command line: handshake, portable schemas, every tool.
func TestInspector(t *testing.T) {
	cl := startCluster(t, callsWorld(t), recordedToken)
	inspect := inspector(t, cl.env, program(t), "serve")
	if o := inspect("--method", "tools/list", "--strict"); o.code != 0 {
		t.Fatalf("tools/list --strict: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	for _, c := range everyTool(t) {
		c.check(t, inspect)
	}
	if o := inspect("--method", "tools/call", "--tool-name", "get_guest", "--tool-arg", "guest=nosuch"); o.code != 5 || !strings.Contains(o.stdout, "not_found") {
		t.Errorf("an unknown guest: exit %d, want 5 (isError)\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// inspector gives what runs the Inspector against a server, a command line or an address with what the Inspector has to know of it.
func inspector(t *testing.T, env []string, target ...string) func(args ...string) output {
	t.Helper()
	node := node(t)
	entry := inspectorEntry(t, "node_modules/@modelcontextprotocol/inspector", "mcp-inspector")
	return func(args ...string) output {
		return run(t, env, "", node, append(append([]string{entry, "--cli"}, target...), args...)...)
	}
}

// TestInspectorTransports: the Inspector lists, calls and reads over each transport and in both eras, and meets all that there is over HTTP and SSE.
func TestInspectorTransports(t *testing.T) {
	cl := startCluster(t, callsWorld(t), recordedToken)
	s := cl.serveHTTP(t)
	for name, target := range map[string][]string{
		"http, older":  {s.url, "--transport", "http", "--protocol-era", "legacy"},
		"http, newer":  {s.url, "--transport", "http", "--protocol-era", "modern"},
		"sse":          {s.base + "/sse", "--transport", "sse"},
		"stdio, newer": {program(t), "serve", "--protocol-era", "modern"},
	} {
		t.Run(name, func(t *testing.T) {
			inspect := inspector(t, cl.env, target...)
			for _, c := range []inspection{
				{0, `"get_overview"`, []string{"--method", "tools/list", "--strict"}},
				{0, "vm 100 web on pve1", []string{"--method", "tools/call", "--tool-name", "get_guest", "--tool-arg", "guest=100"}},
				{5, "guest: is required", []string{"--method", "tools/call", "--tool-name", "get_guest"}},
				{0, "pve://test/overview", []string{"--method", "resources/list"}},
				{0, "pve1", []string{"--method", "resources/read", "--uri", "pve://test/overview"}},
			} {
				c.check(t, inspect)
			}
		})
	}
	cl.cli(t, "code", "export") // what is asked about code is asked side by side
	// One call costs 0.4 s, most of it the start of Node.js: everything goes over two of the transports, each with half of what is no tool.
	for name, c := range map[string]struct {
		target []string
		offers []inspection
	}{
		"all, http newer": {[]string{s.url, "--transport", "http", "--protocol-era", "modern"}, everyResource(t)},
		"all, sse":        {[]string{s.base + "/sse", "--transport", "sse"}, everyPrompt()},
	} {
		for _, one := range slices.Concat(everyTool(t), c.offers) {
			t.Run(name+" "+strings.Join(one.args[1:], " "), func(t *testing.T) {
				t.Parallel()
				one.check(t, inspector(t, cl.env, c.target...))
			})
		}
	}
}

// inspection is one run of the Inspector: its arguments, exit code and a part of what it prints.
type inspection struct {
	code int
	text string
	args []string
}

func (c inspection) check(t *testing.T, inspect func(args ...string) output) {
	t.Helper()
	if o := inspect(c.args...); o.code != c.code || !strings.Contains(o.stdout, c.text) {
		t.Errorf("%v: exit %d, want %d and %q\n%s%s", c.args[1:], o.code, c.code, c.text, o.stdout, o.stderr)
	}
}

func everyTool(t *testing.T) (out []inspection) {
	t.Helper()
	for _, c := range calls(t, recordedTask(t)) {
		name, params := c[0].(string), c[1].(map[string]any)
		one := inspection{0, `"content"`, []string{"--method", "tools/call", "--tool-name", name}}
		for k, v := range params {
			one.args = append(one.args, "--tool-arg", k+"="+v.(string))
		}
		if name == "check_code" {
			one.code = 5 // isError
		}
		out = append(out, one)
	}
	return out
}

// everyResource reads one address of each kind.
func everyResource(t *testing.T) (out []inspection) {
	t.Helper()
	for path, text := range map[string]string{"test/overview": "pve1", "test/health": "severity", "test/operations": "operation", "test/guests/100": "vm 100 web on pve1", "test/nodes/pve1": "pve1",
		"test/storage/local": "local", "test/tasks/" + url.PathEscape(recordedTask(t)): "task", "test/code": "pve://test/code", "docs/queries": "# Query grammar", "docs/tools.md": "# Tools"} {
		out = append(out, inspection{0, text, []string{"--method", "resources/read", "--uri", "pve://" + path}})
	}
	return append(out, inspection{0, "pve://{cluster}/code/{+path}", []string{"--method", "resources/templates/list"}})
}

// everyPrompt gets each that is there where nothing but reading is allowed.
func everyPrompt() []inspection {
	out := []inspection{{0, "troubleshoot_guest", []string{"--method", "prompts/list"}},
		{0, `get_guest {\"guest\": \"web\"}`, []string{"--method", "prompts/get", "--prompt-name", "troubleshoot_guest", "--prompt-args", "guest=web"}}}
	for _, name := range []string{"adopt_as_code", "backup_audit", "capacity_review", "explain_changes", "security_review"} {
		out = append(out, inspection{0, `"role": "user"`, []string{"--method", "prompts/get", "--prompt-name", name}})
	}
	return out
}

// TestInspectorCompletes: the Inspector's other command line, whose connection outlives its commands, completes arguments of prompts and addresses; the
// one of the tests above has no such command.
func TestInspectorCompletes(t *testing.T) {
	cl := startCluster(t, callsWorld(t), recordedToken)
	s := cl.serveHTTP(t)
	node, entry := node(t), inspectorEntry(t, "node_modules/@modelcontextprotocol/inspector", "mcpdo")
	env := append(slices.Clip(cl.env), "MCP_INSPECTOR_DAEMON_DIR="+t.TempDir(), "MCP_INSPECTOR_DAEMON_TOKEN=of-this-test", "MCP_INSPECTOR_SECRET_STORE=memory")
	do := func(args ...string) output { return run(t, env, "", node, append([]string{entry}, args...)...) }
	defer do("daemon", "stop")
	for target, connect := range map[string][]string{s.url: {"--transport", "http", "--era", "modern"}, s.base + "/sse": {"--transport", "sse"}} {
		if o := do(append(append([]string{"connect"}, connect...), target)...); o.code != 0 {
			t.Fatalf("%s: exit %d\n%s%s", target, o.code, o.stdout, o.stderr)
		}
		for _, c := range [][4]string{{"ref/prompt", "troubleshoot_guest", "guest", "web"}, {"ref/prompt", "explain_changes", "since", "yesterday"},
			{"ref/resource", "pve://{cluster}/guests/{vmid}", "cluster", "test"}, {"ref/resource", "pve://{cluster}/guests/{vmid}", "vmid", "100"},
			{"ref/resource", "pve://{cluster}/nodes/{node}", "node", "pve1"}, {"ref/resource", "pve://{cluster}/storage/{id}", "id", "local"},
			{"ref/resource", "pve://{cluster}/tasks/{upid}", "upid", recordedTask(t)}, {"ref/resource", "pve://docs/{name}", "name", "queries"}} {
			o := do("--connection", target, "--format", "json", "prompts/complete", "--complete-ref-type", c[0], "--complete-ref", c[1], "--complete-arg-name", c[2], "--complete-arg-value", c[3][:1])
			if got := decode[struct{ Values []string }](t, o.stdout).Values; o.code != 0 || !slices.Contains(got, c[3]) {
				t.Errorf("%s, %s of %s: exit %d, %v without %s\n%s", target, c[2], c[1], o.code, got, c[3], o.stderr)
			}
		}
	}
}

// TestInspectorLoad lets ten callers of the Inspector call for ten seconds in each era; not one call fails.
func TestInspectorLoad(t *testing.T) {
	t.Parallel()
	s := demoHTTP(t)
	for _, era := range []string{"legacy", "modern"} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			inspect := inspector(t, []string{"HOME=" + t.TempDir(), "NODE_NO_WARNINGS=1"}, s.url, "--transport", "http", "--protocol-era", era)
			o := inspect("--method", "tools/call", "--tool-name", "get_guest", "--tool-arg", "guest=101", "--load", "--load-duration", "10", "--load-concurrency", "10", "--format", "json", "-q")
			r := decode[struct {
				Result struct{ Requests, OK, ToolErrors, Errors int }
			}](t, o.stdout).Result
			if o.code != 0 || r.OK < 100 || r.OK != r.Requests || r.Errors+r.ToolErrors != 0 {
				t.Errorf("exit %d, %+v", o.code, r)
			}
		})
	}
}

func inspectorEntry(t *testing.T, dir, bin string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		missing(t, "the MCP Inspector of e2e/package.json (make e2e-deps)")
	}
	var pkg struct{ Bin map[string]string }
	if err := json.Unmarshal(raw, &pkg); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, pkg.Bin[bin])
}
