package tools

import (
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
)

type diffOut struct {
	Envelope
	Cluster   string        `json:"cluster"`
	Folder    string        `json:"folder"`
	Same      bool          `json:"same"`
	Total     int           `json:"total"`
	Columns   []string      `json:"columns"`
	Rows      [][]*string   `json:"rows"`
	Files     []fileOut     `json:"files"`
	Conflicts []conflictOut `json:"conflicts,omitempty"`
	First     []string      `json:"first_read,omitempty"` // what was first read since the export, by part of the cluster
	outside   int           // rows about what the Terraform code does not hold
	src       *code.Drift
}

func diffCode() Spec {
	return define(Spec{
		Name: "diff_code", Title: "Drift from code", Family: "code", Command: "code diff", Args: []string{"folder"}, Tier: R0,
		Summary: "What changed in the cluster since export_code, field by field (also what Terraform cannot see), and which files an export would touch. Writes nothing.",
		Examples: []Example{
			{CLI: "code diff", Args: map[string]any{}, Why: "against the last export"},
		},
	}, func(ctx context.Context, d Deps, in *folderIn) (*diffOut, error) {
		p, err := place(d, in.Cluster, in.Folder)
		if err != nil {
			return nil, err
		}
		x, err := d.Code.Diff(ctx, p)
		if err != nil {
			return nil, err
		}
		return drift(d, x), nil
	})
}

func drift(d Deps, x *code.Drift) *diffOut {
	out := &diffOut{Envelope: envelope(d, since(d, x.AsOf)), Cluster: x.Cluster, Folder: x.Dir, Same: x.None(), Total: len(x.Differences),
		Columns: []string{"object", "field", "exported", "now"}, Rows: [][]*string{}, Files: []fileOut{}, Conflicts: conflicts(x.Files), First: code.Areas(x.First), src: x}
	out.Warnings = append(out.Warnings, unread(x.Unread, x.Yet)...)
	if x.Written != nil {
		out.Columns = append(out.Columns, "in terraform")
	}
	for i := range x.Differences {
		row := difference(&x.Differences[i])
		if x.Written != nil {
			row = append(row, out.written(&x.Differences[i]))
		}
		out.Rows = append(out.Rows, row)
	}
	for _, f := range x.Files {
		out.Files = append(out.Files, fileOut{f.Path, string(f.State)})
	}
	return out
}

// written is whether what differs is in the Terraform code: yes, no, or null where that cannot be told.
func (o *diffOut) written(d *iac.Difference) *string {
	yes, no := "yes", "no"
	switch in, sure := o.src.Written.Has(d); {
	case in:
		return &yes
	case sure:
		o.outside++
		return &no
	}
	return nil
}

// difference is a row; null where the object or the field is absent.
func difference(x *iac.Difference) []*string {
	old, now := clean.Differ(x.Old, x.New, maxDiffer)
	name := clean.Line(strings.TrimSpace(strings.ReplaceAll(string(x.Kind), "_", " ")+" "+x.ID+" "+x.Name), 80)
	field := clean.Line(x.Field, 60)
	row := []*string{&name, &field, &old, &now}
	switch {
	case x.Field == "" && x.Has:
		field, now, row[2] = "(whole)", "new", nil
	case x.Field == "":
		field, old, row[3] = "(whole)", "there", nil
	case !x.Had:
		row[2] = nil
	case !x.Has:
		row[3] = nil
	}
	return row
}

// maxDiffer is how much of a value a row shows, around the difference.
const maxDiffer = 100

// shownDiffs is a page; json has all.
const shownDiffs = 50

// View implements Answer.
func (o *diffOut) View(d Deps) View {
	v := View{Warnings: o.Warnings}
	head := counted(o.Total, "difference")
	if o.outside > 0 {
		head += " (" + strconv.Itoa(o.outside) + " of what is not in the Terraform code: COVERAGE.md)"
	}
	if o.Same {
		head = "no drift"
	}
	v.Line("%s between %s and cluster %s, as of %s", head, o.Folder, cell(o.Cluster, 80), o.AsOf)
	if len(o.First) > 0 {
		v.Line("first read since that export, so not known to have changed: %s; %s brings them into the code", strings.Join(o.First, ", "), worded(d, "export_code"))
	}
	v.Table(Table{Name: "differences", Main: true, Columns: o.Columns, Rows: capped(o.Rows, shownDiffs, func(r []*string) []string {
		out := make([]string, len(r))
		for i, c := range r {
			if out[i] = "-"; c != nil {
				out[i] = *c
			}
		}
		return out
	})})
	if len(o.Files) > 0 {
		t := filesTable(o.Files)
		t.Name, t.Main = "files, "+counted(o.src.Same, "other")+" unchanged; what "+worded(d, "export_code")+" would do", false
		v.Table(t)
	}
	v.Table(conflictTable(o.Conflicts))
	return v
}

// Differs says that the answer is a difference: exit code 6.
func (o *diffOut) Differs() bool { return !o.Same }
