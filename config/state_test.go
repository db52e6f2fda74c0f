package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const database = "postgres://mcp@db.example.org:5432/mcp?sslmode=verify-full"

// TestStateDatabase reads where the database is and how its password is come by.
func TestStateDatabase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state, env string
		want       string   // the password; "-" = none is configured
		wrong      []string // problems
	}{
		"no password":        {state: "path: " + database, want: "-"},
		"file":               {state: "path: " + database + "\n  password_file: pw", want: canarySecret},
		"command":            {state: "path: " + database + "\n  password_command: [echo, " + canarySecret + "]", want: canarySecret},
		"in the file":        {state: "path: " + database + "\n  password: " + canarySecret, want: canarySecret},
		"environment first":  {state: "path: " + database + "\n  password_command: [/nonexistent/program]", env: canarySecret, want: canarySecret},
		"two of them":        {state: "path: " + database + "\n  password_file: pw\n  password: x", wrong: []string{"state.password_file: give only one of password, password_file and password_command"}},
		"for a file":         {state: "path: s.db\n  password_file: pw", wrong: []string{"state.password_file: only a database has a password: path is not of the form " + databaseForm}},
		"in the address":     {state: "path: postgres://u:" + canarySecret + "@h/d", wrong: []string{"state.path: a password does not belong in the address; use password_file, password_command or PROXMOX_MCP_STATE_PASSWORD"}},
		"as a setting of it": {state: "path: postgres://u@h/d?password=" + canarySecret, wrong: []string{"state.path: a password does not belong in the address; use password_file, password_command or PROXMOX_MCP_STATE_PASSWORD"}},
		"slash in it":        {state: "path: postgres://u:1/" + canarySecret + "@h/d", wrong: []string{"state.path: the name of the database is missing or malformed; the form is " + databaseForm}},
		"malformed":          {state: "path: postgres://u:" + canarySecret + "/x@h/d", wrong: []string{"state.path: is not an address of the form " + databaseForm}},
		"no name":            {state: "path: postgres://u@h", wrong: []string{"state.path: the name of the database is missing or malformed; the form is " + databaseForm}},
		"another server":     {state: "path: mysql://h/d", wrong: []string{"state.path: is neither a path nor an address of the form " + databaseForm}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := home(t, map[string]string{"PROXMOX_MCP_STATE_PASSWORD": c.env})
			o.Path, o.WithoutClusters = filepath.Join(o.Home, "config.yaml"), true
			put(t, o.Path, "state:\n  "+c.state+"\n", 0o600)
			put(t, filepath.Join(o.Home, "pw"), canarySecret+"\n", 0o600)
			cfg, _, err := Load(t.Context(), o)
			if len(c.wrong) > 0 {
				got := texts(t, err)
				for i := range got { // without the place
					_, got[i], _ = strings.Cut(got[i], "state.")
					got[i] = "state." + got[i]
				}
				if diff := cmp.Diff(c.wrong, got); diff != "" || strings.Contains(err.Error(), canarySecret) {
					t.Error(diff, err)
				}
				return
			}
			if err != nil || cfg.State.Path != database {
				t.Fatalf("%+v, %v", cfg, err)
			}
			wantPassword(t, cfg.State, c.want)
		})
	}
}

func wantPassword(t *testing.T, s State, want string) {
	t.Helper()
	if s.Password == nil {
		if want != "-" {
			t.Error("no password is configured")
		}
		return
	}
	got, err := s.Password(t.Context())
	if err != nil || got.Reveal() != want {
		t.Errorf("password %q, %v; want %q", got.Reveal(), err, want)
	}
}

// TestStatePasswordFails names the setting when its password is asked for, not before.
func TestStatePasswordFails(t *testing.T) {
	t.Parallel()
	o := home(t, nil)
	o.Path, o.WithoutClusters = filepath.Join(o.Home, "config.yaml"), true
	put(t, o.Path, "state:\n  path: "+database+"\n  password_file: none\n", 0o600)
	cfg, _, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = cfg.State.Password(t.Context())
	if fault.CodeOf(err) != fault.Config || !strings.Contains(err.Error(), "config.yaml:3: state.password_file: cannot be read") {
		t.Errorf("%v", err)
	}
}

// TestStateAt sends the password of the environment alone to a database that a flag names.
func TestStateAt(t *testing.T) {
	t.Parallel()
	wantPassword(t, StateAt(home(t, nil), database), "-")
	o := home(t, map[string]string{"PROXMOX_MCP_STATE_PASSWORD": " " + canarySecret + "\n"})
	wantPassword(t, StateAt(o, database), canarySecret)
	wantPassword(t, StateAt(o, "/var/lib/s.db"), "-")
}

// TestHeadFile gives each database a file of its own in the state's folder; a file has its own beside it.
func TestHeadFile(t *testing.T) {
	t.Parallel()
	o := home(t, nil)
	one, two := StateAt(o, database).HeadFile, StateAt(o, database+"2").HeadFile
	if folder := filepath.Join(o.Home, ".local", "state", "proxmox-mcp"); filepath.Dir(one) != folder || one == two {
		t.Errorf("%s, %s; want two in %s", one, two, folder)
	}
	if got := StateAt(o, "/var/lib/s.db").HeadFile; got != "" {
		t.Errorf("of a file: %s", got)
	}
	o.Home = ""
	if got := StateAt(o, database).HeadFile; got != "" {
		t.Errorf("without a home folder: %s", got)
	}
}
