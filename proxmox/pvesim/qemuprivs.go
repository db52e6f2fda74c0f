package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// configPrivs are those of which one is needed to change a VM's configuration at all (11/009, 11/119).
var configPrivs = []string{"VM.Config.Disk", "VM.Config.CDROM", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network",
	"VM.Config.HWType", "VM.Config.Options", "VM.Config.Cloudinit"}

// optionPrivs are the privileges of options; what is in none of them is root@pam's alone (04/058).
var optionPrivs = sync.OnceValue(func() map[string]string {
	return privsOf(map[string]string{
		"VM.Config.CPU":    "cores cpu cpulimit cpuunits numa smp sockets vcpus",
		"VM.Config.Memory": "allow-ksm balloon memory shares",
		"VM.Config.HWType": "acpi audio0 hotplug kvm machine scsihw smbios1 tablet vga watchdog",
		"VM.Config.Options": "agent autostart bios description keyboard localtime migrate_downtime migrate_speed name onboot ostype " +
			"protection reboot spice_enhancements startdate startup tdf template",
		"VM.PowerMgmt":   "freeze",
		"VM.Config.Disk": "boot bootdisk vmstatestorage",
	})
})

func privsOf(groups map[string]string) map[string]string {
	out := map[string]string{}
	for priv, words := range groups {
		for word := range strings.FieldsSeq(words) {
			out[word] = priv
		}
	}
	return out
}

var (
	numaShape     = lazy.Regexp(`^numa\d+$`)
	ipconfigShape = lazy.Regexp(`^ipconfig\d+$`)
	serialShape   = lazy.Regexp(`^serial\d+$`)
	parallelShape = lazy.Regexp(`^parallel\d+$`)
	usbShape      = lazy.Regexp(`^usb\d+$`)
	hostpciShape  = lazy.Regexp(`^hostpci\d+$`)
	virtiofsShape = lazy.Regexp(`^virtiofs\d+$`)
	// byValue are options whose privilege depends on their value; it is checked when they are changed.
	byValue = lazy.Regexp(`^(?:(?:unused|serial|usb|hostpci|virtiofs)\d+|cdrom|tags)$`)
)

// wantsVM fails unless the caller has one of the privileges on a VM, or on the pool that a new one goes to.
func (c *call) wantsVM(vmid int, pool string, any ...string) error {
	if pool != "" && c.may("/pool/"+pool, any...) {
		return nil
	}
	return c.wants("/vms/"+strconv.Itoa(vmid), any...)
}

