package tools

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// Code is what the tools ask of package code.
type Code interface {
	Export(ctx context.Context, r code.Request) (*code.Export, error)
	Diff(ctx context.Context, p code.Place) (*code.Drift, error)
	Verify(ctx context.Context, p code.Place) (*code.Verdict, error)
	Describe(ctx context.Context, cluster, guest string) (*code.Description, error)
	DescribeDraft(ctx context.Context, cluster string, draft func(config func(vmid int) pve.Config) (iac.Guest, error)) (*code.Description, error)
	Check(ctx context.Context, p code.Place, wait time.Duration) (*code.Judgement, error)
	Files(ctx context.Context, cluster string) (name string, list []code.File, err error)
	File(ctx context.Context, cluster, path string) (*code.File, error)
	Plan(ctx context.Context, r code.PlanRequest, wait time.Duration) (*code.Planned, error)
}

// place is the folder that a caller means. At a terminal it may be any, and starts where the person is.
func place(d Deps, cluster, folder string) (code.Place, error) {
	p := code.Place{Cluster: cluster, Dir: folder, Anywhere: d.Who.Door == "cli"}
	if folder == "" || !p.Anywhere {
		return p, nil
	}
	abs, err := filepath.Abs(folder)
	p.Dir = abs
	return p, err
}

// folderIn are the inputs of what is asked about a folder of code.
type folderIn struct {
	Folder  string `json:"folder" example:"/home/me/infra" help:"where the code is; default: the folder of the configuration, else code/CLUSTER beside the store"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Format  string `json:"format" enum:"text,json"`
}

func (in *folderIn) wantsJSON() bool { return in.Format == "json" }

// since is how old is what was made from the store alone.
func since(d Deps, asOf time.Time) inventory.Meta {
	m := inventory.Meta{AsOf: asOf}
	if !asOf.IsZero() {
		m.Age = d.Now().Sub(asOf)
	}
	return m
}

type exportIn struct {
	Folder  string `json:"folder" example:"/home/me/infra" help:"where to write; default: the folder of the configuration, else code/CLUSTER beside the store"`
	Target  string `json:"target" enum:"all,terraform,ansible,checks,docs,pulumi"`
	Query   string `json:"query" example:"tag:prod" desc:"which guests, as in find_guests" help:"which guests, as in guest list; all by default"`
	Git     string `json:"git" enum:"none,init,commit"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Format  string `json:"format" enum:"text,json"`
}

func (in *exportIn) wantsJSON() bool { return in.Format == "json" }

type exportOut struct {
	Envelope
	Cluster   string        `json:"cluster"`
	Folder    string        `json:"folder"`
	Guests    int           `json:"guests"`
	Counts    []iac.Count   `json:"counts"`
	Files     []fileOut     `json:"files"`
	LeftOut   []leftOut     `json:"left_out,omitempty"`
	Conflicts []conflictOut `json:"conflicts,omitempty"`
	Commit    string        `json:"commit,omitempty"`
	targets   []string
	asOf      time.Time
	offer     string // a better place for the code
}

type fileOut struct {
	Path  string `json:"path"`
	State string `json:"state"`
}

type leftOut struct {
	Object string `json:"object"`
	Why    string `json:"why"`
}

type conflictOut struct {
	Where     string `json:"where"`
	Yours     string `json:"yours"`
	Generated string `json:"generated"`
	Why       string `json:"why"`
}

