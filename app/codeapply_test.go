package app

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// planner is a program that plans and applies what a test says, and notes how it is called. The real one runs in e2e.
type planner struct {
	*coder
	own string // its own folder: calls, the plan's JSON form, whether it was applied
}

const plannerScript = `#!/bin/sh
echo "$@" >> %[1]s/calls
env > %[1]s/env
case $1 in
version) echo '{"terraform_version":"1.11.4"}';;
validate) echo '{"diagnostics":[]}';;
plan) if [ -e %[1]s/fails ]; then echo "with $PROXMOX_VE_API_TOKEN" >&2; exit 1; fi
 for a; do case $a in -out=*) cat %[1]s/plan.json > "${a#-out=}";; esac; done;;
show) if [ -e %[1]s/applied ]; then echo '{}'; else sed "s/\$PROXMOX_VE_API_TOKEN/$PROXMOX_VE_API_TOKEN/" %[1]s/plan.json; fi;;
apply) : > terraform.tfstate; . %[1]s/apply;;
esac
`

func newPlanner(t *testing.T) *planner {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for terraform is a shell script")
	}
	p := &planner{coder: newCoder(t), own: t.TempDir()}
	bin := filepath.Join(p.own, "terraform")
	if err := os.WriteFile(bin, fmt.Appendf(nil, plannerScript, p.own), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	p.p.cfg.Code.Terraform = bin
	var err error
	if p.p.code, err = p.app.newCode(p.p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.p.code.Close() })
	p.does("touch " + p.own + `/applied; echo '{"type":"change_summary","changes":{"import":2,"operation":"apply"}}'`)
	p.sync()
	p.says("export_code", `{}`)
	return p
}

