package app

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestSecretByReference: a password is given by name, reaches Proxmox VE, and shows nowhere: not in the plan, its review, the audit, the
// journal, the list of secrets or any file (S13).
func TestSecretByReference(t *testing.T) {
	const canary = "Canary12-of-the-vault"
	h := newHousehold(t)
	typed := cli.Terminal{Out: io.Discard, Secret: func(string) (string, error) { return canary, nil }}
	if err := h.app.SecretSet(t.Context(), cli.Globals{StatePath: h.state()}, "ci", typed); err != nil {
		t.Fatal(err)
	}
	h.allow(change.Grant{Tier: change.Disruptive})
	h.serve(cli.ServeOptions{})
	said := h.call("update_guest", map[string]any{"guest": "208", "set": []string{"cipassword=secret:ci"}})
	id := planShape.FindString(said)
	if id == "" {
		t.Fatalf("no plan: %s", said)
	}
	said += h.call("apply_plan", map[string]any{"plan": id}) + h.call("get_plan", map[string]any{"plan": id}) + h.call("find_operations", nil)
	if !strings.Contains(said, "done") {
		t.Errorf("it was not done: %s", said)
	}
	var kept any // Proxmox VE keeps its crypt(3) form
	h.sim.Update(func(w *pvesim.World) { kept = w.Guest(208).Config["cipassword"] })
	h.keep(func(db *store.DB, _ *change.Keeper) error {
		row, _, err := db.SecretByName(t.Context(), "ci")
		if row.Used.IsZero() || !strings.HasPrefix(fmt.Sprint(kept), "$5$") {
			t.Errorf("the value was not sent: used %s, the guest has %v", row.Used, kept)
		}
		return err
	})
	var out bytes.Buffer
	for _, line := range []string{"secret list -o json", "audit list", "audit export", "plan show " + id, "operation list"} {
		code := cli.Run(t.Context(), h.app, append([]string{"--state", h.state()}, strings.Fields(line)...), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		if code != 0 && code != 3 {
			t.Errorf("%s: exit code %d", line, code)
		}
	}
	said += out.String()
	err := filepath.WalkDir(h.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		said += string(raw)
		return err
	})
	if err != nil || strings.Contains(said, canary) || !strings.Contains(said, "secret:ci") {
		at := max(0, strings.Index(said, canary)-200)
		t.Errorf("%v; the secret shows: ...%q", err, said[at:min(len(said), at+300)])
	}
}
