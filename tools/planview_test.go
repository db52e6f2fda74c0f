package tools

import (
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestPlanFactsAreOfPlanTime: what was read when a plan was made is shown as long as it has not begun, and not as if it were so afterwards.
func TestPlanFactsAreOfPlanTime(t *testing.T) {
	t.Parallel()
	d := deps(&fake{})
	for state, shown := range map[string]bool{change.Planned: true, change.Waiting: true, change.Approved: true, change.Applying: false, change.Done: false,
		change.Failed: false, change.Unknown: false} {
		p := change.Plan{Plan: store.Plan{ID: "p-7k3f9q2m", State: state, Title: "stop", Expires: d.Now().Add(time.Hour)}, Body: change.Body{Blast: change.Blast{
			Running: []string{"210 runner"}, Snapshots: []string{"210: clean"}, NoBackup: []string{"210 runner"}, Unsaved: []string{"210 runner"}}}}
		out := planOf(d, p, "")
		text := out.View(d).Compact()
		for _, line := range []string{"running: 210 runner", "snapshots: 210: clean", "no backup: 210 runner"} {
			if strings.Contains(text, line) != shown {
				t.Errorf("%s: %q shown: %v\n%s", state, line, !shown, text)
			}
		}
		if !strings.Contains(text, "no snapshot possible: 210 runner") || len(out.Blast) != 4 {
			t.Errorf("%s: %v\n%s", state, out.Blast, text)
		}
	}
}

// TestUndoOfFailedPlan: what a plan did before it failed can be taken back, and that is said where all of it can.
func TestUndoOfFailedPlan(t *testing.T) {
	t.Parallel()
	d := deps(&fake{})
	back := change.Step{Action: "guest.configure", Target: change.Target{VMID: 210}, Undo: []change.Call{{Method: "PUT"}}}
	oneWay := change.Step{Action: "guest.power", Target: change.Target{VMID: 211}, NoUndo: "it was stopped"}
	for name, c := range map[string]struct {
		first, second string
		steps         []change.Step
		shown         bool
	}{
		"the first is done":          {change.StepDone, change.StepFailed, []change.Step{back, oneWay}, true},
		"nothing is done":            {change.StepFailed, change.StepSkipped, []change.Step{back, back}, false},
		"what is done stands":        {change.StepDone, change.StepFailed, []change.Step{oneWay, back}, false},
		"the body is not kept":       {change.StepDone, change.StepFailed, nil, false},
		"one of those done stands":   {change.StepDone, change.StepDone, []change.Step{back, oneWay}, false},
		"what is done needs no undo": {change.StepDone, change.StepFailed, []change.Step{{Action: "x", Stays: "as it is"}, back}, false},
	} {
		p := change.Plan{Plan: store.Plan{ID: "p-7k3f9q2m", State: change.Failed}, Body: change.Body{Steps: c.steps},
			Journal: []store.PlanStep{{N: 1, State: c.first}, {N: 2, State: c.second}}}
		text := planOf(d, p, "").View(d).Compact()
		if strings.Contains(text, "to take back what was done: undo_change p-7k3f9q2m") != c.shown {
			t.Errorf("%s: shown: %v\n%s", name, !c.shown, text)
		}
	}
}
