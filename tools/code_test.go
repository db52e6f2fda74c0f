package tools

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/checks"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/iac/runner"
	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// fakeCode answers what it holds.
type fakeCode struct {
	files   []code.File
	export  code.Export
	drift   code.Drift
	guest   code.Description
	verdict code.Judgement
	request code.Request
}

func (f *fakeCode) Export(_ context.Context, r code.Request) (*code.Export, error) {
	f.request = r
	return &f.export, nil
}
func (f *fakeCode) Diff(context.Context, code.Place) (*code.Drift, error) { return &f.drift, nil }
func (f *fakeCode) Verify(context.Context, code.Place) (*code.Verdict, error) {
	return &code.Verdict{Cluster: "home", Dir: "/home/me/infra", AsOf: now.Add(-2 * time.Second), Report: checks.Report{Checked: 60, Passed: 57, Findings: []checks.Finding{
		{Sort: checks.Drift, Kind: store.KindGuest, ID: "104", Name: "web", Field: "memory", Want: "2048", Is: "4096"},
		{Sort: checks.Health, Kind: store.KindGuest, ID: "105", Name: "db", Field: "status", Want: "running", Is: "stopped"},
		{Sort: checks.Unknown, Kind: store.KindGuest, ID: "106", Name: "nas", Why: "node pve3 does not answer"}}}}, nil
}
func (f *fakeCode) Files(context.Context, string) (string, []code.File, error) {
	return "home", f.files, nil
}
func (f *fakeCode) File(context.Context, string, string) (*code.File, error) { return nil, nil }

func (f *fakeCode) Describe(context.Context, string, string) (*code.Description, error) {
	return &f.guest, nil
}

func (f *fakeCode) DescribeDraft(context.Context, string, func(func(int) pve.Config) (iac.Guest, error)) (*code.Description, error) {
	return &f.guest, nil
}

func (f *fakeCode) Check(context.Context, code.Place, time.Duration) (*code.Judgement, error) {
	return &f.verdict, nil
}

func (f *fakeCode) Plan(context.Context, code.PlanRequest, time.Duration) (*code.Planned, error) {
	return &code.Planned{Judgement: &f.verdict, Unnamed: f.verdict.Objects}, nil
}

// someCode is an export of a hundred guests, one of them unreadable, some files merged.
func someCode() *fakeCode {
	at := now.Add(-12 * time.Second)
	f := &fakeCode{export: code.Export{Cluster: "home", Dir: "/home/me/infra", AsOf: at, Guests: 100, Targets: []string{"ansible", "terraform"}, Commit: "3f9a1c2",
		Counts: []iac.Count{{What: "proxmox_virtual_environment_container", N: 33}, {What: "proxmox_virtual_environment_vm", N: 66}, {What: "hosts", N: 105}},
		Coverage: []iac.Coverage{{Kind: store.KindGuest, ID: "131", Name: "db", Status: iac.Unreadable, Why: "migrate_downtime: the provider takes no text for it"},
			{Kind: store.KindGuest, ID: "104", Name: "web", Status: iac.Written}},
		Warnings: []string{"guest 131 db is not in the code: whatever", "your .gitignore does not name *.tfstate"}}}
	for i := range 105 {
		f.export.Files = append(f.export.Files, repo.FileChange{Path: fmt.Sprintf("ansible/inventory/host_vars/web-%d.yml", i), State: repo.New})
	}
	for _, name := range []string{"containers", "imports", "outputs", "providers", "versions"} {
		f.export.Files = append(f.export.Files, repo.FileChange{Path: "terraform/" + name + ".tf", State: repo.Rewritten})
	}
	merged := repo.FileChange{Path: "terraform/vms.tf", State: repo.Merged, Conflicts: []repo.Conflict{
		{Where: "proxmox_virtual_environment_vm.web.memory.dedicated", Yours: "8192", Generated: "4096", Why: "both changed"}}}
	f.export.Files = append(f.export.Files, merged)
	f.drift = code.Drift{Cluster: "home", Dir: "/home/me/infra", AsOf: at, Same: 110, Files: []repo.FileChange{merged},
		Differences: []iac.Difference{{Kind: store.KindGuest, ID: "104", Name: "web", Field: "memory", Old: "2048", New: "4096", Had: true, Has: true},
			{Kind: store.KindGuest, ID: "104", Name: "web", Field: "scsi1", New: "local:1,size=4G", Has: true}, {Kind: store.KindGuest, ID: "105", Name: "db", Had: true},
			{Kind: store.KindPool, ID: "lab", Has: true}}}
	f.guest = code.Description{Cluster: "home", AsOf: at, Text: "import {\n  to = vm.web\n}\n\nresource \"vm\" \"web\" {\n}\n", Coverage: iac.Coverage{Address: "vm.web", Status: iac.Written,
		Keys: []iac.KeyCoverage{{Key: "memory", How: iac.Kept}, {Key: "scsi0.ro", How: iac.Unrepresented, Why: "the provider has no attribute for it"}}}}
	f.verdict = code.Judgement{Cluster: "home", Dir: "/home/me/infra/terraform", Program: "terraform 1.11.4", Took: 3200 * time.Millisecond, Unformatted: []string{"mine.tf"},
		Plan: &runner.Plan{Import: 26, Change: 1, Same: 25}, Objects: []code.Judged{{ID: "guest 104", Why: "changed in Proxmox VE since the export: memory 2048 -> 4096",
			Object: runner.Object{Address: "proxmox_virtual_environment_vm.web", Action: "update", Fields: []runner.Field{{Path: "memory[0].dedicated", Live: "4096", Code: "2048"}, {Path: "tags", Live: "", Code: "x"}}}}}}
	return f
}

