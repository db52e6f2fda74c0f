package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestWrap: a table that wraps fits the terminal and loses nothing.
func TestWrap(t *testing.T) {
	v := tools.View{}
	observed := "snapshot before-upgrade exists; it is running (after a restart: memory, cores, net0) aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	v.Table(tools.Table{Main: true, Wrap: true, Columns: []string{"guest", "step", "state", "change", "observed"}, Rows: [][]string{
		{"210 runner", "snapshot.create", "done", "+snapshot before-upgrade", observed}, {"211", "x", "done", "", ""}}})
	var b bytes.Buffer
	if err := writeView(&b, v, 80, false); err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(l, "\n")); n > 80 {
			t.Errorf("%d characters: %s", n, l)
		}
	}
	if strings.Contains(b.String(), "…") || strings.Count(b.String(), "a") < strings.Count(observed, "a") {
		t.Errorf("something is cut:\n%s", b.String())
	}
}
