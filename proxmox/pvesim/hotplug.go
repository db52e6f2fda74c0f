package pvesim

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// Times of the running VM's monitor: it is asked again every second whether a device has come or gone, six times
// (04/093, 04/096, 04/097).
const (
	plugTime   = time.Second
	unplugTime = time.Second
	unplugWait = 6 * time.Second
)

// fastOptions take effect at once whatever else is pending: nothing of them reaches the running VM (04/085).
var fastOptions = sync.OnceValue(func() []string {
	return strings.Fields("allow-ksm description hookscript lock migrate_downtime migrate_speed name onboot protection shares " +
		"startup tags vmstatestorage")
})

func isFastOption(key string) bool { return contains(fastOptions(), key) || isCloudInitOption(key) }

// hotplug applies to a running VM what can be: fast options always, others when this request is about them. What
// cannot stays pending, with a text in failed if that was not by its nature.
func (u *qemuUpdate) hotplug() {
	g := u.g
	for _, key := range slices.Sorted(maps.Keys(g.Pending)) {
		if isFastOption(key) {
			u.commit(key, g.Pending[key])
		}
	}
	for _, key := range slices.Sorted(slices.Values(g.Deleted)) {
		if u.modified[key] && u.settled(key, u.unplug(key)) {
			u.commit(key, nil)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.Pending)) {
		value := g.Pending[key]
		if u.modified[key] && u.settled(key, u.plug(key, text(value))) {
			u.commit(key, value)
		}
	}
	if g.hotplugs("cloudinit") && g.cloud != nil {
		u.c.w.writeCloudInit(g)
	}
}

// settled is whether a change was made; one that failed is noted.
func (u *qemuUpdate) settled(key string, err error) bool {
	if err != nil && !errors.Is(err, errWaits) {
		text := err.Error() + "\n"
		if e, ok := errors.AsType[*apiError](err); ok {
			text = e.message
		}
		u.failed[key] = "hotplug problem - " + text
	}
	return err == nil
}

// commit moves a value into the configuration in effect, or with nil the key out of it.
func (u *qemuUpdate) commit(key string, value any) {
	g := u.g
	g.recordCloudInit(key, g.Config[key], value)
	g.dropPending(key)
	g.keep(key)
	g.put(key, value)
}

// unplug takes from a running VM what a key stands for.
func (u *qemuUpdate) unplug(key string) error {
	config := u.g.Config
	switch {
	case isFastOption(key), key == "cpuunits", key == "cpulimit":
		return nil
	case key == "hotplug":
		return waitIf(strings.Contains(text(config["hotplug"]), "cpu") || strings.Contains(text(config["hotplug"]), "memory"))
	case key == "tablet":
		return waitIf(!u.g.hotplugs("usb"))
	case key == "vcpus":
		return waitIf(!u.g.hotplugs("cpu"))
	case key == "balloon":
		return waitIf(text(config["balloon"]) == "0")
	case key == "memory":
		return u.resizeMemory(defaultMemory)
	case usbShape().MatchString(key):
		return waitIf(!u.g.usbHotplug())
	case netShape().MatchString(key):
		return u.removeNIC(key)
	case isDriveKey(key):
		if err := u.letGo(key); err != nil {
			return err
		}
		return u.c.unplugDrive(u.g, key, slices.Contains(u.g.forced, key))
	}
	return errWaits
}

func waitIf(skip bool) error {
	if skip {
		return errWaits
	}
	return nil
}

// plug gives a running VM a new value.
func (u *qemuUpdate) plug(key, value string) error {
	config := u.g.Config
	switch {
	case key == "cpuunits", key == "cpulimit":
		return nil
	case key == "hotplug":
		old := text(config["hotplug"])
		return waitIf(strings.Contains(value+old, "memory") || strings.Contains(value+old, "cpu"))
	case key == "tablet":
		return waitIf(!u.g.hotplugs("usb"))
	case key == "vcpus":
		return u.changeVCPUs(integer(value))
	case key == "balloon":
		return waitIf((value == "0") != (text(config["balloon"]) == "0"))
	case key == "memory":
		return u.resizeMemory(memoryOf(Object{"memory": value}))
	case key == "agent":
		return changeAgent(text(config["agent"]), value)
	case usbShape().MatchString(key):
		return waitIf(!u.g.usbHotplug())
	case netShape().MatchString(key):
		return u.changeNIC(key, value)
	case isDriveKey(key):
		return u.changeDisk(key, value)
	}
	return errWaits
}

var newWindows = lazy.Regexp(`^(?:win\d+)$`)

// usbHotplug is whether USB devices can come and go: where the guest's system is known to have the drivers.
func (g *Guest) usbHotplug() bool {
	system := text(g.Config["ostype"])
	return g.hotplugs("usb") && (system == "l26" || newWindows().MatchString(system) && system != "win7")
}

// answers is whether an operating system in the VM lets go of devices when it is asked to. VMs of the recordings sit in
// their firmware, which does not.
func (g *Guest) answers() bool { return !g.Behaviour.IgnoresACPI }

// removeDevice takes a PCI device out, which the guest has to agree to (04/097).
func (u *qemuUpdate) removeDevice(name string) error {
	if !u.g.answers() {
		u.took += unplugWait
		return fail("error on hot-unplugging device '%s' - still busy in guest?", name)
	}
	u.took += unplugTime
	return nil
}

// changeVCPUs adds processors, or takes some away, which the guest has to agree to.
func (u *qemuUpdate) changeVCPUs(want int64) error {
	config := u.g.Config
	most := max(1, integer(config["sockets"])) * max(1, integer(config["cores"]))
	now := integer(config["vcpus"])
	if now == 0 {
		now = most
	}
	switch {
	case !u.g.hotplugs("cpu"):
		return errWaits
	case want > most:
		return fail("400 Parameter verification failed.\nvcpus: you can't add more vcpus than maxcpus")
	case want < now && !u.g.answers():
		u.took += unplugWait
		return fail("400 Parameter verification failed.\nvcpus: error unplugging cpu%d", now)
	}
	return nil
}

// resizeMemory adds memory modules, or takes some away, which the guest has to agree to.
func (u *qemuUpdate) resizeMemory(want int64) error {
	if !u.g.hotplugs("memory") {
		return errWaits
	}
	if want < memoryOf(u.g.Config) && !u.g.answers() {
		u.took += unplugWait
		return fail("error unplug memory module")
	}
	return nil
}

// changeAgent takes changes that only concern what is done with the agent, not the agent's own channel.
func changeAgent(old, value string) error {
	if old == "" {
		return errWaits
	}
	o := propertyOf(typeQEMU, "agent")
	was, err := parseProperty(o, "agent", old)
	if err != nil {
		return errWaits
	}
	now, err := parseProperty(o, "agent", value)
	if err != nil {
		return errWaits
	}
	for _, p := range []props{was, now} {
		delete(p, "fstrim_cloned_disks")
		delete(p, "freeze-fs")
		delete(p, "freeze-fs-on-backup")
	}
	return waitIf(!maps.Equal(was, now))
}
