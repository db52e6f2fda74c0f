package app

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/store/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// TestDatabaseCommands keeps the store in PostgreSQL, its address in the configuration and its password in a file: what `db` and doctor
// say before there is a store, and with one.
func TestDatabaseCommands(t *testing.T) {
	t.Parallel()
	at, dir := pgtest.GuardedDatabase(t), t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	err := errors.Join(os.WriteFile(file, []byte("state:\n  path: "+at+"\n  password_file: pw\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "pw"), []byte(pgtest.Password+"\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	a := &App{Home: dir, GOOS: "linux", Clock: time.Now, Stderr: io.Discard}
	g := cli.Globals{ConfigPath: file}
	name, err := a.DBPath(g)
	if err != nil || name != strings.TrimSuffix(at, "&port=5432") {
		t.Errorf("db path: %s, %v", name, err)
	}
	if _, err := a.DBCheck(t.Context(), g); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("db check of an empty database: %v", err)
	}
	state := stateFrom(t, file)
	if c := checkStore(t.Context(), state, DoctorOptions{}); c.State != CheckOK || !strings.Contains(c.Result, "will be created") {
		t.Errorf("doctor: %+v", c)
	}

	_, err = a.DBBackup(t.Context(), g, filepath.Join(dir, "copy"))
	if e := fault.Of(err); e == nil || e.Code != fault.Unsupported || !strings.Contains(e.Hint, "pg_dump --format=custom --file='"+dir) {
		t.Errorf("db backup: %v", err)
	}
	if r, err := a.DBCheck(t.Context(), g); err != nil || r.Failed {
		t.Errorf("db check: %+v, %v", r, err)
	}
	if c := checkStore(t.Context(), state, DoctorOptions{}); c.State != CheckOK || !strings.Contains(c.Result, "sound, 0 guests") {
		t.Errorf("doctor: %+v", c)
	}
	if _, err := a.Names(t.Context(), g, cli.NameGuest); fault.CodeOf(err) != fault.Unsupported {
		t.Errorf("completion: %v", err)
	}
}

func stateFrom(t *testing.T, file string) config.State {
	t.Helper()
	cfg, _, err := config.Load(t.Context(), config.LoadOptions{Path: file, GOOS: "linux", WithoutClusters: true})
	if err != nil {
		t.Fatal(err)
	}
	return cfg.State
}

// TestDatabaseDoctor says what is wrong with a database and how to mend it, and no password.
func TestDatabaseDoctor(t *testing.T) {
	t.Parallel()
	at := pgtest.GuardedDatabase(t)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/none"
	o := DoctorOptions{Config: config.LoadOptions{Env: func(string) string { return pgtest.Password }}}
	for name, c := range map[string]struct {
		state  config.State
		result string
	}{
		"no password":  {config.State{Path: at}, "refused the login"},
		"no database":  {config.StateAt(o.Config, u.String()), "does not exist"},
		"no server":    {config.StateAt(o.Config, "postgres://u@127.0.0.1:1/d"), "cannot be reached"},
		"no address":   {config.State{Path: "postgres://u:canary@h/d"}, "holds a password"},
		"not a server": {config.State{Path: "postgres:///d?host=" + t.TempDir()}, "cannot be reached"},
	} {
		got := checkStore(t.Context(), c.state, o)
		if said := got.Result + got.Fix; got.State != CheckFail || !strings.Contains(got.Result, c.result) || got.Fix == "" ||
			strings.Contains(said, pgtest.Password) || strings.Contains(said, "canary") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	damaged := pgtest.Database(t)
	db, err := store.Open(context.Background(), store.Options{Path: damaged})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	pgtest.Admin(t, damaged, "INSERT INTO contents VALUES ('not its hash', '{}')")
	if got := checkStore(t.Context(), config.State{Path: damaged}, o); got.State != CheckFail || !strings.Contains(got.Result, "is damaged") {
		t.Errorf("damaged: %+v", got)
	}
}
