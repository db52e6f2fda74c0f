package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// configure does steps "request -> outcome" on a VM. "? key" shows what GET pending has of a key: its value, > and what waits,
// - when it waits for removal; "! key" shows it in GET cloudinit.
func (r *rig) configure(steps ...string) {
	r.t.Helper()
	for _, step := range steps {
		request, want, _ := strings.Cut(step, " -> ")
		var got string
		switch verb, rest, _ := strings.Cut(request, " "); verb {
		case "?":
			got = r.waiting("/qemu/9001/pending", rest)
		case "!":
			got = r.waiting("/qemu/9001/cloudinit", rest)
		case "set":
			got = r.act("PUT /qemu/9001/config?" + rest)
		default:
			got = r.act(request)
		}
		if got != want {
			r.t.Errorf("%s: got %q, want %q", request, got, want)
		}
	}
}

func (r *rig) waiting(path, key string) string {
	list, _ := r.get("/nodes/" + r.sim.firstNode() + path).data.([]any)
	for _, v := range list {
		o, _ := v.(map[string]any)
		if o["key"] != key {
			continue
		}
		out := ""
		if v, ok := o["value"]; ok {
			out = fmt.Sprint(v)
		}
		if v, ok := o["pending"]; ok {
			out += fmt.Sprint(" > ", v)
		}
		if v, ok := o["delete"]; ok {
			out += fmt.Sprint(" -", v)
		}
		return out
	}
	return "none"
}

const bad = "400 Parameter verification failed."

// TestConfigure: what the recordings do not show of changing a VM. The VM is off at first, and the caller is a token of
// root@pam.
func TestConfigure(t *testing.T) {
	on := "POST /qemu/9001/status/start -> OK"
	off := "POST /qemu/9001/status/stop -> OK"
	for name, steps := range map[string][]string{
		"values": {"set tags=B%3Ba,b -> <nil>", "? tags -> a;b", "set cpuunits=20000 -> <nil>", "? cpuunits -> 10000",
			"set description=x%0A%0A -> <nil>", "? description -> x", "set description= -> <nil>", "? description -> none",
			"set net1=bridge=vmbr0,model=e1000,macaddr=aa:bb:cc:00:00:09,tag=5 -> <nil>",
			"? net1 -> e1000=aa:bb:cc:00:00:09,bridge=vmbr0,tag=5", "set boot=order%3Dnet0 -> <nil>", "? boot -> order=net0"},
		"refused": {"set args=-x -> 500 only root can set 'args' config", "set hookscript=disks:snippets/a.sh -> " + bad,
			"set memory=64&balloon=128 -> 500 balloon value too large (must be smaller than assigned memory)",
			"set usb0=host%3D1234:5678 -> 500 only root can set 'usb0' config for real devices", "set usb0=host%3Dspice -> <nil>",
			"set serial0=socket -> <nil>", "set serial1=/dev/ttyS0 -> 500 only root can modify 'serial1' config for real devices",
			"set vga=serial0,clipboard%3Dvnc -> 500 vga type serial0 is not compatible with VNC clipboard",
			"set delete=net0&revert=net0 -> " + bad, "set revert=none -> " + bad, "set protection=1 -> <nil>",
			"set delete=scsi0 -> 500 can't remove drive 'scsi0' - protection mode enabled"},
		"waits": {on, "set cores=2&onboot=1&tablet=0 -> <nil>", "? cores ->  > 2", "? onboot -> 1"},
		"a disk goes": {"set scsi1=disks:1 -> <nil>", "set delete=scsi1&force=1 -> <nil>", "? scsi1 -> none", "? unused0 -> none",
			"set ide0=disks:1 -> <nil>", on, "set delete=ide0 -> <nil>", "? ide0 -> disks:9001/vm-9001-disk-1.raw,size=1G -1", off,
			"? ide0 -> none", "? unused0 -> disks:9001/vm-9001-disk-1.raw"},
		"a disk goes while it runs": {"set scsi1=disks:1 -> <nil>", on, "set delete=scsi1&force=1 -> <nil>", "? scsi1 -> none", "? unused0 -> none"},
		"a network device": {on, "set net0=virtio=AA:BB:CC:00:00:01,bridge=vmbr0,tag=9 -> <nil>",
			"? net0 -> virtio=AA:BB:CC:00:00:01,bridge=vmbr0,tag=9", "set delete=net0 -> <nil>", "? net0 -> none"},
		"hotplug off": {"set hotplug=0 -> <nil>", on, "set net1=virtio=AA:BB:CC:00:00:02,bridge=vmbr0&scsi1=disks:1 -> <nil>",
			"? net1 ->  > virtio=AA:BB:CC:00:00:02,bridge=vmbr0", "? scsi1 ->  > disks:9001/vm-9001-disk-1.raw,size=1G",
			"set delete=scsi1 -> <nil>", "? scsi1 -> none", "? unused0 -> disks:9001/vm-9001-disk-1.raw"},
		"cloud-init": {"set ide2=disks:cloudinit&ciuser=a -> <nil>", on, "! ciuser -> a", "set ciuser=b&citype=nocloud -> <nil>", "! ciuser -> a > b",
			"! citype ->  > nocloud", "set delete=ciuser -> <nil>", "! ciuser ->  -1", "set ciuser=a -> <nil>", "! ciuser -> a",
			"PUT /qemu/9001/cloudinit -> <nil>", "! citype -> nocloud", "set citype=opennebula -> <nil>", "set ide2=none,media%3Dcdrom -> <nil>",
			"! citype -> opennebula"},
		"in a task": {"POST /qemu/9001/config?cores=2 -> OK", "POST /qemu/9001/config?cores=3&background_delay=5 -> <nil>", "? cores -> 3",
			"POST /qemu/9001/config?boot=order%3Dscsi9&background_delay=5 -> 500 failed to update VM 9001: invalid bootorder: device 'scsi9' does not exist'"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lifeWorld())
				defer r.stop()
				r.configure(steps...)
			})
		})
	}
}

