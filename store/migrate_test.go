package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store/pgtest"
)

// later is a program of a later version: it has more migrations.
type later struct {
	engine
	fsys fs.FS
}

func (e later) migrations() fs.FS { return e.fsys }

// engineAt is the engine of a place.
func engineAt(t *testing.T, place string) engine {
	t.Helper()
	eng, err := engineOf(t.Context(), Options{Path: place})
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

// onBoth runs a test on an empty place of each engine.
func onBoth(t *testing.T, test func(t *testing.T, place string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "s.db")) })
	t.Run("Postgres", func(t *testing.T) { test(t, pgtest.Database(t)) })
}

// laterMigrations are the released ones and then these statements, one migration each.
func laterMigrations(t *testing.T, place string, statements ...string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	released := engineAt(t, place).migrations()
	err := fs.WalkDir(released, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(released, path)
		all[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range statements {
		all["2999010100000"+string(rune('1'+i))+"_later.up.sql"] = &fstest.MapFile{Data: []byte(s)}
	}
	return all
}

func openLater(t *testing.T, path string, fsys fs.FS) (*DB, error) {
	t.Helper()
	d, err := open(t.Context(), later{engineAt(t, path), fsys}, Options{})
	if err == nil {
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return d, err
}

// released makes a store of the released schema with one lease in it.
func released(t *testing.T, path string) {
	t.Helper()
	d, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = d.AcquireLease(t.Context(), "sync:a", "p", 0)
	if err := d.fault(err); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUpgrade lets 8 handles of a later version open a released store at once: each migration runs once, what was stored stays,
// and the older program then refuses the file.
func TestUpgrade(t *testing.T) { onBoth(t, testUpgrade) }

func testUpgrade(t *testing.T, path string) {
	released(t, path)
	fsys := laterMigrations(t, path, "CREATE TABLE later (n INTEGER)", "INSERT INTO later VALUES (1)")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			d, err := open(t.Context(), later{engineAt(t, path), fsys}, Options{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	d, err := openLater(t, path, fsys)
	if err != nil {
		t.Fatal(err)
	}
	var rows, leases int
	if err := d.read.QueryRow("SELECT (SELECT count(*) FROM later), (SELECT count(*) FROM leases)").Scan(&rows, &leases); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || leases != 1 {
		t.Errorf("%d rows of the new migration, %d leases of before; want 1 and 1", rows, leases)
	}
	if _, err := Open(t.Context(), Options{Path: path}); fault.CodeOf(err) != fault.StoreNewer {
		t.Errorf("the older program says %v", err)
	}
}

// TestUpgradeFrom looks at a store of each earlier schema, with a version and a change in it, and then lets 8 handles open it at once: what was stored is read back through what is new.
func TestUpgradeFrom(t *testing.T) {
	names, err := fs.Glob(sqliteMigrations, "migrations/sqlite/*.up.sql")
	if err != nil || len(names) < 2 {
		t.Fatalf("migrations %q, %v", names, err)
	}
	for n := 1; n < len(names); n++ {
		t.Run(filepath.Base(names[n-1]), func(t *testing.T) {
			onBoth(t, func(t *testing.T, place string) { testUpgradeFrom(t, place, n) })
		})
	}
}

func testUpgradeFrom(t *testing.T, place string, n int) {
	early := laterMigrations(t, place).(fstest.MapFS)
	for i, path := range slices.Sorted(maps.Keys(early)) {
		if i >= n {
			delete(early, path)
		}
	}
	old, err := open(t.Context(), later{engineAt(t, place), early}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, ok, err := old.AcquireLease(t.Context(), "sync:a", "p", time.Hour)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	ref := Ref{Cluster: "a", Kind: KindGuest, ID: "100"}
	for i, body := range []string{`{"cores":1}`, `{"cores":2}`} {
		_, err := old.ApplyBatch(t.Context(), l, Batch{Cluster: "a", At: time.UnixMilli(int64(1000 * i)), Changes: []Change{{Ref: ref, What: "status"}},
			Contents: []Content{{Ref: ref, Life: 1, Hash: pve.Hash([]byte(body)), JSON: []byte(body)}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n >= 2 { // the schema with plans
		_, err = old.write.ExecContext(t.Context(), "INSERT INTO plans VALUES ('p-1', 'h', 'a', 'me', 't', 't', 1, 'failed', '', '', '', '', '', 1, 2, 0, 0, 3, '')")
		if err == nil {
			_, err = old.write.ExecContext(t.Context(), "INSERT INTO plan_steps (plan, n, state, cluster, node, object, action, tier, upid, sent, ended, before, result, error) VALUES ('p-1', 1, 'failed', 'a', 'n', '100', 'x', 1, '', 1, 2, '', '', 'it was refused')")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Inspect(t.Context(), Options{Path: place})
	if err != nil || !r.OK() || r.Schema == r.Known || r.Rows["contents"] != 2 {
		t.Errorf("looked at before: %v, %+v", err, r)
	}
	openedByEight(t, place)
	d, err := Open(t.Context(), Options{Path: place})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	f := HistoryFilter{Cluster: "a", Kind: KindGuest, ID: "100"}
	changes, err1 := d.Changes(t.Context(), f)
	revisions, err2 := d.Revisions(t.Context(), f)
	report, err3 := d.Check(t.Context())
	if err := errors.Join(err1, err2, err3); err != nil || len(changes) != 2 || len(revisions) != 1 || !report.OK() ||
		report.Schema != report.Known || report.Rows["audit"] != 8 {
		t.Errorf("%d changes, %d revisions, %+v, %v", len(changes), len(revisions), report, err)
	}
	if n >= 2 {
		stepsKept(t, d)
	}
}

// stepsKept wants the step of before as it was, without a code, and one with a code kept.
func stepsKept(t *testing.T, d *DB) {
	t.Helper()
	steps, err := d.Steps(t.Context(), StepFilter{Plan: "p-1"})
	if err != nil || len(steps) != 1 || steps[0].Error != "it was refused" || steps[0].Code != "" {
		t.Fatalf("%+v, %v", steps, err)
	}
	l, _, err := d.AcquireLease(t.Context(), "plan/p-1", "p", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	steps[0].Code = "locked"
	if err := d.SaveStep(t.Context(), l, steps[0]); err != nil {
		t.Fatal(err)
	}
	if again, err := d.Steps(t.Context(), StepFilter{Plan: "p-1"}); err != nil || again[0].Code != "locked" {
		t.Errorf("%+v, %v", again, err)
	}
}

// openedByEight opens a store with 8 handles at once, each of which writes to a table that is new.
func openedByEight(t *testing.T, place string) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			d, err := Open(t.Context(), Options{Path: place})
			if err == nil {
				_, err = d.AppendAudit(t.Context(), AuditEntry{Event: "send"})
				err = errors.Join(err, d.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestUpgradeFails breaks the second of two migrations: neither is kept, and the released program goes on with its store.
func TestUpgradeFails(t *testing.T) { onBoth(t, testUpgradeFails) }

func testUpgradeFails(t *testing.T, path string) {
	released(t, path)
	_, err := openLater(t, path, laterMigrations(t, path, "CREATE TABLE later (n INTEGER)", "INSERT INTO nonesuch VALUES (1)"))
	if fault.CodeOf(err) != fault.Store || !strings.Contains(err.Error(), "nonesuch") {
		t.Fatalf("error %v", err)
	}
	d, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Check(t.Context())
	if err != nil || !r.OK() || r.Schema != r.Known || r.Rows["leases"] != 1 {
		t.Errorf("after a failed upgrade: %v, %+v", err, r)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMigrationConnection loses the connection that migrates: no other one takes its place, which would be outside the transaction.
func TestMigrationConnection(t *testing.T) { onBoth(t, testMigrationConnection) }

func testMigrationConnection(t *testing.T, path string) {
	released(t, path)
	pool, err := engineAt(t, path).migrationPool()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // as a driver says that a connection is gone
	if _, err := pool.ExecContext(context.Background(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "was lost") {
		t.Errorf("a second connection was made: %v", err)
	}
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
}
