package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// changeSession is what a client saw that changed something on the simulated homelab.
type changeSession struct {
	Version, Instructions string
	Asked                 []string
	Tools                 []struct {
		Name        string
		InputSchema struct {
			Properties map[string]struct{ Enum []string }
		}
		Meta map[string]any `json:"_meta"`
	}
	Results []struct {
		toolResult
		Took int // ms
	}
}

func (s changeSession) text(k int) string { return s.Results[k].Result.Content[0].Text }

// changes lets a TypeScript client call tools on a demo server that allows a tier; user says how its user answers questions.
func changes(t *testing.T, script, user, allow string, calls ...[2]any) changeSession {
	t.Helper()
	args := []string{program(t), "demo", "--serve"}
	if allow != "" {
		args = append(args, "--allow", allow)
	}
	return changesBy(t, script, user, args, calls)
}

// changesBy is changes on a server given by its command line or its address.
func changesBy(t *testing.T, script, user string, target []string, calls [][2]any) changeSession {
	t.Helper()
	list, err := json.Marshal(append([][2]any{}, calls...))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{filepath.Join("clients", script), user, string(list)}, target...)
	o := run(t, []string{"HOME=" + t.TempDir(), "TZ=UTC"}, "", node(t), args...)
	if o.code != 0 {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	s := decode[changeSession](t, o.stdout)
	if len(s.Results) != len(calls) {
		t.Fatalf("%d results of %d calls", len(s.Results), len(calls))
	}
	return s
}

var changeScripts = []string{"change-v1.mjs", "change-v2.mjs"}

// TestChangeListed: tools and actions are listed as far as they are allowed.
func TestChangeListed(t *testing.T) {
	for allow, want := range map[string]struct {
		level    tools.Tier
		power    []string
		snapshot []string
	}{
		"":            {level: tools.R0},
		"reversible":  {tools.R1, []string{"start", "resume"}, []string{"create"}},
		"destructive": {tools.R3, []string{"start", "shutdown", "reboot", "stop", "reset", "suspend", "resume"}, []string{"create", "delete", "rollback"}},
	} {
		s := changes(t, "change-v1.mjs", "none", allow)
		if len(s.Tools) != len(tools.Listed(want.level)) {
			t.Errorf("%q: %d tools, want %d", allow, len(s.Tools), len(tools.Listed(want.level)))
		}
		for _, tool := range s.Tools {
			actions := tool.InputSchema.Properties["action"].Enum
			if tool.Name == "power_guest" && !slices.Equal(actions, want.power) || tool.Name == "snapshot_guest" && !slices.Equal(actions, want.snapshot) {
				t.Errorf("%q: %s has actions %v", allow, tool.Name, actions)
			}
			if tool.Name == "delete_guest" && tool.Meta["anthropic/requiresUserInteraction"] != true {
				t.Errorf("delete_guest has _meta %v", tool.Meta)
			}
		}
		if strings.Contains(s.Instructions, "undo_change") != (want.level > tools.R0) {
			t.Errorf("%q: instructions %s", allow, s.Instructions)
		}
	}
}

