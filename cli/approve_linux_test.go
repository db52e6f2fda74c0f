package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestRecipeApprovedWhereTyped: a recipe at a terminal asks for a step that waits, and goes on with what follows; Enter leaves the plan waiting
// and ends the run.
func TestRecipeApprovedWhereTyped(t *testing.T) {
	r := operated(t, "destructive")
	file := filepath.Join(filepath.Dir(configFile(r.home)), "prompts.d", "clear.yaml")
	text := "description: Remove a guest\nsteps:\n  - tool: delete_guest\n    args: {guest: 208}\n  - tool: list_plans\n    args: {}\n"
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	out, said, code := r.person(t, [][2]string{{"(Enter leaves it waiting): ", ""}}, "recipe", "run", "clear")
	if code != 5 || !r.exists(208) || strings.Contains(out, "2. list_plans") {
		t.Errorf("left: exit code %d\n%s%s", code, out, said)
	}
	out, said, code = r.person(t, [][2]string{{"(Enter leaves it waiting): ", "208"}, pass}, "recipe", "run", "clear")
	if code != 0 || r.exists(208) || !strings.Contains(out, "done (destructive)") || !strings.Contains(out, "2. list_plans") {
		t.Errorf("approved: exit code %d\n%s%s", code, out, said)
	}
}

// TestApproveWhereTyped: who types a destructive command at a terminal is asked at once, as plan approve asks. What is no approval leaves the plan
// waiting, and where nobody set a passphrase nobody is asked.
func TestApproveWhereTyped(t *testing.T) {
	r := operated(t, "destructive")
	for name, c := range map[string]struct {
		answers [][2]string
		code    int
		says    string
	}{
		"Enter":              {[][2]string{{"(Enter leaves it waiting): ", ""}}, 5, "waits for an operator"},
		"Enter at the last":  {[][2]string{{"(Enter leaves it waiting): ", "208"}, {pass[0], ""}}, 5, "waits for an operator"},
		"another id":         {[][2]string{{"(Enter leaves it waiting): ", "200"}}, 2, "that is not what plan"},
		"another passphrase": {[][2]string{{"(Enter leaves it waiting): ", "208"}, {pass[0], "wrong donkey battery"}}, 4, "not the operator's passphrase"},
	} {
		out, said, code := r.person(t, c.answers, "guest", "delete", "208")
		if code != c.code || !r.exists(208) || !strings.Contains(out+said, c.says) {
			t.Errorf("%s: exit code %d, want %d\n%s%s", name, code, c.code, out, said)
		}
	}
	if out := r.does(t, nil, "plan", "approve"); !strings.Contains(out, "destroy") {
		t.Errorf("nothing waits:\n%s", out)
	}
	out, said, code := r.person(t, [][2]string{{"(Enter leaves it waiting): ", "208"}, pass}, "guest", "delete", "208", "--wait-s", "60", "-o", "json")
	if code != 0 || r.exists(208) || !json.Valid([]byte(out)) {
		t.Errorf("approved: exit code %d\n%s%s", code, out, said)
	}
	bare := newRig(t, pvesim.DemoWorld(time.Now()))
	bare.allow(t)
	if out, said, code := bare.person(t, nil, "guest", "delete", "208"); code != 5 || strings.Contains(said, "approve it now") {
		t.Errorf("without a passphrase: exit code %d\n%s%s", code, out, said)
	}
}
