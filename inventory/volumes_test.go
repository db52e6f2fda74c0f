package inventory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func image(id string, vmid int, gib int64) pve.VolumeRow {
	v := pve.VolumeRow{VolID: pve.Text(id), Content: "images", Format: "raw", Size: pve.Ptr(pve.Int(gib << 30))}
	if vmid > 0 {
		v.VMID = pve.Ptr(pve.Int(vmid))
	}
	return v
}

func (r *rig) volumes(q VolumeQuery) VolumePage {
	r.t.Helper()
	p, err := r.Volumes(context.Background(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func uses(p VolumePage) []string {
	out := []string{}
	for _, v := range p.Rows {
		out = append(out, fmt.Sprintf("%s %s %s", v.ID, v.Use, v.Why))
	}
	return out
}

// diskWorld is three nodes with a local storage each and six guests of one disk each.
func diskWorld() *world {
	w := newWorld(3, 6)
	w.perms = map[string]map[string]bool{"/": {"VM.Audit": true, "Datastore.Audit": true, "Datastore.Allocate": true, "Sys.Audit": true, "Pool.Audit": true}}
	w.host.content = map[string][]pve.VolumeRow{}
	for _, n := range []string{"pve1", "pve2", "pve3"} {
		w.extra = append(w.extra, storageRow(n, "ssd", "dir", "images,rootdir,iso", false))
	}
	return w
}

// TestOrphans: each reason why a disk is in use, an orphan, or neither for sure.
func TestOrphans(t *testing.T) {
	disk := "local-zfs:vm-100-disk-0"
	for _, c := range []struct {
		name string
		vol  pve.VolumeRow
		do   func(w *world, now time.Time)
		want string
	}{
		{"configured", image(disk, 100, 32), nil, "used "},
		{"unused disk of the configuration", image("ssd:vm-100-disk-3", 100, 1), func(w *world, _ time.Time) { w.guests[100].config["unused0"] = "ssd:vm-100-disk-3" }, "used "},
		{"cloud-init drive", image("ssd:vm-100-cloudinit", 100, 1), func(w *world, _ time.Time) { w.guests[100].config["ide2"] = "ssd:vm-100-cloudinit,media=cdrom" }, "used "},
		{"memory of a hibernated guest", image("ssd:vm-100-state-suspend-2026", 100, 1), func(w *world, _ time.Time) { w.guests[100].config["vmstate"] = "ssd:vm-100-state-suspend-2026" }, "used "},
		{"disk of another guest's name", image("ssd:vm-777-disk-0", 777, 1), func(w *world, _ time.Time) { w.guests[101].config["scsi4"] = "ssd:vm-777-disk-0,size=1G" }, "copy guest 101 is on pve2"},
		{"replica", image("ssd:vm-101-disk-0", 101, 1), func(w *world, _ time.Time) { w.guests[101].config["scsi4"] = "ssd:vm-101-disk-0" }, "copy guest 101 is on pve2"},
		{"base of a linked clone", image("ssd:base-900-disk-0", 900, 1), func(w *world, _ time.Time) { w.guests[100].config["scsi4"] = "ssd:base-900-disk-0/vm-100-disk-4" }, "used "},
		{"base of a linked clone in files", image("ssd:900/base-900-disk-0.qcow2", 900, 1), func(w *world, _ time.Time) {
			w.guests[100].config["scsi4"] = "ssd:900/base-900-disk-0.qcow2/100/vm-100-disk-4.qcow2"
		}, "used "},
		{"guest does not exist", image("ssd:vm-777-disk-0", 777, 1), nil, "orphan guest 777 does not exist"},
		{"guest does not refer to it", image("ssd:vm-100-disk-9", 100, 1), nil, "orphan guest 100 does not refer to it"},
		{"no owner", image("ssd:odd.raw", 0, 1), nil, "orphan no guest refers to it"},
		{"in a snapshot", image("ssd:vm-100-disk-9", 100, 1), func(w *world, now time.Time) {
			snapshot(w, now)
			w.host.snapcfg = map[string]pve.Config{"before": {"scsi1": "ssd:vm-100-disk-9,size=1G"}}
		}, "used "},
		{"memory of a snapshot", image("ssd:vm-100-state-before", 100, 1), snapshot, "used "},
		{"in no snapshot", image("ssd:vm-100-disk-9", 100, 1), snapshot, "orphan neither guest 100 nor its snapshots refer to it"},
		{"a snapshot that cannot be read", image("ssd:vm-100-disk-9", 100, 1), func(w *world, now time.Time) {
			snapshot(w, now)
			w.fail = failing("snapconfig", fault.New(fault.Upstream, "broken"))
		}, "unknown the snapshots of guest 100 could not be read: broken"},
		{"a configuration that cannot be read", image("ssd:vm-777-disk-0", 777, 1), func(w *world, _ time.Time) {
			w.fail = failing("config", fault.New(fault.Upstream, "broken"))
		}, "unknown the last sync could not read everything"},
		{"a configuration that cannot be read, of another node", image("ssd:vm-100-disk-9", 100, 1), func(w *world, _ time.Time) {
			w.fail = func(call, node string, _ int) error {
				if call == "config" && node == "pve2" {
					return fault.New(fault.Upstream, "broken")
				}
				return nil
			}
		}, "orphan guest 100 does not refer to it"},
		{"a configuration that cannot be read, of this node", image("ssd:vm-100-disk-9", 100, 1), func(w *world, _ time.Time) {
			w.fail = func(call, _ string, vmid int) error {
				if call == "config" && vmid == 103 {
					return fault.New(fault.Upstream, "broken")
				}
				return nil
			}
		}, "unknown the configurations of guests on pve1 were not read"},
		{"another node is off", image("ssd:vm-777-disk-0", 777, 1), func(w *world, _ time.Time) { w.nodes["pve3"].online = false }, "orphan guest 777 does not exist"},
		{"no quorum", image("ssd:vm-777-disk-0", 777, 1), func(w *world, _ time.Time) { w.quorum = false }, "unknown the cluster has no quorum"},
		{"the guest is locked", image("ssd:vm-100-disk-9", 100, 1), func(w *world, _ time.Time) { w.guests[100].lock = "disk" }, "unknown guest 100 is locked (disk)"},
		{"a task works on it", image("ssd:vm-777-disk-0", 777, 1), func(w *world, now time.Time) {
			w.task("pve1", "qmcreate", "777", now.Add(-time.Minute), time.Time{}, "")
		}, "unknown a task works on guest 777"},
		{"newer than the last look", func() pve.VolumeRow {
			v := image("ssd:vm-777-disk-0", 777, 1)
			v.CTime = pve.Ptr(pve.Int(time.Date(2026, 11, 20, 12, 0, 5, 0, time.UTC).Unix()))
			return v
		}(), nil, "unknown it is newer than the last look at the guests"},
		{"hidden guests", image("ssd:vm-777-disk-0", 777, 1), func(w *world, _ time.Time) { delete(w.perms["/"], "VM.Audit") }, "unknown guests may be hidden from this token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := diskWorld()
			r := newRig(t, w)
			w.host.content["pve1/ssd"] = []pve.VolumeRow{c.vol}
			if c.do != nil {
				c.do(w, r.clock.now())
			}
			r.sync()
			want := []string{string(c.vol.VolID) + " " + c.want}
			if diff := cmp.Diff(want, uses(r.volumes(VolumeQuery{Content: "images", Node: "pve1"}))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func snapshot(w *world, now time.Time) {
	w.guests[100].config["parent"] = "before"
	w.guests[100].snaps = []pve.Snapshot{{Name: "before", SnapTime: pve.Ptr(pve.Int(now.Add(-time.Hour).Unix())), VMState: pve.Ptr(pve.Bool(true))}}
}

func failing(what string, err error) func(call, node string, vmid int) error {
	return func(call, _ string, _ int) error {
		if call == what {
			return err
		}
		return nil
	}
}

// TestVolumes: filters, order, counts, and the number of calls: permissions and one listing per storage and node, a shared one once.
func TestVolumes(t *testing.T) {
	w := diskWorld()
	iso := pve.VolumeRow{VolID: "nas:iso/debian.iso", Content: "iso", Format: "iso", Size: pve.Ptr(pve.Int(3 << 30))}
	for _, n := range []string{"pve1", "pve2", "pve3"} {
		w.extra = append(w.extra, storageRow(n, "nas", "nfs", "iso", true))
		w.host.content[n+"/nas"] = []pve.VolumeRow{iso}
	}
	w.host.content["pve1/ssd"] = []pve.VolumeRow{image("ssd:vm-100-disk-7", 100, 2), image("ssd:vm-999-disk-0", 999, 9), {VolID: "ssd:odd", Content: "images"}}
	r := newRig(t, w)
	r.sync()
	before := w.Calls()
	p := r.volumes(VolumeQuery{})
	// local-zfs on three nodes, ceph1 once, ssd on three nodes, nas once, permissions.
	if n := w.Calls() - before; n != 9 {
		t.Errorf("%d calls, want 9", n)
	}
	if p.Total != 4 || p.Orphans != 3 || p.Unsized != 1 || p.Bytes != 14<<30 || p.OrphanBytes != 11<<30 || p.Storages != 8 || p.Rows[0].Owner != 999 || p.Rows[3].Size != nil {
		t.Errorf("%+v", p)
	}
	for q, want := range map[VolumeQuery]int{{Content: "iso"}: 1, {Storage: "ssd"}: 3, {Node: "pve2"}: 1, {Guest: "100"}: 1, {Orphans: true}: 3} {
		if p := r.volumes(q); p.Total != want {
			t.Errorf("%+v: %d, want %d", q, p.Total, want)
		}
	}
	if n := w.Calls() - before; n != 9 {
		t.Errorf("a young listing was asked for again: %d calls", n)
	}
	for _, q := range []VolumeQuery{{Storage: "sdd"}, {Node: "pve9"}, {Guest: "nobody"}} {
		if _, err := r.Volumes(t.Context(), q); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestOrphanAlias: two storages that are one place hold the same volumes under two names.
func TestOrphanAlias(t *testing.T) {
	def := func(s string) store.Object { return store.Object{State: []byte(s)} }
	a, b := def(`{"storage":"a","type":"dir","path":"/srv"}`), def(`{"storage":"b","type":"dir","path":"/srv"}`)
	if backing(a) == "" || backing(a) != backing(b) || backing(def(`{"type":"x"}`)) != "" {
		t.Errorf("%q %q", backing(a), backing(b))
	}
	j := &volumeJudge{cv: &clusterView{}, refs: map[string]*row{}, names: map[string]string{}, back: map[string]string{"a": backing(a), "b": backing(b)}}
	j.refer(&row{}, "a:100/vm-100-disk-0.raw")
	if use, _ := j.stored(&Volume{ID: "b:100/vm-100-disk-0.raw", Content: "images", Owner: 100}, nil); use != UseUsed {
		t.Errorf("%q", use)
	}
}

// TestVolumeShares: what the volumes of each guest come to, those of no guest left out, the largest sum first.
func TestVolumeShares(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	got := shares([]Volume{{Cluster: "a", Owner: 101, Size: n(5)}, {Cluster: "a", Owner: 100, OwnerName: "web", Size: n(4)}, {Cluster: "a"}, {Cluster: "a", Owner: 100, OwnerName: "web", Size: n(3)},
		{Cluster: "b", Owner: 100, Size: nil}})
	want := []VolumeShare{{Cluster: "a", VMID: 100, Name: "web", Count: 2, Bytes: 7}, {Cluster: "a", VMID: 101, Count: 1, Bytes: 5}, {Cluster: "b", VMID: 100, Count: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
