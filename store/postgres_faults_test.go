package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/store/pgtest"
)

// secret gives a password as the configuration does.
func secret(s string) func(context.Context) (redact.Secret, error) {
	return func(context.Context) (redact.Secret, error) { return redact.NewSecret(s), nil }
}

// TestPostgresAddress refuses addresses that hold a password or are malformed, and shows nothing of them.
func TestPostgresAddress(t *testing.T) {
	const canary = "s3cr3t"
	for name, c := range map[string]struct{ place, want string }{
		"password":         {"postgres://u:" + canary + "@h/d", "holds a password"},
		"password after":   {"postgres://u@h/d?password=" + canary, "holds a password"},
		"key's password":   {"postgres://u@h/d?sslpassword=" + canary, "holds a password"},
		"slash in it":      {"postgres://u:" + canary + "/x@h/d", "not of the form"},
		"slash and digits": {"postgres://u:1/" + canary + "@h/d", "names no database"},
		"no database":      {"postgres://u@h", "names no database"},
		"other server":     {"mysql://" + canary + "@h/d", "not of the form"},
		"bad setting":      {"postgres://u@h/d?sslmode=" + canary, "sslmode is invalid"},
		"no such file":     {"postgres://u@h/d?sslmode=verify-full&sslrootcert=/nonexistent", "unable to read CA file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Open(t.Context(), store.Options{Path: c.place})
			if fault.CodeOf(err) != fault.Config || !strings.Contains(err.Error(), c.want) || strings.Contains(fmt.Sprintf("%+v", err), canary) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestPostgresPlace names databases without what is secret or does not matter.
func TestPostgresPlace(t *testing.T) {
	for place, want := range map[string]string{
		"postgres://u@db.example.org/d?sslmode=require":   "postgres://u@db.example.org:5432/d",
		"postgresql://u@[::1]:5433/d":                     "postgres://u@[::1]:5433/d",
		"postgres://u@/d?host=/run/postgresql&port=5432":  "postgres://u@/d?host=/run/postgresql",
		"postgres://u@/d?host=/run/postgresql&port=12345": "postgres://u@/d?host=/run/postgresql&port=12345",
	} {
		if got, err := store.Place(place); got != want || err != nil {
			t.Errorf("%s is named %s, %v; want %s", place, got, err, want)
		}
	}
}

// TestPostgresRefuses opens what is no usable store: a clear error each that names it, and nothing is made in it.
func TestPostgresRefuses(t *testing.T) {
	const wrong = "wr0ng-canary"
	newer, foreign, closed, standby := pgtest.Database(t), pgtest.Database(t), pgtest.Database(t), pgtest.Database(t)
	d := openAt(t, newer)
	if err := d.Exec(t.Context(), "INSERT INTO bun_migrations (name, group_id) VALUES ('99991231000001', 9)"); err != nil {
		t.Fatal(err)
	}
	pgtest.Admin(t, foreign, "CREATE TABLE theirs (n int)")
	pgtest.Admin(t, closed, "ALTER SCHEMA public OWNER TO super")
	pgtest.Admin(t, standby, "ALTER ROLE keeper IN DATABASE "+databaseOf(t, standby)+" SET default_transaction_read_only = on")
	guarded := pgtest.GuardedDatabase(t)
	for name, c := range map[string]struct {
		o      store.Options
		code   fault.Code
		detail string
	}{
		"newer schema":   {store.Options{Path: newer}, fault.StoreNewer, "99991231000001"},
		"other program":  {store.Options{Path: foreign}, fault.Store, "another program"},
		"no right":       {store.Options{Path: closed}, fault.StoreReadOnly, "make and use tables"},
		"standby":        {store.Options{Path: standby}, fault.StoreReadOnly, "cannot be written"},
		"wrong password": {store.Options{Path: guarded, Password: secret(wrong)}, fault.Store, "refused the login"},
		"no password":    {store.Options{Path: guarded}, fault.Store, "refused the login"},
		"no database":    {store.Options{Path: strings.Replace(newer, "/t", "/none", 1)}, fault.Store, "does not exist"},
		"no server":      {store.Options{Path: "postgres://u@127.0.0.1:1/d", Password: secret(wrong)}, fault.Store, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := store.Open(t.Context(), c.o)
			if err == nil {
				t.Fatalf("it opened; close: %v", d.Close())
			}
			e := wantFault(t, err, c.code, place(t, c.o.Path))
			if !strings.Contains(e.Error(), c.detail) || strings.Contains(fmt.Sprintf("%+v", e), wrong) {
				t.Errorf("%q does not say %q, or says too much", e.Error(), c.detail)
			}
		})
	}
	pgtest.Admin(t, closed, "DO $$ BEGIN IF EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public') THEN RAISE 'tables'; END IF; END $$")
}

// place is how messages name a store.
func place(t *testing.T, path string) string {
	t.Helper()
	name, err := store.Place(path)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func databaseOf(t *testing.T, path string) string {
	t.Helper()
	_, rest, _ := strings.Cut(path, "@/")
	name, _, _ := strings.Cut(rest, "?")
	return name
}

// TestPostgresPassword logs in with a password that is asked for when the store opens; nothing shows it.
func TestPostgresPassword(t *testing.T) {
	var log bytes.Buffer
	o := store.Options{Path: pgtest.GuardedDatabase(t), Password: secret(pgtest.Password), Logger: slog.New(slog.NewJSONHandler(&log, nil))}
	d, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, d, lease(t, d), manyGuests(1, 0, true))
	r, err := store.Inspect(t.Context(), o)
	if err != nil || !r.OK() || r.Rows["guests"] != 1 || r.Bytes == 0 {
		t.Errorf("%v, %+v", err, r)
	}
	if said := log.String() + fmt.Sprintf("%+v", r) + d.Path(); !strings.Contains(said, "state store migrated") || strings.Contains(said, pgtest.Password) {
		t.Errorf("said %q", said)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	denied := errors.New("no password manager")
	o.Password = func(context.Context) (redact.Secret, error) { return redact.Secret{}, denied }
	if _, err := store.Open(t.Context(), o); !errors.Is(err, denied) {
		t.Errorf("without the password: %v", err)
	}
}

// TestPostgresInspect finds no store in an empty database and makes none; it finds damaged rows.
func TestPostgresInspect(t *testing.T) {
	at := pgtest.Database(t)
	for range 2 {
		if _, err := store.Inspect(t.Context(), store.Options{Path: at}); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("empty: %v", err)
		}
	}
	d := openAt(t, at)
	apply(t, d, lease(t, d), manyGuests(10, 0, true))
	for _, damage := range []string{
		"UPDATE contents SET body = body || ' ' WHERE hash = (SELECT min(hash) FROM contents)",
		"UPDATE object_versions SET current = false WHERE id = '100'",
	} {
		if err := d.Exec(t.Context(), damage); err != nil {
			t.Fatal(err)
		}
	}
	r, err := store.Inspect(t.Context(), store.Options{Path: at})
	if said := strings.Join(r.Problems, "\n"); err != nil || !strings.Contains(said, "does not have its hash") || !strings.Contains(said, "0 current versions") {
		t.Errorf("%v, %q", err, r.Problems)
	}
}

// TestPostgresSilent meets a server that takes the connection and says nothing: the caller's deadline holds.
func TestPostgresSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = store.Open(ctx, store.Options{Path: fmt.Sprintf("postgres://u@%s/d", l.Addr())})
	if took := time.Since(began); fault.CodeOf(err) != fault.Timeout || took > 5*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	_, err = store.Open(t.Context(), store.Options{Path: fmt.Sprintf("postgres://u@%s/d?connect_timeout=1", l.Addr())})
	if e := wantFault(t, err, fault.Store, l.Addr().String()); !e.Retryable || !strings.Contains(e.Hint, "in time") {
		t.Errorf("its own limit: %v, hint %q", e, e.Hint)
	}
}
