package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// every tool with arguments that fit the recorded world; the task is a backup that the world's task list holds.
func calls(t *testing.T, task string) [][2]any {
	t.Helper()
	return [][2]any{
		{"get_overview", map[string]any{}},
		{"find_guests", map[string]any{"query": "type:vm"}},
		{"get_guest", map[string]any{"guest": "100", "detail": "full"}},
		{"list_nodes", map[string]any{}},
		{"get_task", map[string]any{"task": task}},
		{"find_changes", map[string]any{}},
		{"diagnose_guest", map[string]any{"guest": "100"}},
		{"get_agent_info", map[string]any{"guest": "200", "what": "addresses"}},
		{"get_metrics", map[string]any{"object": "100", "timeframe": "hour"}},
		{"find_tasks", map[string]any{"since": "2h"}},
		{"find_recovery", map[string]any{"guest": "100"}},
		{"get_history", map[string]any{"object": "100"}},
		{"get_node", map[string]any{"node": "pve1"}},
		{"list_storage", map[string]any{}},
		{"list_volumes", map[string]any{"content": "images"}},
		{"list_backups", map[string]any{"missing_since": "7d"}},
		{"get_file_from_backup", map[string]any{"guest": "200", "path": "/etc"}},
		{"list_networks", map[string]any{}},
		{"read_log", map[string]any{"node": "pve1"}},
		{"check_health", map[string]any{}},
		{"check_access", map[string]any{}},
		{"list_clusters", map[string]any{}},
		{"sync_inventory", map[string]any{}},
		{"find_operations", map[string]any{}},
		{"export_code", map[string]any{}},
		{"diff_code", map[string]any{}},
		{"run_checks", map[string]any{}},
		{"describe_as_code", map[string]any{"guest": "100"}},
		{"check_code", map[string]any{"folder": "/nowhere"}}, // refused: TestCodeCheck lets it run
	}
}

// callsWorld is the recorded world with a container that runs, whose addresses can be asked for, and whose backup has files.
func callsWorld(t *testing.T) *pvesim.World {
	t.Helper()
	w := recordedWorld(t)
	w.SetStatus(200, "running")
	w.AddBackupServer("pbs", "backup.lan")
	w.AddServerBackup(pvesim.ServerBackup{Storage: "pbs", VMID: 200, At: w.Now().Add(-time.Hour), Files: map[string]string{"root.pxar.didx/etc/hosts": "127.0.0.1 localhost\n"}})
	return w
}

func recordedTask(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(shared(t, "pve", "recordings", "02-cluster-and-node-reads", "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Cluster struct{ Tasks []pve.TaskRow }
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	return w.Cluster.Tasks[0].UPID
}

type toolResult struct {
	Name   string
	Result struct {
		IsError           bool
		Content           []struct{ Type, Text string }
		StructuredContent map[string]any
	}
}

type session struct {
	Version string
	Server  struct{ Name, Version string }
	Tools   []struct {
		Name, Description string
		InputSchema       struct{ Type string }
		Annotations       struct{ ReadOnlyHint, DestructiveHint *bool }
	}
	Results   []toolResult
	Resources []struct{ URI, Of, Text, Error string }
	Prompts   []struct {
		Name     string
		Messages []string
	}
	Completions map[string][]string // by address template or prompt, and argument
}

// goSDK builds the client of the official Go SDK, which has a module of its own.
func goSDK(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "gosdk")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "tools/gosdk", "-mod=readonly", "-o", bin, ".").CombinedOutput(); err != nil {
		missing(t, "the official Go SDK: "+string(out))
	}
	return bin
}

