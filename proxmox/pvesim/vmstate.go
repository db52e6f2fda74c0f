package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// driverState is the room for the state of devices beside twice the memory, in bytes.
const driverState = 500 * mib

// saveState makes the volume for the memory on a storage and notes the machine as it runs, for a snapshot (08/045) and for
// a VM that is suspended to disk (03/067).
func (w *World) saveState(n *Node, g *Guest, store, name string, section Object, log logger) error {
	v := volumeSpec{vmid: g.VMID, kind: contentImages, format: "raw", name: fmt.Sprintf("vm-%d-state-%s", g.VMID, name),
		size: 2*g.maxMem() + driverState}
	if def := w.Storage(store); def != nil && onFiles(text(def["type"])) {
		v.name += ".raw"
	}
	volid, err := w.allocateImage(n, store, v, log)
	if err != nil {
		return err
	}
	section["vmstate"] = volid
	section["runningmachine"] = w.runningMachine(n, g)
	section["runningcpu"] = runningCPU(g)
	section["running-nets-host-mtu"] = runningMTUs(g)
	return nil
}

// stateStorage is where memory is saved: as configured, else a shared storage of the VM's disks, else any of theirs,
// files preferred, else local.
func (w *World) stateStorage(g *Guest) string {
	if s := text(g.Config["vmstatestorage"]); s != "" {
		return s
	}
	used := map[string]bool{}
	for _, key := range g.disks() {
		if store, _, ok := strings.Cut(driveVolume(text(g.Config[key])), ":"); ok {
			used[store] = true
		}
	}
	var shared, local string
	for _, store := range slices.Sorted(maps.Keys(used)) {
		def, into := w.Storage(store), &local
		if sharedStorage(def) {
			into = &shared
		}
		if *into == "" || has(def, "path") {
			*into = store
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

// runningMachine is the machine type that a VM runs as: the configured version, or the newest of the node.
func (w *World) runningMachine(n *Node, g *Guest) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(text(g.Config["machine"]), "type="), ",")
	if kind != "" && kind != "pc" && kind != "q35" {
		return kind
	}
	family := "i440fx"
	if kind == "q35" {
		family = "q35"
	}
	list, _ := objects(n.Info["machines"])
	for _, m := range list {
		if m["type"] == family {
			return text(m["id"])
		}
	}
	version := strings.SplitN(driveOption(text(g.Config["meta"]), "creation-qemu")+"..", ".", 3)
	return "pc-" + family + "-" + version[0] + "." + version[1]
}

// runningCPU is the model that QEMU was given; without one in the configuration that of an emulated processor (08/045).
func runningCPU(g *Guest) string {
	model, _, _ := strings.Cut(text(g.Config["cpu"]), ",")
	if model = strings.TrimPrefix(model, "cputype="); model != "" {
		return model
	}
	return "qemu64"
}

// runningMTUs are the MTUs that virtio devices were told by the host, 0 unless their configuration has one (03/067);
// without such a device the value is a blank (08/045).
func runningMTUs(g *Guest) string {
	var list []string
	for i := range 32 {
		key := fmt.Sprintf("net%d", i)
		if nic := text(g.Config[key]); strings.HasPrefix(nic, "virtio") {
			list = append(list, fmt.Sprintf("%s=%d", key, integer(driveOption(nic, "mtu"))))
		}
	}
	if len(list) == 0 {
		return " "
	}
	return strings.Join(list, ",")
}
