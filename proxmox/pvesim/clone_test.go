package pvesim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestClones: what is copied and linked where, and what is refused.
func TestClones(t *testing.T) {
	for name, steps := range map[string][]string{
		"in full to another storage": {"POST /qemu/7001/clone?newid=8001&storage=thin&name=copy -> OK", "= 8001 scsi0 -> thin:vm-8001-disk-0,size=1G",
			"= 8001 name -> copy", "= 8001 lock -> ", "= 7001 volumes -> files:7001/vm-7001-disk-0.qcow2", "POST /qemu/8001/clone?newid=8002&storage=files&format=qcow2 -> OK",
			"= 8002 scsi0 -> files:8002/vm-8002-disk-0.qcow2,size=1G", "= 8002 name -> Copy-of-VM-copy"},
		"linked, with a cloud-init drive of its own": {"POST /qemu/7004/clone?newid=8001 -> OK", "= 8001 template -> ",
			"= 8001 scsi0 -> files:7004/base-7004-disk-0.raw/8001/vm-8001-disk-0.qcow2,size=1G",
			"= 8001 ide2 -> files:8001/vm-8001-cloudinit.qcow2,media=cdrom,size=4M",
			"DELETE /qemu/7004 -> base volume 'files:7004/base-7004-disk-0.raw' is still in use by linked cloned", "DELETE /qemu/8001 -> OK", "DELETE /qemu/7004 -> OK"},
		"a template of a linked clone": {"POST /qemu/7004/clone?newid=8001 -> OK", "POST /qemu/8001/template -> OK", "POST /qemu/8001/clone?newid=8002 -> OK",
			"= 8002 scsi0 -> files:8001/base-8001-disk-0.qcow2/8002/vm-8002-disk-0.qcow2,size=1G",
			"DELETE /qemu/8001 -> base volume 'files:7004/base-7004-disk-0.raw/8001/base-8001-disk-0.qcow2' is still in use by linked cloned"},
		"one more disk of a template": {"POST /qemu/7004/template?disk=scsi0 -> OK", "POST /qemu/7001/template -> OK", "= 7001 scsi0 -> files:7001/base-7001-disk-0.qcow2,size=1G",
			"POST /qemu/7001/snapshot?snapname=s1 -> you can't take a snapshot if it's a template"},
		"thin LVM links snapshots": {"POST /qemu/7003/snapshot?snapname=s1 -> OK", "POST /qemu/7003/clone?newid=8001&snapname=s1&full=0 -> OK",
			"POST /qemu/7003/clone?newid=8002&full=0 -> 500 Linked clone feature is not supported for 'thin:vm-7003-disk-0' (scsi0)"},
		"ZFS does not copy snapshots": {"POST /qemu/7002/snapshot?snapname=s1 -> OK",
			"POST /qemu/7002/clone?newid=8001&snapname=s1 -> 500 Full clone feature is not supported for 'zfs:vm-7002-disk-0' (scsi0)"},
		"to another node": {"POST /qemu/7005/clone?newid=8001&target=pve2 -> OK", "= 8001 scsi0 -> nas:8001/vm-8001-disk-0.qcow2,size=1G",
			"GET /qemu/8001/config -> 500 Configuration file 'nodes/pve1/qemu-server/8001.conf' does not exist",
			"POST /qemu/7001/clone?newid=8002&target=pve2 -> 500 can't clone VM to node 'pve2' (VM uses local storage)",
			"POST /qemu/7001/clone?newid=8002&target=pve2&storage=files -> 500 can't clone to non-shared storage 'files'",
			"POST /qemu/7005/clone?newid=8002&target=pve1 -> OK"},
		"a running VM": {"POST /qemu/7006/clone?newid=8001 -> OK", "= 8001 status -> stopped"},
		"an id that is taken": {"POST /qemu/7001/clone?newid=7001 -> 500 unable to create VM 7001: config file already exists",
			"POST /qemu/7001/clone?newid=7100 -> close (rename) atomic file '/etc/pve/nodes/pve1/qemu-server/7100.conf' failed: File exists",
			"= 7100 hostname -> ct", "POST /lxc/7100/clone?newid=7001 -> 500 VM 7001 already exists on node 'pve1'"},
		"a storage that is off": {"POST /qemu/7001/clone?newid=8001&storage=off -> 500 storage 'off' is disabled",
			"POST /qemu/7004/clone?newid=8001&format=raw -> 500 parameter 'format' not allowed for linked clones"},
		"containers": {"POST /lxc/7101/clone?newid=8001 -> OK", "= 8001 rootfs -> zfs:basevol-7101-disk-0/subvol-8001-disk-0,size=1G",
			"POST /lxc/7100/clone?newid=8002&full=0 -> 500 Linked clone feature for 'zfs:subvol-7100-disk-0' is not available", "= 8002 hostname -> gone",
			"POST /lxc/7100/clone?newid=8002&hostname=new&storage=files -> OK", "= 8002 rootfs -> files:8002/vm-8002-disk-0.raw,size=1G", "= 8002 hostname -> new",
			"= 7100 lock -> ", "POST /lxc/7103/clone?newid=8003 -> 500 Cannot do full clones on a running container without snapshots", "= 7103 lock -> ",
			"POST /lxc/7102/clone?newid=8003 -> 500 unable to clone mountpoint 'mp0' (type bind)", "= 8003 rootfs -> gone"},
	} {
		t.Run(name, func(t *testing.T) { follow(t, volumesWorld(), steps...) })
	}
}

