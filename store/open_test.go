package store_test

import (
	"bytes"
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

// filled makes a closed store with 300 guests and their contents, runs the statements on it and gives its path.
func filled(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	d, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, d, lease(t, d), manyGuests(300, 0, true))
	for _, s := range statements {
		if err := d.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused opens a store that must not open and checks code, path and hint of the error.
func refused(t *testing.T, path string, code fault.Code) *fault.Error {
	t.Helper()
	d, err := store.Open(t.Context(), store.Options{Path: path})
	if err == nil {
		t.Fatalf("it opened; close: %v", d.Close())
	}
	return wantFault(t, err, code, path)
}

func wantFault(t *testing.T, err error, code fault.Code, path string) *fault.Error {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("error %v (%T), want code %s", err, err, code)
	}
	if !strings.Contains(e.Message, path) || e.Hint == "" {
		t.Errorf("message %q must name %s, hint %q say what to do", e.Message, path, e.Hint)
	}
	return e
}

// change rewrites a file.
func change(t *testing.T, path string, to func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, to(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenRefuses opens what is no usable store: a clear error each, and the file stays as it is to the byte.
func TestOpenRefuses(t *testing.T) {
	newer := filled(t, "INSERT INTO bun_migrations (name, group_id) VALUES ('99991231000001', 9)")
	foreign := filled(t, "DROP TABLE bun_migrations")
	garbage := filled(t)
	change(t, garbage, func(b []byte) []byte { return bytes.Repeat([]byte("not a database "), len(b)/15) })
	short := filled(t)
	change(t, short, func(b []byte) []byte { return b[:50] })
	truncated := filled(t)
	change(t, truncated, func(b []byte) []byte { return b[:len(b)/2] })
	schema := filled(t)
	change(t, schema, func(b []byte) []byte { copy(b[100:], bytes.Repeat([]byte{0xA5}, 3900)); return b })

	for name, tc := range map[string]struct {
		path   string
		code   fault.Code
		detail string
	}{
		"newer schema":   {newer, fault.StoreNewer, "99991231000001"},
		"other program":  {foreign, fault.Store, "another program"},
		"garbage":        {garbage, fault.StoreCorrupt, "does not begin like"},
		"shorter header": {short, fault.StoreCorrupt, "does not begin like"},
		"truncated":      {truncated, fault.StoreCorrupt, "end is missing"},
		"schema page":    {schema, fault.StoreCorrupt, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := os.ReadFile(tc.path)
			if err != nil {
				t.Fatal(err)
			}
			e := refused(t, tc.path, tc.code)
			if !strings.Contains(e.Error(), tc.detail) {
				t.Errorf("%q does not say %q", e.Error(), tc.detail)
			}
			after, err := os.ReadFile(tc.path)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// TestOpenBadPlace names paths where no file can be.
func TestOpenBadPlace(t *testing.T) {
	dir := t.TempDir()
	e := refused(t, dir, fault.Store)
	if !strings.Contains(e.Hint, filepath.Join(dir, "state.db")) {
		t.Errorf("hint %q names no file in it", e.Hint)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), store.Options{Path: filepath.Join(file, "s.db")})
	wantFault(t, err, fault.Store, file)
}

// TestOpenCreates makes folders and file for the owner alone, in a path with every awkward letter.
func TestOpenCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b", "100% #1 ä&c", "s.db")
	if runtime.GOOS != "windows" {
		path = filepath.Join(filepath.Dir(path), "who?", "s.db")
	}
	d := openAt(t, path)
	apply(t, d, lease(t, d), manyGuests(1, 0, true))
	for p, want := range map[string]fs.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %o, want %o", p, got, want)
		}
	}
}

// TestCrashLeftLock opens a store whose migration was killed: bun's lock row is there, and an older schema waits.
func TestCrashLeftLock(t *testing.T) {
	path := filled(t, "INSERT INTO bun_migration_locks (table_name) VALUES ('bun_migrations')")
	d := openAt(t, path)
	if gen, err := d.Generation(t.Context()); err != nil || gen != 1 {
		t.Fatal(gen, err)
	}
}

// TestTornWAL cuts the write-ahead log, as a power failure does: the store opens with what was committed before the cut.
func TestTornWAL(t *testing.T) {
	dir := t.TempDir()
	live := openAt(t, filepath.Join(dir, "live.db"))
	l := lease(t, live)
	for tick := range 5 {
		apply(t, live, l, manyGuests(100, tick, true))
	}
	wal, err := os.ReadFile(live.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	main, err := os.ReadFile(live.Path())
	if err != nil {
		t.Fatal(err)
	}
	for i, cut := range []int{len(wal) - 1, len(wal) * 9 / 10, len(wal) / 2} {
		path := filepath.Join(dir, string(rune('a'+i)), "s.db")
		err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, main, 0o600), os.WriteFile(path+"-wal", wal[:cut], 0o600))
		if err != nil {
			t.Fatal(err)
		}
		d := openAt(t, path)
		r, err := d.Check(t.Context())
		if err != nil || !r.OK() || r.Generation < 1 || r.Generation > 4 {
			t.Errorf("cut at %d: %v, %q, generation %d; want 1 to 4", cut, err, r.Problems, r.Generation)
		}
	}
}

// TestFlippedPages damages the later pages of the file, so that it opens: reads that meet one and the check say so; nothing is invented.
func TestFlippedPages(t *testing.T) {
	path := filled(t)
	change(t, path, func(b []byte) []byte {
		const page = 4096
		for at := 60 * page; at+page <= len(b); at += page {
			copy(b[at:], bytes.Repeat([]byte{0xA5}, 64))
		}
		return b
	})
	d := openAt(t, path)
	_, err := d.Guests(t.Context(), store.GuestFilter{})
	wantFault(t, err, fault.StoreCorrupt, path)
	r, err := d.Check(t.Context())
	if err != nil || r.OK() {
		t.Errorf("check found nothing: %v, %+v", err, r)
	}
}

// TestFull runs out of room in a batch: StoreFull, nothing of the batch is kept, reading goes on, and with room so does writing.
func TestFull(t *testing.T) {
	d := openAt(t, filepath.Join(t.TempDir(), "s.db"))
	l := lease(t, d)
	apply(t, d, l, manyGuests(10, 0, true))
	if err := d.Exec(t.Context(), "PRAGMA max_page_count = 60"); err != nil {
		t.Fatal(err)
	}
	_, err := d.ApplyBatch(t.Context(), l, manyGuests(300, 1, true))
	if e := wantFault(t, err, fault.StoreFull, d.Path()); !e.Retryable {
		t.Error("a full disk is worth another try later")
	}
	r, err := d.Check(t.Context())
	if err != nil || !r.OK() || r.Generation != 1 || r.Rows["guests"] != 10 {
		t.Errorf("after a full disk: %v, %+v", err, r)
	}
	if err := d.Exec(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	apply(t, d, l, manyGuests(300, 1, true))
}

// TestReadOnlyConnection loses the right to write while open.
func TestReadOnlyConnection(t *testing.T) {
	d := openAt(t, filepath.Join(t.TempDir(), "s.db"))
	l := lease(t, d)
	if err := d.Exec(t.Context(), "PRAGMA query_only = 1"); err != nil {
		t.Fatal(err)
	}
	_, err := d.ApplyBatch(t.Context(), l, manyGuests(1, 0, false))
	wantFault(t, err, fault.StoreReadOnly, d.Path())
	if _, err := d.Guests(t.Context(), store.GuestFilter{}); err != nil {
		t.Errorf("reading: %v", err)
	}
}
