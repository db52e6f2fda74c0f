package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// heard ticks by Follow alone and gives what became known as "kind/id".
func heard(t *testing.T, r *rig, m *Mark) []string {
	t.Helper()
	r.clock.advance(10 * time.Second)
	if _, _, err := r.Follow(t.Context(), []string{"lab"}, *m); err != nil {
		t.Fatal(err)
	}
	if f := r.clusters[0].flying(); f != nil {
		<-f.done
	}
	list, next, err := r.Follow(t.Context(), []string{"lab"}, *m)
	if err != nil {
		t.Fatal(err)
	}
	*m = next
	out := []string{}
	for _, n := range list {
		out = append(out, n.Kind+"/"+n.ID)
	}
	slices.Sort(out)
	return out
}

// TestFollow: what changed is told once, by kind; figures that always move are not; and following costs the calls of a tick, whoever follows.
func TestFollow(t *testing.T) {
	w := newWorld(3, 20)
	r := newRig(t, w)
	r.sync()
	var m Mark
	if got := heard(t, r, &m); len(got) != 0 {
		t.Errorf("to the zero mark everything is old: %v", got)
	}
	upid := ""
	for _, c := range []struct {
		name   string
		change func()
		want   []string
	}{
		{"nothing", func() {}, []string{}},
		{"load and memory", func() { w.guests[100].cpu, w.guests[100].mem = 0.9, 1<<28 }, []string{}},
		{"stopped and a task", func() {
			w.guests[101].status = "stopped"
			upid = w.task("pve2", "qmstop", "101", r.clock.now().Add(-time.Second), r.clock.now(), "OK")
		}, []string{"guest/101", "task/"}},
		{"renamed", func() { w.guests[102].name, w.guests[102].config["name"] = "other", "other" }, []string{"guest/102"}},
		{"made and removed", func() { w.add(300, "pve1"); delete(w.guests, 104) }, []string{"guest/104", "guest/300"}},
		{"a node that fell silent", func() { w.nodes["pve3"].online = false }, []string{"cluster/", "node/pve3", "storage/local-zfs"}},
	} {
		w.set(c.change)
		got := heard(t, r, &m)
		for k := range got {
			got[k] = strings.TrimSuffix(got[k], upid)
		}
		if c.name == "a node that fell silent" { // its guests are unknown now, each one news
			got = slices.DeleteFunc(got, func(s string) bool { return s[:5] == "guest" })
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s:\n%s", c.name, d)
		}
	}
}

// TestFollowers: a thousand who follow cost what one costs.
func TestFollowers(t *testing.T) {
	w := newWorld(1, 4)
	r := newRig(t, w)
	r.sync()
	var m Mark
	heard(t, r, &m)
	for range 5 {
		before := w.count("resources")
		r.clock.advance(10 * time.Second)
		for range 1000 {
			if _, _, err := r.Follow(t.Context(), []string{"lab"}, m); err != nil {
				t.Fatal(err)
			}
		}
		if f := r.clusters[0].flying(); f != nil {
			<-f.done
		}
		if n := w.count("resources") - before; n != 1 {
			t.Errorf("%d looks at the cluster in a tick, want 1", n)
		}
	}
}

// TestNames: everything that can be named, each once, from the store alone; of an empty store what comes within a moment.
func TestNames(t *testing.T) {
	w := newWorld(2, 3)
	w.guests[101].tags, w.guests[102].tags = "web;prod", "prod"
	r := newRig(t, w)
	n, err := r.Names(t.Context(), "")
	if err != nil || len(n.Guests) != 3 {
		t.Fatalf("of an empty store: %+v, %v", n, err)
	}
	r.sync()
	calls := w.Calls()
	n, err = r.Names(t.Context(), "lab")
	if err != nil {
		t.Fatal(err)
	}
	want := Names{Clusters: []string{"lab"}, Nodes: []string{"pve1", "pve2"}, Storages: []string{"ceph1", "local-zfs"}, Tags: []string{"prod", "web"},
		Guests: []GuestName{{"lab", 100, "vm100"}, {"lab", 101, "vm101"}, {"lab", 102, "vm102"}}}
	if d := cmp.Diff(want, n); d != "" {
		t.Error(d)
	}
	if w.Calls() != calls {
		t.Error("names were asked of Proxmox VE")
	}
	if _, err := r.Names(t.Context(), "other"); err == nil {
		t.Error("names of a cluster that is not configured")
	}
}