// mayConfigure checks the privileges for options of a VM that are independent of their values (11/103).
func (c *call) mayConfigure(vmid int, pool string, keys []string) error {
	if c.isRoot() {
		return nil
	}
	for _, key := range keys {
		if isDriveKey(key) || byValue().MatchString(key) {
			continue
		}
		if err := c.mayConfigureOne(vmid, pool, key); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) mayConfigureOne(vmid int, pool, key string) error {
	switch {
	case has(optionPrivs(), key):
		if err := c.wantsVM(vmid, pool, optionPrivs()[key]); err != nil || key != "startup" {
			return err
		}
		return c.wants("/", "Sys.Modify") // it changes what the node does
	case numaShape().MatchString(key):
		return c.wantsVM(vmid, pool, "VM.Config.CPU")
	case netShape().MatchString(key):
		return c.wantsVM(vmid, pool, "VM.Config.Network")
	case isCloudInitOption(key):
		return c.wantsVM(vmid, pool, "VM.Config.Cloudinit", "VM.Config.Network")
	case key == "vmstate":
		return firstError(c.wantsVM(vmid, pool, "VM.Config.Disk"), c.wantsVM(vmid, pool, "VM.PowerMgmt"))
	}
	return fail("only root can set '%s' config", key)
}

// mayUseDevices checks the rights on what option values name outside of the VM: bridges and mappings of devices.
func (c *call) mayUseDevices(set Object) error {
	for _, key := range slices.Sorted(maps.Keys(set)) {
		value := text(set[key])
		var err error
		switch {
		case netShape().MatchString(key):
			err = c.mayUseBridge(value)
		case usbShape().MatchString(key):
			err = c.mayMap(key, value, "usb", "real devices")
		case hostpciShape().MatchString(key):
			err = c.mayMap(key, value, "pci", "non-mapped devices")
		case virtiofsShape().MatchString(key):
			dir, _, _ := strings.Cut(strings.TrimPrefix(value, "dirid="), ",")
			err = c.wants("/mapping/dir/"+dir, "Mapping.Use")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayUseBridge checks the right on the bridge or vnet of a network device, or on the VLAN that it uses of it.
func (c *call) mayUseBridge(nic string) error {
	bridge := driveOption(nic, "bridge")
	if c.isRoot() || bridge == "" {
		return nil
	}
	at := "/sdn/zones/" + c.w.zoneOf(bridge) + "/" + bridge
	var tags []string
	if tag := driveOption(nic, "tag"); tag != "" {
		tags = append(tags, tag)
	}
	if trunks := driveOption(nic, "trunks"); trunks != "" {
		tags = append(tags, strings.Split(trunks, ";")...)
	}
	if len(tags) == 0 {
		return c.wants(at, "SDN.Use")
	}
	for _, tag := range tags {
		if err := c.wants(at+"/"+tag, "SDN.Use"); err != nil {
			return err
		}
	}
	return nil
}

// zoneOf is the SDN zone of a vnet; bridges that are no vnet are in localnetwork.
func (w *World) zoneOf(bridge string) string {
	for _, v := range w.Cluster.Lists["sdn_vnets"] {
		if v["vnet"] == bridge {
			return text(v["zone"])
		}
	}
	return "localnetwork"
}

// mayMap checks a device that is passed through: by mapping, by what it is (root@pam only), or none but a SPICE port.
func (c *call) mayMap(key, value, kind, word string) error {
	device, err := parseProperty(propertyOf(typeQEMU, key), key, value)
	if err != nil {
		return badParam(key, "invalid format - "+err.Error())
	}
	switch host := device["host"]; {
	case host != "" && (strings.EqualFold(host, "spice") && kind == "usb" || c.isRoot()):
		return nil
	case host != "":
		return fail("only root can set '%s' config for %s", key, word)
	case device["mapping"] != "":
		return c.wants("/mapping/"+kind+"/"+device["mapping"], "Mapping.Use")
	}
	return fail("either 'host' or 'mapping' must be set.")
}

// mayChangeByValue checks the privileges of an option that depend on its value: devices, serial ports, tags and
// drives. value is the new one or, when the option is to go, the present one; old is the present one. verb words what
// is done to it.
func (c *call) mayChangeByValue(vmid int, pool, key, old, value, verb string) error {
	switch {
	case isDriveKey(key):
		return c.mayChangeDrive(vmid, key, value)
	case c.isRoot():
		return nil
	case serialShape().MatchString(key):
		if value == "socket" && (old == "" || old == "socket") {
			return c.wantsVM(vmid, pool, "VM.Config.HWType")
		}
		return fail("only root can %s '%s' config for real devices", verb, key)
	case usbShape().MatchString(key), hostpciShape().MatchString(key), virtiofsShape().MatchString(key):
		return firstError(c.wantsVM(vmid, pool, "VM.Config.HWType"), c.mayUseDevices(Object{key: value}))
	case netShape().MatchString(key) && old != "":
		return c.mayUseBridge(old)
	}
	return nil
}

// mayChangeTags checks the tags that come or go: the right to change options, and for tags that only administrators
// set, the right to change the datacenter.
func (c *call) mayChangeTags(vmid int, old, tags string) error {
	if c.may("/", "Sys.Modify") {
		return nil
	}
	was, now := splitList(old), splitList(tags)
	for _, tag := range append(slices.Clone(was), now...) {
		if contains(was, tag) && contains(now, tag) {
			continue
		}
		if err := c.wantsVM(vmid, "", "VM.Config.Options"); err != nil {
			return err
		}
		if contains(splitList(listText(c.w.Cluster.Options["registered-tags"])), tag) || !c.freeTag(tag) {
			return forbidden("/", "Sys.Modify")
		}
	}
	return nil
}

// freeTag is whether the datacenter's option user-tag-access lets users without more rights set a tag.
func (c *call) freeTag(tag string) bool {
	access := c.w.clusterOption("user-tag-access")
	list := splitList(listText(access["user-allow-list"]))
	switch text(access["user-allow"]) {
	case "none":
		return false
	case "list":
		return contains(list, tag)
	case "existing":
		return contains(list, tag) || c.w.tagInUse(tag)
	}
	return true
}

func (w *World) tagInUse(tag string) bool {
	for _, g := range w.guests {
		if contains(splitList(text(g.Config["tags"])), tag) {
			return true
		}
	}
	return false
}
