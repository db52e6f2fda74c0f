package pvesim

import (
	"testing"
	"testing/synctest"
)

// diskWorld is lifeWorld with storages of other types: pools without files, one that is disabled, one for ISO images.
func diskWorld() *World {
	w := lifeWorld()
	n := w.Nodes[0]
	for id, def := range map[string]Object{
		"thin":  {"type": "lvmthin", "vgname": "vg", "thinpool": "data", "content": "images,rootdir"},
		"tank2": {"type": "zfspool", "pool": "tank", "content": "images,rootdir"},
		"rbd1":  {"type": "rbd", "pool": "p", "content": "images"},
		"off":   {"type": "dir", "path": "/off", "content": "images", "disable": 1},
		"isos":  {"type": "dir", "path": "/isos", "content": "iso,import"},
	} {
		def["storage"] = id
		on := bit(id != "off")
		w.Storages = append(w.Storages, def)
		n.Storage = append(n.Storage, Object{"storage": id, "type": def["type"], "active": on, "enabled": on, "content": def["content"]})
	}
	n.Content["isos"] = []Object{
		{"volid": "isos:iso/a.iso", "content": "iso", "format": "iso", "size": 70000},
		{"volid": "isos:import/d.raw", "content": "import", "format": "raw", "size": 1 << 20},
	}
	w.AddGuest(&Guest{VMID: 9004, Type: typeQEMU, Node: n.Name, Config: Object{"name": "four", "template": 1}})
	return w
}

