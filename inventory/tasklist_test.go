package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestTaskList: each filter, of guests that exist and that are gone, pages that do not move, and what is not known.
func TestTaskList(t *testing.T) {
	w := newWorld(2, 8)
	r := newRig(t, w)
	at := func(back time.Duration) time.Time { return r.clock.now().Add(-back) }
	w.task("pve1", "qmstart", "100", at(9*time.Hour), at(8*time.Hour), "OK")
	w.task("pve2", "qmstop", "101", at(7*time.Hour), at(6*time.Hour), "command failed")
	w.task("pve1", "vzdump", "105", at(5*time.Hour), at(4*time.Hour), "WARNINGS: 1")
	w.task("pve1", "vzdump", "", at(3*time.Hour), time.Time{}, "")
	w.task("pve2", "qmdestroy", "999", at(2*time.Hour), at(time.Hour), "OK")
	r.sync()
	r.clock.advance(time.Minute)
	delete(w.guests, 105)
	r.sync()
	list := func(q TaskListQuery) TaskPage {
		t.Helper()
		p, err := r.Tasks(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		return p
	}
	types := func(pages ...TaskPage) string {
		var out []string
		for _, p := range pages {
			for k := range p.Rows {
				out = append(out, p.Rows[k].Type+" "+p.Rows[k].Object)
			}
		}
		return strings.Join(out, ", ")
	}
	for want, q := range map[string]TaskListQuery{
		"qmdestroy 999, vzdump , vzdump 105, qmstop 101, qmstart 100": {},
		"qmstop 101, qmstart 100":                                     {Type: "qmst*"}, "qmstart 100": {Guest: "vm100"}, "vzdump 105": {Guest: "vm105"}, "qmdestroy 999": {Guest: "999"},
		"qmdestroy 999, qmstop 101": {Node: "pve2"}, "qmstop 101": {State: "failed"}, "vzdump ": {State: "running"}, "vzdump , vzdump 105": {Type: "vzdump", User: "root"},
		"vzdump 105, qmstop 101": {Since: at(8 * time.Hour), Until: at(4 * time.Hour)},
	} {
		p := list(q)
		if got := types(p); got != want || p.Total != len(p.Rows) {
			t.Errorf("%+v: %q of %d, want %q", q, got, p.Total, want)
		}
	}
	if p := list(TaskListQuery{Guest: "vm101"}); p.Rows[0].Name != "vm101" || p.Rows[0].State != taskFailed || !p.KnownSince.Equal(at(time.Minute).Add(-taskBack)) {
		t.Errorf("%+v", p)
	}
	first := list(TaskListQuery{Limit: 3})
	r.clock.advance(time.Minute)
	w.task("pve1", "aptupdate", "", r.clock.now(), r.clock.now(), "OK")
	r.sync()
	rest := list(TaskListQuery{Limit: 3, Cursor: first.NextCursor})
	if diff := cmp.Diff("qmdestroy 999, vzdump , vzdump 105, qmstop 101, qmstart 100", types(first, rest)); diff != "" || rest.NextCursor != "" {
		t.Errorf("two pages around a new task: %s", diff)
	}
	for _, c := range []struct {
		q    TaskListQuery
		code fault.Code
		says string
	}{
		{TaskListQuery{Guest: "nosuch"}, fault.NotFound, "nosuch"}, {TaskListQuery{Guest: "998"}, fault.NotFound, "998"}, {TaskListQuery{Node: "pve9"}, fault.NotFound, "pve9"},
		{TaskListQuery{User: "nobody@pam"}, fault.NotFound, "nobody@pam"}, {TaskListQuery{User: "rot@pam"}, fault.NotFound, "rot@pam"},
		{TaskListQuery{Type: "backup"}, fault.NotFound, "backup"}, {TaskListQuery{Since: at(0), Until: at(time.Hour)}, fault.Invalid, "until"},
		{TaskListQuery{Cursor: first.NextCursor, State: "ok"}, fault.Invalid, "cursor"},
	} {
		if _, err := r.Tasks(t.Context(), c.q); fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
}
