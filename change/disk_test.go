package change

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// TestDiskRefused: what Proxmox VE would refuse, or do otherwise than it sounds, is refused before, with the reason.
func TestDiskRefused(t *testing.T) {
	t.Parallel()
	vm := &Live{Target: Target{Type: pve.Qemu, VMID: 101, Node: "pve1", Status: "running"}, Config: pve.Config{"scsi0": "local-lvm:vm-101-disk-0,size=16G",
		"scsi1": "local:101/vm-101-disk-1.qcow2,size=8G", "ide2": "local:iso/a.iso,media=cdrom", "parent": "clean", "unused0": "local-lvm:vm-101-disk-2", "boot": "order=scsi0"}}
	ct := &Live{Target: Target{Type: pve.LXC, VMID: 102, Node: "pve1", Status: "running"}, Config: pve.Config{"rootfs": "local-lvm:vm-102-disk-0,size=8G",
		"mp0": "local-lvm:vm-102-disk-1,mp=/data,size=4G", "mp1": "/tank,mp=/tank"}}
	guarded := *vm
	guarded.Protection = true
	for _, c := range []struct {
		on    *Live
		disk  Disk
		words string
	}{
		{vm, Disk{Verb: "grow", Slot: "scsi0", Size: "8G"}, "cannot be made smaller"},
		{vm, Disk{Verb: "grow", Slot: "scsi0", Size: "32"}, "with its unit"},
		{vm, Disk{Verb: "grow", Slot: "scsi1", Size: "+1G"}, "snapshots"},
		{vm, Disk{Verb: "grow", Slot: "ide2", Size: "+1G"}, "CD drive"},
		{vm, Disk{Verb: "grow", Slot: "unused0", Size: "+1G"}, "size"},
		{vm, Disk{Verb: "add", Slot: "scsi0", Size: "8G"}, "holds"},
		{vm, Disk{Verb: "add", Slot: "sata6", Size: "8G"}, "0 to 5"},
		{vm, Disk{Verb: "add", Size: "8G", Options: "discard=on,file=/etc/passwd\nscsi9=x"}, "properties"},
		{vm, Disk{Verb: "move", Slot: "scsi0", Storage: "local-lvm"}, "already"},
		{vm, Disk{Verb: "move", Slot: "ide2", Storage: "nas"}, "CD drive"},
		{vm, Disk{Verb: "attach", Slot: "scsi1"}, "attached already"},
		{vm, Disk{Verb: "grow", Size: "+1G"}, "which disk of 101 is meant; it has scsi0, scsi1"},
		{vm, Disk{Verb: "detach"}, "which disk"},
		{vm, Disk{Verb: "detach", Slot: "unused0"}, "detached already"},
		{vm, Disk{Verb: "detach", Slot: "scsi7"}, "has no disk scsi7"},
		{&guarded, Disk{Verb: "remove", Slot: "scsi0"}, "protected"},
		{ct, Disk{Verb: "remove", Slot: "mp0"}, "only when it is stopped"},
		{ct, Disk{Verb: "move", Slot: "rootfs", Storage: "nas"}, "while it is stopped"},
		{ct, Disk{Verb: "detach", Slot: "rootfs"}, "root file system"},
		{ct, Disk{Verb: "detach", Slot: "mp1"}, "no volume"},
		{ct, Disk{Verb: "add", Size: "4G", Mount: "/a/../etc"}, "mount point"},
		{ct, Disk{Verb: "shrink"}, "one of add"},
	} {
		steps, err := c.disk.Steps(c.on)
		if f := fault.Of(err); err == nil || !strings.Contains(f.Error()+f.Rule, c.words) {
			t.Errorf("%+v: %v %v, want %q in it", c.disk, steps, err, c.words)
		}
	}
}

// TestOnlyDisk: where a guest has one disk, that is meant, in whatever spelling of the size.
func TestOnlyDisk(t *testing.T) {
	t.Parallel()
	l := &Live{Target: Target{Type: pve.Qemu, VMID: 100, Node: "pve1", Status: "running"}, Config: pve.Config{"scsi0": "local-lvm:vm-100-disk-0,size=16G", "ide2": "none,media=cdrom",
		"efidisk0": "local-lvm:vm-100-disk-1,size=4M", "unused0": "local-lvm:vm-100-disk-2"}}
	for _, size := range []string{"+20G", "+20GB", "+20g", " +20 GiB", "36GiB"} {
		steps, err := Disk{Verb: "grow", Size: size}.Steps(l)
		if err != nil || len(steps) != 1 || steps[0].Call.param("disk") != "scsi0" || steps[0].Call.param("size") != "36G" {
			t.Errorf("%q: %+v, %v", size, steps, err)
		}
	}
	if steps, err := (Disk{Verb: "attach"}).Steps(l); err != nil || !strings.HasPrefix(steps[0].Call.param("scsi1"), "local-lvm:vm-100-disk-2") {
		t.Errorf("the only unused one: %+v, %v", steps, err)
	}
}

// TestTags: what is added, removed or set, whatever its case; without any the key goes.
func TestTags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tags Tags
		want string
	}{
		{Tags{"add", []string{"new", "WEB"}}, "prod;new;WEB"},
		{Tags{"remove", []string{"Web"}}, "prod"},
		{Tags{"remove", []string{"web", "prod"}}, "-"},
		{Tags{"set", []string{"b", "a", "a"}}, "a;b"},
		{Tags{"set", nil}, "-"},
		{Tags{"add", []string{"prod"}}, "noop"},
	} {
		steps, err := c.tags.Steps(&Live{Target: Target{Type: pve.Qemu, VMID: 101, Tags: []string{"prod", "web"}}, Config: pve.Config{"tags": "prod;web"}})
		if err != nil {
			t.Fatal(err)
		}
		got := steps[0].Want.Set["tags"]
		switch {
		case steps[0].Noop != "":
			got = "noop"
		case len(steps[0].Want.Unset) > 0:
			got = "-"
		}
		if strings.Join(splitTags(got), ";") != strings.Join(splitTags(c.want), ";") {
			t.Errorf("%+v: %s, want %s", c.tags, got, c.want)
		}
	}
}
