package pvesim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

var machineVersion = lazy.Regexp(`-(\d+)\.(\d+)`)

// machineKnown compares the version of a pinned machine type with that of the node's QEMU (source).
func (w *World) machineKnown(n *Node, g *Guest) error {
	machine, _, _ := strings.Cut(text(g.Config["machine"]), ",")
	machine = strings.TrimPrefix(machine, "type=")
	want := machineVersion().FindStringSubmatch(machine)
	have := strings.Split(w.qemuVersion(), ".")
	if want == nil || len(have) < 2 {
		return nil
	}
	if slices.Compare([]int64{integer(want[1]), integer(want[2])}, []int64{integer(have[0]), integer(have[1])}) > 0 {
		return fail("Installed QEMU version '%s' is too old to run machine type '%s', please upgrade node '%s'", w.qemuVersion(), machine, n.Name)
	}
	return nil
}

// passthrough looks for the PCI devices that a VM takes, on a node whose devices are known: they have to be there, and
// the node has to have an IOMMU (source).
func (n *Node) passthrough(g *Guest) error {
	devices, _ := objects(n.Info["pci"])
	if len(devices) == 0 {
		return nil
	}
	for i := range maxHostPCI {
		value := text(g.Config["hostpci"+strconv.Itoa(i)])
		ids, _, _ := strings.Cut(value, ",")
		if value == "" || strings.Contains(value, "mapping=") {
			continue
		}
		for id := range strings.SplitSeq(strings.TrimPrefix(ids, "host="), ";") {
			device := find(devices, func(o Object) bool {
				return strings.HasPrefix(text(o["id"]), id) || strings.HasPrefix(text(o["id"]), "0000:"+id)
			})
			switch {
			case device == nil:
				return fail("no PCI device found for '%s'", id)
			case integer(device["iommugroup"]) < 0:
				return fail("cannot prepare PCI pass-through, IOMMU not present")
			}
		}
	}
	return nil
}

// maxHostPCI is how many devices a VM can take (the schema's hostpci[n]).
const maxHostPCI = 16
