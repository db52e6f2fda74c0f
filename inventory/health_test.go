package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

func findingLines(h Health) []string {
	out := []string{}
	for _, f := range h.Findings {
		out = append(out, fmt.Sprintf("%s %s %s", f.Severity, f.Code, f.Object))
	}
	return out
}

func (r *rig) health() Health {
	r.t.Helper()
	h, err := r.Health(r.t.Context(), HealthQuery{})
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func TestHealth(t *testing.T) {
	storage := func(w *world, used int) {
		w.extra = []pve.Resource{{ID: "storage/pve1/nas", Type: "storage", Node: "pve1", Storage: "nas", Status: "available",
			Disk: pve.Ptr(pve.Int(used)), MaxDisk: pve.Ptr(pve.Int(100))}}
	}
	// A shared storage at 90 % is part of every world: one finding, whatever the number of nodes (F43).
	const ceph = "warning storage_full storage ceph1"
	for _, c := range []struct {
		name string
		do   func(w *world, now time.Time)
		want []string
	}{
		{"healthy", func(*world, time.Time) {}, []string{ceph}},
		{"storage full", func(w *world, _ time.Time) { storage(w, 96) }, []string{"critical storage_full storage pve1/nas", ceph}},
		{"storage at 85", func(w *world, _ time.Time) { storage(w, 85) }, []string{ceph}},
		{"node off", func(w *world, _ time.Time) { w.nodes["pve3"].online = false },
			[]string{"critical node_offline node pve3", "warning quorum_at_risk cluster lab", ceph, "info guests_unknown 2 guests"}},
		{"no quorum", func(w *world, _ time.Time) {
			w.nodes["pve3"].online, w.nodes["pve2"].online, w.quorum = false, false, false
		},
			[]string{"critical quorum_lost cluster lab", "critical node_offline node pve2", "critical node_offline node pve3", ceph,
				"info guests_unknown 2 guests", "info guests_unknown 2 guests"}},
		{"task failed twice", func(w *world, now time.Time) {
			w.task("pve1", "qmstart", "100", now.Add(-3*time.Hour), now.Add(-2*time.Hour), "no space left")
			w.task("pve1", "qmstart", "100", now.Add(-2*time.Hour), now.Add(-time.Hour), "no space left")
			w.task("pve1", "qmstart", "101", now.Add(-30*time.Hour), now.Add(-29*time.Hour), "old")
		}, []string{ceph, "warning task_failed guest 100 vm100"}},
		{"no backup", func(w *world, now time.Time) {
			w.noJob = []int{100, 101, 102, 103}
			w.guests[101].template, w.guests[101].status = true, "stopped"
			w.task("pve1", "vzdump", "102", now.Add(-time.Hour), now.Add(-time.Hour), "OK")
		}, []string{ceph, "warning no_backup guests"}},
		{"onboot stopped", func(w *world, _ time.Time) { w.guests[100].status = "stopped" }, []string{ceph, "warning onboot_stopped guest 100 vm100"}},
		{"locked", func(w *world, now time.Time) {
			w.guests[100].lock, w.guests[101].lock = "backup", "snapshot"
			w.task("pve2", "qmsnapshot", "101", now.Add(-time.Minute), time.Time{}, "")
		}, []string{ceph, "warning guest_locked guest 100 vm100"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(3, 6)
			w.agents()
			r := newRig(t, w)
			r.sync()
			c.do(w, r.clock.now())
			r.tick()
			r.sync()
			h := r.health()
			if diff := cmp.Diff(c.want, findingLines(h)); diff != "" {
				t.Error(diff)
			}
			for _, f := range h.Findings {
				if f.Title == "" || f.Evidence == "" || f.Cluster != "lab" {
					t.Errorf("finding without evidence %+v", f)
				}
			}
			o, err := r.Overview(t.Context(), ReadOptions{})
			if err != nil || !cmp.Equal(o.Problems, h.Findings) {
				t.Error("the overview's problems differ")
			}
		})
	}
}

// F18: a standalone node has no quorum to lose; a check that could not run is named.
func TestHealthSkips(t *testing.T) {
	w := newWorld(1, 2)
	w.single = true
	r := newRig(t, w)
	r.sync()
	h := r.health()
	if slices.Contains(h.Checked, "quorum") || !strings.Contains(strings.Join(h.Skipped, ";"), "quorum: not applicable") || len(h.Checked) != len(checks)-2 {
		t.Errorf("checked %v, skipped %v", h.Checked, h.Skipped)
	}
	o, _ := r.Overview(t.Context(), ReadOptions{})
	if c := o.Clusters[0]; !c.Standalone || c.Quorate != nil {
		t.Errorf("overview %+v", c)
	}
}

func TestOverview(t *testing.T) {
	w := newWorld(3, 6)
	w.task("pve1", "vzdump", "", time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC), time.Time{}, "")
	r := newRig(t, w)
	r.sync()
	o, err := r.Overview(t.Context(), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := o.Clusters[0]
	if c.ClusterName != "lab" || c.Version != "9.2.11" || c.Quorate == nil || !*c.Quorate || c.RunningTasks != 1 || len(c.Storages) != 4 || c.Guests.CTs != 1 {
		t.Errorf("overview %+v", c)
	}
	for _, s := range c.Storages {
		if s.Name == "ceph1" && !cmp.Equal(s.Nodes, []string{"pve1", "pve2", "pve3"}) {
			t.Errorf("shared storage %+v", s)
		}
	}
	n, err := r.Nodes(t.Context(), ReadOptions{})
	if err != nil || len(n.Nodes) != 3 || n.Nodes[0].Guests.Total != 2 || n.Nodes[0].Kernel != "" || n.Nodes[0].Version == "" {
		t.Errorf("nodes %+v, %v", n, err)
	}
}

// TestOverviewSeesThePools: who looks for the first time is told of a degraded pool, at the cost of one round of questions; where a node
// gives no answer to a check, the overview names the check, and a later look costs nothing.
func TestOverviewSeesThePools(t *testing.T) {
	for refused, unchecked := range map[string][]string{"": nil, "zfs": {"zfs_pool"}} {
		w, r := withHealth(t)
		w.onHost("pve1").zfs = []pve.ZFSRow{{Name: "tank", Health: "DEGRADED"}}
		w.fail = func(call, _ string, _ int) error {
			if call == refused {
				return fault.New(fault.Forbidden, "Permission check failed")
			}
			return nil
		}
		o, err := r.Overview(t.Context(), ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pools := slices.DeleteFunc(slices.Clone(o.Problems), func(f Finding) bool { return f.Code != "zfs_pool" })
		if refused == "" && (len(pools) != 1 || !pools[0].Noticed || pools[0].Severity != Critical) {
			t.Errorf("a degraded pool is not told: %+v", o.Problems)
		}
		before := w.Calls()
		if o, err = r.Overview(t.Context(), ReadOptions{}); err != nil || w.Calls() != before {
			t.Errorf("a second look made %d calls: %v", w.Calls()-before, err)
		}
		if diff := cmp.Diff(unchecked, o.Unchecked); diff != "" {
			t.Errorf("%q refused: %s", refused, diff)
		}
	}
}
