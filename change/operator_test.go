package change

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	pass  = "correct horse battery"
	wrong = "wrong donkey battery"
)

// keeper has a store of its own and a hash that costs nothing.
func keeper(t *testing.T) (*Keeper, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "state.db"), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return &Keeper{Store: db, Clock: time.Now, Local: "local:1000", Door: "cli", cost: cost{1, 64, 1}}, db
}

// TestPassphrase: nobody is an operator before one was set; a new one wants the old one; wrong tries are audited and make the next wait.
func TestPassphrase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, db := keeper(t)
		defer func() { _ = db.Close() }()
		ctx := t.Context()
		want := func(what string, err error, code fault.Code) {
			t.Helper()
			if code == "" && err != nil || code != "" && fault.CodeOf(err) != code {
				t.Errorf("%s: %v, want %q", what, err, code)
			}
		}
		want("before one is set", k.Prove(ctx, ""), fault.Denied)
		want("a short one", k.Init(ctx, "", "too short"), fault.Invalid)
		want("the first one", k.Init(ctx, "", pass), "")
		want("another without the old one", k.Init(ctx, "", wrong), fault.Denied)
		want("another with the old one", k.Init(ctx, pass, pass+"!"), "")
		want("the old one", k.Prove(ctx, pass), fault.Denied)
		want("a second wrong one", k.Prove(ctx, wrong), fault.Denied)
		want("a third wrong one", k.Prove(ctx, wrong), fault.Denied)
		want("the right one at once", k.Prove(ctx, pass+"!"), fault.RateLimited)
		time.Sleep(firstWait)
		want("a wrong one after the wait", k.Prove(ctx, wrong), fault.Denied)
		time.Sleep(firstWait)
		want("after half of the longer wait", k.Prove(ctx, pass+"!"), fault.RateLimited)
		time.Sleep(firstWait)
		want("the right one after the wait", k.Prove(ctx, pass+"!"), "")
		want("a wrong one after the right one", k.Prove(ctx, wrong), fault.Denied)
		want("the right one", k.Prove(ctx, pass+"!"), "")

		rows, err := db.Audit(ctx, store.AuditFilter{Events: []string{"login"}, Outcomes: []string{"denied"}})
		if err != nil || len(rows) != 6 {
			t.Errorf("%d wrong tries are in the audit, %v", len(rows), err)
		}
		value, _, err := db.Setting(ctx, settingHash)
		if err != nil || !strings.HasPrefix(value, "$argon2id$") || strings.Contains(value, pass) {
			t.Errorf("kept: %q, %v", value, err)
		}
	})
}

// TestStandardCost: what is kept for real can be proved, with the costs that it names.
func TestStandardCost(t *testing.T) {
	k := &Keeper{}
	phc := k.hash(pass)
	if !strings.Contains(phc, "m=65536,t=3,p=4") || !matches(phc, pass) || matches(phc, wrong) || matches("", "") || matches("$argon2id$v=19$m=64,t=0,p=1$$", "") {
		t.Error(phc)
	}
}

// TestSeal: what the operator wrote is taken, also by a server that runs; what anybody else wrote allows nothing, an older file of the
// operator included.
func TestSeal(t *testing.T) {
	k, db := keeper(t)
	defer func() { _ = db.Close() }()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "conf", "allowed.json")
	f := &GrantFile{Path: path, Seal: func(ctx context.Context) (string, error) { return Seal(ctx, db) }}
	level := func() (Tier, error) {
		grants, err := f.Grants(ctx)
		top := Read
		for _, g := range grants {
			top = max(top, g.Tier)
		}
		return top, err
	}
	if top, err := level(); top != Read || err != nil {
		t.Fatalf("without a file: %s, %v", top, err)
	}
	if err := k.Open(ctx, f, Grant{Tier: Destructive}); err != nil {
		t.Fatal(err)
	}
	if err := k.Open(ctx, f, Grant{Tier: Host, Scope: Scope{Pool: "lab"}, Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	wide, err := os.ReadFile(path)
	if top, lerr := level(); err != nil || lerr != nil || top != Host || len(f.read) != 2 {
		t.Fatalf("as the operator said: %s %v, %v %v", top, f.read, err, lerr)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := k.Open(ctx, f, Grant{Tier: Reversible}); err != nil { // in place of "destructive for everything"; the pool stays
		t.Fatal(err)
	}
	if top, err := level(); err != nil || top != Host || len(f.read) != 2 {
		t.Errorf("%s %v, %v", top, f.read, err)
	}
	if err := k.Close(ctx, f); err != nil {
		t.Fatal(err)
	}
	if top, err := level(); err != nil || top != Read {
		t.Errorf("after --none: %s, %v", top, err)
	}
	if err := os.WriteFile(path, wide, 0o600); err != nil {
		t.Fatal(err)
	}
	if top, err := level(); top != Read || fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "changed without the operator") {
		t.Errorf("an older file put back: %s, %v", top, err)
	}
	if top, err := level(); top != Read || err == nil {
		t.Errorf("asked again: %s, %v", top, err)
	}
}

// TestStopFile: either place stops; time ends it; what cannot be read stops as well.
func TestStopFile(t *testing.T) {
	k, db := keeper(t)
	defer func() { _ = db.Close() }()
	ctx, now := t.Context(), time.Now()
	f := StopFile{filepath.Join(t.TempDir(), "conf", "stop")}
	if f.State(now).On {
		t.Error("on without a file")
	}
	if err := k.Stop(ctx, f, now.Add(time.Hour), "odd things happen"); err != nil {
		t.Fatal(err)
	}
	s, err := db.Stopped(ctx)
	if file := f.State(now); err != nil || !s.On || !file.On || file.Reason != "odd things happen" || file.By != "local:1000" || f.State(now.Add(time.Hour)).On {
		t.Errorf("%+v %+v %v", s, file, err)
	}
	if err := k.Resume(ctx, f); err != nil {
		t.Fatal(err)
	}
	if s, err = db.Stopped(ctx); err != nil || s.On || f.State(now).On {
		t.Errorf("after the end: %+v %v", s, err)
	}
	if err := os.WriteFile(f.Path, nil, 0o600); err != nil { // touch
		t.Fatal(err)
	}
	if !f.State(now).On {
		t.Error("an empty file does not stop")
	}
	broken := &Keeper{Clock: time.Now}
	if err := broken.Stop(ctx, f, time.Time{}, ""); err != nil {
		t.Errorf("without a store: %v", err)
	}
	if err := broken.Stop(ctx, StopFile{filepath.Join(f.Path, "no", "folder")}, time.Time{}, ""); err == nil || errors.Is(err, os.ErrExist) {
		t.Errorf("with neither: %v", err)
	}
}
