package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestCheckFinds damages rows behind the store's back.
func TestCheckFinds(t *testing.T) {
	for name, tc := range map[string]struct{ statement, want string }{
		"hash":     {"UPDATE contents SET body = body || ' ' WHERE rowid = 1", "does not have its hash"},
		"missing":  {"PRAGMA foreign_keys = 0; DELETE FROM contents WHERE rowid = 1", "has no content"},
		"foreign":  {"PRAGMA foreign_keys = 0; DELETE FROM contents WHERE rowid = 1", "refers to a missing row of contents"},
		"current":  {"UPDATE object_versions SET current = 0 WHERE id = '100'", "0 current versions"},
		"database": {"PRAGMA writable_schema = 1; UPDATE sqlite_master SET rootpage = 3 WHERE name = 'guests_gen'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := openAt(t, filled(t, tc.statement))
			r, err := d.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.OK() || !strings.Contains(strings.Join(r.Problems, "\n"), tc.want) {
				t.Errorf("problems %q, want %q", r.Problems, tc.want)
			}
		})
	}
}

// TestInspect judges files that do not open, creates none and changes none.
func TestInspect(t *testing.T) {
	sound, truncated, garbage := filled(t), filled(t), filled(t)
	change(t, truncated, func(b []byte) []byte { return b[:len(b)/2] })
	change(t, garbage, func(b []byte) []byte { return bytes.Repeat([]byte("not a database "), len(b)/15) })
	for path, ok := range map[string]bool{sound: true, truncated: false, garbage: false} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := store.Inspect(t.Context(), store.Options{Path: path})
		if err != nil || r.OK() != ok {
			t.Errorf("%v, %+v; want ok %v", err, r, ok)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the check changed the file (%v)", err)
		}
	}
	none := filepath.Join(t.TempDir(), "none.db")
	if _, err := store.Inspect(t.Context(), store.Options{Path: none}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("no file: %v", err)
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the check made a file: %v", err)
	}
	_, err := store.Inspect(t.Context(), store.Options{Path: filled(t, "INSERT INTO bun_migrations (name, group_id) VALUES ('99991231000001', 9)")})
	if fault.CodeOf(err) != fault.StoreNewer {
		t.Errorf("newer: %v", err)
	}
}

// TestBackupRefused names places where no copy can be: the error speaks of the copy, and nothing is left behind.
func TestBackupRefused(t *testing.T) {
	d := openAt(t, filled(t))
	dir := t.TempDir()
	dest := filepath.Join(dir, "none", "copy.db")
	wantFault(t, d.Backup(t.Context(), dest), fault.Store, dest)
	wantFault(t, d.Backup(t.Context(), dir), fault.Conflict, dir)
	there := copied(t, d)
	wantFault(t, d.Backup(t.Context(), there), fault.Conflict, there)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Backup(ctx, filepath.Join(dir, "copy.db")); fault.CodeOf(err) != fault.Cancelled {
		t.Errorf("cancelled: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	info, err := os.Stat(copied(t, d))
	if err != nil || (info.Mode().Perm() != 0o600 && runtime.GOOS != "windows") {
		t.Errorf("the copy is not private: %v, %v", info.Mode(), err)
	}
}

func copied(t *testing.T, d *store.DB) string {
	t.Helper()
	dest := filepath.Join(t.TempDir(), "copy.db")
	if err := d.Backup(t.Context(), dest); err != nil {
		t.Fatal(err)
	}
	return dest
}
