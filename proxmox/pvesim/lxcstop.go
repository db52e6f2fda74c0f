package pvesim

import (
	"fmt"
	"strconv"
	"time"
)

// monitorWait is how long a stop that failed is waited for all the same.
const monitorWait = 5 * time.Second

// ctStop is the work of a stop, a shutdown or a reboot of a container.
type ctStop struct {
	w       *World
	n       *Node
	vmid    int
	timeout int // seconds
	// kill ends the container at once, force when the timeout is over; reboot starts it again.
	kill, force, reboot, skiplock bool
}

func (s *ctStop) work(j *job) error {
	return j.lockFile(lockFileOf(typeLXC, s.vmid), func() error { return s.locked(j) })
}

func (s *ctStop) locked(j *job) error {
	g, err := s.w.guestAt(s.n, typeLXC, s.vmid)
	if err != nil {
		return err
	}
	if err := g.lockedUnless(s.skiplock || s.reboot || s.kill && text(g.Config["lock"]) == "mounted"); err != nil {
		return err
	}
	need, limit := g.Behaviour.shutdown(), time.Duration(s.timeout)*time.Second
	switch {
	case !g.Live.Running:
		return nil
	case s.kill:
		return j.after(stopTime, func() error { return s.stopped(j) })
	case need <= limit:
		return j.after(need, func() error { return s.stopped(j) })
	case s.force:
		return j.after(limit, func() error { return s.stopped(j) })
	}
	return s.giveUp(j, need, limit)
}

// giveUp waits in vain: the container was asked to shut down, and goes on doing so, but the task ends before.
func (s *ctStop) giveUp(j *job, need, limit time.Duration) error {
	pid := s.w.Guest(s.vmid).Live.PID
	s.w.schedule(s.w.scaled(need), func() {
		if g := s.w.containerOn(s.n, s.vmid); g != nil && g.Live.Running && g.Live.PID == pid {
			s.w.SetStatus(s.vmid, "stopped")
		}
	})
	return j.after(limit, func() error {
		j.log("command 'lxc-stop -n %d --nokill --timeout %d' failed: exit code 1", s.vmid, s.timeout)
		return j.after(monitorWait, func() error {
			if g := s.w.containerOn(s.n, s.vmid); g == nil || !g.Live.Running {
				return nil
			}
			return fail("container did not stop")
		})
	})
}

// stopped ends the container, and starts it again for a reboot.
func (s *ctStop) stopped(j *job) error {
	s.w.SetStatus(s.vmid, "stopped")
	g := s.w.containerOn(s.n, s.vmid)
	if g == nil || !s.reboot {
		return nil
	}
	start := &ctStart{w: s.w, n: s.n, vmid: s.vmid}
	return start.locked(j)
}

// destroyContainer makes the checks that fail at once and begins the task (06/065, 06/070, 06/075).
func destroyContainer(c *call) (any, error) {
	d := &ctDestroyer{w: c.w, n: c.node, vmid: c.vmid(), force: truth(c.params["force"]), purge: truth(c.params["purge"]),
		rest: truth(c.params["destroy-unreferenced-disks"])}
	if _, err := d.check(); err != nil {
		return nil, err
	}
	return c.fork("vzdestroy", strconv.Itoa(d.vmid), d.work), nil
}

// ctDestroyer is what a DELETE of a container asks for.
type ctDestroyer struct {
	w                  *World
	n                  *Node
	vmid               int
	force, purge, rest bool
}

// check is made before the task and again in it.
func (d *ctDestroyer) check() (*Guest, error) {
	g, err := d.w.guestAt(d.n, typeLXC, d.vmid)
	if err != nil {
		return nil, err // 06/080
	}
	if err := firstError(g.protected(fmt.Sprintf("can't remove CT %d", d.vmid)), g.lockedError()); err != nil {
		return nil, err
	}
	if !d.purge && d.w.haResource(g) != nil {
		return nil, fail("unable to remove CT %d - used in HA resources and purge parameter not set.", d.vmid)
	}
	for _, job := range d.w.Cluster.Lists["replication"] {
		if !d.purge && text(job["guest"]) == fmt.Sprint(d.vmid) {
			return nil, fail("There is a replication job '%s' for guest '%d' - please remove that first.", text(job["id"]), d.vmid)
		}
	}
	if g.Live.Running && !d.force {
		return nil, fail("unable to destroy CT %d - container is running", d.vmid)
	}
	return g, nil
}

func (d *ctDestroyer) work(j *job) error {
	return j.lockFile(lockFileOf(typeLXC, d.vmid), func() error { return d.locked(j) })
}

func (d *ctDestroyer) locked(j *job) error {
	g, err := d.check()
	if err != nil {
		return err
	}
	if g.Live.Running {
		j.log("forced to stop CT %d before destroying!", d.vmid) // 06/078
		d.w.SetStatus(d.vmid, "stopped")
	}
	for _, volid := range g.ownVolumes(d.n) {
		if len(d.n.linkedTo(volid)) > 0 {
			return fail("base volume '%s' is still in use by linked cloned", volid)
		}
	}
	d.dropVolumes(g)
	d.w.touch(g)
	g.Config, g.Pending, g.Deleted, g.Snapshots = Object{"lock": "destroyed"}, Object{}, nil, nil
	g.redigest()
	return j.after(destroyTime, func() error { return d.finish(j, g) })
}

// dropVolumes removes the volumes that the configuration names, and with destroy-unreferenced-disks those that only the
// storages know.
func (d *ctDestroyer) dropVolumes(g *Guest) {
	for _, volid := range g.ownVolumes(d.n) {
		d.w.dropVolume(d.n, volid)
	}
	if !d.rest {
		return
	}
	for _, v := range d.n.guestVolumes(d.vmid) {
		if len(d.n.linkedTo(text(v["volid"]))) == 0 {
			d.w.dropVolume(d.n, text(v["volid"]))
		}
	}
}

// finish removes what else named the container; its configuration goes last, so that nobody takes its vmid before.
func (d *ctDestroyer) finish(j *job, g *Guest) error {
	d.w.removeRights(d.vmid)
	if d.purge {
		j.log("purging CT %d from related configurations..", d.vmid)
		if d.w.purge(g) {
			j.log("NOTE: removed CT %d from HA resource configuration.", d.vmid)
		}
	}
	if d.w.containerOn(d.n, d.vmid) == g {
		d.w.forgetGuest(d.vmid)
	}
	return nil
}
