package tools

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/mcp"
)

// update says that golden files are to be written: UPDATE_GOLDEN=1 go test ./tools.
var update = os.Getenv("UPDATE_GOLDEN") != ""

// golden compares got with a committed file; a missing one fails.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (UPDATE_GOLDEN=1 go test ./tools writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (UPDATE_GOLDEN=1 go test ./tools writes it):\n%s", path, diff)
	}
}

func mcpTool(s Spec, c Caller) mcp.Tool { return s.Tool(c) }

func indented(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// TestGoldenTools pins what clients see of each tool: a changed description, schema or annotation shows in review.
func TestGoldenTools(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "golden", s.Name+".json"), indented(t, mcpTool(s, Caller{Level: R4})))
		})
	}
}

// TestGoldenDocs keeps docs/tools.md true: it is generated from the table.
func TestGoldenDocs(t *testing.T) {
	golden(t, filepath.Join("..", "docs", "tools.md"), []byte(Reference()))
}

// TestGoldenViews pins the text of answers.
func TestGoldenViews(t *testing.T) {
	page := manyGuests(8)
	page.NextCursor = "8-0"
	page.Counts.Total = 1000
	f := &fake{page: page, guest: oneGuest(), overview: bigOverview(), changes: someChanges(), metrics: someMetrics(), access: someAccess(), fakePlaces: somePlaces()}
	for _, c := range []struct{ file, tool, args string }{
		{"find_guests.txt", "find_guests", `{"fields":["mem","ip"]}`},
		{"get_guest.txt", "get_guest", `{"guest":"104"}`},
		{"get_guest_full.txt", "get_guest", `{"guest":"104","detail":"full"}`},
		{"find_changes.txt", "find_changes", `{"since":"yesterday"}`},
		{"get_metrics.txt", "get_metrics", `{"object":"tank","timeframe":"year"}`},
		{"get_overview.txt", "get_overview", `{}`},
		{"export_code.txt", "export_code", `{}`},
		{"diff_code.txt", "diff_code", `{}`},
		{"run_checks.txt", "run_checks", `{}`},
		{"check_code.txt", "check_code", `{}`},
		{"plan_code.txt", "plan_code", `{}`},
		{"describe_as_code.txt", "describe_as_code", `{"guest":"104"}`},
		{"check_access.txt", "check_access", `{}`},
		{"get_node.txt", "get_node", `{"node":"pve1"}`},
		{"list_storage.txt", "list_storage", `{}`},
		{"list_volumes.txt", "list_volumes", `{}`},
		{"list_backups.txt", "list_backups", `{"missing_since":"7d"}`},
		{"list_backups_guest.txt", "list_backups", `{"guest":"104"}`},
		{"list_networks.txt", "list_networks", `{}`},
	} {
		t.Run(c.file, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "views", c.file), []byte(text(t, f, c.tool, c.args)+"\n"))
		})
	}
}

func text(t *testing.T, f *fake, tool, args string) string {
	t.Helper()
	s, err := Find(tool)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), deps(f), json.RawMessage(args))
	if err != nil {
		t.Fatal(err)
	}
	return res.Answer.View(deps(f)).Compact()
}
