package change

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestWakeUnknown: a node that does not come up within its time may still come: that is unknown, not failed.
func TestWakeUnknown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sim.AddFault(pvesim.ReplaceBody("pve3 never comes", func(path string, body []byte) []byte {
			if path != "/cluster/status" {
				return body
			}
			return []byte(`{"data":[{"type":"cluster","id":"cluster","name":"homelab","quorate":1,"nodes":3},{"type":"node","id":"node/pve1","name":"pve1","online":1},` +
				`{"type":"node","id":"node/pve2","name":"pve2","online":1},{"type":"node","id":"node/pve3","name":"pve3","online":0}]}`)
		}))
		p, err := r.Propose(t.Context(), Request{Tool: "test", Cluster: "home", Direct: Wake{Cluster: "home", Node: "pve3"}, Caller: agent})
		if err != nil {
			t.Fatal(err)
		}
		r.approved(p)
		if done := r.apply(p.ID); done.State != Unknown || !strings.Contains(done.Note, "not online") {
			t.Errorf("%s: %s", done.State, done.Note)
		}
	})
}

// TestMigrateHindered: everything that stands in the way is named at once, and nothing is planned.
func TestMigrateHindered(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		for _, c := range []struct {
			guest int
			to    string
			words []string
		}{
			{200, "pve2", []string{"hostpci0", "scsi1 (tank)", "local-zfs"}},
			{104, "pve2", []string{"/tank/media", "snapshots"}},
			{201, "pve2", []string{"usb0", "only while it is stopped"}},
			{204, "pve3", []string{"not online"}},
			{204, "pve9", []string{"no node pve9"}},
		} {
			_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: (Target{VMID: c.guest}).ID(), Action: Migrate{Target: c.to}, Caller: agent})
			for _, w := range c.words {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("%d to %s: %v, want %q in it", c.guest, c.to, err, w)
				}
			}
		}
	})
}

// TestMigrateBlind: where storages cannot be seen Proxmox VE's own list says which disks are local, and nothing is refused on a guess.
func TestMigrateBlind(t *testing.T) {
	t.Parallel()
	l := &Live{Target: Target{Type: pve.Qemu, VMID: 101, Node: "a", Status: "running"}, Config: pve.Config{"scsi0": "thin:vm-101-disk-0,size=8G", "scsi1": "nas:vm-101-disk-1,size=8G"},
		Places: Places{Nodes: []NodePlace{{Name: "a", Online: true}, {Name: "b", Online: true}}}, Migration: &Migration{Disks: []localDisk{{VolID: "thin:vm-101-disk-0"}}}}
	steps, err := Migrate{Target: "b"}.Steps(l)
	if err != nil || len(steps[0].Diff) != 2 || steps[0].Diff[1].New != "scsi0 (thin)" {
		t.Fatalf("%v %+v", err, steps)
	}
	l.Migration.Disks = nil
	if steps, err = (Migrate{Target: "b"}).Steps(l); err != nil || len(steps[0].Diff) != 1 {
		t.Errorf("%v %+v", err, steps)
	}
}

// TestMigrateHA: the manager moves what HA takes care of, after the task has ended; it is done when it is there.
func TestMigrateHA(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.guests.ha = map[int]string{203: "started"}
		p := r.propose(203, Migrate{Target: "pve1"})
		if s := p.Body.Steps[0]; s.Task != "hamigrate" || s.Patience != haPatience {
			t.Errorf("%+v", s)
		}
		if done := r.apply(p.ID); done.State != Done {
			t.Errorf("%s: %s", done.State, done.Note)
		}
		r.guest(203, func(g *pvesim.Guest) {
			if g.Node != "pve1" || g.Status() != "running" {
				t.Errorf("it is %s on %s", g.Status(), g.Node)
			}
		})
	})
}

