package pvesim

import (
	"fmt"
	"strconv"
	"strings"
)

// runtimeKeys are what a saved state needs to know of the machine that it is of. They live in the section of a snapshot
// with RAM, and in the current one while the VM is suspended to disk (03/067).
var runtimeKeys = []string{"vmstate", "runningmachine", "runningcpu", "running-nets-host-mtu"}

// runtime gives the runtime keys of a running VM, without the volume that holds its memory.
func (w *World) runtime(n *Node, g *Guest) Object {
	return Object{"runningmachine": w.machineType(n, text(g.Config["machine"])), "runningcpu": runningCPU(g), "running-nets-host-mtu": hostMTUs(g)}
}

// machineType is the versioned name of a machine: the one that is set, or the newest that the node has of its family.
func (w *World) machineType(n *Node, set string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(set, "type="), ",")
	family := "pc-i440fx-"
	switch kind {
	case "", "pc":
	case "q35":
		family = "pc-q35-"
	default:
		return kind
	}
	machines, _ := objects(n.Info["machines"])
	for _, m := range machines { // newest first
		if id := text(m["id"]); strings.HasPrefix(id, family) {
			return id
		}
	}
	version, _, _ := strings.Cut(strings.TrimSpace(w.qemuVersion()), "-")
	if parts := strings.SplitN(version, ".", 3); len(parts) > 1 {
		version = parts[0] + "." + parts[1]
	}
	return family + version
}

// defaultCPU is the processor of a VM that names none, on a host without KVM as in the recordings (03/067).
const defaultCPU = "qemu64"

func runningCPU(g *Guest) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(text(g.Config["cpu"]), "cputype="), ",")
	if kind == "" {
		return defaultCPU
	}
	return kind
}

// hostMTUs tells the MTU that each virtio device was told by the host, 0 without one (03/067); a VM without such devices
// has a blank (08/045).
func hostMTUs(g *Guest) string {
	var list []string
	for i := range 32 {
		key := "net" + strconv.Itoa(i)
		nic := text(g.Config[key])
		if !strings.HasPrefix(nic, "virtio") && !strings.Contains(nic, "model=virtio") {
			continue
		}
		mtu := driveOption(nic, "mtu")
		if mtu == "" {
			mtu = "0"
		}
		list = append(list, key+"="+mtu)
	}
	if len(list) == 0 {
		return " "
	}
	return strings.Join(list, ",")
}

// stateStorage is where the memory of a VM is saved: the storage that it names, else a shared one that it has disks on,
// else one of its local ones (those with files before others), else local.
func (w *World) stateStorage(g *Guest) string {
	if s := text(g.Config["vmstatestorage"]); s != "" {
		return s
	}
	shared, local := "", ""
	for _, key := range g.disks() {
		id, _, _ := strings.Cut(driveVolume(text(g.Config[key])), ":")
		def := w.Storage(id)
		if def == nil {
			continue
		}
		into := &local
		if truth(def["shared"]) {
			into = &shared
		}
		if *into == "" || def["path"] != nil {
			*into = id
		}
	}
	switch {
	case shared != "":
		return shared
	case local != "":
		return local
	}
	return "local"
}

// stateExtra is the room in a state volume beside twice the memory, in MiB.
const stateExtra = 500

// stateVolume makes the volume that takes the memory of a VM; name is that of the snapshot.
func (w *World) stateVolume(n *Node, g *Guest, store, name string) (string, error) {
	file := fmt.Sprintf("vm-%d-state-%s", g.VMID, name)
	if def := w.Storage(store); def != nil && onFiles(text(def["type"])) {
		file += ".raw"
	}
	return w.addVolume(n, store, volumeSpec{vmid: g.VMID, kind: contentImages, format: "raw", name: file, size: 2*g.maxMem() + stateExtra*mib})
}
