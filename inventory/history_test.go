package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
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
	for object, hint := range map[string]string{"vm1003": "vm103", "pve3": "pve1", "node 103": `{"object": "node"}`, "9999": "find_guests"} {
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

// TestWho: what stopped a guest is nothing that starts one; what this program did is said with plan and principal, by the field it was to
// change; somebody else's task in the same time is not taken for it; a new guest is one line.
func TestWho(t *testing.T) {
	w := newWorld(2, 8)
	r := newRig(t, w)
	r.sync()
	since := r.clock.now()
	at := func(s int) time.Time { return since.Add(time.Duration(s) * time.Second) }
	plan := func(id, tool, body string, steps ...store.PlanStep) {
		if r.st.plans == nil {
			r.st.plans = map[string]store.Plan{}
		}
		r.st.plans[id] = store.Plan{ID: id, Requester: "local:1000", Tool: tool, Body: []byte(body)}
		for k := range steps {
			steps[k].Plan, steps[k].N, steps[k].Cluster = id, k+1, "lab"
			r.st.steps = append(r.st.steps, steps[k])
		}
	}
	upid := func(typ, id string) string {
		for k, v := range r.w.tasks {
			if strings.Contains(v.UPID, ":"+typ+":"+id+":") {
				return r.w.tasks[k].UPID
			}
		}
		return ""
	}
	w.task("pve1", "qmshutdown", "100", at(1), at(2), "OK")
	w.task("pve1", "qmstart", "100", at(3), at(4), "start failed")
	w.task("pve2", "qmstart", "101", at(1), at(2), "OK") // it was stopped again by nobody who left a task
	w.task("pve1", "qmstop", "102", at(1), at(2), "OK")
	w.guests[100].status, w.guests[101].status, w.guests[102].status = "stopped", "stopped", "stopped"
	plan("p-aaaaaaaa", "power_guest", `{"steps":[{"diff":[{"field":"status"}]}]}`, store.PlanStep{Object: "102", Action: "guest.stop", State: "done", UPID: upid("qmstop", "102"), Sent: at(1), Ended: at(2)})
	w.guests[104].config["memory"], w.guests[104].config["cores"] = 8192, 7
	w.task("pve1", "qmconfig", "104", at(5), at(6), "OK")
	plan("p-bbbbbbbb", "update_guest", `{"steps":[{"diff":[{"field":"memory"}]}]}`, store.PlanStep{Object: "104", Action: "guest.configure", State: "done", Sent: at(2), Ended: at(3)})
	w.guests[105].config["cores"] = 9
	plan("p-cccccccc", "update_guest", `{"steps":[{"diff":[{"field":"cores"}]}]}`, store.PlanStep{Object: "105", Action: "guest.configure", State: "failed", Sent: at(2), Ended: at(3)})
	r.tick()
	r.sync()
	var got []string
	for _, c := range r.changes(ChangeQuery{Since: since.Add(time.Second)}).Rows {
		got = append(got, strings.TrimSpace(strings.Join([]string{c.ID, c.Field, c.TaskType, c.Tool, c.Plan, c.Principal}, " ")))
	}
	slices.Sort(got)
	want := []string{"100 status qmshutdown", "101 status", "102 status qmstop power_guest p-aaaaaaaa local:1000", "104 cores qmconfig",
		"104 memory  update_guest p-bbbbbbbb local:1000", "105 cores"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h, err := r.ObjectHistory(t.Context(), HistoryQuery{Object: "104"})
	if err != nil || h.Rows[0].By.Plan != "p-bbbbbbbb" {
		t.Errorf("%+v, %v", h.Rows, err)
	}
}

// TestWhoOfTwo: of two plans that set one field each change is credited to the one that made it, also where Proxmox VE wrote the value its own way,
// and where what a step made of it was not read back.
func TestWhoOfTwo(t *testing.T) {
	const readBack = `{"diff":[{"field":"tags","old":"ci;lab","new":"ci;foo;lab"}]}`
	for _, c := range []struct {
		name, result, state string
		undone              time.Duration // when the second was sent, after the first
	}{
		{"the undo comes while the look may run", readBack, "done", 6 * time.Second},
		{"and nothing was read back", "", "done", 6 * time.Second},
		{"the later one did not come through", readBack, "unknown", 2 * time.Second},
	} {
		w := newWorld(2, 8)
		w.guests[104].config["tags"] = "ci;lab"
		r := newRig(t, w)
		r.sync()
		since := r.clock.now()
		step := func(plan, action, state, body, result string, at time.Time) {
			r.st.plans[plan] = store.Plan{ID: plan, Tool: "manage_tags", Body: []byte(body)}
			r.st.steps = slices.Insert(r.st.steps, 0, store.PlanStep{Plan: plan, N: 1, Cluster: "lab", Object: "104", Action: action, State: state, Result: []byte(result), // newest first
				Sent: at, Ended: at.Add(500 * time.Millisecond)})
		}
		r.st.plans = map[string]store.Plan{}
		first := since.Add(time.Second)
		step("p-add", "guest.tags", "done", `{"steps":[{"diff":[{"field":"tags","old":"ci;lab","new":"Foo;ci;lab"}]}]}`, c.result, first)
		step("p-undo", "guest.tags.undo", c.state, `{"steps":[{"diff":[{"field":"tags","old":"Foo;ci;lab","new":"ci;lab"}]}]}`, "", first.Add(c.undone))
		r.clock.advance(4 * time.Second)
		w.guests[104].config["tags"] = "ci;foo;lab"
		r.sync()
		r.clock.advance(10 * time.Second)
		w.guests[104].config["tags"] = "ci;lab"
		r.sync()
		rows := r.changes(ChangeQuery{Since: since.Add(time.Second), Object: "104"}).Rows
		if len(rows) != 2 || rows[1].New != "ci;foo;lab" || rows[1].Plan != "p-add" {
			t.Errorf("%s: %+v", c.name, rows)
		}
		if c.state == "done" && rows[0].Plan != "p-undo" {
			t.Errorf("%s: the undo is credited to %q", c.name, rows[0].Plan)
		}
	}
}

// TestNewGuestIsOneLine: what a guest is given while it is made is part of its appearing; what it is given later is not.
func TestNewGuestIsOneLine(t *testing.T) {
	w := newWorld(2, 8)
	r := newRig(t, w)
	r.sync()
	since := r.clock.now()
	g := *w.guests[104]
	g.vmid, g.name = 150, "fresh"
	g.config = map[string]any{"name": "fresh", "lock": "create"}
	w.guests[150] = &g
	r.tick()
	set := func(keys ...string) {
		g.config = maps.Clone(g.config)
		for _, k := range keys {
			g.config[k] = "1"
		}
		r.tick()
		r.sync()
	}
	set("boot", "memory", "scsi0")
	r.clock.advance(5 * time.Minute)
	set("onboot")
	want := []string{"150 added onboot >1", "150 appeared  >boot, memory, scsi0"}
	if diff := cmp.Diff(want, lines(r.changes(ChangeQuery{Since: since.Add(time.Second), Object: "150"}))); diff != "" {
		t.Error(diff)
	}
	if p := r.changes(ChangeQuery{Since: since.Add(time.Second), Field: "memory"}); p.Total != 1 {
		t.Errorf("asked for by its field: %v", lines(p))
	}
}

// TestPools: a guest that is put into a pool, moved to another or taken out of it has changed, at the next look and without a question of
// its own, and the pool's changes are these; what this program did is said.
func TestPools(t *testing.T) {
	w := newWorld(2, 8)
	w.pools = []pve.PoolRow{{PoolID: "lab"}, {PoolID: "web"}}
	w.guests[100].pool = "web"
	r := newRig(t, w)
	r.sync()
	since := r.clock.now()
	r.clock.advance(time.Minute)
	r.st.plans = map[string]store.Plan{"p-aaaaaaaa": {ID: "p-aaaaaaaa", Requester: "local:1000", Tool: "manage_pool", Body: []byte(`{"steps":[{"diff":[{"field":"pool","new":"lab"}]}]}`)}}
	r.st.steps = []store.PlanStep{{Plan: "p-aaaaaaaa", N: 1, Cluster: "lab", Object: "101", Action: "guest.pool", State: "done", Sent: r.clock.now(), Ended: r.clock.now()}}
	w.guests[101].pool = "lab"
	r.tick()
	r.clock.advance(time.Minute)
	r.st.plans["p-bbbbbbbb"] = store.Plan{ID: "p-bbbbbbbb", Requester: "local:1000", Tool: "manage_pool", Body: []byte(`{"steps":[{"diff":[{"field":"pool","old":"lab","new":"web"}]}]}`)}
	r.st.steps = slices.Insert(r.st.steps, 0, store.PlanStep{Plan: "p-bbbbbbbb", N: 1, Cluster: "lab", Object: "101", Action: "guest.pool", State: "done", // newest first
		Sent: r.clock.now().Add(-55 * time.Second), Ended: r.clock.now()})
	w.guests[101].pool, w.guests[100].pool = "web", ""
	r.tick()
	for q, want := range map[ChangeQuery][]string{
		{Field: "pool"}:                 {"100 removed pool web>", "101 changed pool lab>web", "101 added pool >lab"},
		{Object: "lab"}:                 {"101 changed pool lab>web", "101 added pool >lab"},
		{Object: "web"}:                 {"100 removed pool web>", "101 changed pool lab>web"},
		{Object: "101", Field: "pool"}:  {"101 changed pool lab>web", "101 added pool >lab"},
		{Object: "lab", Field: "cores"}: nil,
	} {
		q.Since = since.Add(time.Second)
		if diff := cmp.Diff(want, lines(r.changes(q))); diff != "" {
			t.Errorf("%+v:\n%s", q, diff)
		}
	}
	rows := r.changes(ChangeQuery{Since: since.Add(time.Second), Object: "101"}).Rows
	if len(rows) != 2 || rows[1].Plan != "p-aaaaaaaa" || rows[0].Plan != "p-bbbbbbbb" {
		t.Errorf("who did it: %+v", rows)
	}
}

// TestOwnMoveAndCopy: a container that this program moves is stopped and started by that move; what it restores gets its name from the restore.
func TestOwnMoveAndCopy(t *testing.T) {
	w := newWorld(2, 8)
	r := newRig(t, w)
	r.sync()
	since := r.clock.now()
	r.clock.advance(10 * time.Second)
	r.st.plans = map[string]store.Plan{}
	for id, action := range map[string]string{"103": "guest.migrate", "150": "guest.restore"} {
		typ, now := map[string]string{"103": "vzmigrate", "150": "qmrestore"}[id], r.clock.now()
		upid := w.task("pve2", typ, id, now.Add(-5*time.Second), time.Time{}, "")
		r.st.plans["p-"+id] = store.Plan{ID: "p-" + id, Requester: "local:1000", Tool: action}
		r.st.steps = append(r.st.steps, store.PlanStep{Plan: "p-" + id, N: 1, Cluster: "lab", Object: id, Action: action, State: "done", UPID: upid,
			Sent: now.Add(-6 * time.Second), Ended: now.Add(20 * time.Second)})
	}
	moving := w.guests[103]
	moving.status = "stopped"
	made := w.add(150, "pve2")
	made.name, made.status = "VM 150", "stopped"
	delete(made.config, "name")
	r.tick()
	r.clock.advance(10 * time.Second)
	moving.node, moving.status = "pve1", "running"
	made.name, made.config["name"] = "verify-101", "verify-101"
	r.tick()
	page := r.changes(ChangeQuery{Since: since.Add(time.Second)})
	for _, c := range page.Rows {
		if c.Plan != "p-"+c.ID {
			t.Errorf("%s %s %s > %s: by plan %q, task %q", c.ID, c.What, c.Old, c.New, c.Plan, c.TaskType)
		}
	}
	if page.Total < 5 { // stopped, moved, running; appeared, renamed
		t.Errorf("%q", lines(page))
	}
}

// TestNewPool: a tick that lists a pool that is not known reads the pools once; who made it is told.
func TestNewPool(t *testing.T) {
	w := newWorld(2, 4)
	w.pools = []pve.PoolRow{{PoolID: "lab"}}
	r := newRig(t, w)
	r.sync()
	r.clock.advance(time.Minute)
	since, asked := r.clock.now(), w.count("pools")
	r.tick()
	r.st.plans = map[string]store.Plan{"p-aaaaaaaa": {ID: "p-aaaaaaaa", Requester: "local:1000", Tool: "manage_pool"}}
	r.st.steps = []store.PlanStep{{Plan: "p-aaaaaaaa", N: 1, Cluster: "lab", Object: "web", Action: "pool.create", State: "done", Sent: since.Add(15 * time.Second), Ended: since.Add(15 * time.Second)}}
	w.pools = append(w.pools, pve.PoolRow{PoolID: "web", Comment: "sites"})
	w.guests[100].pool = "web"
	for range 3 {
		r.clock.advance(10 * time.Second)
		r.tick()
	}
	if n := w.count("pools") - asked; n != 1 {
		t.Errorf("the pools were read %d times", n)
	}
	p := r.changes(ChangeQuery{Since: since, Object: "web"})
	if diff := cmp.Diff([]string{"100 added pool >web", "web appeared  >"}, lines(p)); diff != "" || p.Rows[1].Plan != "p-aaaaaaaa" {
		t.Errorf("%+v: %s", p.Rows, diff)
	}
	r.sync()
	if h, err := r.ObjectHistory(t.Context(), HistoryQuery{Object: "web"}); err != nil || h.Total != 1 {
		t.Errorf("versions %d, %v", h.Total, err)
	}
}

// TestPoolsUnseen: a row names its pool only to who may audit it. A token that loses that right, or has it for the first time, has seen
// no guest leave a pool or come into one; what is in a pool that was deleted has left it.
func TestPoolsUnseen(t *testing.T) {
	pools := []pve.PoolRow{{PoolID: "lab"}, {PoolID: "web"}}
	rights := func(w *world, privs ...string) {
		w.perms = map[string]map[string]bool{"/": {}}
		for _, p := range append(privs, "VM.Audit", "Datastore.Audit", "Sys.Audit") {
			w.perms["/"][p] = true
		}
	}
	with := func(list []pve.PoolRow, pool string, privs ...string) func(*world) {
		return func(w *world) { w.pools, w.guests[100].pool = list, pool; rights(w, privs...) }
	}
	const all = "Pool.Audit"
	blind, sighted := with(nil, ""), with(pools, "web", all)
	for name, c := range map[string]struct {
		steps []func(*world)
		want  []string
		pool  string
	}{
		"rights are lost":             {[]func(*world){sighted, blind}, nil, "web"},
		"and come back":               {[]func(*world){sighted, blind, sighted}, nil, "web"},
		"rights come":                 {[]func(*world){blind, sighted}, nil, "web"},
		"it is deleted":               {[]func(*world){sighted, with(pools[:1], "", all)}, []string{"100 removed pool web>"}, ""},
		"a new one, with all to see":  {[]func(*world){with(nil, "", all), sighted}, []string{"100 added pool >web"}, "web"},
		"an old one, with few to see": {[]func(*world){with(pools, ""), with(pools, "web")}, []string{"100 added pool >web"}, "web"},
	} {
		for mode, look := range map[string]func(*rig){"tick": func(r *rig) { r.tick() }, "sync": func(r *rig) { r.sync() }} {
			w := newWorld(2, 4)
			r := newRig(t, w)
			c.steps[0](w)
			r.sync()
			since := r.clock.now()
			for _, step := range c.steps[1:] {
				r.clock.advance(time.Minute)
				step(w)
				look(r)
			}
			if diff := cmp.Diff(c.want, lines(r.changes(ChangeQuery{Since: since.Add(time.Second), Field: "pool"}))); diff != "" {
				t.Errorf("%s, %s:\n%s", name, mode, diff)
			}
			if got := r.find("vmid:100").Rows[0].Pool; got != c.pool {
				t.Errorf("%s, %s: it is in pool %q, want %q", name, mode, got, c.pool)
			}
		}
	}
}
