package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func (r *rig) objectHistory(q HistoryQuery) ObjectHistory {
	r.t.Helper()
	h, err := r.ObjectHistory(r.t.Context(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// versionLines are versions as "life.seq keys user".
func versionLines(h ObjectHistory) []string {
	var out []string
	for _, v := range h.Rows {
		out = append(out, strings.TrimSpace(strings.Join([]string{string(rune('0' + v.Life)), string(rune('0' + v.Seq)), strings.Join(v.Keys, ","), v.By.User}, " ")))
	}
	return out
}

// pastRig has a guest with two versions two hours apart and then none, and one that is gone; it gives the moments of the syncs.
func pastRig(t *testing.T) (*rig, []time.Time) {
	w := newWorld(2, 12)
	r := newRig(t, w)
	var at []time.Time
	step := func(f func()) {
		f()
		r.sync()
		at = append(at, r.clock.now())
		r.clock.advance(2 * time.Hour)
	}
	step(func() {})
	step(func() {})
	step(func() {
		g := w.guests[101]
		g.config["cores"], g.config["tags"] = "4", "web"
		delete(g.config, "onboot")
		w.task("pve2", "qmconfig", "101", r.clock.now().Add(-10*time.Second), r.clock.now().Add(-9*time.Second), "OK")
	})
	step(func() { delete(w.guests, 105) })
	return r, at
}

// TestObjectHistory: versions newest first with what changed by whom, of guests by name, of what is gone, and refusals that say why.
func TestObjectHistory(t *testing.T) {
	r, at := pastRig(t)
	h := r.objectHistory(HistoryQuery{Object: "vm101"})
	if diff := cmp.Diff([]string{"1 2 cores,onboot,tags root@pam", "1 1"}, versionLines(h)); diff != "" || h.Total != 2 || h.ID != "101" || h.Name != "vm101" {
		t.Errorf("%+v\n%s", h, diff)
	}
	if v := h.Rows[0]; !v.SeenAt.Equal(at[2]) || !v.NotBefore.Equal(at[1]) || v.By.Task == "" {
		t.Errorf("%+v", v)
	}
	first := r.objectHistory(HistoryQuery{Object: "101", Limit: 1})
	rest := r.objectHistory(HistoryQuery{Object: "101", Limit: 1, Cursor: first.NextCursor})
	if diff := cmp.Diff(h.Rows, append(first.Rows, rest.Rows...)); diff != "" || rest.NextCursor != "" {
		t.Error(diff)
	}
	if gone := r.objectHistory(HistoryQuery{Object: "vm105"}); gone.Total != 1 || !gone.GoneAt.Equal(at[3]) {
		t.Errorf("gone: %+v", gone)
	}
	for _, c := range []struct {
		q    HistoryQuery
		code fault.Code
		says string
	}{
		{HistoryQuery{Object: "nosuch"}, fault.NotFound, "nosuch"}, {HistoryQuery{Object: "pve1"}, fault.NotFound, "no configuration is kept of node pve1"},
		{HistoryQuery{Object: "101", Cursor: "1-x"}, fault.Invalid, "cursor"}, {HistoryQuery{Object: "101", At: at[0].Add(-time.Hour)}, fault.NotFound, "first seen"},
		{HistoryQuery{Object: "101", At: at[3].Add(9 * time.Hour)}, fault.Invalid, "future"}, {HistoryQuery{Object: "105", At: at[3]}, fault.NotFound, "gone since"},
	} {
		if _, err := r.ObjectHistory(t.Context(), c.q); fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
}

// TestConfigAsOf: which version was there at a time, how sure that is, and what differs now.
func TestConfigAsOf(t *testing.T) {
	r, at := pastRig(t)
	want := []Difference{{"cores", "changed", "2", "4"}, {"onboot", "removed", "1", ""}, {"tags", "added", "", "web"}}
	for _, c := range []struct {
		name           string
		at             time.Time
		seq            int
		until, changed time.Time
		diff           []Difference
	}{
		{"at the first look", at[0], 1, at[1], time.Time{}, want},
		{"verified then", at[1].Add(-time.Second), 1, at[1], time.Time{}, want},
		{"between two looks", at[2].Add(-time.Second), 1, at[1], at[2], want},
		{"at the look that found it", at[2], 2, time.Time{}, time.Time{}, nil},
		{"later", at[3], 2, time.Time{}, time.Time{}, nil},
	} {
		a := r.objectHistory(HistoryQuery{Object: "101", At: c.at, Diff: true}).AsOf
		if a.Version.Seq != c.seq || !a.Until.Equal(c.until) || !a.Changed.Equal(c.changed) || len(a.Keys) == 0 {
			t.Errorf("%s: %+v", c.name, a)
		}
		if diff := cmp.Diff(c.diff, a.Diff); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	a := r.objectHistory(HistoryQuery{Object: "101", At: at[0]}).AsOf
	if k := a.Keys[0]; a.Diff != nil || k != (KeyValue{"cores", "2"}) {
		t.Errorf("%+v", a)
	}
}

// TestOneSubject: an id that two kinds share needs its kind, and both are found by it.
func TestOneSubject(t *testing.T) {
	r := newRig(t, newWorld(1, 4))
	r.sync()
	r.st.mu.Lock()
	for _, k := range []store.Kind{store.KindPool, store.KindStorageConfig} {
		o := store.Object{Ref: store.Ref{Cluster: "lab", Kind: k, ID: "twice"}, Life: 1, Gen: 1000}
		r.st.objects[o.Ref] = o
	}
	r.st.gen = 1001
	r.st.mu.Unlock()
	if _, err := r.ObjectHistory(t.Context(), HistoryQuery{Object: "twice"}); fault.CodeOf(err) != fault.Ambiguous || !strings.Contains(err.Error(), "storage twice") {
		t.Errorf("twice: %v", err)
	}
	for word, kind := range map[string]string{"pool twice": "pool", "storage twice": "storage_config"} {
		if h := r.objectHistory(HistoryQuery{Object: word}); h.Kind != kind || h.ID != "twice" {
			t.Errorf("%s: %+v", word, h)
		}
	}
}
