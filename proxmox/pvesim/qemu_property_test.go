package pvesim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machineOps are what clients do to VMs; %d is a vmid, %s the first node.
var machineOps = []string{
	"POST /nodes/%s/qemu?vmid=%d&scsi0=disks:1,format=qcow2&name=made", "POST /nodes/%s/qemu?vmid=%d&scsi0=disks:1,format=qcow2&net0=virtio,bridge=vmbr0&start=1",
	"POST /nodes/%s/qemu?vmid=%d&scsi0=disks:1&scsi1=disks:99999999", "POST /nodes/%s/qemu/%d/status/start", "POST /nodes/%s/qemu/%d/status/stop",
	"POST /nodes/%s/qemu/%d/status/stop?overrule-shutdown=1", "POST /nodes/%s/qemu/%d/status/shutdown?timeout=20", "POST /nodes/%s/qemu/%d/status/reboot",
	"POST /nodes/%s/qemu/%d/status/suspend", "POST /nodes/%s/qemu/%d/status/suspend?todisk=1", "POST /nodes/%s/qemu/%d/status/resume",
	"PUT /nodes/%s/qemu/%d/config?scsi1=disks:1", "PUT /nodes/%s/qemu/%d/config?delete=scsi1", "PUT /nodes/%s/qemu/%d/config?memory=64",
	"POST /nodes/%s/qemu/%d/snapshot?snapname=some&vmstate=1", "POST /nodes/%s/qemu/%d/snapshot/some/rollback", "DELETE /nodes/%s/qemu/%d/snapshot/some",
	"DELETE /nodes/%s/qemu/%d?destroy-unreferenced-disks=1&purge=1", "abort",
}

// machines is a world with a clock of its own, to which requests come in without a network.
type machines struct {
	sim *Sim
	now time.Time
}

func newMachines() *machines {
	m := &machines{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	w := DemoWorld(m.now)
	n := w.Nodes[0]
	n.Storage = append(n.Storage, Object{"storage": "disks", "type": "dir", "active": 1, "enabled": 1, "content": "images"})
	w.Storages = append(w.Storages, Object{"storage": "disks", "type": "dir", "path": "/disks", "content": "images"})
	m.sim = New(w, WithClock(func() time.Time { return m.now }), WithoutDelays())
	return m
}

// ask sends an operation; a parameter is a form for writes and a query for the others. It gives the status.
func (m *machines) ask(op string, vmid int) int {
	method, target, _ := strings.Cut(fmt.Sprintf(op, m.sim.firstNode(), vmid), " ")
	path, form, _ := strings.Cut(target, "?")
	return m.sim.serve(asking(context.Background(), m.sim, method, path, form)).status
}

// abortAny ends the task of a node that began last, if it runs.
func (m *machines) abortAny() {
	m.sim.Update(func(w *World) {
		for _, t := range w.Nodes[0].Tasks {
			if t.Running() {
				w.abort(t)
				return
			}
		}
	})
}

// TestMachinesStayWhole: whatever is done to VMs at once, in the end every task has ended, no lock is held, each disk
// belongs to one VM that is there, each drive has its disk, and digests are those of the configurations.
func TestMachinesStayWhole(t *testing.T) {
	logChecks(t)
	rapid.Check(t, func(t *rapid.T) {
		m := newMachines()
		for range rapid.IntRange(5, 40).Draw(t, "operations") {
			vmid := rapid.IntRange(9001, 9003).Draw(t, "vmid")
			if op := rapid.SampledFrom(machineOps).Draw(t, "operation"); op == "abort" {
				m.abortAny()
			} else if code := m.ask(op, vmid); code != 200 && code != 500 {
				t.Fatalf("%s of %d: %d", op, vmid, code)
			}
			m.now = m.now.Add(rapid.SampledFrom([]time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second}).Draw(t, "pause"))
		}
		for range 100 { // what waits for locks goes on one after the other
			m.now = m.now.Add(time.Minute)
			m.ask("GET /nodes/%[1]s/qemu", 0)
		}
		m.sim.Update(func(w *World) { checkMachines(t, w) })
	})
}

func checkMachines(t *rapid.T, w *World) {
	n := w.Nodes[0]
	for _, task := range n.Tasks {
		if task.Running() && task.job != nil {
			t.Errorf("%s runs for ever", task.UPID)
		}
	}
	if len(w.flocks) > 0 {
		t.Errorf("locks are held: %v", w.flocks)
	}
	owners := map[string]int{}
	for vmid := 9001; vmid <= 9003; vmid++ {
		g := w.Guest(vmid)
		if g == nil {
			if left := n.guestVolumes(vmid); len(left) > 0 {
				t.Errorf("%d is gone and has left %v", vmid, left)
			}
			continue
		}
		checkMachine(t, n, g, owners)
	}
}

func checkMachine(t *rapid.T, n *Node, g *Guest, owners map[string]int) {
	if want := sha1Hex(g.file()); g.Digest != want {
		t.Errorf("digest of %d is %s, want %s", g.VMID, g.Digest, want)
	}
	for _, config := range append([]Object{g.Config}, g.Pending) {
		for key, v := range config {
			volid := driveVolume(text(v))
			if !isOwnable(key, text(v)) {
				continue
			}
			if n.volume(volid) == nil {
				t.Errorf("%s of %d is %s, which is not there: %v", key, g.VMID, volid, config)
			}
			if other, ok := owners[volid]; ok && other != g.VMID {
				t.Errorf("%s belongs to %d and %d", volid, other, g.VMID)
			}
			owners[volid] = g.VMID
		}
	}
	for _, v := range n.guestVolumes(g.VMID) {
		if volid := text(v["volid"]); !slices.Contains(g.ownVolumes(n), volid) {
			t.Errorf("%s belongs to %d, which does not know it: %v", volid, g.VMID, g.Config)
		}
	}
}