// TestChangeAnswers: a disruptive change does what the client's user says; without a way to ask the plan is the answer, at once. Whatever a
// client accepts by itself, a guest is not destroyed (S03, S04).
func TestChangeAnswers(t *testing.T) {
	for user, want := range map[string]struct{ stop, guest string }{
		"accept":  {"stop 210 runner: done", "on pve1: stopped"},
		"decline": {"did not agree", "on pve1: running"},
		"none":    {"apply_plan p-", "on pve1: running"},
	} {
		for _, script := range changeScripts {
			s := changes(t, script, user, "destructive",
				[2]any{"power_guest", map[string]any{"guest": "210", "action": "stop"}}, [2]any{"get_guest", map[string]any{"guest": "210"}},
				[2]any{"delete_guest", map[string]any{"guest": "208"}}, [2]any{"get_guest", map[string]any{"guest": "208"}})
			if !strings.Contains(s.text(0), want.stop) || !strings.Contains(s.text(1), want.guest) {
				t.Errorf("%s, %s: %s\n%s", script, user, s.text(0), s.text(1))
			}
			if asked := user != "none"; (len(s.Asked) == 1) != asked || asked && !strings.Contains(s.Asked[0], "stop 210 runner?") {
				t.Errorf("%s, %s: asked %q", script, user, s.Asked)
			}
			// The first call opens the simulated cluster; a wait for an answer that nobody gives would be 25 s.
			if user == "none" && s.Results[0].Took > 5000 {
				t.Errorf("%s: a client that cannot ask waited %d ms", script, s.Results[0].Took)
			}
			if !strings.Contains(s.text(2), "waits for an operator") || !strings.Contains(s.text(3), "208 test-debian on pve1: stopped") {
				t.Errorf("%s, %s: %s\n%s", script, user, s.text(2), s.text(3))
			}
		}
	}
}

// TestChangeOverHTTP: the question reaches the user over Streamable HTTP in both eras; over HTTP+SSE, which cannot carry it, the plan is the
// answer.
func TestChangeOverHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ script, user, path, stop, guest string }{
		{"change-v1.mjs", "accept", server.MCPPath, "stop 210 runner: done", "on pve1: stopped"},
		{"change-v1.mjs", "decline", server.MCPPath, "did not agree", "on pve1: running"},
		{"change-v2.mjs", "accept", server.MCPPath, "stop 210 runner: done", "on pve1: stopped"},
		{"change-v2.mjs", "decline", server.MCPPath, "did not agree", "on pve1: running"},
		{"change-v1.mjs", "accept", "/sse", "apply_plan p-", "on pve1: running"},
	} {
		s := demoHTTP(t, "--allow", "disruptive")
		got := changesBy(t, c.script, c.user, []string{s.base + c.path}, [][2]any{{"power_guest", stop}, {"get_guest", map[string]any{"guest": "210"}}})
		if !strings.Contains(got.text(0), c.stop) || !strings.Contains(got.text(1), c.guest) || (len(got.Asked) == 1) != (c.path != "/sse") {
			t.Errorf("%s, %s, %s: asked %q\n%s\n%s", c.script, c.user, c.path, got.Asked, got.text(0), got.text(1))
		}
	}
}

// TestChangeSilentUser: a user who never answers holds a call up for 25 s; then the plan is the answer and nothing was sent.
func TestChangeSilentUser(t *testing.T) {
	t.Parallel()
	s := changes(t, "change-v1.mjs", "silent", "disruptive",
		[2]any{"power_guest", map[string]any{"guest": "210", "action": "stop"}}, [2]any{"get_guest", map[string]any{"guest": "210"}})
	if took := s.Results[0].Took; took < 24_000 || took > 45_000 || !strings.Contains(s.text(0), "apply_plan p-") || !strings.Contains(s.text(1), "on pve1: running") {
		t.Errorf("after %d ms: %s\n%s", took, s.text(0), s.text(1))
	}
}