func (p *planner) put(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.own, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// does is what an apply does.
func (p *planner) does(script string) { p.put("apply", script+"\n") }

// plans is what is planned: resources as terraform show -json names them.
func (p *planner) plans(changes ...string) {
	p.put("plan.json", `{"resource_changes":[`+strings.Join(changes, ",")+`]}`)
	_ = os.Remove(filepath.Join(p.own, "applied"))
}

func (p *planner) allow(tier change.Tier) { p.p.grants.Process = []change.Grant{{Tier: tier}} }

// calls are the program's own words for what it was asked.
func (p *planner) calls(verb string) int {
	raw, err := os.ReadFile(filepath.Join(p.own, "calls"))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Count("\n"+string(raw), "\n"+verb+" ")
}

const (
	imports = `{"address":"proxmox_virtual_environment_vm.docker1","type":"proxmox_virtual_environment_vm","mode":"managed","change":{"actions":["no-op"],"importing":{"id":"pve1/202"}}}`
	memory  = `{"address":"proxmox_virtual_environment_vm.runner","type":"proxmox_virtual_environment_vm","mode":"managed","change":{"actions":["update"],
 "before":{"vm_id":210,"node_name":"pve1","memory":[{"dedicated":4096}]},"after":{"vm_id":210,"node_name":"pve1","memory":[{"dedicated":2048}]}}}`
	doomed202 = `{"address":"proxmox_virtual_environment_vm.docker1","type":"proxmox_virtual_environment_vm","mode":"managed","change":{"actions":["delete"],
 "before":{"vm_id":202,"node_name":"pve1"}}}`
	bridge = `{"address":"proxmox_virtual_environment_network_linux_bridge.vmbr9","type":"proxmox_virtual_environment_network_linux_bridge","mode":"managed","change":{"actions":["create"],"after":{"node_name":"pve1"}}}`
)

// TestApplyCode: what was planned is kept under its hash, and applied once, as it was planned.
func TestApplyCode(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.plans(imports)
	if _, err := p.call("plan_code", `{}`); fault.CodeOf(err) != fault.Denied {
		t.Errorf("a read-only server: %v", err)
	}
	p.allow(change.Reversible)
	id := p.planned(`{}`, "1 to import, 0 to add, 0 to change, 0 to destroy", "(reversible)")
	kept, _ := filepath.Glob(filepath.Join(p.app.plansFolder(p.p.cfg), "*"))
	if len(kept) != 1 {
		t.Fatalf("kept: %v", kept)
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the saved plan: %v, %v", info.Mode(), err)
	}
	p.says("apply_code", `{"plan":"`+id+`"}`, "done", "a new plan finds nothing left to do")
	if info, err := os.Stat(p.file("terraform/terraform.tfstate")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state: %v, %v", info.Mode(), err)
	}
	if kept, _ = filepath.Glob(filepath.Join(p.app.plansFolder(p.p.cfg), "*")); len(kept) != 0 {
		t.Errorf("after the apply: %v", kept)
	}
	if _, err := p.call("apply_code", `{"plan":"`+id+`"}`); fault.CodeOf(err) != fault.Conflict || p.calls("apply") != 1 {
		t.Errorf("applied %d times, the second: %v", p.calls("apply"), err)
	}
	p.says("plan_code", `{}`, "there is nothing to do")
}

// TestApplyCodeNamed: what would change or destroy is refused unless it is named, and judged as by any other tool.
func TestApplyCodeNamed(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.allow(change.Host)
	for _, c := range []struct {
		name, plan, args string
		refused, says    string
	}{
		{"a change", memory, `{}`, "it would change proxmox_virtual_environment_vm.runner;", ""},
		{"a change that is named", memory, `{"change":["proxmox_virtual_environment_vm.runner"]}`, "", "planned (disruptive)"},
		{"a destruction", doomed202, `{"change":["proxmox_virtual_environment_vm.docker1"]}`, "it would destroy or replace proxmox_virtual_environment_vm.docker1;", ""},
		{"a destruction that is named", doomed202, `{"destroy":["proxmox_virtual_environment_vm.docker1"]}`, "", "waiting (destructive)"},
		{"a bridge", bridge, `{}`, "", "waiting (host)"},
	} {
		p.plans(c.plan)
		text, err := p.call("plan_code", c.args)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !strings.Contains(text, c.refused) || !strings.Contains(text, c.says) || (c.refused == "") != (planShape.FindString(text) != "") {
			t.Errorf("%s:\n%s", c.name, text)
		}
	}
	if p.calls("apply") != 0 {
		t.Error("something was applied")
	}
}

// TestApplyCodeStale: a plan that is not what was approved, or whose guest changed since, is refused before anything runs.
func TestApplyCodeStale(t *testing.T) {
	t.Parallel()
	p := newPlanner(t)
	p.allow(change.Disruptive)
	p.plans(memory)
	args := `{"change":["proxmox_virtual_environment_vm.runner"]}`
	id := p.planned(args)
	p.elsewhere("/nodes/pve1/qemu/210/config", "memory", "6144")
	if _, err := p.call("apply_code", `{"plan":"`+id+`"}`); fault.CodeOf(err) != fault.Stale || !strings.Contains(err.Error(), "guest 210 runner is not as it was planned for: its configuration changed") {
		t.Errorf("a guest that changed since: %v", err)
	}
	id = p.planned(args)
	kept, _ := filepath.Glob(filepath.Join(p.app.plansFolder(p.p.cfg), "*"))
	for _, f := range kept {
		if err := os.WriteFile(f, []byte("another plan"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.call("apply_code", `{"plan":"`+id+`"}`); fault.CodeOf(err) != fault.Stale || !strings.Contains(err.Error(), "its hash is another one") {
		t.Errorf("a saved plan that was exchanged: %v", err)
	}
	if _, err := p.call("apply_code", `{"plan":"p-aaaaaaaa"}`); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("no plan: %v", err)
	}
	if p.calls("apply") != 0 {
		t.Error("something was applied")
	}
}

// TestApplyCodeFails: what failed half-way is told, what was cut off is not known, and neither is sent again.
func TestApplyCodeFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, does, state, says string }{
		{"an error of the cluster", `echo '{"type":"diagnostic","diagnostic":{"severity":"error","summary":"403 denied","address":"vm.a"}}'; exit 1`, change.Failed, "vm.a: 403 denied"},
		{"killed", "kill -9 $$", change.Unknown, "was cut off: how much of it was done is not known (check_code says what is left)"},
		{"killed when all was done", "touch $0.applied; kill -9 $$", change.Done, "a new plan finds nothing left to do"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlanner(t)
			p.allow(change.Disruptive)
			p.plans(memory)
			p.does(strings.ReplaceAll(c.does, "$0.applied", filepath.Join(p.own, "applied")))
			id := p.planned(`{"change":["proxmox_virtual_environment_vm.runner"]}`)
			p.says("apply_code", `{"plan":"`+id+`"}`, c.state, c.says)
			if _, err := p.call("apply_plan", `{"plan":"`+id+`"}`); fault.CodeOf(err) != fault.Conflict || p.calls("apply") != 1 {
				t.Errorf("applied %d times, the second: %v", p.calls("apply"), err)
			}
		})
	}
}

// planned plans and gives the id of what was kept.
func (p *planner) planned(args string, words ...string) string {
	p.t.Helper()
	text, err := p.call("plan_code", args)
	if err != nil {
		p.t.Fatal(err)
	}
	id := planShape.FindString(text)
	for _, w := range append(words, "p-") {
		if !strings.Contains(text, w) {
			p.t.Fatalf("plan_code does not say %q:\n%s", w, text)
		}
	}
	return id
}
