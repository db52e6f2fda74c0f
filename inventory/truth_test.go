package inventory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// expire makes the rows of a node's guests look as after 300 s without statistics.
func expire(w *world, node string, on bool) {
	for _, g := range w.guests {
		if g.node == node {
			g.expired = on
		}
	}
}

// F11, F15: a node that is off makes its guests unknown; nothing is deleted or renamed, and they come back as they were.
func TestNodeOffline(t *testing.T) {
	w := newWorld(3, 12)
	w.guests[100].tags = "web"
	r := newRig(t, w)
	r.sync()
	before := len(r.st.changes)
	w.nodes["pve1"].online = false
	r.tick() // rows still carry the last figures
	at := r.clock.now()
	expire(w, "pve1", true)
	r.tick()
	rep := r.sync()
	if rep.Gone != 0 || rep.Unknown != 4 || len(r.st.changes) != before {
		t.Errorf("report %+v, changes %+v", rep, r.st.changes[before:])
	}
	d := r.guest("vm100")
	if d.State != stUnknown || !d.UnknownSince.Equal(at) || d.Name != "vm100" || !cmp.Equal(d.Tags, []string{"web"}) || d.CPU != nil || d.Config == nil {
		t.Errorf("guest %+v", d.Guest)
	}
	if !hasWarning(d.Warnings, "node_silent") {
		t.Errorf("warnings %v", d.Warnings)
	}
	o, _ := r.Overview(t.Context(), ReadOptions{})
	if n := o.Clusters[0].Nodes[0]; n.Status != "offline" || n.CPU != nil || n.Since.IsZero() {
		t.Errorf("node %+v", n)
	}
	w.nodes["pve1"].online = true
	expire(w, "pve1", false)
	r.tick()
	if d := r.guest("100"); d.State != stRunning || len(r.st.changes) != before {
		t.Errorf("after return: %s, changes %v", d.State, r.st.changes[before:])
	}
}

// F11, F13: a node that the cluster counts as online and that does not answer.
func TestNodeSilent(t *testing.T) {
	w := newWorld(3, 12)
	r := newRig(t, w)
	r.sync()
	before := len(r.st.changes)
	w.nodes["pve2"].silent = true
	rep := r.sync()
	if rep.Unknown != 4 || rep.Complete || !hasWarning(rep.Warnings, "node_silent") {
		t.Errorf("report %+v", rep)
	}
	r.tick()
	if d := r.guest("101"); d.State != stUnknown || d.Name != "vm101" {
		t.Errorf("guest %+v", d.Guest)
	}
	if d := r.guest("100"); d.State != stRunning {
		t.Errorf("a guest of another node is %s", d.State)
	}
	for q, want := range map[string]int{"state:running": 4, "type:vm state:running": 3, "node:pve1 state:running": 0, "node:pve2": 0, "state:unknown": 0, "vmid:101 state:stopped": 1} {
		if got := r.Unsure(t.Context(), "", q); len(got) != want || want > 0 && (got[0].VMID != 101 || got[0].Why == "") {
			t.Errorf("%s may mean besides: %+v, want %d", q, got, want)
		}
	}
	w.nodes["pve2"].silent = false
	r.tick()
	if d := r.guest("101"); d.State != stRunning || len(r.st.changes) != before {
		t.Errorf("after return: %s, changes %v", d.State, r.st.changes[before:])
	}
}

// F16: pvestatd hangs; the node answers, its rows have expired.
func TestStatisticsStale(t *testing.T) {
	w := newWorld(2, 6)
	r := newRig(t, w)
	r.sync()
	before := len(r.st.changes)
	w.nodes["pve1"].stale = true
	expire(w, "pve1", true)
	rep := r.sync()
	if !hasWarning(rep.Warnings, "stale") || len(r.st.changes) != before || rep.Unknown != 3 {
		t.Errorf("report %+v", rep)
	}
	h, _ := r.Health(t.Context(), HealthQuery{})
	if !hasFinding(h, "stats_stale") || hasFinding(h, "node_offline") {
		t.Errorf("findings %+v", h.Findings)
	}
}

