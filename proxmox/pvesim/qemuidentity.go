package pvesim

import (
	"fmt"
	"strconv"
	"strings"
)

// fallbackQEMU is the QEMU of Proxmox VE 9.2, for worlds that do not tell theirs.
const fallbackQEMU = "10.1.2"

// qemuVersion is the version of the QEMU that VMs are made with: that of the VM that was made last.
func (w *World) qemuVersion() string {
	version, latest := fallbackQEMU, int64(-1)
	for _, g := range w.guests {
		meta := text(g.Config["meta"])
		if at := integer(driveOption(meta, "ctime")); at > latest && driveOption(meta, "creation-qemu") != "" {
			version, latest = driveOption(meta, "creation-qemu"), at
		}
	}
	return version
}

// identify completes the configuration of a new VM with what the real one makes up: how it was made, its identity, what
// it boots from, and for Windows the present version of its machine.
func (w *World) identify(n *Node, config Object) {
	config["meta"] = fmt.Sprintf("creation-qemu=%s,ctime=%d", w.qemuVersion(), w.Now().Unix())
	if text(config["boot"]) == "" {
		config["boot"] = defaultBoot(config)
	}
	if text(config["smbios1"]) == "" {
		config["smbios1"] = "uuid=" + w.newUUID()
	}
	if id := text(config["vmgenid"]); id == "" || id == "1" {
		config["vmgenid"] = w.newUUID()
	}
	if isWindows(text(config["ostype"])) {
		config["machine"] = w.pinMachine(n, config)
	}
}

// pinMachine gives the machine setting of a Windows guest a version, since Windows does not take it well when its
// hardware changes.
func (w *World) pinMachine(n *Node, config Object) string {
	machine, _, _ := strings.Cut(w.runningMachine(n, &Guest{Config: config}), "+")
	if _, options, more := strings.Cut(text(config["machine"]), ","); more {
		machine += "," + options
	}
	return machine
}

func isWindows(ostype string) bool {
	return contains([]string{"wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11"}, ostype)
}

// bootBuses are the buses of bootable drives, in the order in which the first one is looked for.
var bootBuses = []struct {
	name  string
	slots int
}{{"ide", 4}, {"scsi", 31}, {"virtio", 16}, {"sata", 6}}

// defaultBoot is the boot order of a VM that was made without one: its first disk, its first CD drive, its first network
// device; a blank when it has none of them (03/005).
func defaultBoot(config Object) string {
	var order []string
	for _, cd := range []bool{false, true} {
		if key := firstDrive(config, cd); key != "" {
			order = append(order, key)
		}
	}
	for i := range 32 {
		if key := "net" + strconv.Itoa(i); has(config, key) {
			order = append(order, key)
			break
		}
	}
	if len(order) == 0 {
		return " "
	}
	return "order=" + strings.Join(order, ";")
}

func firstDrive(config Object, cd bool) string {
	for _, bus := range bootBuses {
		for i := range bus.slots {
			key := bus.name + strconv.Itoa(i)
			if v, ok := config[key]; ok && strings.Contains(text(v), "media=cdrom") == cd {
				return key
			}
		}
	}
	return ""
}
