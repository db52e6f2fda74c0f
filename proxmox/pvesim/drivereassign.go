package pvesim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// reassignment is a disk on its way to another VM of the node.
type reassignment struct {
	c        *call
	from, to int
	key, as  string
}

// reassignDisk gives a disk to another VM, in a task after all checks (05/077).
func reassignDisk(c *call) (any, error) {
	r := &reassignment{c: c, from: int(integer(c.vars["vmid"])), to: int(integer(c.param("target-vmid"))), key: c.param("disk"), as: c.param("target-disk")}
	if r.as == "" {
		r.as = r.key
	}
	if err := c.wants(fmt.Sprintf("/vms/%d", r.to), "VM.Config.Disk"); err != nil {
		return nil, err
	}
	if r.from == r.to {
		return nil, badParam("target-vmid", "must be different than source VMID to reassign disk")
	}
	_, _, d, err := r.check()
	if err != nil {
		return nil, err
	}
	store, _, _ := strings.Cut(d.file, ":")
	if err := c.wants("/storage/"+store, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%d-%s>%d-%s", r.from, r.key, r.to, r.as)
	return c.fork("qmmove", id, func(j *job) error {
		return j.lockFile(lockFileOf(typeQEMU, r.from), func() error {
			return j.lockFile(lockFileOf(typeQEMU, r.to), func() error { return r.run(j) })
		})
	}), nil
}

// check finds both VMs and the disk.
func (r *reassignment) check() (from, to *Guest, d *drive, err error) {
	w := r.c.w
	if w.Guest(r.from) == nil {
		return nil, nil, nil, fail("could not find VM %d", r.from)
	}
	if w.Guest(r.to) == nil {
		return nil, nil, nil, fail("could not find target VM %d", r.to) // 05/081
	}
	if a, b := w.Guest(r.from).Node, w.Guest(r.to).Node; a != b {
		return nil, nil, nil, fail("Both VMs need to be on the same node (%s != %s)", a, b)
	}
	if from, err = w.vmOn(r.c.node, r.from); err == nil {
		err = from.lockedError()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if to, err = w.vmOn(r.c.node, r.to); err == nil {
		err = to.lockedError()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	d, err = r.checkDisk(from, to)
	return from, to, d, err
}

func (r *reassignment) checkDisk(from, to *Guest) (*drive, error) {
	if from.Template() || to.Template() {
		return nil, fail("Can't move disks from or to template VMs")
	}
	for _, side := range []struct {
		g   *Guest
		key string
	}{{from, "digest"}, {to, "target-digest"}} {
		if digest := r.c.param(side.key); digest != "" && digest != side.g.Digest {
			return nil, fail("VM %d: %s", side.g.VMID, taskText(errModified()))
		}
	}
	if from.Config[r.key] == nil {
		return nil, fail("Disk '%s' for VM '%d' does not exist", r.key, r.from)
	}
	if to.Config[r.as] != nil {
		return nil, fail("Target disk key '%s' is already in use for VM '%d'", r.as, r.to) // 05/080
	}
	d, err := from.drive(r.key)
	if err != nil {
		return nil, err
	}
	return d, r.checkVolume(from, d)
}

func (r *reassignment) checkVolume(from *Guest, d *drive) error {
	switch {
	case d.isCDROM() && !d.isCloudInit():
		return fail("CD drive contents can't be moved to another VM")
	case !strings.Contains(d.file, ":"):
		return fail("Volume '%s' not managed by PVE", d.file)
	case from.needs(r.key, d.file):
		return fail("Can't move disk used by a snapshot to another VM")
	case from.Live.Running && !isUnusedKey(r.key):
		return fail("Cannot move disk to another VM while the source VM is running - detach first")
	}
	if isUnusedKey(r.as) {
		return nil
	}
	if _, err := parseProperty(propertyOf(typeQEMU, r.as), "", d.String()); err != nil {
		return fail("failed to parse source disk for target disk format - %s", strings.TrimRight(err.Error(), "\n"))
	}
	return nil
}

// run renames the volume for its new owner and moves its key from one configuration to the other.
func (r *reassignment) run(j *job) error {
	from, to, d, err := r.check()
	if err != nil {
		return err
	}
	j.log("moving disk '%s' from VM '%d' to '%d'", r.key, r.from, r.to)
	v := j.node.volume(d.file)
	if v == nil {
		return fail("volume '%s' does not exist", d.file)
	}
	size := virtualSize(v)
	d.file = r.c.w.renameVolume(j.node, d.file, volumeSpec{vmid: r.to})
	r.leave(j, from)
	if isUnusedKey(r.as) {
		r.c.w.SetConfig(r.to, r.as, d.file)
		return nil
	}
	d.opts["size"] = printSize(size)
	return r.arrive(to, d)
}

func (r *reassignment) leave(j *job, from *Guest) {
	w := r.c.w
	if order := bootOrder(text(from.Config["boot"])); slices.Contains(order, r.key) {
		j.log("removing disk '%s' from boot order config", r.key)
		w.SetConfig(r.from, "boot", printBootOrder(slices.DeleteFunc(order, func(k string) bool { return k == r.key })))
	}
	w.SetConfig(r.from, r.key, nil)
	j.log("removing disk '%s' from VM '%d' config", r.key, r.from)
}

// arrive sets the disk in the new owner's configuration, as a request to set it does.
func (r *reassignment) arrive(to *Guest, d *drive) error {
	if !to.Live.Running {
		return r.c.w.putDrive(to, r.as, d.String())
	}
	err := r.c.plugDrive(to, r.as, d.String())
	if errors.Is(err, errWaits) {
		r.c.w.SetPending(r.to, r.as, d.String())
		return nil
	}
	return err
}