// TestDeafGuest: devices of a guest that does not answer stay, and their removal waits. A SCSI disk whose controller stays is
// gone all the same, so the second try ends well.
func TestDeafGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lifeWorld()
		g := w.Guest(9001)
		g.Behaviour.IgnoresACPI = true
		g.Config["boot"], g.Config["scsihw"] = "order=net0", "virtio-scsi-single"
		r := newRig(t, w)
		defer r.stop()
		r.configure("set virtio1=disks:1 -> <nil>", "POST /qemu/9001/status/start -> OK", "set delete=virtio1 -> "+bad, "? virtio1 -> disks:9001/vm-9001-disk-1.raw,size=1G -1",
			"set delete=scsi0 -> "+bad, "set revert=virtio1,scsi0 -> <nil>", "set delete=scsi0 -> <nil>", "? scsi0 -> none", "? virtio1 -> disks:9001/vm-9001-disk-1.raw,size=1G",
			"POST /qemu/9001/config?delete=net0 -> 400 Parameter verification failed. net0: hotplug problem - error on hot-unplugging device 'net0' - still busy in guest?")
	})
}

// TestCrypt: the published example of SHA-crypt, and what is hashed already stays.
func TestCrypt(t *testing.T) {
	const want = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
	if got := sha256Crypt("Hello world!", "saltstring"); got != want {
		t.Error(got)
	}
	if got := (&World{}).hashPassword(want); got != want {
		t.Error(got)
	}
}

// TestPublicKeys: what is a public key and what is not.
func TestPublicKeys(t *testing.T) {
	const good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH2fFLMrlUkCZqxhp8JOBh47Sh9E9+UkAnFuPWl8IzG7"
	for line, want := range map[string]bool{good: true, good + " a b": true, `command="x y" ` + good: true, "": true,
		"ssh-rsa" + good[11:]: false, good[:40]: false, "ssh-ed25519": false, "# comment": false} {
		if got := checkKeys(line) == nil; got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}
