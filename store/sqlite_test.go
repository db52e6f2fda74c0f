package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/store/pgtest"
	"github.com/proxmox-mcp/proxmox-mcp/store/storetest"
)

// withServer is a test run that ends its PostgreSQL server before leaks are looked for.
type withServer struct{ *testing.M }

func (m withServer) Run() int {
	defer pgtest.Stop()
	return m.M.Run()
}

func TestMain(m *testing.M) {
	storetest.Child(func(ctx context.Context, place string) (storetest.Store, error) {
		return store.Open(ctx, store.Options{Path: place})
	})
	goleak.VerifyTestMain(withServer{m})
}

func openPlace(ctx context.Context, place string, clock func() time.Time) (storetest.Store, error) {
	return store.Open(ctx, store.Options{Path: place, Clock: clock})
}

var sqliteBackend = storetest.Backend{
	New:  func(t *testing.T) string { return filepath.Join(t.TempDir(), "state", "s.db") },
	Open: openPlace,
	Copy: func(t *testing.T, s storetest.Store, _ string) string {
		dest := filepath.Join(t.TempDir(), "copy.db")
		if err := s.Backup(t.Context(), dest); err != nil {
			t.Fatal(err)
		}
		return dest
	},
}

// TestSQLite runs the conformance suite.
func TestSQLite(t *testing.T) { storetest.Run(t, sqliteBackend) }

// TestSQLiteProcesses runs it with processes that share one file.
func TestSQLiteProcesses(t *testing.T) { storetest.RunProcesses(t, sqliteBackend) }