// TestCloneIdentity: a clone is another machine.
func TestCloneIdentity(t *testing.T) {
	w := volumesWorld()
	w.Guest(7001).Firewall.Options = Object{"enable": 1}
	follow(t, w, "POST /qemu/7001/snapshot?snapname=s1&description=before -> OK", "POST /qemu/7001/clone?newid=8001 -> OK",
		"POST /lxc/7100/clone?newid=8002 -> OK", "= 8001 parent -> ", "= 8001 snapshots -> ")
	a, b := w.Guest(7001), w.Guest(8001)
	for _, key := range []string{"vmgenid", "net0", "smbios1"} {
		if text(a.Config[key]) == text(b.Config[key]) || text(b.Config[key]) == "" {
			t.Errorf("%s: %v of both", key, b.Config[key])
		}
	}
	if got := text(b.Config["smbios1"]); !strings.HasPrefix(got, "serial=x,uuid=") {
		t.Errorf("smbios1 %q", got)
	}
	if got := text(b.Config["net0"]); !strings.HasPrefix(got, "virtio=BC:24:11:") || !strings.HasSuffix(got, ",bridge=vmbr0") {
		t.Errorf("net0 %q", got)
	}
	if got := text(w.Guest(8002).Config["net0"]); !strings.HasPrefix(got, "name=eth0,hwaddr=BC:24:11:") {
		t.Errorf("net0 of the container %q", got)
	}
	if b.Firewall == a.Firewall || text(b.Firewall.Options["enable"]) != "1" {
		t.Errorf("firewall %v", b.Firewall.Options)
	}
}

// TestClonesSideBySide: several clones of a stopped VM run at the same time, and its configuration waits for them; one that
// is interrupted leaves nothing.
func TestClonesSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, volumesWorld())
		defer r.stop()
		start := func(id string) string {
			upid, _ := r.form("POST", "/nodes/pve1/qemu/7001/clone", "newid="+id).data.(string)
			return upid
		}
		begun := time.Now()
		first, second := start("8001"), start("8002")
		time.Sleep(2 * forkTime)
		if got := r.look("8001 lock") + r.look("8002 lock"); got != "cloneclone" {
			t.Errorf("locks %q", got)
		}
		if got := r.exit(first) + r.exit(second); got != "OKOK" {
			t.Errorf("outcomes %q", got)
		}
		if took := time.Since(begun); took > 2*copyTime(1<<30) {
			t.Errorf("took %s: one after the other", took)
		}
		third := start("8003")
		time.Sleep(2 * forkTime)
		r.sim.Update(func(w *World) { w.abort(w.Nodes[0].task(third)) })
		if got := r.exit(third) + ", " + r.look("8003 lock"); got != "clone failed: interrupted by signal, gone" {
			t.Errorf("the interrupted one: %q", got)
		}
		r.sim.Update(func(w *World) {
			if list := w.Nodes[0].guestVolumes(8003); len(list) > 0 || len(w.flocks) > 0 {
				t.Errorf("volumes %v, locks %v are left", list, w.flocks)
			}
		})
	})
}
