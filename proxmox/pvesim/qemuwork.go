package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// work makes the change: it puts all of it into the pending section and then applies what can be applied. An error in
// the middle leaves what was pending by then (facts 83).
func (u *qemuUpdate) work() error {
	w, g := u.c.w, u.g
	u.log("%s", u.line)
	w.touch(g)
	defer w.changed(g)
	u.order = orderOf(g.Config)
	for _, key := range u.remove {
		if err := u.delete(key); err != nil {
			return err
		}
	}
	keys := append(slices.Collect(maps.Keys(u.set)), slices.Collect(maps.Keys(u.drives))...)
	slices.Sort(keys)
	for _, key := range keys {
		if err := u.change(key); err != nil {
			return err
		}
	}
	g.cleanPending()
	if !g.waiting() {
		return nil
	}
	failed := u.failed
	if g.Live.Running {
		u.hotplug()
	} else {
		failed = w.coldPlug(g, func(key string) error { return u.c.eraseDrive(g, key, text(g.Config[key]), true) })
	}
	if len(failed) > 0 {
		return badParams(failed)
	}
	return nil
}

// orderOf gives the devices of a configuration's boot order, nil when it has the old syntax or none.
func orderOf(config Object) []string {
	for part := range strings.SplitSeq(text(config["boot"]), ",") {
		if order, ok := strings.CutPrefix(part, "order="); ok {
			return splitList(order)
		}
	}
	return nil
}

// setOrder makes a new boot order wait.
func (u *qemuUpdate) setOrder(order []string) {
	u.order = order
	value := ""
	if len(order) > 0 {
		value = "order=" + strings.Join(order, ";")
	}
	u.g.setPending("boot", typedOption("boot", value))
	u.modified["boot"] = true
}

// delete makes a key wait for removal; unused volumes, saved states and tags go at once.
func (u *qemuUpdate) delete(key string) error {
	g := u.g
	value, inEffect := g.Config[key]
	pending, waits := g.Pending[key]
	if !inEffect && !waits {
		u.log("cannot delete '%s' - not set in current configuration!", key)
		return nil
	}
	u.modified[key] = true
	if !inEffect {
		value = pending
	}
	g.dropPending(key)
	if contains(u.order, key) {
		u.setOrder(slices.DeleteFunc(slices.Clone(u.order), func(k string) bool { return k == key }))
	}
	switch {
	case isUnusedKey(key) || key == "vmstate":
		return u.erase(key, text(value))
	case key == "tags":
		if err := u.c.mayChangeTags(g.VMID, text(value), ""); err != nil {
			return err
		}
		g.put(key, nil)
		return nil
	}
	if err := u.mayDelete(key, text(g.Config[key]), text(value)); err != nil {
		return err
	}
	if waits && isDriveKey(key) {
		if err := u.unusePending(key, text(pending)); err != nil {
			return err
		}
	}
	g.addDeleted(key, u.force)
	return nil
}

func (u *qemuUpdate) mayDelete(key, old, value string) error {
	if isDriveKey(key) {
		if err := u.g.protected("can't remove drive '" + key + "'"); err != nil {
			return err
		}
	}
	return u.c.mayChangeByValue(u.g.VMID, "", key, old, value, "delete")
}

// protected refuses what protection forbids.
func (g *Guest) protected(what string) error {
	if !truth(g.Config["protection"]) {
		return nil
	}
	return fail("%s - protection mode enabled", what)
}

// erase removes a key together with its volume: an unused disk or the state of a hibernated VM.
func (u *qemuUpdate) erase(key, value string) error {
	c, g := u.c, u.g
	what := "can't remove unused disk '" + driveVolume(value) + "'"
	if key == "vmstate" {
		what = "can't remove vmstate '" + value + "'"
	}
	if err := g.protected(what); err != nil {
		return err
	}
	if isUnusedKey(key) {
		if err := c.wantsVM(g.VMID, "", "VM.Config.Disk"); err != nil {
			return err
		}
	}
	if err := c.eraseDrive(g, key, value, key == "vmstate"); err != nil {
		return err
	}
	g.put(key, nil)
	return nil
}

// unusePending keeps the volume of a drive that was never attached.
func (u *qemuUpdate) unusePending(key, value string) error {
	config := clone(u.g.Config)
	if err := u.c.w.releaseDrive(u.g, config, key, value); err != nil {
		return err
	}
	u.g.Config = config
	return nil
}

// change makes a value wait.
func (u *qemuUpdate) change(key string) error {
	g := u.g
	u.modified[key] = true
	value, option := u.set[key]
	if !option {
		return u.changeDrive(key)
	}
	if value == nil {
		return undefined(key)
	}
	if old, ok := g.Pending[key]; ok && text(old) == text(value) {
		return nil
	}
	if err := u.c.mayChangeByValue(g.VMID, "", key, text(g.Config[key]), text(value), "modify"); err != nil {
		return err
	}
	switch key {
	case "tags":
		if err := u.c.mayChangeTags(g.VMID, text(g.Config[key]), text(value)); err != nil {
			return err
		}
	case "boot":
		if order := orderOf(Object{"boot": value}); len(order) > 0 {
			return u.changeOrder(order)
		}
	}
	g.setPending(key, value)
	return nil
}

// changeOrder wants the devices of a new boot order to be there (04/042) and takes the old syntax away.
func (u *qemuUpdate) changeOrder(order []string) error {
	g := u.g
	for _, key := range order {
		there := has(g.Config, key) || has(g.Pending, key) || has(u.set, key) || has(u.drives, key)
		if !there || contains(u.remove, key) {
			return fail("invalid bootorder: device '%s' does not exist'", key)
		}
	}
	if has(g.Config, "bootdisk") {
		g.addDeleted("bootdisk", false)
	}
	u.setOrder(order)
	return nil
}

// changeDrive makes the volume that a drive value asks for. A new CD drive becomes bootable (facts 63).
func (u *qemuUpdate) changeDrive(key string) error {
	c, g, value := u.c, u.g, u.drives[key]
	if old, ok := g.Pending[key]; ok && text(old) == value {
		return nil
	}
	if old, ok := g.Config[key]; ok {
		if err := c.mayChangeDrive(g.VMID, key, text(old)); err != nil {
			return err
		}
	}
	if err := c.mayChangeDrive(g.VMID, key, value); err != nil {
		return err
	}
	if old, ok := g.Pending[key]; ok {
		if err := u.unusePending(key, text(old)); err != nil {
			return err
		}
	}
	made, _, err := c.w.placeDrives(c.node, g, map[string]string{key: value}, u.log)
	if err != nil {
		return err
	}
	g.setPending(key, made[key])
	if d, ok := parseDrive(key, text(made[key])); ok && d.isCDROM() && u.order != nil && !contains(u.order, key) {
		u.setOrder(append(slices.Clone(u.order), key))
	}
	return nil
}
