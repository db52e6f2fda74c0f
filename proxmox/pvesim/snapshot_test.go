package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// volumesWorld is a demo cluster whose first nodes have storages of several types, with guests on them: 7001 files, 7002
// ZFS, 7003 thin LVM, 7004 a template of raw files with a cloud-init drive, 7005 shared files, 7006 running; containers 7100
// on ZFS, 7101 a template on ZFS, 7102 with a directory of the node, 7103 running on ZFS.
func volumesWorld() *World {
	w := DemoWorld(time.Now())
	for _, def := range []Object{{"storage": "files", "type": "dir", "path": "/files"}, {"storage": "zfs", "type": "zfspool", "pool": "zfs"},
		{"storage": "thin", "type": "lvmthin", "vgname": "vg"}, {"storage": "nas", "type": "nfs", "shared": 1, "path": "/nas"},
		{"storage": "off", "type": "dir", "path": "/off", "disable": 1}} {
		def["content"] = "images,rootdir"
		w.Storages = append(w.Storages, def)
		for _, n := range w.Nodes[:2] {
			n.Storage = append(n.Storage, Object{"storage": def["storage"], "type": def["type"], "active": 1, "enabled": bit(!truth(def["disable"])),
				"shared": def["shared"], "content": def["content"]})
		}
	}
	for _, d := range []struct {
		vmid          int
		store, format string
	}{{7001, "files", "qcow2"}, {7002, "zfs", "raw"}, {7003, "thin", "raw"}, {7005, "nas", "qcow2"}, {7006, "files", "qcow2"}} {
		w.testGuest(typeQEMU, d.vmid, "scsi0", d.store, d.format, Object{"name": "vm", "memory": "128", "vmgenid": "one",
			"net0": "virtio=AA:BB:CC:00:00:01,bridge=vmbr0", "smbios1": "serial=x,uuid=one"})
	}
	w.testGuest(typeQEMU, 7004, "scsi0", "files", "raw", Object{"name": "tmpl", "ide2": "files:7004/vm-7004-cloudinit.qcow2,media=cdrom"})
	_, _ = w.addVolume(w.Nodes[0], "files", volumeSpec{vmid: 7004, kind: contentImages, format: "qcow2", name: "vm-7004-cloudinit", size: cloudInitSize})
	w.SetConfig(7004, "template", 1)
	_ = w.baseVolumes(w.Nodes[0], 7004, "")
	for _, vmid := range []int{7100, 7101, 7102, 7103} {
		w.testGuest(typeLXC, vmid, "rootfs", "zfs", "subvol", Object{"hostname": "ct", "net0": "name=eth0,hwaddr=AA:BB:CC:00:00:02,type=veth"})
	}
	w.SetConfig(7101, "template", 1)
	_ = w.baseVolumes(w.Nodes[0], 7101, "")
	w.SetConfig(7102, "mp0", "/data,mp=/data")
	w.SetStatus(7103, "running")
	w.SetStatus(7006, "running")
	return w
}

func (w *World) testGuest(kind string, vmid int, key, store, format string, config Object) {
	content := contentImages
	if kind == typeLXC {
		content = contentRootDir
	}
	volid, _ := w.addVolume(w.Nodes[0], store, volumeSpec{vmid: vmid, kind: content, format: format, size: 1 << 30})
	config[key] = volid + ",size=1G"
	w.AddGuest(&Guest{VMID: vmid, Type: kind, Node: w.Nodes[0].Name, Config: config})
}

// follow makes requests one after the other ("request -> outcome"); "= 7001 key value" looks at a configuration.
func follow(t *testing.T, w *World, steps ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, w)
		defer r.stop()
		for _, step := range steps {
			request, want, _ := strings.Cut(step, " -> ")
			answer := r.act
			if look, ok := strings.CutPrefix(request, "= "); ok {
				request, answer = look, r.look
			}
			if got := answer(request); got != want {
				t.Errorf("%s: got %q, want %q", request, got, want)
			}
		}
	})
}

// look gives a key of a guest ("7001 scsi0"), its status or the names of its snapshots; "" for none.
func (r *rig) look(what string) (out string) {
	id, key, _ := strings.Cut(what, " ")
	r.sim.Update(func(w *World) {
		g := w.Guest(int(integer(id)))
		switch {
		case g == nil:
			out = "gone"
		case key == "status":
			out = g.Status()
		case key == "home":
			out = g.Node
			for _, n := range w.Nodes {
				for _, v := range n.guestVolumes(g.VMID) {
					out += fmt.Sprint(" ", n.Name, "/", v["volid"])
				}
			}
		case key == "snapshots":
			for _, s := range g.Snapshots {
				out += s.Name + "<" + s.Parent + " "
			}
		case key == "volumes":
			for _, v := range w.Nodes[0].guestVolumes(g.VMID) {
				out += fmt.Sprint(v["volid"], " ")
			}
		default:
			out = text(g.Config[key])
		}
	})
	return strings.TrimSpace(out)
}