// TestBudgetExport: a summary of a hundred guests, with a conflict and all kinds of files.
func TestBudgetExport(t *testing.T) {
	out := text(t, &fake{}, "export_code", `{}`)
	n := tokens(t, out)
	limits.Report(t, limits.Row{Name: "answer: export of 100 guests, tokens", Measured: fmt.Sprint(n), Value: float64(n), Limit: 400})
	for _, want := range []string{"both changed", "8192", "131 db", "3f9a1c2", "/home/me/infra", "! your .gitignore"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in\n%s", want, out)
		}
	}
}

// TestFolder: a terminal's folder starts where the person is; another door's is left to the service to judge.
func TestFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for door, want := range map[string]bool{"cli": true, "stdio": false} {
		f := someCode()
		d := deps(&fake{})
		d.Code, d.Who = f, change.Caller{Door: door}
		spec, err := Find("export_code")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Call(t.Context(), d, []byte(`{"folder":"x"}`)); err != nil {
			t.Fatal(err)
		}
		if got := f.request.Anywhere && strings.HasSuffix(f.request.Dir, "/x") && len(f.request.Dir) > 2; got != want {
			t.Errorf("%s: %+v", door, f.request.Place)
		}
	}
}

// TestWorkTree: a person whose shell stands in a git work tree is offered it for the first export; nobody else is.
func TestWorkTree(t *testing.T) {
	t.Chdir(t.TempDir())
	offered := func(door string, first bool) bool {
		f := someCode()
		f.export.New = first
		d := deps(&fake{})
		d.Code, d.Who = f, change.Caller{Door: door}
		spec, err := Find("export_code")
		if err != nil {
			t.Fatal(err)
		}
		res, err := spec.Call(t.Context(), d, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		v := res.Answer.View(d)
		return strings.Contains(v.Compact(), "code export .")
	}
	if offered("cli", true) {
		t.Error("offered outside of a work tree")
	}
	if err := os.Mkdir(".git", 0o700); err != nil {
		t.Fatal(err)
	}
	if !offered("cli", true) || offered("stdio", true) || offered("cli", false) {
		t.Error("not offered to a person's first export, or to somebody else")
	}
}

// TestFilesTable: what an export is asked for stands first, each product in one row, and the folder itself has a name.
func TestFilesTable(t *testing.T) {
	t.Parallel()
	var files []fileOut
	for _, p := range []string{".gitignore", "COVERAGE.md", "ansible/ansible.cfg", "ansible/inventory/hosts.yml", "docs/INVENTORY.md", "terraform/imports.tf", "terraform/vms.tf", "tests/spec.json"} {
		files = append(files, fileOut{p, "new"})
	}
	want := [][]string{{"new", "2", "terraform/"}, {"new", "2", "ansible/"}, {"new", "1", "tests/spec.json"}, {"new", "2", "."}, {"new", "1", "docs/INVENTORY.md"}}
	if diff := cmp.Diff(want, filesTable(files).Rows); diff != "" {
		t.Error(diff)
	}
}

// TestBudgetExportWhole: a first export of a hundred guests with all kinds of things around them, some of it left out and some never read.
func TestBudgetExportWhole(t *testing.T) {
	f := someCode()
	f.export.Files, f.export.Warnings = nil, nil
	for _, p := range []string{"terraform/a.tf", "terraform/b.tf", "ansible/a", "ansible/b", "tests/a", "tests/b", "README.md", "COVERAGE.md", "docs/INVENTORY.md", "pulumi/pulumi-import.json"} {
		f.export.Files = append(f.export.Files, repo.FileChange{Path: p, State: repo.New})
	}
	for i := range 30 {
		f.export.Counts = append(f.export.Counts, iac.Count{What: fmt.Sprintf("proxmox_virtual_environment_kind_%d", i), N: i})
		f.export.Coverage = append(f.export.Coverage, iac.Coverage{Kind: store.KindNetwork, ID: fmt.Sprintf("pve%d/enp1s0", i), Status: iac.LeftOut, Why: "a physical device: there is nothing to make"})
	}
	f.export.Absent = []iac.Absence{{Kind: store.KindACL, N: 2, Why: "code.parts of the configuration leaves out access"}, {Kind: store.KindUser, N: 3, Why: "code.parts of the configuration leaves out access"}}
	f.export.Unread = iac.Unread{"network pve3": "node pve3 did not answer", "node_firewall pve3": "node pve3 did not answer"}
	d := deps(&fake{})
	d.Code = f
	spec, err := Find("export_code")
	if err != nil {
		t.Fatal(err)
	}
	res, err := spec.Call(t.Context(), d, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	v := res.Answer.View(d)
	out := v.Compact()
	n := tokens(t, out)
	limits.Report(t, limits.Row{Name: "answer: first export of 100 guests and all around them, tokens", Measured: fmt.Sprint(n), Value: float64(n), Limit: 400})
	for _, want := range []string{"66 vm, 33 container, 29 kind_29, ", "276 resources of 24 kinds more, 105 hosts", "new\t2\tterraform/", "2 ACL entries, 3 users\tcode.parts", "firewall of pve3, networks of pve3"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}
