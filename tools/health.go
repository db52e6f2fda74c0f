package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type healthIn struct {
	Common
	Severity string `json:"severity" enum:"critical,warning,info" desc:"at least this severe"`
}

type healthOut struct {
	Envelope
	Findings []findingOut `json:"findings"`
	Milder   int          `json:"milder_not_shown"` // left out by the input severity
	Checked  []string     `json:"checked"`
	Skipped  []string     `json:"skipped,omitempty"`
	src      inventory.Health
}

type findingOut struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Cluster  string `json:"cluster,omitempty"`
	Object   string `json:"object"`
	Title    string `json:"title"`
	Evidence string `json:"evidence,omitempty"`
	Since    string `json:"since,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

func checkHealth() Spec {
	return define(Spec{
		Name: "check_health", Title: "Health findings", Family: "cluster", Command: "health",
		Needs:   []Need{needGuests, needCluster, needNodes, needTasks, needJobs, needStorages, needRunning},
		Summary: "Every problem found, worst first, with evidence and what to do.",
		Examples: []Example{
			{CLI: "health", Args: map[string]any{}, Why: "all findings"},
			{CLI: "health --severity critical", Args: map[string]any{"severity": "critical"}, Why: "only the critical ones"},
		},
	}, func(ctx context.Context, d Deps, in *healthIn) (*healthOut, error) {
		h, err := d.Inventory.Health(ctx, in.read())
		if err != nil {
			return nil, err
		}
		all := len(h.Findings)
		h.Findings = atLeast(h.Findings, inventory.Severity(in.Severity))
		return &healthOut{Envelope: envelope(d, h.Meta), Findings: findingsOf(d, h.Findings), Milder: all - len(h.Findings), Checked: h.Checked,
			Skipped: h.Skipped, src: h}, nil
	})
}

var severityRank = map[inventory.Severity]int{inventory.Critical: 3, inventory.Warn: 2, inventory.Info: 1}

func atLeast(all []inventory.Finding, floor inventory.Severity) []inventory.Finding {
	var out []inventory.Finding
	for _, f := range all {
		if severityRank[f.Severity] >= severityRank[floor] {
			out = append(out, f)
		}
	}
	return out
}

func findingsOf(d Deps, all []inventory.Finding) []findingOut {
	out := make([]findingOut, 0, len(all))
	for _, f := range all {
		o := findingOut{Severity: string(f.Severity), Code: f.Code, Cluster: f.Cluster, Object: f.Object, Title: f.Title, Evidence: f.Evidence, Hint: f.Hint}
		if !f.Since.IsZero() {
			o.Since = stamp(d, f.Since)
		}
		out = append(out, o)
	}
	return out
}

// findingTable lists findings; the evidence and the hint only where there is room for them.
func findingTable(d Deps, all []inventory.Finding, full bool) Table {
	t := Table{Name: "problems", Columns: []string{"severity", "object", "problem"}}
	if full {
		t = Table{Name: "findings", Main: true, Columns: []string{"severity", "object", "problem", "evidence", "since", "hint"}}
	}
	for _, f := range all {
		row := []string{string(f.Severity), cell(f.Object, 80), cell(f.Title, 120)}
		if full {
			row = append(row, cell(f.Evidence, 300), ago(d, f.Since), cell(f.Hint, 200))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// noProblems says what may be said without findings: health that was not looked at is not claimed.
func noProblems(checked, skipped int, warnings []inventory.Warning) string {
	switch {
	case checked == 0:
		return "nothing could be checked yet"
	case skipped > 0, len(warnings) > 0:
		return "no problems found in what could be checked"
	}
	return "no problems found"
}

// View implements Answer.
func (o *healthOut) View(d Deps) View {
	v := View{Warnings: o.src.Warnings}
	by := map[inventory.Severity]int{}
	for _, f := range o.src.Findings {
		by[f.Severity]++
	}
	summary := nonzero(by[inventory.Critical], "critical", by[inventory.Warn], "warning", by[inventory.Info], "info")
	switch {
	case o.Milder > 0:
		summary = strings.TrimPrefix(summary+", ", ", ") + counted(o.Milder, "milder finding") + " not shown"
	case summary == "":
		summary = noProblems(len(o.Checked), len(o.Skipped), o.src.Warnings)
	}
	v.Line("%s; %d of %d checks ran, %s", summary, len(o.Checked), len(o.Checked)+len(o.Skipped), asOf(d, o.src.Meta))
	v.Table(findingTable(d, o.src.Findings, true))
	if len(o.Skipped) > 0 {
		v.Line("not checked: %s", strings.Join(o.Skipped, "; "))
	}
	return v
}