func hasFinding(h Health, code string) bool {
	for _, f := range h.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// A guest is gone when Proxmox VE says that its configuration does not exist, and only then.
func TestVanished(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		gone []string
		warn string
		unkn int
	}{
		{"destroyed", func(w *world) { delete(w.guests, 105) }, []string{"105 vm105>"}, "", 0},
		{"all destroyed", func(w *world) { clear(w.guests) }, []string{"100 vm100>", "101 vm101>", "102 vm102>", "103 vm103>",
			"104 vm104>", "105 vm105>", "106 vm106>", "107 vm107>", "108 vm108>", "109 vm109>"}, "scope", 0},
		{"one privilege lost", func(w *world) { w.hidden = func(id int) bool { return id == 105 } }, nil, "scope", 1},
		{"all privileges lost", func(w *world) {
			w.hidden = func(int) bool { return true }
			w.perms = map[string]map[string]bool{}
		}, nil, "scope", 10},
		{"row missing though it exists", func(w *world) {
			w.rowless = map[int]bool{105: true}
		}, nil, "", 1},
		{"node silent meanwhile", func(w *world) { delete(w.guests, 105); w.nodes["pve2"].silent = true }, nil, "node_silent", 5},
		{"check fails", func(w *world) {
			delete(w.guests, 105)
			w.fail = func(call, _ string, id int) error {
				if call == "config" && id == 105 {
					return fault.New(fault.Timeout, "timed out")
				}
				return nil
			}
		}, nil, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(2, 10)
			r := newRig(t, w)
			r.sync()
			c.do(w)
			rep := r.sync()
			if diff := cmp.Diff(c.gone, r.st.what("gone")); diff != "" {
				t.Error(diff)
			}
			if rep.Unknown != c.unkn || c.warn != "" && !hasWarning(rep.Warnings, c.warn) {
				t.Errorf("unknown %d, warnings %v", rep.Unknown, rep.Warnings)
			}
			if p := r.find(""); p.Counts.Total != 10-len(c.gone) {
				t.Errorf("%d guests are left", p.Counts.Total)
			}
		})
	}
}

// Verifying many vanished guests is bounded; the rest stay unknown until the next syncs verify them.
func TestVanishedBudget(t *testing.T) {
	w := newWorld(1, 40)
	r := newRig(t, w)
	r.sync()
	clear(w.guests)
	if rep := r.sync(); rep.Gone != checksPerNode || rep.Unknown != 40-checksPerNode {
		t.Errorf("report %+v", rep)
	}
	r.sync()
	r.sync()
	if rep := r.sync(); rep.Gone != 40-3*checksPerNode || rep.Unknown != 0 {
		t.Errorf("last report %+v", rep)
	}
}

// F07, F08: what a token cannot see is said.
func TestScope(t *testing.T) {
	w := newWorld(1, 4)
	w.hidden = func(int) bool { return true }
	w.perms = map[string]map[string]bool{"/": {"Sys.Audit": true}}
	r := newRig(t, w)
	rep := r.sync()
	if !strings.Contains(rep.Warnings[0].Text, "0 visible is not 0 exist") {
		t.Errorf("warnings %v", rep.Warnings)
	}
	w.hidden = func(id int) bool { return id > 101 }
	w.perms["/vms/100"], w.perms["/vms/101"] = map[string]bool{"VM.Audit": true}, map[string]bool{"VM.Audit": true}
	r.sync()
	r.tick()
	p := r.find("")
	if p.Counts.Total != 2 || !hasWarning(p.Warnings, "scope") {
		t.Errorf("counts %+v, warnings %v", p.Counts, p.Warnings)
	}
	_, err := r.Guest(t.Context(), GuestRef{Name: "103"})
	if e := fault.Of(err); e.Code != fault.NotFound || !strings.Contains(e.Cause, "not visible does not mean") {
		t.Errorf("error %+v", e)
	}
}

