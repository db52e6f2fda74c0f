package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// unprivileged runs fn without root's right to write everywhere: permissions mean nothing to root. File access of the calling
// thread alone is changed; SQLite runs in the calling goroutine.
func unprivileged(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Errorf("setfsuid: %v", err)
			return
		}
		fn()
	}()
	<-done
}

// TestReadOnly opens a store that the user may read but not write: in a folder, a file and a parent without the right.
func TestReadOnly(t *testing.T) {
	folder, file := filled(t), filled(t)
	parent := filepath.Join(t.TempDir(), "closed")
	fresh := filepath.Join(parent, "s.db")
	for path, mode := range map[string]os.FileMode{
		filepath.Dir(filepath.Dir(folder)): 0o755,                // the same for all: t.TempDir's own parent
		filepath.Dir(folder):               0o555, folder: 0o666, // the file may be written, the log beside it may not
		filepath.Dir(file): 0o777, file: 0o444,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(parent, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Dir(folder), 0o700) }) // so that t.TempDir can remove it
	for name, path := range map[string]string{"folder": folder, "file": file, "no file yet": fresh, "no folder yet": filepath.Join(parent, "x", "s.db")} {
		t.Run(name, func(t *testing.T) {
			unprivileged(t, func() {
				e, ok := openFault(t, path)
				if !ok {
					return
				}
				if e.Code != fault.StoreReadOnly || e.Hint == "" {
					t.Errorf("code %s, message %q, hint %q", e.Code, e.Error(), e.Hint)
				}
			})
		})
	}
}

// openFault opens a store that must not open; it may run on another goroutine than the test's.
func openFault(t *testing.T, path string) (*fault.Error, bool) {
	d, err := store.Open(t.Context(), store.Options{Path: path})
	if err == nil {
		t.Errorf("it opened; close: %v", d.Close())
		return nil, false
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Errorf("error %v is no fault", err)
	}
	return e, ok
}