func exportCode() Spec {
	return define(Spec{
		Name: "export_code", Title: "Export as code", Family: "code", Command: "code export", Args: []string{"folder"}, Tier: R0,
		Summary: "Writes the cluster as Terraform and Ansible files into this server's code folder, from the store; keeps the owner's edits there. Changes nothing in Proxmox.",
		Examples: []Example{
			{CLI: "code export", Args: map[string]any{}, Why: "everything, or once more with what changed"},
			{CLI: "code export --git init", Args: map[string]any{"git": "init"}, Why: "the same as a git repository"},
		},
	}, func(ctx context.Context, d Deps, in *exportIn) (*exportOut, error) {
		p, err := place(d, in.Cluster, in.Folder)
		if err != nil {
			return nil, err
		}
		e, err := d.Code.Export(ctx, code.Request{Place: p, Target: in.Target, Query: in.Query, Git: in.Git})
		if err != nil {
			return nil, err
		}
		out := exported(d, e)
		if e.New && in.Folder == "" && p.Anywhere && repo.InWorkTree(".") {
			out.offer = "this folder is a git work tree: proxmox-mcp code export . would keep the code here, beside what is in it"
		}
		return out, nil
	})
}

func exported(d Deps, e *code.Export) *exportOut {
	out := &exportOut{Envelope: envelope(d, since(d, e.AsOf)), Cluster: e.Cluster, Folder: e.Dir, Guests: e.Guests, Counts: e.Counts, Files: []fileOut{}, Commit: e.Commit,
		targets: e.Targets, asOf: e.AsOf}
	for _, f := range e.Files {
		out.Files = append(out.Files, fileOut{f.Path, string(f.State)})
	}
	out.Conflicts = conflicts(e.Files)
	out.LeftOut = absent(e.Absent)
	told := map[string]bool{}
	for _, c := range e.Coverage {
		what := string(c.Kind) + " " + c.ID
		if c.Name != c.ID {
			what += " " + c.Name
		}
		l := leftOut{cell(strings.TrimSpace(what), 60), cell(c.Why, 160)}
		if (c.Status == iac.Unreadable || c.Status == iac.LeftOut) && !told[l.Object] {
			told[l.Object] = true
			out.LeftOut = append(out.LeftOut, l)
		}
	}
	out.Warnings = append(out.Warnings, unread(e.Unread, e.Yet)...)
	for _, w := range e.Warnings {
		if !strings.Contains(w, "is not in the code") { // those are in left_out
			out.Warnings = append(out.Warnings, inventory.Warning{Code: "code", Text: cell(w, 200)})
		}
	}
	return out
}

// absent are the kinds of which nothing is in the Terraform code, by reason.
func absent(list []iac.Absence) []leftOut {
	var out []leftOut
	for _, a := range list {
		what := iac.Things(a.N, a.Kind)
		if k := slices.IndexFunc(out, func(l leftOut) bool { return l.Why == a.Why }); k >= 0 {
			out[k].Object += ", " + what
		} else {
			out = append(out, leftOut{what, a.Why})
		}
	}
	return out
}

// unread warns of what was never read: whether there is any of it is not known, and none of it is in the code.
func unread(u iac.Unread, yet bool) []inventory.Warning {
	var out []inventory.Warning
	if yet {
		out = append(out, inventory.Warning{Code: "loading", Text: "the cluster's settings were not all read yet: export again in a minute, or once proxmox-mcp sync has ended"})
	}
	for _, l := range u.Lines() {
		out = append(out, inventory.Warning{Code: "unread", Text: "not in the code: " + cell(l, 200)})
	}
	return out
}

func conflicts(files []repo.FileChange) []conflictOut {
	var out []conflictOut
	for _, f := range files {
		for _, c := range f.Conflicts {
			out = append(out, conflictOut{cell(f.Path+" "+strings.TrimPrefix(c.Where, f.Path), 120), cell(c.Yours, 80), cell(c.Generated, 80), cell(c.Why, 160)})
		}
	}
	return out
}

// How much of an export's answer is shown; json has all.
const (
	shownCounts    = 8
	shownFiles     = 12
	shownLeftOut   = 8
	shownConflicts = 20
)

