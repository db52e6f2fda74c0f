package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/store/storetest"
)

func TestMain(m *testing.M) {
	childMain()
	goleak.VerifyTestMain(m)
}

// TestSQLite runs the conformance suite.
func TestSQLite(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		New: func(t *testing.T) string { return filepath.Join(t.TempDir(), "state", "s.db") },
		Open: func(ctx context.Context, place string, clock func() time.Time) (storetest.Store, error) {
			return store.Open(ctx, store.Options{Path: place, Clock: clock})
		},
	})
}
