package inventory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
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
		{Since: r.clock.now().Add(time.Second), Until: r.clock.now().Add(time.Hour)}: 0, {Since: first.Add(time.Second), Object: "pve1"}: 0,
		{Since: first.Add(time.Second), Object: "vm105"}: 1, {Since: first.Add(time.Second), Object: "guest 103"}: 3,
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
	for _, q := range []ChangeQuery{{Since: r.clock.now(), Until: first}, {Cursor: "3-x"}} {
		if _, err := r.Changes(t.Context(), q); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for object, hint := range map[string]string{"vm1003": "vm103", "pve3": "pve1", "node 103": "find_guests", "9999": "find_guests"} {
		_, err := r.Changes(t.Context(), ChangeQuery{Object: object})
		if e := fault.Of(err); fault.CodeOf(err) != fault.NotFound || !strings.Contains(e.Hint, hint) {
			t.Errorf("unknown object %q: %v, hint %q", object, err, e.Hint)
		}
	}
}

// TestChangesPages: pages of a window that moves on show each change once, and a cursor is good for its own question alone.
func TestChangesPages(t *testing.T) {
	w := newWorld(2, 12)
	r := newRig(t, w)
	r.sync()
	ask := func(cursor, window string, span time.Duration) (ChangePage, error) {
		return r.Changes(t.Context(), ChangeQuery{Since: r.clock.now().Add(-span), Window: window, Limit: 2, Cursor: cursor})
	}
	change := func(keys ...string) {
		r.clock.advance(time.Minute)
		for _, k := range keys {
			w.guests[102].config[k] = r.clock.now().String()
		}
		r.sync()
	}
	change("a", "b", "c")
	first, err := ask("", "1h", time.Hour)
	if err != nil || first.Total != 3 {
		t.Fatal(first.Total, err)
	}
	change("d")
	rest, err := ask(first.NextCursor, "1h", time.Hour)
	if err != nil || !rest.Since.Equal(first.Since) || !rest.Until.Equal(first.Until) {
		t.Errorf("the second page's window is %v to %v, the first's %v to %v (%v)", rest.Since, rest.Until, first.Since, first.Until, err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, fields(first, rest)); diff != "" {
		t.Errorf("both pages:\n%s", diff)
	}
	forged := first.NextCursor[:strings.LastIndex(first.NextCursor, ".")] + ".zzzzzzzz"
	for cursor, window := range map[string]string{first.NextCursor: "2h", forged: "1h", strings.SplitN(first.NextCursor, ".", 2)[0]: "1h"} {
		if _, err := ask(cursor, window, time.Hour); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("cursor %s of the window %s: %v", cursor, window, err)
		}
	}
}

func fields(pages ...ChangePage) []string {
	var out []string
	for _, p := range pages {
		for k := range p.Rows {
			out = append(out, p.Rows[k].Field)
		}
	}
	return out
}

// TestChangesLongValues: a difference behind the part that is shown of a value is found, and shown.
func TestChangesLongValues(t *testing.T) {
	w := newWorld(1, 4)
	r := newRig(t, w)
	long := strings.Repeat("é", 3000)
	w.guests[101].config["description"] = long + "old"
	r.sync()
	r.clock.advance(time.Minute)
	w.guests[101].config["description"] = long + "new"
	r.sync()
	p := r.changes(ChangeQuery{Object: "101"})
	if p.Total != 1 {
		t.Fatalf("changes %q", lines(p))
	}
	c := p.Rows[0]
	if c.Field != "description" || !strings.HasSuffix(c.Old, "éold") || !strings.HasSuffix(c.New, "énew") || len([]rune(c.Old)) > 500 {
		t.Errorf("%s: %q > %q", c.Field, c.Old, c.New)
	}
}

// TestChangesBehindMany: what is asked for is found behind more rows of others than one question reads.
func TestChangesBehindMany(t *testing.T) {
	w := newWorld(1, 4)
	r := newRig(t, w)
	r.sync()
	for k := range changeRows + 10 {
		c := store.Change{Ref: store.Ref{Cluster: "lab", Kind: store.KindGuest, ID: "102"}, What: "status", At: r.clock.now().Add(-time.Hour).Add(time.Duration(k) * time.Millisecond)}
		if k == 0 {
			c.Ref.ID = "101"
		}
		r.st.changes = append(r.st.changes, c)
	}
	if p := r.changes(ChangeQuery{Object: "101"}); p.Total != 1 || p.Cut {
		t.Errorf("object: %d, cut %v", p.Total, p.Cut)
	}
	if p := r.changes(ChangeQuery{Until: r.clock.now().Add(-time.Hour + time.Millisecond)}); p.Total != 2 || p.Cut {
		t.Errorf("until: %d, cut %v", p.Total, p.Cut)
	}
	if p := r.changes(ChangeQuery{}); !p.Cut {
		t.Error("more than were read, and nobody says so")
	}
}
