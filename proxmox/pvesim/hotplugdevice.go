package pvesim

import (
	"fmt"
	"strconv"
	"strings"
)

// changeNIC plugs a network device in, or changes what of one can change while the VM runs: its bridge, VLAN, firewall,
// rate and link. Another model or address is another device.
func (u *qemuUpdate) changeNIC(key, value string) error {
	o := propertyOf(typeQEMU, key)
	now, err := parseProperty(o, key, value)
	if err != nil {
		return err
	}
	if old, ok := u.g.Config[key]; ok {
		was, err := parseProperty(o, key, text(old))
		if err != nil {
			return err
		}
		if sameDevice(was, now) {
			return u.bridgeExists(now["bridge"])
		}
		if err := u.removeNIC(key); err != nil {
			return err
		}
	}
	if !u.g.hotplugs("network") {
		return errWaits
	}
	if u.c.w.bridge(u.c.node, now["bridge"]) == nil && now["bridge"] != "" {
		return fail("VM %d qmp command 'netdev_add' failed - network script /usr/libexec/qemu-server/pve-bridge-hotplug failed with status 512", u.g.VMID)
	}
	u.took += plugTime
	return nil
}

func (u *qemuUpdate) removeNIC(key string) error {
	if !u.g.hotplugs("network") {
		return errWaits
	}
	return u.removeDevice(key)
}

// sameDevice is whether the guest sees the same network device as before.
func sameDevice(was, now props) bool {
	for _, key := range []string{"model", "macaddr", "queues", "mtu"} {
		if was[key] != now[key] {
			return false
		}
	}
	return was["bridge"] != "" && now["bridge"] != ""
}

func (u *qemuUpdate) bridgeExists(name string) error {
	if u.c.w.bridge(u.c.node, name) == nil {
		return fail("bridge '%s' does not exist", name)
	}
	return nil
}

// bridge finds a bridge or vnet that network devices on a node can use, nil when there is none.
func (w *World) bridge(n *Node, name string) Object {
	list, _ := n.Info["network"].([]any)
	for _, v := range list {
		if o, ok := v.(Object); ok && o["iface"] == name && strings.HasSuffix(strings.ToLower(text(o["type"])), "bridge") {
			return o
		}
	}
	for _, v := range n.vnets {
		if v["vnet"] == name {
			return v
		}
	}
	return nil
}

// letGo asks the guest to let go of a disk that is about to be unplugged. SCSI disks go at once, but with the last one of
// a controller the controller goes, which like a virtio disk is a PCI device.
func (u *qemuUpdate) letGo(key string) error {
	g := u.g
	if !g.hotplugs("disk") || fixedBus(key) || contains(g.bootDisks(), key) || g.Live.PID == g.lost[key] {
		return nil // nothing is asked: see unplugDrive
	}
	index, scsi := strings.CutPrefix(key, "scsi")
	if !scsi {
		return u.removeDevice(key)
	}
	u.took += unplugTime
	controller := g.idleController(int(integer(index)))
	if controller == "" {
		return nil
	}
	err := u.removeDevice(controller)
	if err != nil {
		if g.lost == nil {
			g.lost = map[string]int{}
		}
		g.lost[key] = g.Live.PID
	}
	return err
}

// idleController names the SCSI controller that has no disk once that of the index is gone; "" when others are on it.
func (g *Guest) idleController(index int) string {
	kind := text(g.Config["scsihw"])
	if kind == "virtio-scsi-single" {
		return fmt.Sprintf("virtioscsi%d", index)
	}
	most := 256
	if kind == "" || strings.HasPrefix(kind, "lsi") {
		most = 7
	}
	controller := index / most
	for _, key := range driveKeys(g.Config) {
		n, err := strconv.Atoi(strings.TrimPrefix(key, "scsi"))
		if err == nil && n != index && n < (most-1)*(controller+1) {
			return ""
		}
	}
	return fmt.Sprintf("scsihw%d", controller)
}

// changeDisk plugs a disk in, changes the medium of a CD drive or what of a disk can change while the VM runs.
func (u *qemuUpdate) changeDisk(key, value string) error {
	now, ok := parseDrive(key, value)
	if !ok || key == "efidisk0" || key == "tpmstate0" {
		return errWaits
	}
	was, had := parseDrive(key, text(u.g.Config[key]))
	if had && !was.isCDROM() && was.file != now.file {
		if err := u.letGo(key); err != nil {
			return err
		}
	}
	if now.isCloudInit() || had && was.isCloudInit() {
		u.g.cloud = nil // the drive is written anew, or there is none
	}
	if !had {
		u.took += plugTime / 5 // 04/092
	}
	return u.c.plugDrive(u.g, key, value)
}
