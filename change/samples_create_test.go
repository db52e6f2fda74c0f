package change

import (
	"fmt"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// The files that samples fetch: each sample has one of its own.
func fetched(vmid int) Fetch {
	return Fetch{Cluster: "home", Node: home, Storage: "local", Content: "import", Filename: fmt.Sprintf("image-%d.qcow2", vmid),
		URL: fmt.Sprintf("https://cloud.debian.org/%d", vmid), Algo: "sha256", Sum: fmt.Sprintf("%064d", vmid)}
}

func canFetch(w *pvesim.World, vmid int) { w.Downloads[fetched(vmid).URL] = 1 << 20 }

func hasFile(content, name string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		return slices.ContainsFunc(w.Node(home).Content["local"], func(v pvesim.Object) bool { return v["volid"] == "local:"+content+"/"+fmt.Sprintf(name, was.vmid) })
	}
}

// createSamples are what makes something that was not there.
func createSamples() []sample {
	seed := func(vmid int) string { return fmt.Sprintf("local:iso/proxmox-mcp-seed-%d-0123abcd.iso", vmid) }
	created := func(t pve.GuestType, params ...Param) func(*pvesim.World, int) Direct {
		return func(_ *pvesim.World, vmid int) Direct {
			return Create{Cluster: "home", Node: home, Label: "made", Pool: "lab", Type: t, VMID: madeOf(vmid), Tags: []string{"a", "b"}, Params: append([]Param{{"memory", "512"}, {"tags", "a;b"}}, params...)}
		}
	}
	return []sample{
		{name: "machine", of: likeStopped, made: true, hidden: true, undo: true, worked: madeWith("stopped", "name", "made"), direct: created(pve.Qemu, Param{"name", "made"},
			Param{"cores", "2"}, Param{"scsihw", "virtio-scsi-single"}, Param{"scsi0", "local-lvm:4"}, Param{"net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0"},
			Param{"ide2", "local-lvm:cloudinit"}, Param{"ciuser", "joe"}, Param{"sshkeys", "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIH2fFLMrlUkCZqxhp8JOBh47Sh9E9%2BUkAnFuPWl8IzG7%20x%40y"},
			Param{"ipconfig0", "ip=dhcp"}, Param{"agent", "1"}, Param{"serial0", "socket"}, Param{"boot", "order=scsi0"}, Param{"ostype", "l26"})},
		{name: "machine of an image, with a seed", of: likeStopped, made: true, hidden: true, undo: true, worked: madeWith("running", "name", "made"), prep: func(w *pvesim.World, vmid int) {
			n, volid := w.Node(home), fetched(vmid).Volume()
			n.Content["local"] = append(slices.Clone(n.Content["local"]), pvesim.Object{"volid": volid, "content": "import", "format": "qcow2", "size": 1 << 20})
		}, direct: func(w *pvesim.World, vmid int) Direct {
			c, _ := created(pve.Qemu, Param{"name", "made"}, Param{"scsi0", "local-lvm:0,import-from=" + fetched(vmid).Volume()})(w, vmid).(Create)
			c.Seed, c.Grow, c.Start = &Seed{Storage: "local", Slot: "ide2", Content: []byte("seed")}, []Grow{{"scsi0", "64G"}}, true
			return c
		}},
		{name: "container", of: likeContainer, made: true, hidden: true, undo: true, worked: madeWith("stopped", "hostname", "made"), direct: created(pve.LXC, Param{"hostname", "made"},
			Param{"ostemplate", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"}, Param{"rootfs", "local-lvm:4"}, Param{"net0", "name=eth0,bridge=vmbr0,ip=dhcp"},
			Param{"unprivileged", "1"}, Param{"features", "nesting=1"})},
		{name: "destroy with its seed image", of: likeStopped, action: Destroy{}, prep: func(w *pvesim.World, vmid int) {
			n := w.Node(home)
			n.Content["local"] = append(slices.Clone(n.Content["local"]), pvesim.Object{"volid": seed(vmid), "content": "iso", "format": "iso", "size": 65536})
			w.SetConfig(vmid, "ide2", seed(vmid)+",media=cdrom,size=64K")
		}, worked: func(w *pvesim.World, was *then) bool {
			return gone(w, was) && !slices.ContainsFunc(w.Node(home).Content["local"], func(v pvesim.Object) bool { return v["volid"] == seed(was.vmid) })
		}},
		{name: "image", of: likeStopped, prep: canFetch, worked: hasFile("import", "image-%d.qcow2"), undo: true, apart: true,
			direct: func(_ *pvesim.World, vmid int) Direct { return fetched(vmid) }},
		{name: "template", of: likeStopped, prep: func(w *pvesim.World, vmid int) {
			list, _ := w.Node(home).Info["aplinfo"].([]any)
			w.Node(home).Info["aplinfo"] = append(slices.Clone(list), pvesim.Object{"template": fmt.Sprintf("t_%d.tar.zst", vmid), "size": 1 << 20})
		}, worked: hasFile("vztmpl", "t_%d.tar.zst"), undo: true, apart: true, direct: func(_ *pvesim.World, vmid int) Direct {
			return Fetch{Cluster: "home", Node: home, Storage: "local", Content: "vztmpl", Filename: fmt.Sprintf("t_%d.tar.zst", vmid), Listed: true}
		}},
		{name: "image of a registry", of: likeStopped, prep: func(w *pvesim.World, vmid int) {
			w.Downloads[fmt.Sprintf("docker://ghcr.io/a/b:%d", vmid)] = 1 << 20
		}, worked: hasFile("vztmpl", "b_%d.tar"), undo: true, apart: true, direct: func(_ *pvesim.World, vmid int) Direct {
			return Fetch{Cluster: "home", Node: home, Storage: "local", Content: "vztmpl", Filename: fmt.Sprintf("b_%d.tar", vmid), Reference: fmt.Sprintf("ghcr.io/a/b:%d", vmid)}
		}},
	}
}
