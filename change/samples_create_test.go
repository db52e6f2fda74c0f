package change

import (
	"fmt"
	"slices"

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
	return []sample{
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
