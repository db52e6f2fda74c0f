package inventory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

func (r *rig) changes(q ChangeQuery) ChangePage {
	r.t.Helper()
	p, err := r.Changes(r.t.Context(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// lines are changes as short texts.
func lines(p ChangePage) []string {
	var out []string
	for _, c := range p.Rows {
		out = append(out, strings.TrimRight(fmt.Sprintf("%s %s %s %s>%s %s", c.ID, c.What, c.Field, c.Old, c.New, c.User), " "))
	}
	return out
}

// TestChanges: what two syncs saw differ, field by field, dated between them, with the task that fits.
func TestChanges(t *testing.T) {
	w := newWorld(2, 12)
	r := newRig(t, w)
	r.sync()
	first := r.clock.now()
	r.clock.advance(10 * time.Second)
	if got := r.changes(ChangeQuery{Since: first.Add(time.Second)}); got.Total != 0 {
		t.Fatalf("nothing changed, yet %v", lines(got))
	}
	r.clock.advance(10 * time.Second)
	g := w.guests[103]
	g.config["cores"], g.config["tags"] = 7, "new"
	delete(g.config, "ostype")
	g.tags = "new"
	delete(w.guests, 105)
	r.sync()
	p := r.changes(ChangeQuery{Since: first.Add(time.Second)})
	want := []string{"103 changed cores 1>7", "103 removed ostype debian>", "103 added tags >new", "105 gone  >"}
	if diff := cmp.Diff(want, lines(p)); diff != "" {
		t.Errorf("changes:\n%s", diff)
	}
	for _, c := range p.Rows {
		if c.At.Before(first) || c.NotBefore.IsZero() || c.NotBefore.After(c.At) || c.Name == "" {
			t.Errorf("%+v", c)
		}
	}
	for q, n := range map[ChangeQuery]int{
		{Since: first.Add(time.Second), Object: "103"}: 3, {Since: first.Add(time.Second), Object: "105"}: 1,
		{Since: first.Add(time.Second), Field: "cores"}: 1, {Since: first.Add(time.Second), Field: "c*"}: 1,
		{Since: r.clock.now().Add(time.Second), Until: r.clock.now().Add(time.Hour)}: 0, {Since: first.Add(time.Second), Object: "nosuch"}: 0,
	} {
		if got := r.changes(q); got.Total != n {
			t.Errorf("%+v: %d, want %d", q, got.Total, n)
		}
	}
	if before := r.changes(ChangeQuery{Since: first.Add(-time.Hour)}); before.Total != 4 || !before.KnownSince.Equal(first) {
		t.Errorf("a window from before the first look: %d changes, known since %v", before.Total, before.KnownSince)
	}
	if !p.KnownSince.IsZero() {
		t.Errorf("known since %v", p.KnownSince)
	}
	page := r.changes(ChangeQuery{Since: first.Add(time.Second), Limit: 3})
	rest := r.changes(ChangeQuery{Since: first.Add(time.Second), Limit: 3, Cursor: page.NextCursor})
	if len(page.Rows) != 3 || len(rest.Rows) != 1 || rest.NextCursor != "" {
		t.Errorf("pages of %d and %d", len(page.Rows), len(rest.Rows))
	}
	for _, q := range []ChangeQuery{{Since: r.clock.now(), Until: first}, {Cursor: "3-x"}} {
		if _, err := r.Changes(t.Context(), q); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
