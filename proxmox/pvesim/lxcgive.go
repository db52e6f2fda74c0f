package pvesim

import (
	"fmt"
	"strconv"
)

// ctGift is the move of a volume to another container.
type ctGift struct {
	w                  *World
	n                  *Node
	vmid, target       int
	key, targetKey     string
	digest, targetHash string
}

func (c *call) giveVolume() (any, error) {
	t := &ctGift{w: c.w, n: c.node, vmid: c.vmid(), target: int(integer(c.params["target-vmid"])), key: c.param("volume"),
		targetKey: c.param("target-volume"), digest: c.param("digest"), targetHash: c.param("target-digest")}
	if t.targetKey == "" {
		t.targetKey = t.key
	}
	if err := c.wantsVM(t.target, "", "VM.Config.Disk"); err != nil {
		return nil, err
	}
	if t.vmid == t.target {
		return nil, badParam("target-vmid", "must be different than source VMID to move disk to another container")
	}
	m, err := t.check()
	if err != nil {
		return nil, err
	}
	if err := c.wants("/storage/"+m.store(), "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	return c.fork("move_volume", fmt.Sprintf("%d-%s>%d-%s", t.vmid, t.key, t.target, t.targetKey), t.work), nil
}

// check is made before the task and again in it (07/068).
func (t *ctGift) check() (*mountPoint, error) {
	switch {
	case t.key == "rootfs" || t.targetKey == "rootfs":
		return nil, fail("Cannot move to/from 'rootfs'")
	case isUnusedKey(t.key) && !isUnusedKey(t.targetKey):
		return nil, fail("Moving an unused volume to a used one is not possible")
	}
	from, to, err := t.both()
	if err != nil {
		return nil, err
	}
	if !has(from.Config, t.key) {
		return nil, fail("volume '%s' for container '%d' does not exist", t.key, t.vmid)
	}
	if has(to.Config, t.targetKey) {
		return nil, fail("Target volume key '%s' is already in use for container '%d'", t.targetKey, t.target)
	}
	m, err := parseMountPoint(t.key, text(from.Config[t.key]))
	switch {
	case err != nil:
		return nil, err
	case from.snapshotMounts(m.opts["volume"]):
		return nil, fail("Cannot move volume used by a snapshot to another container")
	case m.kind() != mountVolume:
		return nil, fail("Cannot move a bindmount or device mount to another container")
	case !isUnusedKey(t.key) && from.Live.Running:
		return nil, fail("Cannot move in-use volume while the source CT is running - detach or shutdown first")
	}
	return m, nil
}

// both finds the two containers and checks that they may be changed.
func (t *ctGift) both() (from, to *Guest, err error) {
	from, to = t.w.Guest(t.vmid), t.w.Guest(t.target)
	switch {
	case from == nil:
		return nil, nil, fail("could not find CT %d", t.vmid)
	case to == nil:
		return nil, nil, fail("could not find CT %d", t.target)
	case from.Node != to.Node:
		return nil, nil, fail("Both containers need to be on the same node (%s != %s)", from.Node, to.Node)
	case from.Type != typeLXC:
		return nil, nil, noConfig(t.n.Name, typeLXC, t.vmid)
	}
	if err := from.lockedError(); err != nil {
		return nil, nil, err
	}
	if to.Type != typeLXC {
		return nil, nil, noConfig(t.n.Name, typeLXC, t.target)
	}
	if err := to.lockedError(); err != nil {
		return nil, nil, err
	}
	if from.Template() || to.Template() {
		return nil, nil, fail("Can't move volumes from or to template CTs")
	}
	for _, x := range []struct {
		g      *Guest
		digest string
	}{{from, t.digest}, {to, t.targetHash}} {
		if err := x.g.unmodified(x.digest); err != nil {
			return nil, nil, fail("Container %d: %s", x.g.VMID, taskText(err))
		}
	}
	return from, to, nil
}

// snapshotMounts is whether a snapshot has a volume as a mount point.
func (g *Guest) snapshotMounts(volid string) bool {
	for _, s := range g.Snapshots {
		for _, key := range mountKeys(s.Config) {
			if driveVolume(text(s.Config[key])) == volid {
				return true
			}
		}
	}
	return false
}

func (t *ctGift) work(j *job) error {
	return j.lockFile(lockFileOf(typeLXC, t.vmid), func() error {
		return j.lockFile(lockFileOf(typeLXC, t.target), func() error { return t.locked(j) })
	})
}

// locked renames the volume and moves it from one configuration to the other (07/067).
func (t *ctGift) locked(j *job) error {
	m, err := t.check()
	if err != nil {
		return err
	}
	j.log("moving volume '%s' from container '%d' to '%d'", t.key, t.vmid, t.target)
	volid := t.w.renameVolume(t.n, m.opts["volume"], volumeSpec{vmid: t.target})
	j.log("removing volume '%s' from container '%d' config", t.key, t.vmid)
	t.w.SetConfig(t.vmid, t.key, nil)
	m.opts["volume"] = volid
	value := volid
	if !isUnusedKey(t.targetKey) {
		m.key = t.targetKey
		value = m.String()
	}
	if err := t.attach(j, value); err != nil {
		return err
	}
	j.log("target container '%s' updated with '%s'", strconv.Itoa(t.target), t.targetKey)
	return nil
}

// attach puts the volume into the other container's configuration as a change of it would; what fails is a warning.
func (t *ctGift) attach(j *job, value string) error {
	to := t.w.Guest(t.target)
	if isUnusedKey(t.targetKey) {
		t.w.SetConfig(t.target, t.targetKey, value)
		return nil
	}
	p := &ctChanges{w: t.w, n: t.n, g: to.draft(), selected: map[string]bool{t.targetKey: true}}
	p.g.setPending(t.targetKey, value)
	if text := p.apply()[t.targetKey]; text != "" {
		j.warn("%s", taskText(fail("%s", text)))
	}
	p.accept(to)
	return t.w.containerNetworks(t.n, to)
}