// View implements Answer.
func (o *exportOut) View(d Deps) View {
	v := View{Warnings: o.Warnings}
	v.Line("cluster %s as code in %s: %s, %s", cell(o.Cluster, 80), o.Folder, counted(o.Guests, "guest"), asOf(d, since(d, o.asOf)))
	if line := countsLine(o.Counts); line != "" {
		v.Text(line)
	}
	v.Table(filesTable(o.Files))
	v.Table(Table{Name: "left out", Columns: []string{"object", "why"}, Rows: capped(o.LeftOut, shownLeftOut, func(l leftOut) []string { return []string{l.Object, l.Why} })})
	v.Table(conflictTable(o.Conflicts))
	if o.Commit != "" {
		v.Line("commit %s", o.Commit)
	}
	if o.offer != "" {
		v.Text(o.offer)
	}
	if slices.Contains(o.targets, "terraform") {
		check := "check_code"
		if d.Who.Door == "cli" {
			check = "proxmox-mcp code check " + o.Folder
		}
		v.Line("next: %s lets terraform plan it; COVERAGE.md says what is not in the code, README.md how to plan by hand", check)
	}
	return v
}

// countsLine names the kinds of resources of which there are most, guests first, and what else was made.
func countsLine(list []iac.Count) string {
	var resources, others []iac.Count
	for _, c := range list {
		if name, ok := strings.CutPrefix(c.What, "proxmox_"); ok {
			resources = append(resources, iac.Count{What: strings.TrimPrefix(name, "virtual_environment_"), N: c.N})
		} else {
			others = append(others, c)
		}
	}
	guest := func(c iac.Count) int { return slices.Index([]string{"container", "vm"}, c.What) }
	slices.SortStableFunc(resources, func(a, b iac.Count) int { return cmp.Or(cmp.Compare(guest(b), guest(a)), cmp.Compare(b.N, a.N)) })
	var out []string
	more := 0
	for i, c := range resources {
		if i < shownCounts {
			out = append(out, strconv.Itoa(c.N)+" "+c.What)
		} else {
			more += c.N
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("%s of %s more", counted(more, "resource"), counted(len(resources)-shownCounts, "kind")))
	}
	for _, c := range others {
		out = append(out, strconv.Itoa(c.N)+" "+c.What)
	}
	return strings.Join(out, ", ")
}

func conflictTable(list []conflictOut) Table {
	return Table{Name: "conflicts, where the owner's edit was kept", Columns: []string{"where", "yours", "generated", "why"},
		Rows: capped(list, shownConflicts, func(c conflictOut) []string { return []string{c.Where, c.Yours, c.Generated, c.Why} })}
}

// capped are rows up to a limit, and how many more there are.
func capped[T any](list []T, limit int, row func(T) []string) [][]string {
	var out [][]string
	for _, e := range list[:min(len(list), limit)] {
		out = append(out, row(e))
	}
	if more := len(list) - limit; more > 0 {
		out = append(out, []string{"and " + strconv.Itoa(more) + " more"})
	}
	return out
}

// filesTable counts files by state and product, the main products first; few are named.
func filesTable(files []fileOut) Table {
	type key struct{ state, product string }
	named := map[key][]string{}
	for _, f := range files {
		k := key{f.State, "."}
		if top, _, below := strings.Cut(f.Path, "/"); below {
			k.product = top + "/"
		}
		if f.State == string(repo.Same) {
			k.product = ""
		}
		named[k] = append(named[k], f.Path)
	}
	order := slices.SortedFunc(maps.Keys(named), func(a, b key) int {
		return cmp.Or(strings.Compare(a.state, b.state), cmp.Compare(rank(a.product), rank(b.product)), strings.Compare(a.product, b.product))
	})
	t := Table{Name: "files", Main: true, Columns: []string{"state", "files", "where"}}
	for _, k := range order {
		where := k.product
		if list := named[k]; len(list) == 1 && where != "" {
			where = list[0]
		}
		t.Rows = append(t.Rows, []string{k.state, strconv.Itoa(len(named[k])), cell(where, 100)})
	}
	t.Rows = capped(t.Rows, shownFiles, func(r []string) []string { return r })
	return t
}

// rank is the place of a product among those that are told of.
func rank(product string) int {
	if i := slices.Index([]string{"terraform/", "ansible/", "tests/", "."}, product); i >= 0 {
		return i
	}
	return math.MaxInt
}
