package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// diskSamples are clones, templates and disks.
func diskSamples() []sample {
	disk := func(d Disk) Action { return d }
	clone := func(c Clone) func(int) Action {
		return func(vmid int) Action { c.NewID = madeOf(vmid); return c }
	}
	return []sample{
		{name: "clone", of: likeRunning, act: clone(Clone{NewName: "copy", Storage: "local-zfs", Pool: "lab"}), made: true, hidden: true, undo: true,
			worked: madeWith("stopped", "name", "copy")},
		{name: "clone, configured and started", of: likeStopped, made: true, hidden: true, undo: true,
			act:    clone(Clone{NewName: "copy", Set: map[string]string{"memory": "3072"}, Grow: "+8G", Start: true}),
			worked: madeWith("running", "memory", "3072")},
		{name: "clone of a snapshot", of: likeSnapshot, act: clone(Clone{Snapshot: "pre-upgrade-18", Linked: true}), made: true, hidden: true, undo: true,
			worked: madeWith("stopped", "cores", "4")},
		{name: "clone of a container", of: likeContainer, prep: stopped, act: clone(Clone{NewName: "copy"}), made: true, hidden: true, undo: true,
			worked: madeWith("stopped", "hostname", "copy")},

		{name: "disk added", of: likeStopped, action: disk(Disk{Verb: "add", Size: "4G", Options: "discard=on"}), worked: set("scsi1", "local-lvm:vm-"), undo: true},
		{name: "disk added, running", of: likeRunning, action: disk(Disk{Verb: "add", Slot: "virtio", Size: "512M", Storage: "local-zfs"}), worked: set("virtio0", "local-zfs:vm-"), undo: true},
		{name: "volume added", of: likeContainer, prep: stopped, action: disk(Disk{Verb: "add", Size: "4G", Mount: "/data"}), worked: set("mp0", "local-zfs:subvol-"), undo: true},
		{name: "volume added, running", of: likeContainer, action: disk(Disk{Verb: "add", Size: "4G", Mount: "/data"}), worked: set("mp0", "local-zfs:subvol-")},
		{name: "disk grown", of: likeRunning, action: disk(Disk{Verb: "grow", Slot: "scsi0", Size: "+8G"}), worked: holdsText("scsi0", "size=48G")},
		{name: "volume grown", of: likeContainer, action: disk(Disk{Verb: "grow", Slot: "rootfs", Size: "20G"}), worked: holdsText("rootfs", "size=20G")},
		{name: "disk moved", of: likeStopped, action: disk(Disk{Verb: "move", Slot: "scsi0", Storage: "local-zfs"}), worked: set("scsi0", "local-zfs:"), undo: true},
		{name: "disk moved, running", of: likeRunning, action: disk(Disk{Verb: "move", Slot: "scsi0", Storage: "local-zfs", Keep: true}), worked: set("scsi0", "local-zfs:")},
		{name: "volume moved", of: likeContainer, prep: stopped, action: disk(Disk{Verb: "move", Slot: "rootfs", Storage: "local-lvm"}), worked: set("rootfs", "local-lvm:"), undo: true},
		{name: "disk detached by slot", of: likeStopped, action: disk(Disk{Verb: "detach", Slot: "scsi0"}), worked: set("unused0", "local-lvm:"), undo: true},
		{name: "disk attached again", of: likeStopped, prep: detached, action: disk(Disk{Verb: "attach"}), worked: set("scsi0", "local-lvm:"), undo: true},
		{name: "disk removed", of: likeStopped, action: disk(Disk{Verb: "remove", Slot: "scsi0"}), worked: noVolume},
		{name: "unused disk removed", of: likeRunning, prep: detached, action: disk(Disk{Verb: "remove", Slot: "unused0"}), worked: noVolume},
		{name: "template", of: likeStopped, action: Template{}, worked: set("template", "1")},
		{name: "template of a container", of: likeContainer, prep: stopped, action: Template{}, worked: set("template", "1")},
		{name: "migrated", of: likeStopped, action: Migrate{Target: "pve1"}, worked: on("pve1"), undo: true},
		{name: "migrated, running", of: likeRunning, action: Migrate{Target: "pve1", Storage: "local-zfs"}, worked: on("pve1"), undo: true},
		{name: "container migrated", of: likeContainer, action: Migrate{Target: "pve1"}, worked: on("pve1"), undo: true},
		{name: "drained", of: likeRunning, action: Drain{Node: home}, worked: on("pve1"), undo: true},
		{name: "tags added", of: likeRunning, action: Tags{Verb: "add", Tags: []string{"new"}}, worked: set("tags", "games;new"), undo: true},
		{name: "tags removed", of: likeRunning, action: Tags{Verb: "remove", Tags: []string{"Games"}}, worked: unset("tags"), undo: true},
		{name: "card added", of: likeRunning, action: NIC{Verb: "add", Bridge: "vmbr0", VLAN: pve.Ptr(20), Firewall: pve.Ptr(true)}, worked: holdsText("net1", "tag=20"), undo: true},
		{name: "card changed", of: likeStopped, action: NIC{Verb: "change", VLAN: pve.Ptr(30), Rate: pve.Ptr(12.5), Down: pve.Ptr(true), Model: "e1000"}, worked: holdsText("net0", "tag=30"), undo: true},
		{name: "container's card changed", of: likeContainer, action: NIC{Verb: "change", Slot: "net0", Rate: pve.Ptr(10.0)}, worked: holdsText("net0", "rate=10"), undo: true},
		{name: "card taken out", of: likeStopped, action: NIC{Verb: "remove", Slot: "net0"}, worked: unset("net0"), undo: true},
		{name: "pool created", of: likeStopped, away: true, apart: true, undo: true, worked: poolThereNow(true), direct: func(_ *pvesim.World, vmid int) Direct {
			return Pool{Cluster: "home", Verb: "create", Pool: fmt.Sprintf("new%d", vmid), Comment: "a text"}
		}},
		{name: "pool deleted", of: likeStopped, away: true, worked: poolThereNow(false), prep: aPool, direct: func(_ *pvesim.World, vmid int) Direct {
			return Pool{Cluster: "home", Verb: "delete", Pool: fmt.Sprintf("new%d", vmid)}
		}},
		{name: "storage put into a pool", of: likeStopped, away: true, apart: true, undo: true, worked: storageIn(true), prep: aPool, direct: func(_ *pvesim.World, vmid int) Direct {
			return Pool{Cluster: "home", Verb: "add", Pool: fmt.Sprintf("new%d", vmid), Storage: "local-zfs"}
		}},
		{name: "storage taken out of a pool", of: likeStopped, away: true, apart: true, undo: true, worked: storageIn(false), prep: func(w *pvesim.World, vmid int) {
			aPool(w, vmid)
			w.Pool(fmt.Sprintf("new%d", vmid)).Storages = []string{nas, "local-zfs"}
		}, direct: func(_ *pvesim.World, vmid int) Direct {
			return Pool{Cluster: "home", Verb: "remove", Pool: fmt.Sprintf("new%d", vmid), Storage: "local-zfs"}
		}},
		{name: "node woken", of: likeStopped, slow: true, away: true, prep: asleep,
			worked: func(w *pvesim.World, _ *then) bool { return w.Node("pve3").Online },
			direct: func(*pvesim.World, int) Direct { return Wake{Cluster: "home", Node: "pve3"} }},
		{name: "volume removed", of: likeContainer, prep: mounted, action: disk(Disk{Verb: "remove", Slot: "mp0"}), worked: unset("mp0")},
	}
}