func TestOddRows(t *testing.T) {
	w := newWorld(1, 3)
	w.odd = []error{errors.New("row 7: \"x\" is not an integer")}
	w.extra = []pve.Resource{{ID: "qemu/x", Type: "qemu", Node: "../etc", VMID: 7}, {ID: "qemu/0", Type: "qemu", Node: "pve1"}}
	r := newRig(t, w)
	rep := r.sync()
	if rep.Guests != 3 || !hasWarning(rep.Warnings, "odd_data") || rep.Complete {
		t.Errorf("report %+v", rep)
	}
}

func TestMoveAndRename(t *testing.T) {
	w := newWorld(2, 4)
	r := newRig(t, w)
	r.sync()
	w.guests[100].node = "pve2"
	w.guests[101].config["name"] = "db" // the row still says vm101
	r.sync()
	r.tick()
	w.guests[101].name = "db"
	r.tick()
	if got := r.st.what("moved"); !cmp.Equal(got, []string{"100 pve1>pve2"}) {
		t.Errorf("moved %v", got)
	}
	if got := r.st.what("renamed"); !cmp.Equal(got, []string{"101 vm101>db"}) {
		t.Errorf("renamed %v", got)
	}
	if len(r.st.what("gone")) != 0 || len(r.st.what("appeared")) != 4 {
		t.Errorf("changes %+v", r.st.changes)
	}
	if d := r.guest("db"); d.VMID != 101 {
		t.Errorf("db is %d", d.VMID)
	}
}

// A vmid that two nodes list is the guest whose configuration answers.
func TestListedTwice(t *testing.T) {
	w := newWorld(2, 2)
	ghost := w.guests[100].resource()
	ghost.Node = "pve2"
	w.extra = []pve.Resource{ghost}
	r := newRig(t, w)
	rep := r.sync()
	if d := r.guest("100"); d.Node != "pve1" || !hasWarning(rep.Warnings, "odd_data") {
		t.Errorf("on %s, warnings %v", d.Node, rep.Warnings)
	}
	w.extra = nil
	r2 := w.guests[100].resource()
	w.guests[100].node = "pve2"
	w.extra = []pve.Resource{r2}
	r.sync()
	if d := r.guest("100"); d.Node != "pve2" {
		t.Errorf("now on %s", d.Node)
	}
}

// pve-api.md 47: a new guest is listed without name and status for some seconds.
func TestNewGuestWithoutName(t *testing.T) {
	w := newWorld(1, 2)
	r := newRig(t, w)
	r.sync()
	w.add(150, "pve1").expired = true
	r.tick()
	d := r.guest("150")
	if d.Name != "vm150" || d.State != stUnknown || d.Config == nil {
		t.Errorf("guest %+v", d.Guest)
	}
	w.guests[150].expired = false
	r.tick()
	if d := r.guest("150"); d.State != stRunning || len(r.st.what("renamed"))+len(r.st.what("status")) != 0 {
		t.Errorf("state %s, changes %v", d.State, r.st.changes)
	}
}

// The life of a guest: what ends it and what does not (DESIGN §5).
func TestLives(t *testing.T) {
	const ct = 103
	start := func(r *rig) time.Time { return r.clock.now().Add(2 * time.Second) }
	for _, c := range []struct {
		name string
		do   func(r *rig)
		id   string
		life int
	}{
		{"roll-back changes vmgenid", func(r *rig) { r.w.guests[100].config["vmgenid"] = "x" }, "100", 1},
		{"uuid edited", func(r *rig) { r.w.guests[100].config["smbios1"] = "uuid=edited" }, "100", 1},
		{"restored over from another guest", func(r *rig) {
			r.w.guests[100].config["smbios1"], r.w.guests[100].config["meta"] = "uuid=other", "ctime=1800000000"
		}, "100", 2},
		{"became a container", func(r *rig) { r.w.guests[100].typ = pve.LXC }, "100", 2},
		{"container edited", func(r *rig) { r.w.guests[ct].config["memory"] = "2048" }, "103", 1},
		{"container restored over", func(r *rig) {
			r.w.task("pve1", "vzrestore", "103", start(r), start(r).Add(time.Second), "OK")
		}, "103", 2},
		{"container restore failed", func(r *rig) {
			r.w.task("pve1", "vzrestore", "103", start(r), start(r).Add(time.Second), "no space")
		}, "103", 1},
		{"container absent, then back", func(r *rig) {
			g := r.w.guests[ct]
			delete(r.w.guests, ct)
			r.tick()
			r.w.guests[ct] = g
		}, "103", 2},
		{"VM absent, then back with its uuid", func(r *rig) {
			g := r.w.guests[100]
			delete(r.w.guests, 100)
			r.tick()
			r.w.guests[100] = g
		}, "100", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, newWorld(1, 6))
			r.sync()
			c.do(r)
			r.tick()
			r.clock.advance(time.Minute)
			r.sync()
			r.clock.advance(time.Minute)
			r.sync()
			if d := r.guest(c.id); d.Life != c.life {
				t.Errorf("life %d, want %d; changes %+v", d.Life, c.life, r.st.changes)
			}
		})
	}
}

