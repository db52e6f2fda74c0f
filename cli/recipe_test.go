package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

const growing = `description: More memory, with a way back
arguments:
  - {name: guest, required: true}
steps:
  - tool: get_guest
    args: {guest: $guest}
  - tool: snapshot_guest
    args: {guest: $1.vmid, action: create, snapshot: before-recipe}
  - tool: update_guest
    args: {guest: $1.vmid, memory_mib: 6144}
  - tool: get_guest
    args: {guest: $1.vmid}
`

// TestRecipeCommands: a recipe is listed, shown and run; a bad file is named; a change in it is refused where nothing may be changed, planned by a dry run,
// and ends the run where it waits for a second command.
func TestRecipeCommands(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	own := filepath.Join(filepath.Dir(configFile(r.home)), "prompts.d")
	for name, text := range map[string]string{"grow.yaml": growing, "bad.yaml": "steps: []\n"} {
		if err := os.WriteFile(filepath.Join(own, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, _, code := r.run(t.Context(), "recipe", "list"); code != 3 || !strings.Contains(out, "grow") || !strings.Contains(out, "bad.yaml") || !strings.Contains(out, "description") {
		t.Errorf("list, exit code %d:\n%s", code, out)
	}
	if _, errOut, code := r.run(t.Context(), "recipe", "run", "growth"); code == 0 || !strings.Contains(errOut, "did you mean grow?") {
		t.Errorf("an unknown one, exit code %d: %s", code, errOut)
	}
	if _, errOut, code := r.run(t.Context(), "recipe", "run", "grow"); code == 0 || !strings.Contains(errOut, "guest: is required\n") {
		t.Errorf("without its argument, exit code %d: %s", code, errOut)
	}
	if out, errOut, code := r.run(t.Context(), "recipe", "run", "grow", "--arg", "guest=gitlab"); code == 0 || !strings.Contains(errOut, "step 2") || strings.Contains(out, "3. update_guest") {
		t.Errorf("where nothing may be changed, exit code %d:\n%s%s", code, out, errOut)
	}
	r.allow(t)
	out, _, _ := r.run(t.Context(), "recipe", "run", "grow", "--arg", "guest=gitlab", "--dry-run", "-o", "json")
	var steps []struct {
		Tool, Skipped string
		Args          map[string]any
	}
	if err := json.Unmarshal([]byte(out), &steps); err != nil || len(steps) != 4 || steps[1].Args["dry_run"] != true || steps[1].Args["guest"] != 206.0 || steps[0].Args["dry_run"] != nil {
		t.Errorf("dry: %v\n%s", err, out)
	}
	if shown, _, _ := r.run(t.Context(), "guest", "show", "gitlab", "--detail", "full"); strings.Contains(shown, "before-recipe") {
		t.Error("a dry run made a snapshot")
	}
	out, _, code := r.run(t.Context(), "recipe", "run", "grow", "--arg", "guest=gitlab")
	if code != 5 || !strings.Contains(out, "2. snapshot_guest") || !strings.Contains(out, "3. update_guest") || strings.Contains(out, "4. get_guest") {
		t.Errorf("where a change waits for plan apply, exit code %d:\n%s", code, out)
	}
	if shown, _, _ := r.run(t.Context(), "guest", "show", "gitlab", "--detail", "full"); !strings.Contains(shown, "before-recipe") {
		t.Errorf("the snapshot was not made:\n%s", shown)
	}
}
