package pvesim

import (
	"strings"
	"time"
)

func qemuPowerRoutes() []route {
	base, power := "/nodes/{node}/qemu/{vmid}/status/", need("/vms/{vmid}", "VM.PowerMgmt")
	return daemon(
		post(base+"start", power, startQemu),
		post(base+"stop", power, stopQemu),
		post(base+"shutdown", power, shutdownQemu),
		post(base+"reboot", power, rebootQemu),
		post(base+"suspend", power, suspendQemu),
		post(base+"resume", power, resumeQemu),
		post(base+"reset", power, resetQemu))
}

// vmid is the number in the path.
func (c *call) vmid() int { return int(integer(c.vars["vmid"])) }

// qemuOn gives a VM of a node, nil when there is none of that number there.
func (w *World) qemuOn(n *Node, vmid int) *Guest {
	if g := w.Guest(vmid); g != nil && g.Type == typeQEMU && g.Node == n.Name {
		return g
	}
	return nil
}

// rootOnly refuses parameters that only root@pam itself may send, not even its tokens (10/082).
func (c *call) rootOnly(names ...string) error {
	for _, name := range names {
		if v := c.param(name); v != "" && v != "0" && c.id.name() != rootUser {
			return badParam(name, "Only root may use this option.")
		}
	}
	return nil
}

// notHere is what the look at a VM's process says when the node has no such VM.
func notHere(n *Node, vmid int) error {
	return fail("unable to find configuration file for VM %d on node '%s'", vmid, n.Name)
}

// runningQemu gives the VM of the path when it runs (03/086 to 03/088).
func (c *call) runningQemu() (*Guest, error) {
	g := c.w.qemuOn(c.node, c.vmid())
	switch {
	case g == nil:
		return nil, notHere(c.node, c.vmid())
	case !g.Live.Running:
		return nil, notRunning(g)
	}
	return g, nil
}

func notRunning(g *Guest) error { return fail("VM %d not running", g.VMID) }

// timeoutParam is the parameter timeout, negative when it was not sent.
func (c *call) timeoutParam() int {
	if !c.given("timeout") {
		return -1
	}
	return int(integer(c.params["timeout"]))
}

// startParams are the parameters of a start that belong to migrations and to root.
var startParams = []string{"stateuri", "skiplock", "migratedfrom", "migration_type", "migration_network", "targetstorage", "force-cpu",
	"nets-host-mtu", "with-conntrack-state"}

// startQemu begins a start. Whether there is such a VM shows in the task (03/091).
func startQemu(c *call) (any, error) {
	if err := c.rootOnly(startParams...); err != nil {
		return nil, err
	}
	if c.given("targetstorage") && !c.given("migratedfrom") {
		return nil, badParam("targetstorage", "targetstorage can only by used with migratedfrom.")
	}
	if r := c.w.haManaged(typeQEMU, c.vmid()); r != nil {
		return c.requestHA("start", r), nil
	}
	s := &vmStart{w: c.w, n: c.node, vmid: c.vmid(), skiplock: truth(c.params["skiplock"])}
	return c.fork("qmstart", c.vars["vmid"], s.work), nil
}

func stopQemu(c *call) (any, error) {
	if err := c.rootOnly("skiplock", "keepActive", "migratedfrom"); err != nil {
		return nil, err
	}
	if r := c.w.haManaged(typeQEMU, c.vmid()); r != nil && !c.given("migratedfrom") {
		if truth(c.params["overrule-shutdown"]) {
			return nil, badParam("overrule-shutdown", "not applicable for HA resources")
		}
		return c.requestHA("stop", r), nil
	}
	s := c.vmStop()
	s.force = true
	overrule := truth(c.params["overrule-shutdown"])
	all, by := c.may("/nodes/"+c.node.Name, "Sys.Modify"), c.id.name()
	return c.fork("qmstop", c.vars["vmid"], func(j *job) error {
		if overrule {
			j.overrule("qmshutdown", all, by)
		}
		return s.work(j)
	}), nil
}

// vmStop is a stop as the request's parameters have it.
func (c *call) vmStop() *vmStop {
	return &vmStop{w: c.w, n: c.node, vmid: c.vmid(), timeout: c.timeoutParam(), skiplock: truth(c.params["skiplock"])}
}

// overrule ends other tasks of a kind for the same guest: all of them, or the caller's own.
func (j *job) overrule(kind string, all bool, by string) {
	var ended []string
	for _, t := range j.node.Tasks {
		if t.Running() && t.Type == kind && t.ID == j.task.ID && (all || t.principal() == by) {
			ended = append(ended, t.UPID)
			j.w.abort(t)
		}
	}
	if len(ended) > 0 {
		j.log("overruled %s tasks: %s", kind, strings.Join(ended, ", "))
	}
}

// shutdownQemu asks the guest to shut down. A paused one would get the request when it is resumed, so it is refused.
func shutdownQemu(c *call) (any, error) {
	if err := c.rootOnly("skiplock", "keepActive"); err != nil {
		return nil, err
	}
	s := c.vmStop()
	s.shutdown, s.force = true, truth(c.params["forceStop"])
	if g := c.w.qemuOn(c.node, c.vmid()); g != nil && g.Live.Paused {
		if !s.force {
			return nil, errPaused
		}
		s.shutdown = false
	}
	if r := c.w.haManaged(typeQEMU, c.vmid()); r != nil {
		return c.requestHA("stop", r), nil
	}
	return c.fork("qmshutdown", c.vars["vmid"], s.work), nil
}

var errPaused = fail("VM is paused - cannot shutdown")

// rebootQemu shuts the guest down; another process starts it again then (facts 67).
func rebootQemu(c *call) (any, error) {
	g, err := c.runningQemu()
	if err != nil {
		return nil, err
	}
	if g.Live.Paused {
		return nil, errPaused
	}
	s := c.vmStop()
	s.shutdown, s.reboot = true, true
	return c.fork("qmreboot", c.vars["vmid"], s.work), nil
}

// commandTime is how long QEMU needs to carry out a command.
const commandTime = 20 * time.Millisecond

func resetQemu(c *call) (any, error) {
	if err := c.rootOnly("skiplock"); err != nil {
		return nil, err
	}
	g, err := c.runningQemu()
	if err != nil {
		return nil, err
	}
	w, n, vmid, skiplock := c.w, c.node, g.VMID, truth(c.params["skiplock"])
	return c.fork("qmreset", c.vars["vmid"], func(j *job) error {
		return j.command(n, vmid, func(g *Guest) error { return g.lockedUnless(skiplock) }, w.touch)
	}), nil
}

// lockedUnless is lockedError, or nil with skip.
func (g *Guest) lockedUnless(skip bool) error {
	if skip {
		return nil
	}
	return g.lockedError()
}

// lockedBeside is lockedUnless for what may go on while the VM is backed up.
func (g *Guest) lockedBeside(skip bool) error {
	return g.lockedUnless(skip || text(g.Config["lock"]) == "backup")
}

// command gives a running VM's QEMU a command under the VM's lock file.
func (j *job) command(n *Node, vmid int, check func(*Guest) error, do func(*Guest)) error {
	return j.lockFile(lockFileOf(typeQEMU, vmid), func() error {
		g := j.w.qemuOn(n, vmid)
		if g == nil {
			return noConfig(n.Name, typeQEMU, vmid)
		}
		if err := check(g); err != nil {
			return err
		}
		if !g.Live.Running {
			return notRunning(g)
		}
		do(g)
		return j.after(commandTime, func() error { return nil })
	})
}
