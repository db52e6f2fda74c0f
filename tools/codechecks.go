package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac/checks"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type checksOut struct {
	Envelope
	Cluster string     `json:"cluster"`
	Checked int        `json:"checked"`
	Passed  int        `json:"passed"`
	Drift   int        `json:"drift"`
	Health  int        `json:"health"`
	Unknown int        `json:"unknown"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	src     *code.Verdict
	old     bool // the cluster could not be read anew
}

// shownFindings is how many findings text shows; json has all.
const shownFindings = 40

func runChecks() Spec {
	return define(Spec{
		Name: "run_checks", Title: "Run declared checks", Family: "code", Command: "code verify", Args: []string{"folder"}, Tier: R0,
		Summary: "Compares live state with what export_code declared, object by object: drift (configured otherwise), health (does not run as declared), unknown.",
		Examples: []Example{
			{CLI: "code verify", Args: map[string]any{}, Why: "all that was exported"},
		},
	}, func(ctx context.Context, d Deps, in *folderIn) (*checksOut, error) {
		p, err := place(d, in.Cluster, in.Folder)
		if err != nil {
			return nil, err
		}
		live, err := d.Inventory.SyncWithin(ctx, inventory.SyncRequest{Cluster: in.Cluster, Progress: syncProgress(d)}, callLimit)
		if err != nil {
			return nil, err
		}
		v, err := d.Code.Verify(ctx, p)
		if err != nil {
			return nil, err
		}
		out := checked(d, v)
		for _, o := range live {
			if o.Cluster == v.Cluster && (o.Running || o.Failure != nil) {
				out.old = true
				out.Warnings = append(out.Warnings, inventory.Warning{Code: "stale", Text: "the cluster could not be read anew in time: this is the state of " + out.AsOf})
			}
		}
		return out, nil
	})
}

func checked(d Deps, v *code.Verdict) *checksOut {
	out := &checksOut{Envelope: envelope(d, since(d, v.AsOf)), Cluster: v.Cluster, Checked: v.Checked, Passed: v.Passed,
		Columns: []string{"sort", "object", "field", "declared", "is"}, Rows: [][]string{}, src: v}
	count := map[checks.Sort]*int{checks.Drift: &out.Drift, checks.Health: &out.Health, checks.Unknown: &out.Unknown}
	for _, f := range v.Findings {
		*count[f.Sort]++
		is := f.Is
		if f.Sort == checks.Unknown {
			is = f.Why
		}
		out.Rows = append(out.Rows, []string{string(f.Sort), cell(strings.TrimSpace(strings.ReplaceAll(string(f.Kind), "_", " ")+" "+f.ID+" "+f.Name), 80), cell(f.Field, 60), cell(f.Want, 80), cell(is, 80)})
	}
	return out
}

// View implements Answer.
func (o *checksOut) View(d Deps) View {
	v := View{Warnings: o.Warnings}
	v.Line("cluster %s: %d of %d objects are as declared, %s", cell(o.Cluster, 80), o.Passed, o.Checked, asOf(d, since(d, o.src.AsOf)))
	if more := nonzero(o.Drift, "drifted", o.Health, "unhealthy", o.Unknown, "unknown"); more != "" {
		v.Text(more)
	}
	v.Table(Table{Name: "findings", Main: true, Columns: o.Columns, Rows: capped(o.Rows, shownFindings, func(r []string) []string { return r })})
	return v
}

// Differs says that something is or runs otherwise than declared: exit code 6.
func (o *checksOut) Differs() bool { return o.Drift+o.Health > 0 }

// Partial says that not all could be compared with what is now: exit code 3.
func (o *checksOut) Partial() bool { return o.Unknown > 0 || o.old }