// madeWith says that the sample's new guest is there, in a state and with a key.
func madeWith(state, key, value string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(madeOf(was.vmid))
		return g != nil && g.Status() == state && valueOf(g, "lock") == "" && valueOf(g, key) == value
	}
}

func holdsText(key, part string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && strings.Contains(valueOf(g, key), part)
	}
}

// asleep switches pve3 off; nothing starts with it, so that it is as before once it is up.
func asleep(w *pvesim.World, _ int) {
	for _, g := range w.Guests() {
		if g.Node == "pve3" {
			w.SetConfig(g.VMID, "onboot", nil)
		}
	}
	w.SetNodeOnline("pve3", false)
}

func on(node string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && g.Node == node && g.Status() == was.guest.Status() && valueOf(g, "lock") == ""
	}
}

func poolThereNow(there bool) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool { return (w.Pool(fmt.Sprintf("new%d", was.vmid)) != nil) == there }
}

func aPool(w *pvesim.World, vmid int) {
	w.Pools = append(w.Pools, &pvesim.Pool{ID: fmt.Sprintf("new%d", vmid)})
}

func storageIn(there bool) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		p := w.Pool(fmt.Sprintf("new%d", was.vmid))
		return p != nil && slices.Contains(p.Storages, "local-zfs") == there
	}
}

// detached moves the guest's only disk to an unused slot.
func detached(w *pvesim.World, vmid int) {
	volid, _, _ := strings.Cut(valueOf(w.Guest(vmid), "scsi0"), ",")
	w.SetConfig(vmid, "unused0", volid)
	w.SetConfig(vmid, "scsi0", nil)
	w.SetConfig(vmid, "boot", nil)
}

// mounted gives a stopped container a second volume.
func mounted(w *pvesim.World, vmid int) {
	stopped(w, vmid)
	volid := fmt.Sprintf("local-zfs:subvol-%d-disk-1", vmid)
	n := w.Node(home)
	n.Content["local-zfs"] = append(n.Content["local-zfs"], pvesim.Object{"volid": volid, "vmid": vmid, "content": "rootdir", "format": "subvol", "size": int64(4 << 30), "ctime": int64(1)})
	w.SetConfig(vmid, "mp0", volid+",mp=/data,size=4G")
}

// noVolume says that the guest has lost its disk, and the storage the volume.
func noVolume(w *pvesim.World, was *then) bool {
	for _, v := range w.Node(home).Content["local-lvm"] {
		if v["vmid"] == was.vmid {
			return false
		}
	}
	g := w.Guest(was.vmid)
	return g != nil && valueOf(g, "scsi0") == "" && valueOf(g, "unused0") == ""
}