// TestDrain: the smallest go first, none to a node without room, and each that stays is named with the reason.
func TestDrain(t *testing.T) {
	t.Parallel()
	live := func(vmid int, memory, status string) *Live {
		return &Live{Target: Target{VMID: vmid, Type: pve.Qemu, Node: "a", Status: status}, Config: pve.Config{"memory": memory}, Places: Places{Nodes: []NodePlace{
			{Name: "a", Online: true, Memory: pve.Ptr(int64(64 << 30)), Committed: pve.Ptr(int64(0))},
			{Name: "b", Online: true, Memory: pve.Ptr(int64(8 << 30)), Committed: pve.Ptr(int64(2 << 30))},
			{Name: "c", Online: true, Memory: pve.Ptr(int64(8 << 30)), Committed: pve.Ptr(int64(4 << 30))},
			{Name: "d", Memory: pve.Ptr(int64(64 << 30))},
		}}}
	}
	template := live(105, "1024", "stopped")
	template.Target.Template = true
	steps, skipped, err := Drain{Node: "a"}.Join([]*Live{live(101, "4096", "running"), live(102, "2048", "running"), live(103, "8192", "running"), live(104, "512", "stopped"), template})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, s.Target.ID()+" "+s.Want.Node)
	}
	for _, s := range skipped {
		got = append(got, s.Guest+" "+strings.Fields(s.Reason)[0]+" "+strings.Fields(s.Reason)[1])
	}
	if want := "102 b, 101 b, 103 to c:, 104 it does, 105 it is"; strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", strings.Join(got, ", "), want)
	}
	if _, _, err := (Drain{Node: "a"}).Join([]*Live{{Target: Target{VMID: 101}}}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("without another node: %v", err)
	}
}

// TestCloneTaken: a batch never gives one vmid to two clones, one that is in use is refused, and one that is taken meanwhile makes the plan stale.
func TestCloneTaken(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		b := r.Batch("test", agent)
		ids := map[int]bool{}
		for range 3 {
			steps, err := b.Add(t.Context(), Request{Cluster: "home", Guest: "900", Action: Clone{}})
			if err != nil {
				t.Fatal(err)
			}
			ids[steps[0].Target.VMID] = true
		}
		if len(ids) != 3 {
			t.Errorf("the clones are %v", ids)
		}
		if _, err := r.Propose(t.Context(), Request{Tool: "test", Guest: "900", Action: Clone{NewID: 101}, Caller: agent}); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a vmid in use: %v", err)
		}
		p := r.propose(900, Clone{NewID: 9000})
		r.sim.Update(func(w *pvesim.World) { twin(w, likeStopped, 9000) })
		if done := r.apply(p.ID); done.State != Stale || !strings.Contains(done.Note, "taken meanwhile") {
			t.Errorf("%s: %s", done.State, done.Note)
		}
	})
}

// TestDrainSaysWhatMigrateSays: a drain names, node by node, what a migration there names, memory and all else together; a migration that is
// only tight for memory is planned, with a warning.
func TestDrainSaysWhatMigrateSays(t *testing.T) {
	t.Parallel()
	gib := func(n int64) *int64 { return pve.Ptr(n << 30) }
	l := &Live{Target: Target{Cluster: "home", Type: pve.Qemu, VMID: 206, Name: "gitlab", Node: "a", Status: "running"},
		Config: pve.Config{"memory": "12288", "scsi0": "local-lvm:vm-206-disk-0,size=100G", "parent": "old"},
		Places: Places{Nodes: []NodePlace{{Name: "a", Online: true}, {Name: "b", Online: true, Memory: gib(64), Committed: gib(60)}, {Name: "c", Online: true, Memory: gib(64), Committed: gib(0)}},
			Storages: []StoragePlace{{Name: "local-lvm", Type: "lvmthin", Nodes: []string{"a"}, Content: []string{"images"}}, {Name: "local-lvm", Type: "lvmthin", Nodes: []string{"b"}, Content: []string{"images"}}}}}
	const tight = "b has 4G of memory left beside what its running guests may take, this one may take 12G"
	_, _, err := Drain{Node: "b"}.Join([]*Live{{Target: l.Target, Places: Places{}}})
	if fault.CodeOf(err) != fault.Conflict {
		t.Errorf("nowhere to go: %v", err)
	}
	_, skipped, err := Drain{Node: "a"}.Join([]*Live{l})
	if err != nil || len(skipped) != 1 {
		t.Fatal(skipped, err)
	}
	for _, to := range []string{"b", "c"} {
		_, err := Migrate{Target: to}.Steps(l)
		if err == nil {
			t.Fatalf("a migration to %s is planned", to)
		}
		_, why, _ := strings.Cut(err.Error(), "to "+to+": ")
		if !strings.Contains(skipped[0].Reason, "to "+to+": "+why) || !strings.Contains(why, "snapshots on local disks") {
			t.Errorf("drain: %s\nmigrate: %s", skipped[0].Reason, why)
		}
	}
	if !strings.Contains(skipped[0].Reason, tight) {
		t.Errorf("memory is not named: %s", skipped[0].Reason)
	}
	delete(l.Config, "parent")
	if _, err := (Migrate{Target: "b"}).Steps(l); err != nil {
		t.Error(err)
	}
	if notes := (Migrate{Target: "b"}).Cautions([]*Live{l}); len(notes) != 1 || notes[0] != tight {
		t.Errorf("%v", notes)
	}
}
