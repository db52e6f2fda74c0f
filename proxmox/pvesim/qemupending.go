package pvesim

import (
	"maps"
	"slices"
)

// A VM's pending values are those of Guest.Pending and Guest.Deleted. A request puts all that it changes there first;
// then what can be applied is applied: everything to a VM that is off (coldPlug), what hotplug.go can do to one that
// runs.

// setPending makes a value wait, whatever waited before.
func (g *Guest) setPending(key string, value any) {
	g.Pending = clone(g.Pending)
	g.Pending[key] = value
	g.keep(key)
}

// dropPending forgets a waiting value.
func (g *Guest) dropPending(key string) { g.Pending = without(g.Pending, key) }

// keep forgets that a key waits for removal.
func (g *Guest) keep(key string) {
	g.Deleted = slices.DeleteFunc(slices.Clone(g.Deleted), func(k string) bool { return k == key })
	g.forced = slices.DeleteFunc(slices.Clone(g.forced), func(k string) bool { return k == key })
}

// addDeleted makes a key wait for removal; with force a drive's volume goes with it.
func (g *Guest) addDeleted(key string, force bool) {
	g.keep(key)
	g.Deleted = append(g.Deleted, key)
	if force {
		g.forced = append(g.forced, key)
	}
}

// cleanPending forgets what would change nothing: values that are in effect, removals of what is not there.
func (g *Guest) cleanPending() {
	pending := clone(g.Pending)
	maps.DeleteFunc(pending, func(key string, v any) bool {
		old, ok := g.Config[key]
		return ok && text(old) == text(v)
	})
	g.Pending = pending
	for _, key := range slices.Clone(g.Deleted) {
		if !has(g.Config, key) {
			g.keep(key)
		}
	}
}

// waiting is whether anything is pending.
func (g *Guest) waiting() bool { return len(g.Pending) > 0 || len(g.Deleted) > 0 }

// put makes a value the one in effect; nil removes the key, and so does an empty description.
func (g *Guest) put(key string, value any) {
	g.Config = clone(g.Config)
	if g.Config[key] = value; value == nil || key == "description" && text(value) == "" {
		delete(g.Config, key)
	}
}

// coldPlug applies all that waits to a VM that is off: at a change of its configuration, when it was stopped (04/104)
// and before it starts (04/107). What fails stays pending; its texts are given by key. erase removes the volume of a drive
// that was deleted with force; nil does so without asking for rights.
func (w *World) coldPlug(g *Guest, erase func(key string) error) map[string]string {
	if !g.waiting() {
		return nil
	}
	failed := map[string]string{}
	for _, key := range slices.Sorted(slices.Values(g.Deleted)) {
		if err := w.removeOption(g, key, erase); err != nil {
			failed[key] = "unable to apply pending change " + key + " : " + taskText(err) + "\n"
			continue
		}
		g.put(key, nil)
		g.keep(key)
	}
	g.cleanPending()
	for _, key := range slices.Sorted(maps.Keys(g.Pending)) {
		if err := w.replaceDrive(g, key); err != nil {
			failed[key] = "unable to apply pending change " + key + " : " + taskText(err) + "\n"
			continue
		}
		value := g.Pending[key]
		g.dropPending(key)
		g.put(key, value)
		if d, ok := parseDrive(key, text(value)); ok && isDriveKey(key) && d.isCloudInit() {
			g.cloud = nil // the drive was written
		}
	}
	w.changed(g)
	return failed
}

// removeOption does what the removal of a key means beside it: a drive's volume becomes unused or, when that was
// forced, is erased.
func (w *World) removeOption(g *Guest, key string, erase func(key string) error) error {
	switch {
	case !isDriveKey(key) || !has(g.Config, key):
		return nil
	case !slices.Contains(g.forced, key):
		return w.replaceDrive(g, key)
	case erase != nil:
		return erase(key)
	}
	return w.eraseForced(g, key)
}

// eraseForced removes the volume of a drive.
func (w *World) eraseForced(g *Guest, key string) error {
	d, ok := parseDrive(key, text(g.Config[key]))
	switch {
	case !ok || d.isCDROM() && !d.isCloudInit() || !w.owns(g.VMID, d.file):
		return nil
	case g.needs(key, d.file):
		return fail("unable to delete '%s' - volume is still in use (snapshot?)", d.file)
	}
	return w.freeImage(w.Node(g.Node), d.file)
}

// replaceDrive notes what becomes of the volume that a drive key has now.
func (w *World) replaceDrive(g *Guest, key string) error {
	next, again := g.Pending[key]
	if !isDriveKey(key) || !has(g.Config, key) || again && driveVolume(text(next)) == driveVolume(text(g.Config[key])) {
		return nil
	}
	config := clone(g.Config)
	if err := w.releaseDrive(g, config, key, text(config[key])); err != nil {
		return err
	}
	if d, ok := parseDrive(key, text(config[key])); ok && d.isCloudInit() {
		g.cloud = nil
	}
	g.Config = config
	return nil
}

// changed finishes a change of a VM's configuration as writing the file does.
func (w *World) changed(g *Guest) {
	g.dropReused()
	g.redigest()
}
