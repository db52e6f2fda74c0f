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