// A lost lease stops the run and nothing of it is written afterwards.
func TestFenced(t *testing.T) {
	w := newWorld(1, 5)
	r := newRig(t, w)
	r.sync()
	w.fail = func(call, _ string, _ int) error {
		if call == "config" {
			r.st.mu.Lock()
			r.st.fenced = true
			r.st.mu.Unlock()
		}
		return nil
	}
	for _, g := range w.guests {
		g.config["memory"] = "4096"
	}
	versions, syncs := len(r.st.versions), len(r.st.syncs)
	_, err := r.Sync(context.Background(), SyncRequest{})
	if fault.CodeOf(err) != fault.Fenced {
		t.Errorf("error %v", err)
	}
	if len(r.st.versions) != versions || len(r.st.syncs) != syncs+1 || !r.st.syncs[syncs].Finished.IsZero() {
		t.Error("the fenced run wrote")
	}
}

// TestAnotherCluster: pointing a name at another cluster stores nothing, so that no guest of the first looks gone (I1).
func TestAnotherCluster(t *testing.T) {
	w := newWorld(2, 4)
	r := newRig(t, w)
	r.sync()
	rows, changes := r.st.rows, len(r.st.changes)
	for _, name := range []string{"pve1", "pve2"} {
		w.nodes["other"+name] = w.nodes[name]
		w.nodes[name].name = "other" + name
		delete(w.nodes, name)
	}
	for _, g := range w.guests {
		g.node = "other" + g.node
	}
	_, err := r.Sync(t.Context(), SyncRequest{})
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "otherpve1") {
		t.Errorf("sync of another cluster: %v, want a conflict that names its nodes", err)
	}
	if r.st.rows != rows || len(r.st.changes) != changes {
		t.Errorf("%d guest rows and %d changes were stored", r.st.rows-rows, len(r.st.changes)-changes)
	}
}

// TestAwayIsSaidOnce: one short line for all nodes that are away, of before, of a sync that goes on, and after it.
func TestAwayIsSaidOnce(t *testing.T) {
	w := newWorld(3, 6)
	w.nodes["pve3"].online = false
	r := newRig(t, w)
	r.sync()
	of := func() (out []string) {
		for _, x := range r.find("").Warnings {
			out = append(out, x.Code+": "+x.Text)
		}
		return out
	}
	first := []string{"node_silent: pve3 is offline (never seen online): it and its guests are shown as last known"}
	if diff := cmp.Diff(first, of()); diff != "" {
		t.Error(diff)
	}
	cv := r.Inventory.proj.cluster("lab")
	between := *cv
	between.state.RowsAt = cv.last.Started.Add(time.Second) // rows of a newer sync are stored, its warnings are not
	between.nodes = slices.Clone(cv.nodes)
	between.nodes[1].st.Status, between.nodes[1].st.Since = "offline", r.clock.now().Add(-time.Hour)
	var got []string
	for _, x := range r.Inventory.clusters[0].warnings(&between, Meta{AsOf: r.clock.now()}) {
		got = append(got, x.Text)
	}
	if diff := cmp.Diff([]string{"pve2 is offline since " + between.nodes[1].st.Since.Format("15:04") + ", pve3 is offline (never seen online): they and their guests are shown as last known"}, got); diff != "" {
		t.Error(diff)
	}
}
