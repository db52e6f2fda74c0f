package pvesim

import (
	"fmt"
	"strings"
)

// maxUnused is the number of unusedN keys.
const maxUnused = 256

// detachDrive takes a drive out of the configuration in effect; its volume stays as unusedN (05/006).
func (w *World) detachDrive(g *Guest, key string) error {
	config := clone(g.Config)
	if err := w.releaseDrive(g, config, key, text(config[key])); err != nil {
		return err
	}
	delete(config, key)
	w.touch(g)
	g.Config = config
	g.dropReused()
	g.redigest()
	return nil
}

// releaseDrive notes in config, which is the caller's own, what becomes of a volume that a drive no longer uses: a disk of
// the guest becomes unusedN, one of another guest is forgotten (05/043), a cloud-init drive is erased.
func (w *World) releaseDrive(g *Guest, config Object, key, value string) error {
	d, ok := parseDrive(key, value)
	if !ok || d.isCDROM() && !d.isCloudInit() {
		return nil
	}
	if d.isCloudInit() {
		if n := w.Node(g.Node); n != nil {
			w.dropVolume(n, d.file)
		}
		return nil
	}
	if !w.owns(g.VMID, d.file) {
		return nil
	}
	return addUnused(config, d.file)
}

// addUnused puts a volume under the first free unusedN unless one has it.
func addUnused(config Object, volid string) error {
	free := ""
	for i := maxUnused - 1; i >= 0; i-- {
		key := fmt.Sprintf("unused%d", i)
		if v, ok := config[key]; !ok {
			free = key
		} else if text(v) == volid {
			return nil
		}
	}
	if free == "" {
		return fail("Too many unused volumes - please delete them first.")
	}
	config[free] = volid
	return nil
}

// dropReused removes unusedN keys whose volume a drive uses again, as every writing of a configuration does (05/011).
func (g *Guest) dropReused() {
	used := map[string]bool{}
	for _, config := range []Object{g.Config, g.Pending} {
		for _, key := range driveKeys(config) {
			used[driveVolume(text(config[key]))] = true
		}
	}
	config := clone(g.Config)
	for key, v := range g.Config {
		if isUnusedKey(key) && used[text(v)] {
			delete(config, key)
		}
	}
	g.Config = config
}

// eraseDrive removes the volume of an unusedN key, or with force that of a drive. CD drives have none, volumes of others
// stay; those that a snapshot or another drive needs are refused. The key stays: the caller removes it.
func (c *call) eraseDrive(g *Guest, key, value string, force bool) error {
	d, ok := parseDrive(key, value)
	if !ok || d.isCDROM() && !d.isCloudInit() || !force && !isUnusedKey(key) || !c.w.owns(g.VMID, d.file) {
		return nil
	}
	store, _, _ := strings.Cut(d.file, ":")
	if err := c.wants("/storage/"+store, "Datastore.AllocateSpace"); err != nil {
		return err
	}
	if g.needs(key, d.file) {
		return fail("unable to delete '%s' - volume is still in use (snapshot?)", d.file)
	}
	return c.w.freeImage(c.w.Node(g.Node), d.file)
}

// needs is whether the guest uses a volume elsewhere than under key: in another drive, a pending one or a snapshot.
func (g *Guest) needs(key, volid string) bool {
	for i, config := range g.configs() {
		for _, k := range driveKeys(config) {
			if (i > 0 || k != key) && driveVolume(text(config[k])) == volid {
				return true
			}
		}
	}
	return false
}

// configs are all states of the configuration: in effect, pending, and those of the snapshots.
func (g *Guest) configs() []Object {
	list := []Object{g.Config, g.Pending}
	for _, s := range g.Snapshots {
		list = append(list, s.Config)
	}
	return list
}

// freeImage erases a volume unless linked clones stand on it.
func (w *World) freeImage(n *Node, volid string) error {
	if clones := n.linkedTo(volid); len(clones) > 0 {
		_, name, _ := strings.Cut(volid, ":")
		_, clone, _ := strings.Cut(clones[0], ":")
		return fail("base volume '%s' is still in use (use by '%s')", name, clone)
	}
	w.dropVolume(n, volid)
	return nil
}
