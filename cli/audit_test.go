package cli_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestAuditVerify: a flipped byte, a dropped row and a cut tail are found by the command and by doctor; a whole audit is said to be whole
// (S12).
func TestAuditVerify(t *testing.T) {
	for name, c := range map[string]struct{ harm, says string }{
		"whole":          {"", "sound: "},
		"a flipped byte": {"UPDATE audit SET detail = 'something else' WHERE seq = 2", "row 2 is not as it was written"},
		"a dropped row":  {"DELETE FROM audit WHERE seq = 2", "row 2 is missing"},
		"a cut tail": {"DELETE FROM audit WHERE seq = 3; UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)",
			"its end is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pvesim.DemoWorld(time.Now()))
			path := filepath.Join(r.home, "state.db")
			db, err := store.Open(t.Context(), store.Options{Path: path, Clock: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			k := change.Keeper{Store: db, Clock: time.Now, Local: "local:1000", Door: "cli"}
			f := &change.GrantFile{Path: filepath.Join(r.home, "allowed.json")}
			if err := errors.Join(k.Open(t.Context(), f, change.Grant{Tier: change.Host}), k.Close(t.Context(), f), k.Close(t.Context(), f), db.Close()); err != nil {
				t.Fatal(err)
			}
			if c.harm != "" {
				raw, err := sql.Open("sqlite", path)
				if err != nil {
					t.Fatal(err)
				}
				_, err = raw.ExecContext(t.Context(), "DROP TRIGGER IF EXISTS audit_delete; DROP TRIGGER IF EXISTS audit_head_back; DROP TRIGGER IF EXISTS audit_head_delete; DROP TRIGGER IF EXISTS audit_head_keep; DROP TRIGGER IF EXISTS audit_keep; DROP TRIGGER IF EXISTS audit_replace; DROP TRIGGER IF EXISTS audit_update; "+c.harm)
				if err := errors.Join(err, raw.Close()); err != nil {
					t.Fatal(err)
				}
			}
			out, errOut, code := r.run(t.Context(), "audit", "verify")
			if (code == 0) != (c.harm == "") || !strings.Contains(out, c.says) {
				t.Errorf("exit code %d\n%s%s", code, out, errOut)
			}
			if out, _, _ := r.run(t.Context(), "doctor"); strings.Contains(out, "proxmox-mcp audit verify") != (c.harm != "") {
				t.Errorf("doctor:\n%s", out)
			}
		})
	}
}

// TestAuditRows: what was done is listed by who, what and when, and exported with its hashes.
func TestAuditRows(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	r.allow(t)
	r.run(t.Context(), "guest", "update", "208", "--tags", "one")
	out, errOut, code := r.run(t.Context(), "audit", "list", "--guest", "208", "--since", "1h")
	if code != 0 || !strings.Contains(out, "PUT /nodes/pve1/qemu/208/config") || strings.Contains(out, "allow") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	if out, _, _ := r.run(t.Context(), "audit", "export"); strings.Count(out, "\n") < 6 || strings.Count(out, `"hash":"`) != strings.Count(out, "\n") {
		t.Errorf("exported:\n%s", out)
	}
	if out, errOut, code := r.run(t.Context(), "operation", "list", "208"); code != 0 || !strings.Contains(out, "update_guest done") || strings.Contains(out, " send ") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	if _, errOut, code := r.run(t.Context(), "audit", "verify", "--head", "7"); code != 2 || !strings.Contains(errOut, "SEQUENCE:HASH") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
}
