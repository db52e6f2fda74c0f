package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

type memoryRing map[string]string

func (m memoryRing) Get(name string) (string, error) {
	if v, ok := m[name]; ok {
		return v, nil
	}
	return "", errors.New("not there")
}
func (m memoryRing) Set(name, value string) error { m[name] = value; return nil }
func (m memoryRing) Delete(name string) error     { delete(m, name); return nil }

// TestVault: a secret comes back to who resolves it and lies nowhere in clear; without its key, under another name or damaged it does not
// open; what the keyring has is not in the store.
func TestVault(t *testing.T) {
	const value = "Canary-of-the-vault"
	_, db := keeper(t)
	defer func() { _ = db.Close() }()
	ctx, dir := t.Context(), t.TempDir()
	v := &Vault{Store: func(context.Context) (SecretStore, error) { return db, nil }, KeyFile: filepath.Join(dir, "secrets.key"), Clock: time.Now, Local: "local:1000"}
	resolves := func(what string, v *Vault, name, want string, code fault.Code) {
		t.Helper()
		got, err := v.Resolve(ctx, name)
		if got != want || code == "" && err != nil || code != "" && fault.CodeOf(err) != code {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	if err := v.Set(ctx, "ci", value); err != nil {
		t.Fatal(err)
	}
	resolves("set", v, "ci", value, "")
	resolves("another name", v, "nope", "", fault.NotFound)
	row, _, err := db.SecretByName(ctx, "ci")
	if err != nil || row.Used.IsZero() || bytes.Contains(row.Value, []byte(value)) || row.Where != store.InStore {
		t.Errorf("%+v, %v", row, err)
	}
	row.Name = "other"
	if err := db.PutSecret(ctx, row, store.AuditEntry{Event: "secret", Principal: "x"}); err != nil {
		t.Fatal(err)
	}
	resolves("renamed in the store", v, "other", "", fault.Config)
	resolves("without the key", &Vault{Store: v.Store, KeyFile: filepath.Join(dir, "none"), Clock: time.Now}, "ci", "", fault.Config)
	if err := os.Chmod(v.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	resolves("a key that others read", v, "ci", "", fault.Config)
	for _, bad := range []string{"", "a b", "../x", "secret:x"} {
		if err := v.Set(ctx, bad, value); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("name %q: %v", bad, err)
		}
	}

	ringed := &Vault{Store: v.Store, KeyFile: filepath.Join(dir, "unused"), Ring: memoryRing{}, Clock: time.Now, Local: "local:1000"}
	if err := ringed.Set(ctx, "kept", value); err != nil {
		t.Fatal(err)
	}
	resolves("from the keyring", ringed, "kept", value, "")
	resolves("from the keyring, by a process without", v, "kept", "", fault.Config)
	if _, err := os.Stat(ringed.KeyFile); err == nil {
		t.Error("a key was made that nothing needs")
	}
	if err := ringed.Remove(ctx, "kept"); err != nil || len(ringed.Ring.(memoryRing)) > 0 {
		t.Errorf("removed: %v", err)
	}
	resolves("removed", ringed, "kept", "", fault.NotFound)
}

// TestReference: a secret that was never set is refused when the plan is made, with the command that sets it; one that is set is put in when
// the request is sent and nowhere else, and never where it could be read.
func TestReference(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		for key, c := range map[string]struct{ value, words string }{
			"cipassword":  {"secret:nope", "secret set nope"},
			"description": {"secret:ci", "cannot be put there"},
		} {
			_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: "208", Action: Configure{Set: map[string]string{key: c.value}}, Caller: agent})
			f := fault.Of(err)
			if fault.CodeOf(err) != fault.Invalid || f.Field != key || !strings.Contains(f.Error()+f.Hint, c.words) {
				t.Errorf("%s: %v", key, err)
			}
		}
		p := r.do(208, Configure{Set: map[string]string{"cipassword": "secret:ci", "description": "secret: see the safe"}})
		if got := fmt.Sprint(r.config(208, "description")); got != "secret: see the safe" {
			t.Errorf("the text became %q", got)
		}
		if kept := string(p.Body.Canonical()) + string(marshal(p.Journal)); strings.Contains(kept, "canary") {
			t.Errorf("the plan holds the secret: %s", kept)
		}
		q := r.propose(208, Configure{Set: map[string]string{"description": "plain"}})
		if q.Body.Steps[0].NoUndo == "" {
			t.Error("an undo is promised that would write the mask of a secret")
		}
		if got := fmt.Sprint(r.config(208, "cipassword")); !strings.HasPrefix(got, "$5$") { // as it is kept
			t.Errorf("sent was %q", got)
		}
	})
}
