package store

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestPostgresTLS checks certificates of servers on the network unless something says otherwise, and asks for none on this machine.
func TestPostgresTLS(t *testing.T) {
	for _, c := range []struct{ place, env, want string }{
		{"postgres://u@db.example.org/d", "", "verify-full"},
		{"postgres://u@192.0.2.1,192.0.2.2:5433/d", "", "verify-full"},
		{"postgres:///d?host=db.example.org", "", "verify-full"},
		{"postgres://u@db.example.org/d?sslmode=require", "", "require"},
		{"postgres://u@db.example.org/d", "require", ""},
		{"postgres://u@localhost/d", "", ""},
		{"postgres://u@127.0.0.1:5433/d", "", ""},
		{"postgres://u@[::1]/d", "", ""},
		{"postgres:///d?host=/run/postgresql", "", ""},
		{"postgres:///d", "", ""},
	} {
		t.Setenv("PGSSLMODE", c.env)
		t.Setenv("PGHOST", "")
		u, err := parsePostgres(c.place)
		if err != nil || u.Query().Get("sslmode") != c.want {
			t.Errorf("%s with PGSSLMODE=%s: %v, %v; want %q", c.place, c.env, u, err, c.want)
		}
	}
	t.Setenv("PGHOST", "db.example.org")
	if u, err := parsePostgres("postgres:///d"); err != nil || u.Query().Get("sslmode") != "verify-full" {
		t.Errorf("with PGHOST: %v, %v", u, err)
	}
}

// TestPostgresFaults judges what a test server cannot be brought to say.
func TestPostgresFaults(t *testing.T) {
	e := engineAt(t, "postgres://u@localhost/d")
	d := &DB{eng: e}
	for code, want := range map[string]struct {
		code  fault.Code
		retry bool
	}{
		pgDiskFull:      {fault.StoreFull, true},
		pgTooMany:       {fault.Store, true},
		pgDataCorrupted: {fault.StoreCorrupt, false},
		pgQueryCanceled: {fault.Cancelled, false},
		"57P03":         {fault.Store, true}, // the database system is starting up
		"08006":         {fault.Store, true},
		"42601":         {fault.Store, false}, // a syntax error is ours
	} {
		f := fault.Of(d.fault(&pgconn.PgError{Code: code, Message: "m"}))
		if f.Code != want.code || f.Retryable != want.retry {
			t.Errorf("%s is %s, retry %v", code, f.Code, f.Retryable)
		}
	}
}
