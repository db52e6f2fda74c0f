package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/docs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/prompts"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// calls are those that a prompt names: `tool {json}` in backticks.
var calls = regexp.MustCompile("`([a-z_]+) (\\{[^`]*\\})`")

// walker makes the calls of a prompt on the simulated homelab, where everything is allowed.
type walker struct {
	t    *testing.T
	demo *demo
	deps tools.Deps
}

func newWalker(t *testing.T) *walker {
	t.Helper()
	a := &App{Env: func(string) string { return "" }, Home: t.TempDir(), GOOS: "linux", Clock: time.Now, Stderr: io.Discard}
	d, err := a.startDemo(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	d.sim.Update(func(w *pvesim.World) {
		w.Pace, w.StatLag = 0.02, 0
		delete(w.Cluster.Lists, "ha_resources") // the manager works in rounds of its own
	})
	d.parts.grants.Process = []change.Grant{{Tier: change.Host}}
	if err := d.parts.inv.Complete(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := d.parts.inv.Settings(t.Context(), ""); err != nil { // as a server does after its first minute
		t.Fatal(err)
	}
	return &walker{t: t, demo: d, deps: a.deps(d.parts, server.LocalPrincipal(), "cli")}
}

// call makes one call and gives what a model reads.
func (w *walker) call(tool, args string) (string, error) {
	w.t.Helper()
	spec, err := tools.Find(tool)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	res, err := spec.Call(ctx, w.deps, json.RawMessage(args))
	if err != nil {
		return tools.ErrorText(err), err
	}
	return res.Answer.View(w.deps).Compact(), nil
}

// TestPromptWalks: each prompt of ours, filled, is a walk that works: its calls are made in their order on the simulated homelab, and lead to what
// the prompt is for. What a reader puts in by hand (<plan>) comes from the answer before, or from the table.
func TestPromptWalks(t *testing.T) {
	walks := map[string]struct {
		args map[string]string
		puts map[string]string     // <...>: what a reader puts there
		fail map[string]fault.Code // calls that may fail here, and how
		want map[string]string     // tool: what an answer of it holds
	}{
		"troubleshoot_guest": {args: map[string]string{"guest": "jellyfin", "symptom": "slow since yesterday"}, puts: map[string]string{"<its node>": "pve1"},
			want: map[string]string{"diagnose_guest": "jellyfin", "get_guest": "running", "read_log": "line"}},
		"capacity_review": {args: map[string]string{"cluster": demoCluster}, puts: map[string]string{"<each node>": "pve1"},
			want: map[string]string{"list_nodes": "pve3", "list_storage": "tank", "get_metrics": "p95", "find_guests": "running"}},
		"backup_audit": {args: map[string]string{"age": "7d"}, puts: map[string]string{"<guest>": "208"},
			want: map[string]string{"list_backups": "guests", "find_recovery": "208", "find_tasks": "vzdump"}},
		"adopt_as_code": {puts: map[string]string{"<guest>": "104"}, fail: map[string]fault.Code{"check_code": fault.Config},
			want: map[string]string{"export_code": "terraform", "describe_as_code": "import", "run_checks": "as declared", "diff_code": ""}},
		"new_service": {args: map[string]string{"name": "wiki", "purpose": "notes for the family", "node": "pve1"},
			want: map[string]string{"create_container": "wiki", "get_guest": "wiki on pve1: running", "list_backups": "wiki"}},
		"move_guests_off_node": {args: map[string]string{"node": "pve2"},
			want: map[string]string{"drain_node": "pve1", "get_plan": ": done (disruptive)"}},
		"explain_changes": {args: map[string]string{"since": "7d", "object": "jellyfin"}, puts: map[string]string{"<object>": "jellyfin"},
			want: map[string]string{"find_tasks": "task", "get_history": "version"}},
		"security_review": {puts: map[string]string{"<each node>": "pve1", "<user@realm>": "root@pam"}, want: map[string]string{"check_access": "root@pam", "get_history": "user root@pam at ", "get_node": "pve1", "list_networks": "vmbr0"}},
	}
	t.Setenv("PATH", t.TempDir()) // neither terraform nor tofu
	set, err := prompts.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Prompts {
		walk, ok := walks[p.Name]
		if !ok {
			t.Errorf("%s is walked by no test", p.Name)
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			text, err := p.Fill(walk.args)
			if err != nil {
				t.Fatal(err)
			}
			w, plan, seen := newWalker(t), "", map[string]string{}
			for _, c := range calls.FindAllStringSubmatch(text, -1) {
				tool, args := c[1], c[2]
				if !slices.Contains(p.Tools, tool) {
					t.Errorf("%s is called and not among the tools that the prompt needs", tool)
				}
				for place, value := range walk.puts {
					args = strings.ReplaceAll(args, place, value)
				}
				args = strings.ReplaceAll(args, "<plan>", plan)
				answer, err := w.call(tool, args)
				if err != nil && walk.fail[tool] != fault.CodeOf(err) {
					t.Errorf("%s %s: %s", tool, args, answer)
				}
				if id := planShape.FindString(answer); id != "" {
					plan = id
				}
				seen[tool] += answer + "\n"
			}
			for tool, want := range walk.want {
				if !strings.Contains(seen[tool], want) || seen[tool] == "" {
					t.Errorf("%s answered without %q:\n%s", tool, want, seen[tool])
				}
			}
			for _, tool := range p.Tools {
				if seen[tool] == "" {
					t.Errorf("%s is needed and not called", tool)
				}
			}
		})
	}
}

// documented are the files that docs/recipes.md shows: their name in a line of its own, then a block.
var documented = regexp.MustCompile("(?s)`prompts\\.d/([a-z-]+\\.[a-z]+)`:\n\n```[a-z]+\n(.*?)```\n")

// TestDocumentedRecipes: every example of docs/recipes.md is read without a complaint and does on the simulated homelab what it says.
func TestDocumentedRecipes(t *testing.T) {
	page, err := docs.Read("recipes")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, m := range documented.FindAllStringSubmatch(page, -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set, err := prompts.Load(dir)
	if err != nil || len(set.Problems) > 0 || len(set.Recipes) != 3 || len(set.Prompts) != 9 {
		t.Fatalf("%v: %+v", err, set)
	}
	w := newWalker(t)
	text, err := set.Prompts[8].Fill(map[string]string{"node": "pve1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls.FindAllStringSubmatch(text, -1) {
		if answer, err := w.call(c[1], c[2]); err != nil {
			t.Errorf("%s: %s", c[0], answer)
		}
	}
	for _, r := range set.Recipes {
		for _, dry := range []bool{true, false} {
			args := map[string]string{}
			if r.Arguments[0].Required {
				args["guest"] = "gitlab"
			}
			done, err := r.Run(t.Context(), args, dry, func(ctx context.Context, s tools.Spec, raw json.RawMessage) (tools.Answer, error) {
				res, err := s.Call(ctx, w.deps, raw)
				return res.Answer, err
			}, func(prompts.Done) error { return nil })
			if err != nil || len(done) != len(r.Steps) {
				t.Errorf("%s, dry %v: %d of %d steps, %v", r.Name, dry, len(done), len(r.Steps), err)
			}
		}
	}
}
