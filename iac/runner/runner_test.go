package runner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac/runner"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// pretend is a program that answers each command with a text and an exit code, and notes how it was called.
func pretend(t *testing.T, script string) *runner.Runner {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a shell script")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "terraform")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"$@\" >> \"$CALLS\"\nenv > \"$CALLS.env\"\n"+script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return &runner.Runner{Program: path, Dir: dir, Env: []string{"CALLS=" + filepath.Join(dir, "calls"), "PROXMOX_VE_API_TOKEN=mine!x=mine-secret"}}
}

const planned = `{"resource_changes":[
 {"address":"vm.same","mode":"managed","change":{"actions":["no-op"],"importing":{"id":"pve1/1"},"before":{},"after":{}}},
 {"address":"data.x","mode":"data","change":{"actions":["read"]}},
 {"address":"vm.web","mode":"managed","change":{"actions":["update"],"importing":{"id":"pve1/2"},
  "before":{"memory":[{"dedicated":4096}],"name":"web","id":"2","password":"old","tags":null,"disk":[{"size":1},{"size":2}]},
  "after":{"memory":[{"dedicated":2048}],"name":"web","password":"new","tags":["a"],"disk":[{"size":1}]},
  "after_unknown":{"id":true},"before_sensitive":{"password":true},"after_sensitive":{"password":true}}},
 {"address":"vm.amd","type":"proxmox_virtual_environment_vm","mode":"managed","action_reason":"replace_because_cannot_update","change":{"actions":["delete","create"],"before":{"vm_id":202,"node_name":"pve1","tags":["a"],"sev":1},"after":{"vm_id":202,"node_name":"pve1","tags":["b"],"pool_id":"lab","sev":null}}},
 {"address":"vm.new","mode":"managed","change":{"actions":["create"],"after":{}}},
 {"address":"vm.old","mode":"managed","action_reason":"delete_because_no_resource_config","change":{"actions":["delete"],"before":{}}},
 {"address":"vm.gone","mode":"managed","change":{"actions":["forget"],"before":{}}}]}`

// TestPlan reads what would happen, field by field, and shows no secret.
func TestPlan(t *testing.T) {
	t.Setenv("TF_LOG", "trace")
	t.Setenv("TF_CLI_ARGS_plan", "-destroy")
	t.Setenv("PROXMOX_VE_API_TOKEN", "another")
	r := pretend(t, "case $1 in show) cat <<'X'\n"+planned+"\nX\n;; esac\n")
	p, err := r.Plan(t.Context(), "/tmp/plan")
	if err != nil {
		t.Fatal(err)
	}
	want := &runner.Plan{Import: 2, Add: 2, Change: 1, Destroy: 2, Forget: 1, Same: 1, Objects: []runner.Object{
		{Address: "vm.web", Action: "update", Fields: []runner.Field{{Path: "disk", Live: `[{"size":1},{"size":2}]`, Code: `[{"size":1}]`},
			{Path: "memory[0].dedicated", Live: "4096", Code: "2048"}, {Path: "password", Live: "(secret)", Code: "(secret)"}, {Path: "tags", Code: `["a"]`}}, ID: "2"},
		{Address: "vm.amd", Type: "proxmox_virtual_environment_vm", Action: "replace", Reason: "replace because cannot update", VMID: 202, Node: "pve1",
			Tags: []string{"b"}, Pool: new("lab"), Fields: []runner.Field{{Path: "pool_id", Code: "lab"}, {Path: "sev", Live: "1"}, {Path: "tags[0]", Live: "a", Code: "b"}}},
		{Address: "vm.new", Action: "create"}, {Address: "vm.old", Action: "delete", Reason: "delete because no resource config"}}}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if p.Clean() {
		t.Error("it counts as clean")
	}
	calls, err := os.ReadFile(filepath.Join(r.Dir, "calls"))
	if err != nil || string(calls) != "plan -input=false -lock=false -json -out=/tmp/plan\nshow -json /tmp/plan\n" {
		t.Errorf("%v: %s", err, calls)
	}
	env, err := os.ReadFile(filepath.Join(r.Dir, "calls.env"))
	if err != nil || !strings.Contains(string(env), "PROXMOX_VE_API_TOKEN=mine!x=") || strings.Contains(string(env), "another") || strings.Contains(string(env), "TF_LOG") ||
		strings.Contains(string(env), "-destroy") {
		t.Errorf("%v: %s", err, env)
	}
}

