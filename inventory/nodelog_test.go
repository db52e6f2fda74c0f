package inventory

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestLog: the newest lines that match, by text, expression and unit; what was asked of the node is no more than that.
func TestLog(t *testing.T) {
	w := newWorld(2, 3)
	var lines []string
	for k := range 70 {
		lines = append(lines, fmt.Sprintf("Nov 20 18:00:%02d pve1 pvedaemon[12]: line %d", k%60, k))
	}
	w.logs["journal/pve1"] = append(lines, "Nov 20 18:02:00 pve1 kernel: I/O error\x1b[31m on sda", "Nov 20 18:02:01 pve1 smartd[7]: Device: /dev/sda, FAILED")
	r := newRig(t, w)
	defer func() { _ = r.Close() }()
	r.sync()
	since := time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name           string
		q              LogQuery
		matched, shown int
		last           string
		asked          [3]any
	}{
		{"newest", LogQuery{Node: "pve1"}, 60, 60, "FAILED", [3]any{time.Time{}, time.Time{}, logShown}},
		{"by text in any case", LogQuery{Node: "pve1", Match: "failed"}, 1, 1, "FAILED", [3]any{time.Time{}, time.Time{}, logSearched}},
		{"by expression", LogQuery{Node: "pve1", Match: "i/o error|failed$"}, 2, 2, "FAILED", [3]any{time.Time{}, time.Time{}, logSearched}},
		{"by a text that is no expression", LogQuery{Node: "pve1", Match: "SMARTD[7"}, 1, 1, "FAILED", [3]any{time.Time{}, time.Time{}, logSearched}},
		{"by unit", LogQuery{Node: "pve1", Unit: "kernel"}, 1, 1, "on sda", [3]any{time.Time{}, time.Time{}, logSearched}},
		{"by time", LogQuery{Node: "pve1", Since: since}, 72, 60, "FAILED", [3]any{since, time.Time{}, 0}},
		{"other node", LogQuery{Node: "pve2"}, 0, 0, "", [3]any{time.Time{}, time.Time{}, logShown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := r.Log(t.Context(), c.q)
			if err != nil || l.Matched != c.matched || len(l.Lines) != c.shown {
				t.Fatalf("%d lines match, %d shown, %v; want %d and %d", l.Matched, len(l.Lines), err, c.matched, c.shown)
			}
			if n := len(l.Lines); n > 0 && l.Lines[n-1][len(l.Lines[n-1])-len(c.last):] != c.last {
				t.Errorf("the last line is %q", l.Lines[n-1])
			}
			if diff := cmp.Diff(c.asked, w.journalAsked); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, l := range []LogQuery{{Node: "pve1", Match: `a|\`}, {Node: "pve1", Match: "[a"}, {Unit: "kernel"}, {Node: "pve1", Since: since, Until: since}} {
		if _, err := r.Log(t.Context(), l); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, err := r.Log(t.Context(), LogQuery{Node: "pve9"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("an unknown node: %v", err)
	}
}
