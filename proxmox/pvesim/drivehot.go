package pvesim

import (
	"errors"
	"slices"
	"strings"
)

// errWaits says that a change of a running VM has to wait for its next start.
var errWaits = errors.New("waits for the next start")

// hotplugs is whether a VM changes devices of a kind (disk, network, usb, memory, cpu, cloudinit) while it runs.
func (g *Guest) hotplugs(feature string) bool {
	set := text(g.Config["hotplug"])
	if set == "" || set == "1" {
		set = "network,disk,usb"
	}
	return contains(splitList(set), feature)
}

// bootDisks are the drives that a VM may boot from.
func (g *Guest) bootDisks() []string {
	if d := text(g.Config["bootdisk"]); d != "" && orderOf(g.Config) == nil {
		return []string{d}
	}
	return slices.DeleteFunc(orderOf(g.Config), func(key string) bool { return !isDriveKey(key) })
}

// putDrive puts a drive's value into effect on a VM that does not run; the volume that it replaces stays as unusedN
// (05/004).
func (w *World) putDrive(g *Guest, key, value string) error {
	old := text(g.Config[key])
	if old == value {
		return nil
	}
	config := clone(g.Config)
	if driveVolume(old) != driveVolume(value) {
		if err := w.releaseDrive(g, config, key, old); err != nil {
			return err
		}
	}
	config[key] = value
	w.touch(g)
	g.Config = config
	g.dropReused()
	g.redigest()
	return nil
}

// removeDrive takes a drive away from a VM that does not run: its volume stays as unusedN, with force it is erased.
func (c *call) removeDrive(g *Guest, key string, force bool) error {
	if !force {
		return c.w.detachDrive(g, key)
	}
	if err := c.eraseDrive(g, key, text(g.Config[key]), true); err != nil {
		return err
	}
	c.w.SetConfig(g.VMID, key, nil)
	return nil
}

// plugDrive changes a drive of a running VM. errWaits means that the value has to be pending.
func (c *call) plugDrive(g *Guest, key, value string) error {
	d, ok := parseDrive(key, value)
	if !ok {
		return errWaits
	}
	old, had := parseDrive(key, text(g.Config[key]))
	switch {
	case had && old.isCDROM() != d.isCDROM():
		return fail("unable to change media type")
	case had && old.isCDROM(): // a medium can always be changed
		return c.w.putDrive(g, key, value)
	case had && old.file == d.file:
		if !sameBut(old, d) {
			return errWaits
		}
		c.w.SetConfig(g.VMID, key, value)
		return nil
	case !g.hotplugs("disk") || had && fixedBus(key):
		return errWaits
	case had && slices.Contains(g.bootDisks(), key):
		return fail("can't unplug bootdisk '%s'", key)
	case fixedBus(key):
		return errWaits
	}
	return c.w.putDrive(g, key, value)
}

// fixedBus is whether a drive cannot come and go while the VM runs.
func fixedBus(key string) bool {
	return strings.HasPrefix(key, "ide") || strings.HasPrefix(key, "sata") || key == "efidisk0" || key == "tpmstate0"
}

// coldOptions are the options of a disk that a running QEMU cannot change.
var coldOptions = []string{"aio", "cache", "discard", "iothread", "product", "queues", "ro", "ssd", "vendor"}

func sameBut(a, b *drive) bool {
	return !slices.ContainsFunc(coldOptions, func(k string) bool { return a.opts[k] != b.opts[k] })
}

// unplugDrive takes a drive away from a running VM. errWaits means that the removal has to be pending; a disk that the
// VM boots from is refused (05/093).
func (c *call) unplugDrive(g *Guest, key string, force bool) error {
	if !g.hotplugs("disk") || fixedBus(key) {
		return errWaits
	}
	if slices.Contains(g.bootDisks(), key) {
		return fail("can't unplug bootdisk '%s'", key)
	}
	return c.removeDrive(g, key, force)
}
