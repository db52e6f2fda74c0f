package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/iac/runner"
)

type checkOut struct {
	Cluster     string       `json:"cluster"`
	Folder      string       `json:"folder"`
	Running     bool         `json:"running,omitempty"`
	Zero        bool         `json:"zero_diff"`
	Program     string       `json:"program,omitempty"`
	TookS       float64      `json:"took_s,omitempty"`
	Planned     bool         `json:"planned"` // without a plan the counts are absent
	Import      int          `json:"import"`
	Add         int          `json:"add"`
	Change      int          `json:"change"`
	Destroy     int          `json:"destroy"`
	Same        int          `json:"same"`
	Objects     []judgedOut  `json:"objects,omitempty"`
	Unformatted []string     `json:"unformatted,omitempty"`
	Problems    []problemOut `json:"problems,omitempty"`
	since       time.Time
}

type problemOut struct {
	runner.Diagnostic
	Count int `json:"count"` // of this fault; Address and Where are the first one's
}

type judgedOut struct {
	Object  string         `json:"object"`
	Address string         `json:"address"`
	Action  string         `json:"action"`
	Fields  []runner.Field `json:"fields,omitempty"`
	Why     string         `json:"why"`
}

// checkWait is how long a call waits for terraform; a person at a terminal waits for its end.
const (
	checkWait     = 40 * time.Second
	checkTerminal = 15 * time.Minute
)

func checkCode() Spec {
	return define(Spec{
		Name: "check_code", Title: "Judge code", Family: "code", Command: "code check", Args: []string{"folder"}, Tier: R0,
		Summary: "Lets terraform or tofu format-check, validate and plan the exported code; counts, and why each object would change. Applies nothing.",
		Examples: []Example{
			{CLI: "code check", Args: map[string]any{}, Why: "0 to add, 0 to change, 0 to destroy?"},
		},
	}, func(ctx context.Context, d Deps, in *folderIn) (*checkOut, error) {
		p, err := place(d, in.Cluster, in.Folder)
		if err != nil {
			return nil, err
		}
		v, err := d.Code.Check(ctx, p, planning(d, p))
		if err != nil {
			return nil, err
		}
		return judged(v), nil
	})
}

// planning tells the client that a plan begins, and is how long a call waits for it.
func planning(d Deps, p code.Place) time.Duration {
	if d.Progress != nil {
		d.Progress(0, 0, "terraform plans")
	}
	if p.Anywhere {
		return checkTerminal
	}
	return checkWait
}

func judged(v *code.Judgement) *checkOut {
	out := &checkOut{Cluster: v.Cluster, Folder: v.Dir, Running: v.Running, since: v.Since, Zero: v.Zero(), Program: v.Program, TookS: v.Took.Seconds(),
		Unformatted: v.Unformatted, Problems: problems(v.Problems)}
	if p := v.Plan; p != nil && len(p.Errors) == 0 {
		out.Planned, out.Import, out.Add, out.Change, out.Destroy, out.Same = true, p.Import, p.Add, p.Change, p.Destroy, p.Same
	}
	for _, o := range v.Objects {
		out.Objects = append(out.Objects, judgedOut{Object: o.ID, Address: o.Address, Action: o.Action, Fields: o.Fields, Why: o.Why})
	}
	return out
}

// problems counts each fault once: one missing right fails for every guest.
func problems(list []runner.Diagnostic) []problemOut {
	var out []problemOut
	for _, d := range list {
		i := slices.IndexFunc(out, func(p problemOut) bool { return p.Summary == d.Summary && p.Detail == d.Detail })
		if i < 0 {
			i, out = len(out), append(out, problemOut{Diagnostic: d})
		}
		out[i].Count++
	}
	return out
}

// How much of a verdict is shown; json has all.
const (
	shownObjects  = 20
	shownFields   = 4
	shownProblems = 10
	shownField    = 60
)

// View implements Answer.
func (o *checkOut) View(d Deps) View { return o.view(d, "check_code") }

// view is the verdict; tool is the one that is to be called again where it is not there yet.
func (o *checkOut) view(d Deps, tool string) View {
	v := View{}
	if o.Running {
		v.Line("still planning %s, for %s: call %s again to wait for it", o.Folder, ago(d, o.since), worded(d, tool))
		return v
	}
	if o.Planned {
		v.Line("%d to import, %d to add, %d to change, %d to destroy", o.Import, o.Add, o.Change, o.Destroy)
	} else {
		v.Line("there is no plan")
	}
	v.Line("%s, %.1f s, %s", o.Program, o.TookS, o.Folder)
	v.Table(Table{Name: "objects", Main: true, Columns: []string{"object", "action", "live -> code", "why", "address"}, Wrap: true,
		Rows: capped(o.Objects, shownObjects, func(j judgedOut) []string {
			return []string{j.Object, j.Action, fieldsText(j.Fields), j.Why, j.Address}
		})})
	v.Table(Table{Name: "problems", Columns: []string{"times", "problem", "detail", "address", "where"}, Wrap: true,
		Rows: capped(o.Problems, shownProblems, func(p problemOut) []string {
			return []string{strconv.Itoa(p.Count), p.Summary, p.Detail, p.Address, p.Where}
		})})
	if !o.Planned && len(o.Problems) > 0 {
		v.Line("a right that is missing: proxmox-mcp doctor prints the least role that can plan")
	}
	if len(o.Unformatted) > 0 {
		v.Line("not formatted: %s", cell(strings.Join(o.Unformatted, " "), 300))
	}
	return v
}

func fieldsText(list []runner.Field) string {
	var out []string
	for _, f := range list[:min(len(list), shownFields)] {
		out = append(out, fmt.Sprintf("%s %s -> %s", f.Path, orNone(f.Live), orNone(f.Code)))
	}
	if more := len(list) - shownFields; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, "; ")
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return cell(s, shownField)
}

// Differs says that an apply would change something: exit code 6.
func (o *checkOut) Differs() bool { return o.Planned && !o.Zero }

// Outcome says whether there is a plan at all; of one that is still made nobody knows.
func (o *checkOut) Outcome() string {
	switch {
	case o.Running:
		return change.Unknown
	case !o.Planned:
		return change.Failed
	}
	return ""
}