// TestChangeTools calls every tool that changes something, planned only and for real where nobody has to be asked.
func TestChangeTools(t *testing.T) {
	guest := func(more map[string]any) map[string]any {
		args := map[string]any{"guest": "208"}
		maps.Copy(args, more)
		return args
	}
	list := [][2]any{
		{"power_guest", guest(map[string]any{"action": "start", "dry_run": true})},
		{"power_guest", guest(map[string]any{"action": "start"})},
		{"snapshot_guest", guest(map[string]any{"action": "create", "snapshot": "e2e", "dry_run": true})},
		{"snapshot_guest", guest(map[string]any{"action": "create", "snapshot": "e2e"})},
		{"update_guest", guest(map[string]any{"tags": []string{"e2e"}, "dry_run": true})},
		{"update_guest", guest(map[string]any{"tags": []string{"e2e"}})},
		{"delete_guest", guest(map[string]any{"dry_run": true})},
		{"backup_guest", guest(map[string]any{"dry_run": true})},
		{"restore_guest", map[string]any{"guest": "204", "action": "beside", "dry_run": true}},
		{"manage_backup_job", map[string]any{"action": "disable", "job": "backup-nightly", "dry_run": true}},
		{"verify_backup", map[string]any{"guest": "204", "dry_run": true}},
		{"delete_volume", map[string]any{"volume": "local:iso/debian-13.1.0-amd64-netinst.iso", "dry_run": true}},
		{"list_plans", map[string]any{}},
	}
	holds := []string{"dry run", "it is running", "dry run", "snapshot e2e exists", "dry run", "done", "only a stopped guest can be destroyed", "backup of 208 on nas-backup", "vpn-restored", "enabled 1 > 0", "its guest agent answers", "783 MiB", "create snapshot e2e"}
	for _, script := range changeScripts {
		s := changes(t, script, "accept", "destructive", list...)
		for k, want := range holds {
			if !strings.Contains(s.text(k), want) {
				t.Errorf("%s: %s answers %s, want %q", script, list[k][0], s.text(k), want)
			}
		}
	}
}

// byHandle are the tools that take the id of an earlier answer: TestChangePlans calls them.
var byHandle = []string{"get_plan", "apply_plan", "cancel_plan", "undo_change", "cancel_task"}

// examples are calls of every other tool that changes something, as its own examples have them, planned only. What is done to code takes a
// program that plans: TestCodeCheck and its like let it run.
func examples() (list [][2]any) {
	for _, s := range tools.All() {
		if s.Tier == tools.R0 || s.Family == "code" || slices.Contains(byHandle, s.Name) {
			continue
		}
		args := maps.Clone(s.Examples[0].Args)
		if slices.ContainsFunc(s.Inputs(tools.Caller{}), func(i tools.Input) bool { return i.Name == "dry_run" }) {
			args["dry_run"] = true
		}
		list = append(list, [2]any{s.Name, args})
	}
	return list
}

// planned says what is wrong with the answer to such a call, "" when nothing is.
func planned(tool, text string, isError bool) string {
	want, wrong := "dry run", false
	switch tool {
	case "exec_guest":
		want, wrong = "running programs in guests is off", true
	case "list_plans":
		want = "plan"
	}
	if !strings.Contains(text, want) || isError != wrong {
		return fmt.Sprintf("%s answers %s, want %q", tool, text, want)
	}
	return ""
}

// TestChangeExamples calls every tool that changes something through both TypeScript clients.
func TestChangeExamples(t *testing.T) {
	list := examples()
	if len(list) < 24 {
		t.Fatalf("only %d tools", len(list))
	}
	for _, script := range changeScripts {
		s := changes(t, script, "none", "host", list...)
		for k := range list {
			if wrong := planned(s.Results[k].Name, s.text(k), s.Results[k].Result.IsError); wrong != "" {
				t.Errorf("%s: %s", script, wrong)
			}
		}
	}
}

