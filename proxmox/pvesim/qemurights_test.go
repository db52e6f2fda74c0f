package pvesim

import (
	"testing"
	"testing/synctest"
)

// TestConfigureRights: what a user with some rights may change, and how the refusals are worded.
func TestConfigureRights(t *testing.T) {
	const no = "403 Permission check failed "
	all := "VM.Audit,VM.Config.CPU,VM.Config.Memory,VM.Config.Network,VM.Config.HWType,VM.Config.Options,VM.Config.Disk,VM.Config.CDROM,VM.Config.Cloudinit"
	for name, tt := range map[string]struct {
		privs string // on the VM
		steps []string
	}{
		"all of them": {all, []string{"set cores=2&memory=64&description=x&tablet=0&boot=order%3Dscsi0&ciuser=a&tags=a&numa0=cpus%3D0 -> <nil>",
			"set affinity=0 -> 500 only root can set 'affinity' config", "set lock=backup -> 500 only root can set 'lock' config",
			"set delete=args -> 500 only root can set 'args' config", "set startup=order%3D1 -> " + no + "(/, Sys.Modify)",
			"set net0=virtio,bridge%3Dvmbr0 -> " + no + "(/sdn/zones/localnetwork/vmbr0, SDN.Use)",
			"set net0=virtio,bridge%3Dvmbr0,tag%3D7 -> " + no + "(/sdn/zones/localnetwork/vmbr0/7, SDN.Use)", "set net1=virtio -> <nil>",
			"set scsi1=disks:1 -> " + no + "(/storage/disks, Datastore.AllocateSpace)", "set serial0=socket -> <nil>",
			"set serial0=/dev/ttyS0 -> 500 only root can modify 'serial0' config for real devices",
			"set usb0=mapping%3Dkey -> " + no + "(/mapping/usb/key, Mapping.Use)",
			"set hostpci0=0000:01:00.0 -> 500 only root can set 'hostpci0' config for non-mapped devices", "set delete=scsi0 -> <nil>"}},
		"options": {"VM.Audit,VM.Config.Options", []string{"set name=x&tags=b -> <nil>", "set cores=2 -> " + no + "(/vms/9001, VM.Config.CPU)",
			"set memory=64 -> " + no + "(/vms/9001, VM.Config.Memory)", "set delete=scsihw -> " + no + "(/vms/9001, VM.Config.HWType)",
			"set ipconfig0=ip%3Ddhcp -> " + no + "(/vms/9001, VM.Config.Cloudinit|VM.Config.Network)", "set delete=scsi0 -> " + no + "(/vms/9001, VM.Config.Disk)",
			"set ide2=none -> " + no + "(/vms/9001, VM.Config.CDROM)", "set bootdisk=scsi0 -> " + no + "(/vms/9001, VM.Config.Disk)"}},
		"no options": {"VM.Audit,VM.Config.CDROM", []string{"set tags=a -> " + no + "(/vms/9001, VM.Config.Options)", "set ide2=none,media%3Dcdrom -> <nil>",
			"set delete=ide2 -> <nil>", "set ide2=disks:cloudinit -> " + no + "(/vms/9001, VM.Config.Cloudinit)", "PUT /qemu/9001/cloudinit -> " + no + "(/vms/9001, VM.Config.Cloudinit)"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := lifeWorld()
				w.Access.Roles = append(w.Access.Roles, Object{"roleid": "Tried", "privs": tt.privs})
				w.AddUser("u@pve", "secret99")
				w.AddACL("/vms/9001", "user", "u@pve", "Tried", true)
				r := newRig(t, w)
				defer r.stop()
				r.sim.Update(func(w *World) { r.token = w.AddToken("u@pve", "t", "00000000-0000-4000-8000-000000000001", false) })
				r.configure(tt.steps...)
			})
		})
	}
}

// TestTagRights: tags that the datacenter keeps for administrators.
func TestTagRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lifeWorld()
		w.Cluster.Options["registered-tags"] = []any{"prod"}
		w.Cluster.Options["user-tag-access"] = Object{"user-allow": "list", "user-allow-list": []any{"dev", "test"}}
		w.Access.Roles = append(w.Access.Roles, Object{"roleid": "Tried", "privs": "VM.Config.Options,VM.Audit"})
		w.AddUser("u@pve", "secret99")
		w.AddACL("/vms/9001", "user", "u@pve", "Tried", true)
		r := newRig(t, w)
		defer r.stop()
		r.configure("set tags=prod -> <nil>")
		r.sim.Update(func(w *World) { r.token = w.AddToken("u@pve", "t", "00000000-0000-4000-8000-000000000001", false) })
		r.configure("set tags=prod%3Bdev -> <nil>", "set tags=dev -> 403 Permission check failed (/, Sys.Modify)",
			"set tags=prod%3Bother -> 403 Permission check failed (/, Sys.Modify)", "? tags -> dev;prod")
	})
}

// TestTagStyle: the datacenter's options keep order and case of tags.
func TestTagStyle(t *testing.T) {
	for style, want := range map[string]string{"": "a;b", "ordering=config": "b;a", "case-sensitive=1": "B;a;b", "ordering=config,case-sensitive=1": "b;B;a"} {
		w := lifeWorld()
		w.Cluster.Options["tag-style"] = style
		if got := w.uniqueTags("b,B,a,b"); got != want {
			t.Errorf("%q: %s", style, got)
		}
	}
}
