package pvesim

import (
	"fmt"
	"maps"
	"slices"
)

// ctChanges applies what waits in the configuration of a container, which is a draft: at once to one that is off, as
// far as that is possible to one that runs.
type ctChanges struct {
	w        *World
	n        *Node
	g        *Guest
	selected map[string]bool // keys of the request; nil = all that waits
	made     []string        // volumes
	erase    []string        // volumes that go with the change
	failed   map[string]string
}

// ctFastOptions take effect in a running container without anything being done.
var ctFastOptions = []string{"cores", "description", "hookscript", "hostname", "lock", "onboot", "protection", "startup", "tags"}

func (p *ctChanges) undo() {
	for _, volid := range p.made {
		p.w.dropVolume(p.n, volid)
	}
}

func (p *ctChanges) wanted(key string) bool { return p.selected == nil || p.selected[key] }

// apply does what can be done and gives the errors by key.
func (p *ctChanges) apply() map[string]string {
	p.failed = map[string]string{}
	run, word := p.applyOff, "unable to apply pending change %s : "
	if p.g.Live.Running {
		run, word = p.applyRunning, "unable to hotplug %s: "
	}
	for _, key := range slices.Sorted(slices.Values(p.g.Deleted)) {
		p.one(key, word, func() (bool, error) { return p.drop(key) }, func() {
			p.g.put(key, nil)
			p.g.keep(key)
		})
	}
	p.g.cleanPending()
	for _, key := range slices.Sorted(maps.Keys(p.g.Pending)) {
		p.one(key, word, func() (bool, error) { return run(key) }, func() {
			p.g.put(key, p.g.Pending[key])
			p.g.dropPending(key)
		})
	}
	return p.failed
}

// accept makes the draft the container's configuration, and erases the volumes that it no longer has.
func (p *ctChanges) accept(g *Guest) {
	for _, volid := range p.erase {
		p.w.dropVolume(p.n, volid)
	}
	p.w.accept(g, p.g)
}

// one tries a change: try tells whether it is done now (or goes on waiting), done takes it over.
func (p *ctChanges) one(key, word string, try func() (bool, error), done func()) {
	if !p.wanted(key) {
		return
	}
	now, err := try()
	switch {
	case err != nil:
		p.failed[key] = fmt.Sprintf(word, key) + taskText(err) + "\n"
	case now:
		done()
	}
}

// drop does what the removal of a key means beside it. In a running container mount points and most options go on
// waiting.
func (p *ctChanges) drop(key string) (bool, error) {
	value := text(p.g.Config[key])
	switch {
	case isUnusedKey(key):
		return true, p.eraseUnused(value)
	case !p.g.Live.Running:
		return true, p.detach(key, value)
	case key == "swap":
		return true, p.resizeMemory()
	case contains(ctFastOptions, key), key == "cpulimit", key == "cpuunits", isNIC(key):
		return true, nil
	}
	return false, nil
}

// detach makes the volume of a mount point unused (07/044).
func (p *ctChanges) detach(key, value string) error {
	if !isMount(key) {
		return nil
	}
	m, err := parseMountPoint(key, value)
	if err != nil || m.kind() != mountVolume {
		return err
	}
	return p.unuse(m.opts["volume"])
}

func (p *ctChanges) unuse(volid string) error {
	config := clone(p.g.Config)
	if err := addUnused(config, volid); err != nil {
		return err
	}
	p.g.Config = config
	return nil
}

// eraseUnused removes an unused volume, unless something of the container uses it again.
func (p *ctChanges) eraseUnused(volid string) error {
	if p.g.mounts(volid) || !p.w.owns(p.g.VMID, volid) {
		return nil
	}
	if len(p.n.linkedTo(volid)) > 0 {
		return fail("base volume '%s' is still in use by linked cloned", volid)
	}
	p.erase = append(p.erase, volid)
	return nil
}

// mounts is whether the configuration, the waiting one or a snapshot has a volume as a mount point.
func (g *Guest) mounts(volid string) bool {
	configs := []Object{g.Config, g.Pending}
	for _, s := range g.Snapshots {
		configs = append(configs, s.Config)
	}
	for _, config := range configs {
		for _, key := range mountKeys(config) {
			if driveVolume(text(config[key])) == volid {
				return true
			}
		}
	}
	return false
}

func (p *ctChanges) applyOff(key string) (bool, error) {
	if !isMount(key) || key == "rootfs" {
		return true, nil
	}
	return true, p.mount(key)
}

// mount makes the volume that a waiting mount point asks for; the volume that it replaces becomes unused (07/022).
func (p *ctChanges) mount(key string) error {
	value := text(p.g.Pending[key])
	m, err := parseMountPoint(key, value)
	if err != nil {
		return err
	}
	if _, _, ok := m.asksNew(); ok {
		values, _, err := p.w.placeMounts(p.n, p.g.VMID, map[string]string{key: value}, func(string, ...any) {})
		if err != nil {
			return err
		}
		p.g.setPending(key, values[key])
		p.made = append(p.made, driveVolume(text(values[key])))
	}
	old := text(p.g.Config[key])
	if old == "" || driveVolume(old) == driveVolume(text(p.g.Pending[key])) {
		return nil
	}
	return p.detach(key, old)
}

// applyRunning changes a running container: network devices, processor and memory limits, and new mount points.
func (p *ctChanges) applyRunning(key string) (bool, error) {
	switch {
	case contains(ctFastOptions, key), key == "cpulimit", key == "cpuunits":
		return true, nil
	case key == "memory", key == "swap":
		return true, p.resizeMemory()
	case isNIC(key):
		return true, p.plugNIC(key)
	case devShape().MatchString(key):
		return !has(p.g.Config, key), nil
	case isMount(key) && key != "rootfs" && !has(p.g.Config, key):
		return true, p.plugMount(key)
	}
	return false, nil
}

// resizeMemory sets the limits of memory and swap. Where the recordings come from there are no control groups for
// them.
func (p *ctChanges) resizeMemory() error {
	if p.w.recorded { // 07/072
		return fail("trying to change memory cgroup values: container not running")
	}
	return nil
}

// plugNIC connects a device anew. What runs in the container is looked at for its network files, and the type of the
// system is corrected with it (07/079).
func (p *ctChanges) plugNIC(key string) error {
	if bridge := driveOption(text(p.g.Pending[key]), "bridge"); bridge != "" && !p.w.hasBridge(p.n, bridge) {
		return fail("bridge '%s' does not exist", bridge)
	}
	plugged := map[string]int{key: p.g.Live.PID}
	for k, pid := range p.g.plugged {
		if k != key {
			plugged[k] = pid
		}
	}
	p.g.plugged = plugged
	if p.g.system != "" && p.g.Config["ostype"] != "unmanaged" {
		p.g.put("ostype", p.g.system)
	}
	return nil
}

// plugMount mounts into a running container, which needs another AppArmor profile for a moment.
func (p *ctChanges) plugMount(key string) error {
	if p.w.recorded { // 07/075; the volume that was made for it is gone again
		return fail("failed to change apparmor profile: Invalid argument")
	}
	return p.mount(key)
}