// TestSnapshots: what storages, locks and volumes that are gone make of snapshots.
func TestSnapshots(t *testing.T) {
	const a, z, thin, ct = "/qemu/7001/snapshot", "/qemu/7002/snapshot", "/qemu/7003/snapshot", "/lxc/7100/snapshot"
	for name, steps := range map[string][]string{
		"ZFS goes back to the newest only": {"POST " + z + "?snapname=s1 -> OK", "POST " + z + "?snapname=s2 -> OK",
			"POST " + z + "/s1/rollback -> can't rollback, 's1' is not most recent snapshot on 'zfs:vm-7002-disk-0'", "= 7002 lock -> ",
			"DELETE " + z + "/s2 -> OK", "= 7002 parent -> s1", "POST " + z + "/s1/rollback -> OK"},
		"thin LVM goes back to any": {"POST " + thin + "?snapname=s1 -> OK", "POST " + thin + "?snapname=s2 -> OK", "POST " + thin + "/s1/rollback -> OK",
			"= 7003 parent -> s1", "POST " + thin + "?snapname=s3 -> OK", "DELETE " + thin + "/s1 -> OK", "= 7003 snapshots -> s2< s3<"},
		"a volume that is gone": {"POST " + a + "?snapname=s1 -> OK", "DELETE /storage/files/content/files:7001/vm-7001-disk-0.qcow2 -> OK",
			"DELETE " + a + "/s1 -> command '/usr/bin/qemu-img snapshot -d s1 /files/images/7001/vm-7001-disk-0.qcow2' failed: exit code 1",
			"= 7001 lock -> snapshot-delete", "DELETE " + a + "/s1?force=1 -> VM is locked (snapshot-delete)",
			"PUT " + a + "/s1/config?description=x -> 500 VM is locked (snapshot-delete)"},
		"a volume that is gone, by force": {"POST " + a + "?snapname=s1 -> OK", "DELETE /storage/files/content/files:7001/vm-7001-disk-0.qcow2 -> OK",
			"DELETE " + a + "/s1?force=1 -> OK", "= 7001 snapshots -> ", "= 7001 unused0 -> "},
		"a running VM with its memory": {"POST /qemu/7006/snapshot?snapname=live&vmstate=1 -> OK",
			"= 7006 volumes -> files:7006/vm-7006-disk-0.qcow2 files:7006/vm-7006-state-live.raw", "POST /qemu/7006/snapshot?snapname=cold -> OK",
			"POST /qemu/7006/snapshot/cold/rollback -> OK", "= 7006 status -> stopped", "POST /qemu/7006/snapshot/live/rollback -> OK", "= 7006 status -> running",
			"= 7006 runningcpu -> ", "DELETE /qemu/7006/snapshot/live -> OK", "= 7006 volumes -> files:7006/vm-7006-disk-0.qcow2", "= 7006 snapshots -> cold<"},
		"a container": {"POST " + ct + "?snapname=s1&description=x -> OK", "POST " + ct + "?snapname=vzdump -> 500 unable to use snapshot name 'vzdump' (reserved name)",
			"POST " + ct + "/s1/rollback?start=1 -> OK", "= 7100 status -> running"},
		"a directory of the node": {"POST /lxc/7102/snapshot?snapname=s1 -> snapshot feature is not available"},
	} {
		t.Run(name, func(t *testing.T) { follow(t, volumesWorld(), steps...) })
	}
}

// TestSnapshotAborted: what is interrupted leaves nothing behind.
func TestSnapshotAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, volumesWorld())
		defer r.stop()
		node := "/nodes/" + r.sim.firstNode()
		upid, _ := r.form("POST", node+"/qemu/7006/snapshot", "snapname=s1&vmstate=1").data.(string)
		time.Sleep(2 * forkTime)
		if got := r.look("7006 snapshots") + r.look("7006 lock"); got != "s1<snapshot" {
			t.Fatalf("at work: %q", got)
		}
		if row := r.get(node+"/qemu/7006/snapshot").row("name", "s1"); row["snapstate"] != snapPreparing {
			t.Errorf("state at work: %v", row["snapstate"])
		}
		r.sim.Update(func(w *World) { w.abort(w.Nodes[0].task(upid)) })
		if got := r.look("7006 snapshots") + r.look("7006 lock") + r.look("7006 volumes"); got != "files:7006/vm-7006-disk-0.qcow2" {
			t.Errorf("left behind: %q", got)
		}
	})
}
