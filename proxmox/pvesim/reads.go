package pvesim

import (
	"strconv"
	"strings"
)

// readRoutes are methods that show what hardly changes, and drawings of figures.
func readRoutes() []route {
	audit, guest := need("/", "Sys.Audit"), need("/vms/{vmid}", "VM.Audit")
	none := func(*call) (any, error) { return []Object{}, nil }
	flags := func(c *call) (any, error) { return c.cpuFlags(), nil }
	return append(daemon(
		get("/nodes/{node}/rrd", need("/nodes/{node}", "Sys.Audit"), func(c *call) (any, error) { return c.drawing("pve-node-9.0/" + c.node.Name), nil }),
		get("/nodes/{node}/qemu/{vmid}/rrd", guest, of(typeQEMU, guestDrawing)),
		get("/nodes/{node}/lxc/{vmid}/rrd", guest, of(typeLXC, guestDrawing)),
		get("/nodes/{node}/storage/{storage}/rrd", need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace"), storageDrawing),
		get("/nodes/{node}/hardware/pci/{pci-id-or-mapping}/mdev", need("/", "Sys.Audit", "Sys.Modify"), none), // no device is divided
		get("/cluster/config/qdevice", audit, func(*call) (any, error) { return Object{}, nil })),
		index("/nodes/{node}/hardware/pci/{pci-id-or-mapping}", "method", "mdev"),
		index("/cluster/qemu", "name", "cpu-flags custom-cpu-models"),
		get("/cluster/qemu/custom-cpu-models", anyone, none),
		get("/cluster/jobs/realm-sync", audit, none),
		get("/cluster/qemu/cpu-flags", anyNeed(need("/nodes", "Sys.Audit"), need("/mapping/cpu", "Mapping.Audit", "Mapping.Use", "Mapping.Modify")), flags),
		get("/nodes/{node}/capabilities/qemu/cpu-flags", anyone, flags),
		get("/nodes/{node}/capabilities/qemu/migration", need("/nodes/{node}", "Sys.Audit"),
			func(*call) (any, error) { return Object{"has-dbus-vmstate": 1}, nil }),
		get("/cluster/config/apiversion", audit, func(*call) (any, error) { return joinVersion, nil }))
}

// joinVersion is the version of the way in which nodes join (the schema's description).
const joinVersion = 1

// anyNeed passes when one of the checks does, and fails as the first.
func anyNeed(checks ...check) check {
	return func(c *call) error {
		first := checks[0](c)
		for _, other := range checks {
			if other(c) == nil {
				return nil
			}
		}
		return first
	}
}

// drawing is the file with a graph of figures, which is drawn beside the figures' own file (source).
func (c *call) drawing(file string) Object {
	return Object{"filename": "/var/lib/rrdcached/db/" + file + "_" + strings.Join(splitList(c.param("ds")), "_") + ".png"}
}

func guestDrawing(c *call, g *Guest) (any, error) {
	return c.drawing("pve-vm-9.0/" + strconv.Itoa(g.VMID)), nil
}

func storageDrawing(c *call) (any, error) {
	if c.node.storage(c.vars["storage"]) == nil {
		return nil, badParam("storage", "No such storage.")
	}
	return c.drawing("pve-storage-9.0/" + c.node.Name + "/" + c.vars["storage"]), nil
}

// cpuFlags are the flags that can be added to a CPU model, as the documentation of the option cpu lists them.
func (c *call) cpuFlags() []Object {
	names := make([]string, 0, len(c.w.Nodes))
	for _, n := range c.w.Nodes {
		names = append(names, n.Name)
	}
	out := []Object{}
	for line := range strings.Lines(strings.TrimSpace(cpuFlagList)) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		out = append(out, Object{"name": name, "description": what, "supported-on": names})
	}
	return out
}

const cpuFlagList = `
nested-virt Nested virtualization: vmx or svm of the host.
md-clear Lets the guest know that MDS is mitigated.
pcid Reduces what the Meltdown mitigation costs.
spec-ctrl Allows improved Spectre mitigation on Intel CPUs.
ssbd Protection against Speculative Store Bypass on Intel CPUs.
ibpb Allows improved Spectre mitigation on AMD CPUs.
virt-ssbd Base of the Speculative Store Bypass protection on AMD CPUs.
amd-ssbd Improves Speculative Store Bypass mitigation on AMD CPUs.
amd-no-ssb Notifies the guest that the host is not vulnerable on AMD CPUs.
pdpe1gb Lets the guest use pages of 1 GB.
hv-tlbflush Improves performance of Windows guests that have more virtual CPUs than there are.
hv-evmcs Improves nested virtualization under Hyper-V on Intel CPUs.
aes Activates the AES instructions.
`
