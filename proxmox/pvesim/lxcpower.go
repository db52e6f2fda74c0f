package pvesim

import (
	"strconv"
	"time"
)

func lxcLifeRoutes() []route {
	base, power := "/nodes/{node}/lxc/{vmid}", need("/vms/{vmid}", "VM.PowerMgmt")
	return append(lxcConfigRoutes(), daemon(
		post("/nodes/{node}/lxc", anyone, createContainer),
		del(base, need("/vms/{vmid}", "VM.Allocate"), destroyContainer),
		post(base+"/status/start", power, startContainer),
		post(base+"/status/stop", power, stopContainer),
		post(base+"/status/shutdown", power, shutdownContainer),
		post(base+"/status/reboot", power, rebootContainer),
		post(base+"/status/suspend", power, suspendContainer),
		post(base+"/status/resume", power, resumeContainer))...)
}

// ctRuns is whether the container of the path runs. One that is not there does not (06/052).
func (c *call) ctRuns() bool {
	g := c.w.containerOn(c.node, c.vmid())
	return g != nil && g.Live.Running
}

func (c *call) wantRunning() error {
	if !c.ctRuns() {
		return fail("CT %d not running", c.vmid()) // 06/047, 11/095
	}
	return nil
}

func (c *call) wantStopped() error {
	if c.ctRuns() {
		return fail("CT %d already running", c.vmid()) // 06/035
	}
	return nil
}

// startContainer begins a start. Only a container that runs is refused at once (06/035); that there is none, or a VM,
// shows in the task (06/053).
func startContainer(c *call) (any, error) {
	if err := firstError(c.rootOnly("skiplock"), c.wantStopped()); err != nil {
		return nil, err
	}
	if r := c.w.haManaged(typeLXC, c.vmid()); r != nil {
		return c.requestHA("start", r), nil
	}
	s := &ctStart{w: c.w, n: c.node, vmid: c.vmid(), skiplock: truth(c.params["skiplock"])}
	return c.fork("vzstart", c.vars["vmid"], s.work), nil
}

func stopContainer(c *call) (any, error) {
	if err := firstError(c.rootOnly("skiplock"), c.wantRunning()); err != nil {
		return nil, err
	}
	overrule := truth(c.params["overrule-shutdown"])
	if r := c.w.haManaged(typeLXC, c.vmid()); r != nil {
		if overrule {
			return nil, badParam("overrule-shutdown", "not applicable for HA resources")
		}
		return c.requestHA("stop", r), nil
	}
	s := &ctStop{w: c.w, n: c.node, vmid: c.vmid(), kill: true, skiplock: truth(c.params["skiplock"])}
	all, by := c.may("/nodes/"+c.node.Name, "Sys.Modify"), c.id.name()
	return c.fork("vzstop", c.vars["vmid"], func(j *job) error {
		if overrule {
			j.overrule("vzshutdown", all, by)
		}
		return s.work(j)
	}), nil
}

// shutdownWait is how many seconds a container has to shut down unless the request says otherwise.
const shutdownWait = 60

func shutdownContainer(c *call) (any, error) {
	if err := c.wantRunning(); err != nil {
		return nil, err
	}
	if r := c.w.haManaged(typeLXC, c.vmid()); r != nil {
		return c.requestHA("stop", r), nil
	}
	return c.fork("vzshutdown", c.vars["vmid"], c.ctStop(truth(c.params["forceStop"]), false).work), nil
}

// rebootContainer shuts the container down and starts it again, with what waits in its configuration.
func rebootContainer(c *call) (any, error) {
	if err := c.wantRunning(); err != nil {
		return nil, err
	}
	return c.fork("vzreboot", c.vars["vmid"], c.ctStop(true, true).work), nil
}

// ctStop is a shutdown as the request's parameters have it.
func (c *call) ctStop(force, reboot bool) *ctStop {
	s := &ctStop{w: c.w, n: c.node, vmid: c.vmid(), timeout: c.timeoutParam(), force: force, reboot: reboot}
	if s.timeout < 0 {
		s.timeout = shutdownWait
	}
	return s
}

// checkpointTime is how long the attempt to freeze a container takes.
const checkpointTime = 300 * time.Millisecond

// suspendContainer and resumeContainer always fail in the task: nodes have no CRIU (06/041).
func suspendContainer(c *call) (any, error) {
	if err := c.wantRunning(); err != nil {
		return nil, err
	}
	return c.checkpoint("vzsuspend", "-s -D /var/lib/vz/dump"), nil
}

func resumeContainer(c *call) (any, error) {
	if err := c.wantStopped(); err != nil { // 06/049: that nothing is suspended shows in the task
		return nil, err
	}
	return c.checkpoint("vzresume", "-r --foreground -D /var/lib/vz/dump"), nil
}

func (c *call) checkpoint(kind, args string) string {
	w, n, vmid := c.w, c.node, c.vmid()
	return c.fork(kind, strconv.Itoa(vmid), func(j *job) error {
		g, err := w.guestAt(n, typeLXC, vmid)
		if err != nil {
			return err
		}
		if err := g.lockedError(); err != nil {
			return err
		}
		return j.after(checkpointTime, func() error {
			return fail("command 'lxc-checkpoint -n %d %s' failed: exit code 1", vmid, args)
		})
	})
}