// TestFaults: what the code or the cluster lack is told with the place; what the program lacks is an error.
func TestFaults(t *testing.T) {
	r := pretend(t, `case $1 in
plan) echo '{"type":"version"}'; echo '{"type":"diagnostic","diagnostic":{"severity":"error","summary":"403","detail":"password=abc-secret sent mine-secret","address":"vm.a","range":{"filename":"vms.tf","start":{"line":7}}}}'; exit 1;;
validate) echo '{"diagnostics":[{"severity":"warning","summary":"old"}]}';;
fmt) echo a.tf; exit 3;;
init) printf '╷\n│ Warning: old lock file\n╵\n╷\n│ Error: no such provider\n│ at all\n╵\n' >&2; exit 1;;
version) exec sleep 60;;
esac
`)
	p, err := r.Plan(t.Context(), "x")
	if err != nil || len(p.Errors) != 1 || p.Clean() || p.Errors[0].Address != "vm.a" || p.Errors[0].Where != "vms.tf:7" || strings.Contains(p.Errors[0].Detail, "secret") {
		t.Errorf("%+v %v", p, err)
	}
	if list, err := r.Validate(t.Context()); err != nil || len(list) != 1 || list[0].Summary != "old" {
		t.Error(list, err)
	}
	if list, err := r.Unformatted(t.Context()); err != nil || cmp.Diff([]string{"a.tf"}, list) != "" {
		t.Error(list, err)
	}
	if err := r.Init(t.Context()); fault.CodeOf(err) != fault.CheckFailed || fault.Of(err).Cause != "Error: no such provider at all" {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("nobody waits that long"))
	defer cancel()
	if _, err := r.Version(ctx); fault.CodeOf(err) != fault.Timeout || !strings.Contains(err.Error(), "nobody waits") {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := runner.Find(""); fault.CodeOf(err) != fault.Config || !strings.Contains(fault.Of(err).Hint, "OpenTofu") {
		t.Error(err)
	}
}

// TestApply: what was done and what failed is told, progress is heard, and nothing but the saved plan is run. What it leaves is for its owner alone.
func TestApply(t *testing.T) {
	var heard []string
	tell := func(s string) { heard = append(heard, s) }
	r := pretend(t, `case $1 in
apply) touch state
 echo '{"type":"version"}'
 echo '{"type":"apply_complete","@message":"vm.a: Import complete of mine-secret"}'
 echo '{"type":"diagnostic","diagnostic":{"severity":"error","summary":"403","address":"vm.b"}}'
 echo '{"type":"change_summary","changes":{"add":0,"change":1,"import":3,"remove":0,"operation":"apply"}}'
 exit 1;;
esac
`)
	got, err := r.Apply(t.Context(), "/tmp/plan", tell)
	if err != nil || got.Import != 3 || got.Change != 1 || len(got.Errors) != 1 || got.Errors[0].Address != "vm.b" {
		t.Errorf("%+v %v", got, err)
	}
	if diff := cmp.Diff([]string{"vm.a: Import complete of **********"}, heard); diff != "" {
		t.Error(diff)
	}
	calls, err := os.ReadFile(filepath.Join(r.Dir, "calls"))
	if err != nil || string(calls) != "apply -input=false -json -lock-timeout=10s /tmp/plan\n" {
		t.Errorf("%v: %s", err, calls)
	}
	if info, err := os.Stat(filepath.Join(r.Dir, "state")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := pretend(t, "echo stale >&2; exit 1\n").Apply(t.Context(), "x", nil); fault.CodeOf(err) != fault.CheckFailed || !strings.Contains(err.Error(), "stale") {
		t.Error(err)
	}
	if _, err := pretend(t, "kill -9 $$\n").Apply(t.Context(), "x", nil); fault.CodeOf(err) != fault.UnknownOutcome {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := pretend(t, "exec sleep 60\n").Apply(ctx, "x", nil); fault.CodeOf(err) != fault.UnknownOutcome {
		t.Error(err)
	}
}
