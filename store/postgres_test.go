package store_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store/pgtest"
	"github.com/proxmox-mcp/proxmox-mcp/store/storetest"
)

var postgresBackend = storetest.Backend{New: pgtest.Database, Open: openPlace, Copy: dumped}

// TestPostgres runs the conformance suite.
func TestPostgres(t *testing.T) { storetest.Run(t, postgresBackend) }

// TestPostgresProcesses runs it with processes that share one database.
func TestPostgresProcesses(t *testing.T) { storetest.RunProcesses(t, postgresBackend) }

// dumped is refused a copy and follows the hint of the refusal: pg_dump, and pg_restore into an empty database.
func dumped(t *testing.T, s storetest.Store, _ string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.dump")
	e, ok := errors.AsType[*fault.Error](s.Backup(t.Context(), file))
	if !ok || e.Code != fault.Unsupported {
		t.Fatalf("Backup: %v", e)
	}
	_, command, ok := strings.Cut(e.Hint, "pg_dump --")
	command, _, semicolon := strings.Cut(command, ";")
	if !ok || !semicolon || !strings.Contains(command, file) {
		t.Fatalf("hint %q names no command", e.Hint)
	}
	copied := pgtest.Database(t)
	for _, line := range []string{
		pgtest.Tool(t, "pg_dump") + " --" + command,
		pgtest.Tool(t, "pg_restore") + " --dbname='" + copied + "' '" + file + "'",
	} {
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	return copied
}