// TestDrives: what the recordings do not show of disks; the steps of one case follow each other.
func TestDrives(t *testing.T) {
	const on = "POST /qemu/9001/status/start -> OK"
	for name, steps := range map[string][]string{
		"names of pools": {"set scsi1=thin:0.1&scsi2=tank2:1&virtio0=rbd1:2 -> <nil>", "? scsi1 -> thin:vm-9001-disk-0,size=104858K",
			"? scsi2 -> tank2:vm-9001-disk-0,size=1G", "? virtio0 -> rbd1:vm-9001-disk-0,size=2G",
			"set delete=scsi1 -> <nil>", "? unused0 -> thin:vm-9001-disk-0"},
		"formats of pools": {"set scsi1=thin:1,format%3Dqcow2 -> 500 unsupported format 'qcow2'",
			"set scsi1=tank2:abc -> 500 unable to parse zfs volume name 'abc'", "set scsi1=thin:x/y -> 500 unable to parse lvm volume name 'x/y'"},
		"the order of keys": {"set tpmstate0=thin:1,version%3Dv2.0&efidisk0=thin:1,efitype%3D4m&scsi1=thin:1 -> <nil>",
			"? efidisk0 -> thin:vm-9001-disk-0,efitype=4m,size=4M", "? scsi1 -> thin:vm-9001-disk-1,size=1G",
			"? tpmstate0 -> thin:vm-9001-disk-2,size=4M,version=v2.0"},
		"a failure midway": {"set sata0=thin:1&scsi1=off:1 -> 500 storage 'off' is disabled", "? sata0 ->  > thin:vm-9001-disk-0,size=1G",
			"POST /qemu?vmid=9009&sata0=tank2:1&scsi1=off:1 -> unable to create VM 9009 - storage 'off' is disabled", "GET /storage/tank2/content -> []"},
		"ISO images": {"set ide2=/isos/template/iso/a.iso -> <nil>", "? ide2 -> isos:iso/a.iso,media=cdrom,size=70144",
			"set scsi1=isos:iso/a.iso -> " + bad, "set scsi1=/nowhere/x.raw -> " + bad, "set virtio1=isos:iso/a.iso,media%3Dcdrom -> " + bad,
			"set scsi1=isos:import/d.raw -> " + bad, "set scsi1=isos:1 -> " + bad},
		"imports": {"set scsi1=thin:1,import-from%3Disos:import/d.raw -> " + bad,
			"set scsi1=thin:0,import-from%3Disos:import/d.raw -> <nil>", "? scsi1 -> thin:vm-9001-disk-0,size=1M",
			"set scsi2=thin:0,import-from%3Disos:iso/a.iso -> " + bad, "set scsi2=disks:0,import-from%3Ddisks:9001/vm-9001-disk-0.qcow2 -> <nil>",
			"? scsi2 -> disks:9001/vm-9001-disk-1.qcow2,size=1G"},
		"limits": {"set scsi1=thin:1,mbps%3D1,mbps_rd%3D1 -> " + bad, "set scsi1=thin:1,mbps_max%3D2,mbps_rd%3D1 -> <nil>"},
		"one cloud-init drive": {"set ide0=thin:cloudinit -> <nil>", "? ide0 -> thin:vm-9001-cloudinit,media=cdrom",
			"set ide1=disks:cloudinit -> 500 ide1 - cloud-init drive is already attached at 'ide0'", "set delete=ide0 -> <nil>",
			"? unused0 -> none", "GET /storage/thin/content -> []"},
		"options of a running disk": {on, "set scsi0=disks:9001/vm-9001-disk-0.qcow2,mbps%3D5,format%3Dqcow2 -> <nil>",
			"? scsi0 -> disks:9001/vm-9001-disk-0.qcow2,format=qcow2,mbps=5,size=1G",
			"set scsi0=disks:9001/vm-9001-disk-0.qcow2,cache%3Dnone -> <nil>",
			"? scsi0 -> disks:9001/vm-9001-disk-0.qcow2,format=qcow2,mbps=5,size=1G > disks:9001/vm-9001-disk-0.qcow2,cache=none,size=1G"},
		"sizes": {"PUT /qemu/9001/resize?disk=scsi0&size=1G -> OK", "PUT /qemu/9001/resize?disk=scsi0&size=%2B0.5G -> OK",
			"? scsi0 -> disks:9001/vm-9001-disk-0.qcow2,size=1536M", "PUT /qemu/9001/resize?disk=scsi0&size=2G&digest=00 -> checksum mismatch (file change by other user?)",
			"PUT /qemu/9009/resize?disk=scsi0&size=2G -> Configuration file 'nodes/pve1/qemu-server/9009.conf' does not exist",
			"set scsi1=disks:1,format%3Dvmdk -> <nil>", "PUT /qemu/9001/resize?disk=scsi1&size=2G -> can't resize this image format"},
		"moves": {"POST /qemu/9001/move_disk?disk=scsi0&storage=thin&format=qcow2&delete=1 -> OK", "? scsi0 -> thin:vm-9001-disk-0,size=1G",
			"GET /storage/disks/content -> []", "POST /qemu/9001/move_disk?disk=scsi0&storage=thin&format=qcow2 -> 500 you can't move to the same storage with same format",
			"POST /qemu/9001/move_disk?disk=scsi0&storage=off -> storage migration failed: storage 'off' is disabled",
			"POST /qemu/9001/move_disk?disk=scsi0&storage=disks&target-vmid=9002 -> " + bad,
			"POST /qemu/9001/move_disk?disk=scsi0&storage=disks&digest=00 -> 500 detected modified configuration - file changed by other user? Try again."},
		"moves of a disk in a snapshot": {"POST /qemu/9001/snapshot?snapname=s1 -> OK",
			"POST /qemu/9001/move_disk?disk=scsi0&storage=thin&delete=1 -> 500 you can't move a disk with snapshots and delete the source",
			"POST /qemu/9001/move_disk?disk=scsi0&storage=thin -> OK", "? unused0 -> disks:9001/vm-9001-disk-0.qcow2",
			"set delete=unused0 -> 500 unable to delete 'disks:9001/vm-9001-disk-0.qcow2' - volume is still in use (snapshot?)"},
		"owners": {"POST /qemu/9001/move_disk?disk=scsi0&target-vmid=9001 -> " + bad,
			"POST /qemu/9001/move_disk?disk=scsi0&target-vmid=9004 -> 500 Can't move disks from or to template VMs",
			"POST /qemu/9001/move_disk?disk=scsi7&target-vmid=9002 -> 500 Disk 'scsi7' for VM '9001' does not exist",
			"POST /qemu/9001/move_disk?disk=scsi0&target-vmid=9002&target-digest=00 -> 500 VM 9002: detected modified configuration - file changed by other user? Try again.",
			"POST /qemu/9001/move_disk?disk=scsi0&target-vmid=9002&target-disk=unused3 -> OK", "? scsi0 -> none",
			"set ide0=disks:1 -> <nil>", "set sata0=disks:1,iothread%3D1 -> " + bad, "set scsi1=disks:1,iothread%3D1 -> <nil>",
			"POST /qemu/9001/move_disk?disk=scsi1&target-vmid=9002&target-disk=sata0 -> 500 failed to parse source disk for target disk format - format error",
			"GET /storage/disks/content/9002/vm-9002-disk-0.qcow2 -> map[format:qcow2 path:/disks/images/9002/vm-9002-disk-0.qcow2 size:1.073741824e+09 used:266240]"},
		"owners while it runs": {on, "POST /qemu/9001/move_disk?disk=scsi0&target-vmid=9002 -> 500 Cannot move disk to another VM while the source VM is running - detach first"},
		"volumes": {"POST /storage/thin/content?vmid=9001&filename=other&size=1G -> 500 illegal name 'other' - should be 'vm-9001-*'",
			"POST /storage/thin/content?vmid=9001&filename=vm-9001-x&size=1 -> thin:vm-9001-x",
			"POST /storage/disks/content?vmid=9001&filename=x&size=1M -> 500 unable to parse volume filename 'x'",
			"POST /storage/disks/content?vmid=9001&filename=x.raw&size=1M&format=qcow2 -> " + bad,
			"DELETE /storage/disks/content/9001/vm-9001-disk-0.qcow2 -> OK", "DELETE /storage/disks/content/isos:iso/a.iso -> " + bad,
			"PUT /storage/isos/content/iso/a.iso?protected=1 -> 500 only backups support attribute 'protected'"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, diskWorld())
				defer r.stop()
				r.configure(steps...)
			})
		})
	}
}
