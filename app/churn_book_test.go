package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// moment is how a guest truly was from one time on: the simulator's own word, kept by the book.
type moment struct {
	from  time.Time
	guest *pvesim.Guest // which one has the vmid: an identity; nil = none has it
	name  string
	node  string
	note  string // its description: every edit of a configuration writes another one
}

// book is the ledger of what truly happened to each vmid, oldest first, and of the windows in which all of it could be seen.
type book struct {
	moments map[int][]moment
	calm    [][2]time.Time
	faults  []string // when which began and was over, to be shown with a failure
}

func (b *book) fault(format string, args ...any) {
	b.faults = append(b.faults, time.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
}

// enter looks at the world, under its lock, and writes down what differs from the last look.
func (b *book) enter(w *pvesim.World) {
	for _, g := range w.Guests() {
		note, _ := g.Config["description"].(string)
		b.add(g.VMID, moment{from: w.Now(), guest: g, name: shownName(g.Name()), node: g.Node, note: note})
	}
	for id, list := range b.moments {
		if w.Guest(id) == nil && list[len(list)-1].guest != nil {
			b.add(id, moment{from: w.Now()})
		}
	}
}

func (b *book) add(id int, m moment) {
	list := b.moments[id]
	if len(list) > 0 {
		last := list[len(list)-1]
		if last.from = m.from; last == m {
			return
		}
	}
	b.moments[id] = append(list, m)
}

// spans are the times in which f had the same value, with the value.
type span struct {
	from, to time.Time
	moment
}

// spans joins neighbouring moments of a vmid that f does not tell apart.
func (b *book) spans(id int, end time.Time, f func(moment) string) []span {
	var out []span
	for i, m := range b.moments[id] {
		to := end
		if i+1 < len(b.moments[id]) {
			to = b.moments[id][i+1].from
		}
		if n := len(out); n > 0 && f(out[n-1].moment) == f(m) {
			out[n-1].to = to
			continue
		}
		out = append(out, span{m.from, to, m})
	}
	return out
}

// visible says that a span lasted through enough of a calm window that nothing excuses not to have seen it.
func (b *book) visible(s span, enough time.Duration) bool {
	for _, c := range b.calm {
		from, to := c[0], c[1]
		if s.from.After(from) {
			from = s.from
		}
		if s.to.Before(to) {
			to = s.to
		}
		if to.Sub(from) >= enough {
			return true
		}
	}
	return false
}

// tally counts, per kind of change, what truly happened and could be seen, and what of it the history has.
type tally struct{ visible, found int }

// syncLasts is how long a sync may take under a fault: what it finds is dated by its start.
const syncLasts = 3 * time.Minute

// audit holds the recorded history of the whole run against the book: nothing in it that did not happen, and everything that could be seen.
func (b *book) audit(t *testing.T, m *matrixRig, end time.Time, enough time.Duration) map[string]*tally {
	t.Helper()
	changes, err := m.db().Changes(t.Context(), store.HistoryFilter{Since: bubbleNow().AddDate(-9, 0, 0), Limit: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(changes)
	byGuest := map[int][]store.Change{}
	for _, c := range changes {
		if id, err := strconv.Atoi(c.Ref.ID); err == nil && c.Kind == store.KindGuest {
			byGuest[id] = append(byGuest[id], c)
		}
	}
	total := map[string]*tally{"lives": {}, "ends": {}, "renames": {}, "moves": {}, "edits": {}}
	for id := range byGuest {
		if len(b.moments[id]) == 0 {
			t.Errorf("I1: guest %d is invented: %+v", id, byGuest[id])
		}
	}
	for id := range b.moments {
		a := auditor{t: t, b: b, id: id, end: end, enough: enough, changes: byGuest[id], total: total}
		a.lives()
		a.values("renames", "renamed", func(m moment) string { return m.name })
		a.values("moves", "moved", func(m moment) string { return m.node })
		a.notes(m.db())
		if t.Failed() {
			a.dump()
			t.FailNow()
		}
	}
	return total
}

// auditor compares one vmid.
type auditor struct {
	t       *testing.T
	b       *book
	id      int
	end     time.Time
	enough  time.Duration
	changes []store.Change
	total   map[string]*tally
}

func (a *auditor) what(kinds ...string) []store.Change {
	return slices.DeleteFunc(slices.Clone(a.changes), func(c store.Change) bool { return !slices.Contains(kinds, c.What) })
}

// lives holds births and ends against the identities that truly had the vmid: no more than there were, no fewer than could be seen.
func (a *auditor) lives() {
	a.t.Helper()
	who := a.b.spans(a.id, a.end, func(m moment) string { return fmt.Sprintf("%p", m.guest) })
	births, ends := a.what("appeared", "life"), a.what("gone")
	for i, c := range ends {
		k := slices.IndexFunc(who, func(s span) bool { return s.guest != nil && s.to.Before(a.end) && !s.to.After(c.At.Add(syncLasts)) })
		if k < 0 {
			a.t.Errorf("I1: guest %d is recorded as gone at %s, and it was there", a.id, c.At)
		}
		if i+1 > a.count(who, func(s span) bool { return s.guest != nil && s.to.Before(a.end) && !s.to.After(c.At.Add(syncLasts)) }) {
			a.t.Errorf("I1: guest %d is recorded as gone %d times by %s, more often than it was", a.id, i+1, c.At)
		}
	}
	for i, c := range births {
		if i+1 > a.count(who, func(s span) bool { return s.guest != nil && !s.from.After(c.At.Add(syncLasts)) }) {
			a.t.Errorf("I1: guest %d has %d lives by %s, more than it had", a.id, i+1, c.At)
		}
	}
	seen := func(s span) bool { return s.guest != nil && a.b.visible(s, a.enough) }
	a.least("lives", a.count(who, seen), len(births))
	over := 0
	for i, s := range who {
		// That it ended could be seen when it was there to be seen, and so was what came after it.
		if seen(s) && i+1 < len(who) && a.b.visible(who[i+1], a.enough) {
			over++
		}
	}
	a.least("ends", over, len(ends))
}

func (a *auditor) count(list []span, f func(span) bool) (n int) {
	for _, s := range list {
		if f(s) {
			n++
		}
	}
	return n
}

func (a *auditor) least(kind string, want, got int) {
	a.t.Helper()
	a.total[kind].visible += want
	a.total[kind].found += min(want, got)
	if got < want {
		a.t.Errorf("guest %d: %d %s could be seen, %d are recorded", a.id, want, kind, got)
	}
}

// values holds a field's recorded changes against the values that it truly had, in their order.
func (a *auditor) values(kind, what string, f func(moment) string) {
	a.t.Helper()
	key := func(m moment) string { return fmt.Sprintf("%p %s", m.guest, f(m)) }
	spans := slices.DeleteFunc(a.b.spans(a.id, a.end, key), func(s span) bool { return s.guest == nil })
	for _, c := range a.what(what) {
		if !happened(spans, c, f) {
			a.t.Errorf("I1: guest %d is recorded as %s from %q to %q at %s, which never happened", a.id, what, c.Old, c.New, c.At)
		}
	}
	want := 0
	var last *span
	for i := range spans {
		if !a.b.visible(spans[i], a.enough) {
			continue
		}
		if last != nil && last.guest == spans[i].guest && f(last.moment) != f(spans[i].moment) {
			want++
		}
		last = &spans[i]
	}
	a.least(kind, want, len(a.what(what)))
}

// happened says that one guest had the old value of a change before the new one, and the new one by then.
func happened(spans []span, c store.Change, f func(moment) string) bool {
	for i, old := range spans {
		if f(old.moment) == c.Old && slices.ContainsFunc(spans[i+1:], func(s span) bool {
			return s.guest == old.guest && f(s.moment) == c.New && !s.from.After(c.At.Add(syncLasts))
		}) {
			return true
		}
	}
	return false
}

// notes holds the recorded versions of the configuration against those that it truly had.
func (a *auditor) notes(db *store.DB) {
	a.t.Helper()
	versions, err := db.Versions(a.t.Context(), store.Ref{Cluster: "lab", Kind: store.KindGuest, ID: strconv.Itoa(a.id)})
	if err != nil {
		a.t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, v := range versions {
		raw, err := db.Content(a.t.Context(), v.Hash)
		if err != nil {
			a.t.Fatal(err)
		}
		cfg, err := pve.DecodeConfig(raw)
		if err != nil {
			a.t.Fatal(err)
		}
		note := cfg.Str("description")
		kept[note] = true
		if !slices.ContainsFunc(a.b.moments[a.id], func(m moment) bool { return m.guest != nil && m.note == note && !m.from.After(v.SeenAt.Add(syncLasts)) }) {
			a.t.Errorf("guest %d has a version with the note %.60q, which it never had by %s", a.id, note, v.SeenAt)
		}
	}
	for _, s := range a.b.spans(a.id, a.end, func(m moment) string { return fmt.Sprintf("%p %s", m.guest, m.note) }) {
		if s.guest == nil || !a.b.visible(s, a.enough) {
			continue
		}
		found := 0
		if kept[s.note] {
			found = 1
		}
		a.least("edits", 1, found)
	}
}

// dump shows the truth and the record of a vmid side by side.
func (a *auditor) dump() {
	a.t.Helper()
	a.t.Logf("faults:\n%s", strings.Join(a.b.faults, "\n"))
	for _, m := range a.b.moments[a.id] {
		a.t.Logf("truth  %s %p %q on %s, %.30q", m.from.Format(time.TimeOnly), m.guest, m.name, m.node, m.note)
	}
	for _, c := range a.changes {
		a.t.Logf("record %s %s life %d %.30q > %.30q, not before %s", c.At.Format(time.TimeOnly), c.What, c.Life, c.Old, c.New, c.NotBefore.Format(time.TimeOnly))
	}
}
