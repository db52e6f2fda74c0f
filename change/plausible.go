package change

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// The keys of configurations (schema: PUT /nodes/{node}/qemu/{vmid}/config and lxc), the first of those that are numbered. A newer Proxmox VE
// may have more: only what looks like a typing error of one of them is refused.
const (
	machineKeys   = "acpi affinity agent allow-ksm amd-sev arch args audio0 autostart balloon bios boot bootdisk cdrom cicustom cipassword citype ciupgrade ciuser cores cpu cpulimit cpuunits description efidisk0 freeze hookscript hostpci0 hotplug hugepages ide0 intel-tdx ipconfig0 ivshmem keephugepages keyboard kvm localtime lock machine memory migrate_downtime migrate_speed name nameserver net0 numa numa0 onboot ostype parallel0 protection reboot rng0 sata0 scsi0 scsihw searchdomain serial0 shares smbios1 smp sockets spice_enhancements sshkeys startdate startup tablet tags tdf template tpmstate0 unused0 usb0 vcpus vga virtio0 virtiofs0 vmgenid vmstatestorage watchdog"
	containerKeys = "arch cmode console cores cpulimit cpuunits debug description dev0 entrypoint env features hookscript hostname lock memory mp0 nameserver net0 onboot ostype protection rootfs searchdomain startup swap tags template timezone tty unprivileged unused0"
)

// numberKeys take a number, with the least and the most (0 = no limit) of the schema; cpulimit may have decimals. A machine's memory may also be
// written current=NUMBER.
var numberKeys = map[pve.GuestType]map[string][2]float64{
	pve.Qemu: {"memory": {16, 0}, "balloon": {0, 0}, "cores": {1, 0}, "sockets": {1, 0}, "vcpus": {1, 0}, "cpuunits": {1, 262144}, "cpulimit": {0, 128}, "shares": {0, 50000},
		"migrate_speed": {0, 0}},
	pve.LXC: {"memory": {16, 0}, "swap": {0, 0}, "cores": {1, 8192}, "cpuunits": {0, 500000}, "cpulimit": {0, 8192}, "tty": {0, 6}},
}

// plausible refuses a key that is a typing error of another, a number that is none, and a bridge that the node does not have: Proxmox VE
// would refuse the first two when the plan is applied, and the third when the guest starts.
func plausible(l *Live, key, value string) error {
	if like := mistyped(l, key); like != "" {
		return fault.BadField("set", fmt.Sprintf("%s is no key of %s; did you mean %s?", key, guestKind(l.Type), like), like+"=...")
	}
	if limits, ok := numberKeys[l.Type][key]; ok {
		n, err := strconv.ParseFloat(strings.TrimPrefix(value, "current="), 64)
		if err != nil || n < limits[0] || limits[1] > 0 && n > limits[1] || key != "cpulimit" && n != float64(int64(n)) {
			return fault.BadField("set", fmt.Sprintf("%s takes a number%s, not %s", key, span(limits), quoted(value)), key+"=2048")
		}
	}
	if strings.HasPrefix(key, "net") {
		if p, err := pve.ParseProperties(value); err == nil {
			bridge, _ := p.Get("bridge")
			return l.hasBridge("set", bridge)
		}
	}
	return nil
}

func span(limits [2]float64) string {
	if limits[1] > 0 {
		return fmt.Sprintf(" from %g to %g", limits[0], limits[1])
	}
	return fmt.Sprintf(" from %g", limits[0])
}

func guestKind(t pve.GuestType) string {
	if t == pve.LXC {
		return "a container"
	}
	return "a VM"
}

// mistyped is the key that an unknown one looks like, "" where it is known, configured already, or like none.
func mistyped(l *Live, key string) string {
	list := machineKeys
	if l.Type == pve.LXC {
		list = containerKeys
	}
	known := strings.Fields(list)
	plain := strings.TrimRight(key, "0123456789")
	if l.Config.Has(key) || slices.ContainsFunc(known, func(k string) bool { return k == key || plain != key && strings.TrimRight(k, "0123456789") == plain }) {
		return ""
	}
	like := near.Word(key, known)
	if like != "" && plain != key && strings.TrimRight(like, "0123456789") != like { // with the number that was asked for
		like = strings.TrimRight(like, "0123456789") + strings.TrimPrefix(key, plain)
	}
	return like
}

// hasBridge refuses a bridge or virtual network that the guest's node does not have. Where they could not be read nothing is refused.
func (l *Live) hasBridge(field, bridge string) error {
	if bridge == "" || len(l.Bridges) == 0 || slices.Contains(l.Bridges, bridge) {
		return nil
	}
	var names []string
	for _, b := range l.Bridges[:min(len(l.Bridges), 8)] {
		names = append(names, clean.Line(b, maxShown))
	}
	return fault.BadField(field, fmt.Sprintf("node %s has no bridge %s; it has %s", l.Node, quoted(bridge), strings.Join(names, ", ")), names[0]).WithNext("list_networks")
}

// roomy says that a guest is to get more memory than its node has: it would not start there.
func roomy(l *Live, memory string) string {
	n := l.Places.node(l.Node)
	mib, err := strconv.ParseInt(strings.TrimPrefix(memory, "current="), 10, 64)
	if n == nil || n.Memory == nil || err != nil || mib<<20 <= *n.Memory {
		return ""
	}
	return fmt.Sprintf("memory %d MiB is more than node %s has (%d MiB): %s may not start there", mib, l.Node, *n.Memory>>20, l.Label())
}