// TestChangePlans: plans are read, applied, undone and cancelled by their ids, and a running task is ended, through both clients.
func TestChangePlans(t *testing.T) {
	list := [][2]any{
		{"update_guest", map[string]any{"guest": "208", "tags": []string{"e2e"}}},
		{"undo_change", map[string]any{"plan": "$1:p"}},
		{"undo_change", map[string]any{"plan": "$1:p"}},
		{"power_guest", map[string]any{"guest": "210", "action": "stop"}},
		{"apply_plan", map[string]any{"plan": "$4:p"}},
		{"apply_plan", map[string]any{"plan": "$4:p"}},
		{"delete_guest", map[string]any{"guest": "208"}},
		{"cancel_plan", map[string]any{"plan": "$7:p"}},
		{"apply_plan", map[string]any{"plan": "$7:p"}},
		{"power_guest", map[string]any{"guest": "200", "action": "shutdown"}},
		{"apply_plan", map[string]any{"plan": "$10:p", "wait_s": 0}},
		{"find_tasks", map[string]any{"guest": "200", "status": "running", "fresh": true, "$until": "t-[a-z2-7]{8}"}},
		{"cancel_task", map[string]any{"task": "$12:t"}},
		{"apply_plan", map[string]any{"plan": "$13:p"}},
		{"get_plan", map[string]any{"plan": "$10:p", "wait_s": 60}},
	}
	holds := []string{"set tags: 208 test-debian: done", "undo p-", "is undone: there is nothing to undo", "only applying this plan does it", "stop 210 runner: done", "a plan is used once",
		"waits for an operator", "destroy 208 test-debian: cancelled", "a plan is used once", "only applying this plan does it", "shutdown 200 nas: applying", "qmshutdown", "only applying this plan does it",
		"the task has ended", "shutdown 200 nas: failed"}
	for _, script := range changeScripts {
		s := changes(t, script, "none", "destructive", list...)
		for k, want := range holds {
			if !strings.Contains(s.text(k), want) {
				t.Errorf("%s: %s (call %d) answers %s, want %q", script, list[k][0], k+1, s.text(k), want)
			}
		}
	}
}

// TestInspectorChanges: the Inspector plans and applies over stdio, and the schemas of all tools are portable.
func TestInspectorChanges(t *testing.T) {
	node := node(t)
	entry := inspectorEntry(t, "node_modules/@modelcontextprotocol/inspector", "mcp-inspector")
	inspect := func(args ...string) output {
		return run(t, []string{"HOME=" + t.TempDir(), "TZ=UTC"}, "", node, append([]string{entry, "--cli", program(t), "demo", "--serve", "--allow", "host"}, args...)...)
	}
	if o := inspect("--method", "tools/list", "--strict"); o.code != 0 || !strings.Contains(o.stdout, `"delete_guest"`) {
		t.Errorf("tools/list --strict: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	for want, args := range map[string][]string{
		"it is running":         {"power_guest", "guest=208", "action=start"},
		"apply_plan p-":         {"power_guest", "guest=210", "action=stop"},
		"waits for an operator": {"delete_guest", "guest=208"},
	} {
		call := []string{"--method", "tools/call", "--tool-name", args[0]}
		for _, a := range args[1:] {
			call = append(call, "--tool-arg", a)
		}
		if o := inspect(call...); o.code != 0 || !strings.Contains(o.stdout, want) {
			t.Errorf("%v: exit %d, want %q\n%s%s", args, o.code, want, o.stdout, o.stderr)
		}
	}
	for _, c := range examples() {
		name, params := c[0].(string), c[1].(map[string]any)
		call := []string{"--method", "tools/call", "--tool-name", name}
		for k, v := range params {
			text, ok := v.(string)
			if raw, err := json.Marshal(v); !ok && err == nil {
				text = string(raw)
			}
			call = append(call, "--tool-arg", k+"="+text)
		}
		o := inspect(call...)
		wrong := planned(name, o.stdout, o.code != 0)
		if name == "exec_guest" { // the Inspector calls what is listed alone
			if wrong = ""; !strings.Contains(o.stdout+o.stderr, "not found on server") {
				wrong = "it is listed although it is off"
			}
		}
		if wrong != "" {
			t.Errorf("%v: %s: exit %d\n%s%s", call, wrong, o.code, o.stdout, o.stderr)
		}
	}
	// Each of its calls is a session with a cluster of its own: what takes the id of another call is called with one that nobody knows.
	for tool, arg := range map[string]string{"apply_plan": "plan=p-aaaaaaaa", "undo_change": "plan=p-aaaaaaaa", "cancel_plan": "plan=p-aaaaaaaa", "get_plan": "plan=p-aaaaaaaa",
		"cancel_task": "task=t-aaaaaaaa"} {
		if o := inspect("--method", "tools/call", "--tool-name", tool, "--tool-arg", arg); !strings.Contains(o.stdout+o.stderr, "error not_found") {
			t.Errorf("%s: exit %d\n%s%s", tool, o.code, o.stdout, o.stderr)
		}
	}
}
