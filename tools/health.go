package tools

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type healthIn struct {
	Common
	Severity string `json:"severity" enum:"critical,warning,info" desc:"at least this severe"`
	Code     string `json:"code" desc:"only this code, object by object"`
}

type healthOut struct {
	Envelope
	Findings []findingOut   `json:"findings"`
	Milder   int            `json:"milder_not_shown"` // left out by the input severity
	Silenced map[string]int `json:"silenced_by_intent,omitempty"`
	Checked  []string       `json:"checked"`
	Skipped  []string       `json:"skipped,omitempty"`
	src      inventory.Health
}

type findingOut struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Cluster  string `json:"cluster,omitempty"`
	Object   string `json:"object"`
	Count    int    `json:"count,omitempty"` // how many findings it stands for
	Title    string `json:"title"`
	Evidence string `json:"evidence,omitempty"`
	Since    string `json:"since,omitempty"`
	Noticed  bool   `json:"since_is_first_seen,omitempty"` // it may have begun before
	Hint     string `json:"hint,omitempty"`
}

func checkHealth() Spec {
	return define(Spec{
		Name: "check_health", Title: "Health findings", Family: "cluster", Command: "health",
		Needs:   []Need{needGuests, needCluster, needNodes, needTasks, needJobs, needStorages, needRunning, needHosts},
		Summary: "Every problem found, worst first, with evidence and what to do: nodes, disks, storage, backups, guests.",
		Examples: []Example{
			{CLI: "health", Args: map[string]any{}, Why: "all findings"},
			{CLI: "health --severity critical", Args: map[string]any{"severity": "critical"}, Why: "only the critical ones"},
			{CLI: "health --code no_agent", Args: map[string]any{"code": "no_agent"}, Why: "all objects of one kind of finding"},
		},
	}, func(ctx context.Context, d Deps, in *healthIn) (*healthOut, error) {
		h, err := d.Inventory.Health(ctx, inventory.HealthQuery{Code: in.Code, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		all := len(h.Findings)
		h.Findings = atLeast(h.Findings, inventory.Severity(in.Severity))
		return &healthOut{Envelope: envelope(d, h.Meta), Findings: findingsOf(d, h.Findings), Milder: all - len(h.Findings), Silenced: h.Silenced,
			Checked: h.Checked, Skipped: h.Skipped, src: h}, nil
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
		o := findingOut{Severity: string(f.Severity), Code: f.Code, Cluster: f.Cluster, Object: f.Object, Count: f.Count, Title: f.Title, Evidence: f.Evidence, Hint: f.Hint}
		if !f.Since.IsZero() {
			o.Since, o.Noticed = stamp(d, f.Since), f.Noticed
		}
		out = append(out, o)
	}
	return out
}

// findingTable lists findings in a few words each, for an overview.
func findingTable(d Deps, all []inventory.Finding) Table {
	var at []string
	t := Table{Name: "problems", Columns: []string{"severity", "object", "problem"}}
	for _, f := range all {
		at = append(at, f.Cluster)
		t.Rows = append(t.Rows, []string{string(f.Severity), cell(f.Object, 80), cell(f.Title, 120)})
	}
	return t.in(d, at)
}

// roomForFindings bounds a table of findings, in the estimated tokens of weight: with its head, what was not checked and some warnings an
// answer then stays below 900, whatever the names in it. At most pageRows rows are shown even if they are short.
const (
	roomForFindings = 660
	roomForSkipped  = 170
	pageRows        = 50
)

// findingRows lists findings with evidence and hint for as long as there is room, and the rest as counts by code. A hint is given once.
func findingRows(d Deps, all []inventory.Finding) (t Table, rest string) {
	t = Table{Name: "findings", Main: true, Columns: []string{"severity", "code", "object", "problem", "evidence", "since", "hint"}}
	hinted, left := map[string]bool{}, map[string]int{}
	room := roomForFindings
	var at []string
	for _, f := range all {
		row := []string{string(f.Severity), f.Code, cell(f.Object, 60), cell(f.Title, 90), cell(f.Evidence, 110), sinceText(d, &f), ""}
		if !hinted[f.Hint] {
			row[6] = cell(worded(d, f.Hint), 110)
		}
		room -= weight(row)
		if room < 0 || len(t.Rows) == pageRows {
			left[f.Code]++
			continue
		}
		hinted[f.Hint] = true
		t.Rows, at = append(t.Rows, row), append(at, f.Cluster)
		if d.Several {
			room -= weight([]string{f.Cluster})
		}
	}
	return t.in(d, at), countList(left)
}

// sinceText is for how long a finding holds. What was only noticed at some time may have begun long before.
func sinceText(d Deps, f *inventory.Finding) string {
	switch age := ago(d, f.Since); {
	case !f.Noticed || age == "":
		return age
	case d.Now().Sub(f.Since) < time.Minute:
		return "first seen now"
	default:
		return "first seen " + age + " ago"
	}
}

// weight estimates the tokens of a row from above: a word of letters costs one per six, a long or foreign one more.
func weight(row []string) int {
	n := 0
	for _, c := range row {
		n++
		word := 0
		for _, r := range c {
			switch {
			case r > 127:
				n += 2
				word = 0
			case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
				if word++; word%6 == 1 || word > 14 && word%2 == 0 {
					n++
				}
			case r == ' ':
				word = 0
			default:
				n++
				word = 0
			}
		}
	}
	return n
}

// countList is "3 no_agent, 1 updates", in the order of the codes.
func countList(by map[string]int) string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, strconv.Itoa(by[code])+" "+code)
	}
	return strings.Join(parts, ", ")
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
	v.Line("%s; %d of %d checks ran, %s", summary, len(o.Checked), o.src.Checks, asOf(d, o.src.Meta))
	t, rest := findingRows(d, o.src.Findings)
	v.Table(t)
	if rest != "" {
		v.Line("more: %s (one kind in full: code)", rest)
	}
	if len(o.Silenced) > 0 {
		v.Line("silenced by intent: %s", countList(o.Silenced))
	}
	if len(o.Skipped) > 0 {
		v.Line("not checked: %s", fitting(o.Skipped, roomForSkipped))
	}
	return v
}

// fitting joins texts for as long as there is room, in estimated tokens, and counts the rest. The first is shown in any case, cut.
func fitting(all []string, room int) string {
	var shown []string
	for i, text := range all {
		text = cell(text, 200)
		if room -= weight([]string{text}); room < 0 && i > 0 {
			return strings.Join(shown, "; ") + "; and " + strconv.Itoa(len(all)-i) + " more (format=json has all)"
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, "; ")
}
