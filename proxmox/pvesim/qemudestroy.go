package pvesim

import (
	"strconv"
	"time"
)

// destroyTime is how long removing the disks of a VM takes.
const destroyTime = 200 * time.Millisecond

func qemuLifeRoutes() []route {
	list := append(qemuPowerRoutes(), qemuConsoleRoutes()...)
	return append(list, daemon(
		post("/nodes/{node}/qemu", anyone, createQemu),
		del("/nodes/{node}/qemu/{vmid}", need("/vms/{vmid}", "VM.Allocate"), destroyQemu))...)
}

// qemuDestroyer is what a DELETE of a VM asks for.
type qemuDestroyer struct {
	w                     *World
	n                     *Node
	vmid                  int
	skiplock, purge, rest bool
}

func destroyQemu(c *call) (any, error) {
	if err := c.rootOnly("skiplock"); err != nil {
		return nil, err
	}
	d := &qemuDestroyer{w: c.w, n: c.node, vmid: c.vmid(), skiplock: truth(c.params["skiplock"]),
		purge: truth(c.params["purge"]), rest: truth(c.params["destroy-unreferenced-disks"])}
	g, err := d.check()
	if err != nil {
		return nil, err
	}
	if g.Live.Running {
		return nil, d.running()
	}
	return c.fork("qmdestroy", strconv.Itoa(d.vmid), d.work), nil
}

func (d *qemuDestroyer) running() error { return fail("VM %d is running - destroy failed", d.vmid) }

// check is made before the task and again in it: protection (03/105), and without purge the jobs that name the VM
// (15/071).
func (d *qemuDestroyer) check() (*Guest, error) {
	g := d.w.qemuOn(d.n, d.vmid)
	if g == nil {
		return nil, noConfig(d.n.Name, typeQEMU, d.vmid)
	}
	if truth(g.Config["protection"]) {
		return nil, fail("can't remove VM %d - protection mode enabled", d.vmid)
	}
	if d.purge {
		return g, nil
	}
	if d.w.haResource(g) != nil {
		return nil, fail("unable to remove VM %d - used in HA resources and purge parameter not set.", d.vmid)
	}
	for _, job := range d.w.Cluster.Lists["replication"] {
		if text(job["guest"]) == strconv.Itoa(d.vmid) {
			return nil, fail("There is a replication job '%s' for guest '%d' - please remove that first.", text(job["id"]), d.vmid)
		}
	}
	return g, nil
}

func (d *qemuDestroyer) work(j *job) error {
	return j.lockFile(lockFileOf(typeQEMU, d.vmid), func() error { return d.locked(j) })
}

func (d *qemuDestroyer) locked(j *job) error {
	g, err := d.check()
	if err != nil {
		return err
	}
	if g.Live.Running {
		return d.running()
	}
	if lock := text(g.Config["lock"]); lock != "suspended" { // 03/107
		if err := g.lockedUnless(d.skiplock); err != nil {
			return err
		}
	}
	if g.Template() {
		for _, volid := range g.ownVolumes(d.n) {
			if len(d.n.linkedTo(volid)) > 0 { // 08/110
				return fail("base volume '%s' is still in use by linked cloned", volid)
			}
		}
	}
	d.dropVolumes(j, g)
	d.w.touch(g)
	g.Config, g.Pending, g.Deleted, g.Snapshots = Object{"lock": "destroyed"}, Object{}, nil, nil
	g.redigest()
	return j.after(destroyTime, func() error { return d.finish(j, g) })
}

// dropVolumes removes the volumes that the configuration names, and with destroy-unreferenced-disks those that only the
// storages know.
func (d *qemuDestroyer) dropVolumes(j *job, g *Guest) {
	for _, volid := range g.ownVolumes(d.n) {
		if err := d.w.freeImage(d.n, volid); err != nil {
			j.log("Could not remove disk '%s', check manually: %s", volid, taskText(err))
		}
	}
	if !d.rest {
		return
	}
	for _, v := range d.n.guestVolumes(d.vmid) {
		if v["content"] != contentImages {
			continue
		}
		if err := d.w.freeImage(d.n, text(v["volid"])); err != nil {
			j.log("%s", taskText(err))
		}
	}
}

// finish removes what else named the VM; its configuration goes last, so that nobody takes its vmid before.
func (d *qemuDestroyer) finish(j *job, g *Guest) error {
	d.w.removeRights(d.vmid)
	if d.purge {
		j.log("purging VM %d from related configurations..", d.vmid)
		if d.w.purge(g) {
			j.log("NOTE: removed VM %d from HA resource configuration.", d.vmid)
		}
	}
	if d.w.qemuOn(d.n, d.vmid) == g {
		d.w.forgetGuest(d.vmid)
	}
	return nil
}