// TestSDKClients calls every tool, resource, template and prompt with the TypeScript SDK's two clients and the Go SDK's, over every transport
// that they speak.
func TestSDKClients(t *testing.T) {
	ts := func(script string) []string { return []string{node(t), filepath.Join("clients", script)} }
	for _, c := range []struct {
		name, transport, version string
		client                   func() []string
	}{
		{"TypeScript v1", "stdio", "", func() []string { return ts("sdk-v1.mjs") }},
		{"TypeScript v1", "http", "", func() []string { return ts("sdk-v1.mjs") }},
		{"TypeScript v1", "sse", "", func() []string { return ts("sdk-v1.mjs") }},
		{"TypeScript v2", "stdio", "2026-07-28", func() []string { return ts("sdk-v2.mjs") }},
		{"TypeScript v2", "http", "2026-07-28", func() []string { return ts("sdk-v2.mjs") }},
		{"Go", "http", "2026-07-28", func() []string { return []string{goSDK(t)} }},
		{"Go", "sse", "2026-07-28", func() []string { return []string{goSDK(t)} }},
	} {
		t.Run(c.name+" "+c.transport, func(t *testing.T) {
			cl := startCluster(t, callsWorld(t), recordedToken)
			list, err := json.Marshal(calls(t, recordedTask(t)))
			if err != nil {
				t.Fatal(err)
			}
			args := append(c.client(), string(list))
			switch c.transport {
			case "stdio":
				args = append(args, program(t), "serve")
			case "http":
				args = append(args, cl.serveHTTP(t).url)
			case "sse":
				args = append(args, cl.serveHTTP(t).base+"/sse")
			}
			o := run(t, cl.env, "", args[0], args[1:]...)
			if o.code != 0 {
				t.Fatalf("exit %d\n%s", o.code, o.stderr)
			}
			s := decode[session](t, o.stdout)
			if s.Version != c.version {
				t.Errorf("negotiated %q, want %q", s.Version, c.version)
			}
			checkSession(t, s)
			checkOffers(t, s)
		})
	}
}

// checkOffers: every resource and template can be read, every prompt is got, and their arguments are completed.
func checkOffers(t *testing.T, s session) {
	t.Helper()
	read := map[string]bool{}
	for _, r := range s.Resources {
		if read[r.Of] = true; r.Text == "" || r.Error != "" || strings.Contains(r.Text, canaryPassword) {
			t.Errorf("resource %s: %q %s", r.URI, r.Text, r.Error)
		}
	}
	for _, want := range []string{"pve://test/overview", "pve://test/health", "pve://{cluster}/guests/{vmid}", "pve://{cluster}/nodes/{node}", "pve://{cluster}/storage/{id}", "pve://docs/{name}"} {
		if !read[want] {
			t.Errorf("%s was not read; completions %v", want, s.Completions)
		}
	}
	if len(s.Prompts) < 6 { // where nothing but reading is allowed
		t.Errorf("%d prompts", len(s.Prompts))
	}
	for _, completed := range []string{"troubleshoot_guest guest", "explain_changes object", "pve://{cluster}/guests/{vmid} cluster", "pve://{cluster}/storage/{id} id"} {
		if len(s.Completions[completed]) == 0 {
			t.Errorf("nothing completes %s: %v", completed, s.Completions)
		}
	}
	for _, p := range s.Prompts {
		if len(p.Messages) == 0 || p.Messages[0] == "" {
			t.Errorf("prompt %s: %q", p.Name, p.Messages)
		}
	}
}

func checkSession(t *testing.T, s session) {
	t.Helper()
	if len(s.Tools) != len(tools.Listed(tools.R0)) || len(s.Results) != len(tools.Listed(tools.R0)) {
		t.Fatalf("%d tools and %d results, want %d", len(s.Tools), len(s.Results), len(tools.Listed(tools.R0)))
	}
	for _, tool := range s.Tools {
		if tool.Description == "" || tool.InputSchema.Type != "object" || tool.Annotations.ReadOnlyHint == nil || !*tool.Annotations.ReadOnlyHint {
			t.Errorf("%s: description, object schema and readOnlyHint are all needed: %+v", tool.Name, tool)
		}
	}
	for _, r := range s.Results {
		if r.Result.IsError != (r.Name == "check_code") || len(r.Result.Content) != 1 || r.Result.Content[0].Text == "" {
			t.Errorf("%s: %+v", r.Name, r.Result)
		}
	}
	if got := s.Results[2].Result.Content[0].Text; !strings.Contains(got, "vm 100 web on pve1") || strings.Contains(got, canaryPassword) {
		t.Errorf("get_guest: %s", got)
	}
	if got := s.Results[4].Result.StructuredContent["state"]; got != "ok" {
		t.Errorf("get_task: state %v, want ok", got)
	}
}
