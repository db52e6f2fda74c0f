package pvesim

import (
	"strings"
	"time"
)

// saveTime is how long saving the memory of a VM takes (03/064: about a second in all).
const saveTime = 500 * time.Millisecond

// suspendQemu pauses the VM, or with todisk saves its memory and ends it.
func suspendQemu(c *call) (any, error) {
	if err := c.rootOnly("skiplock"); err != nil {
		return nil, err
	}
	g, err := c.runningQemu()
	if err != nil {
		return nil, err
	}
	w, n, vmid, skiplock := c.w, c.node, g.VMID, truth(c.params["skiplock"])
	if !truth(c.params["todisk"]) {
		return c.fork("qmpause", c.vars["vmid"], func(j *job) error {
			return j.command(n, vmid, func(g *Guest) error { return g.lockedBeside(skiplock) }, func(g *Guest) { w.pause(g, true) })
		}), nil
	}
	store, err := c.maySaveState(g)
	if err != nil {
		return nil, err
	}
	s := &vmSuspend{w: w, n: n, vmid: vmid, skiplock: skiplock, store: store}
	return c.fork("qmsuspend", c.vars["vmid"], s.work), nil
}

// maySaveState checks what suspending to disk needs beside VM.PowerMgmt, and gives the storage for the memory.
func (c *call) maySaveState(g *Guest) (string, error) {
	if c.w.haManaged(typeQEMU, g.VMID) != nil {
		return "", fail("Cannot suspend HA managed VM to disk")
	}
	if at := c.expand("/vms/{vmid}"); !c.may(at, "VM.Config.Disk") {
		return "", forbidden(at, "VM.Config.Disk")
	}
	for key := range g.Config {
		if strings.HasPrefix(key, "hostpci") {
			return "", fail("cannot suspend VM to disk due to passed-through PCI device(s), which lack the possibility to save/restore their internal state")
		}
	}
	store := c.param("statestorage")
	if store == "" {
		store = c.w.stateStorage(g)
	}
	if at := "/storage/" + store; !c.may(at, "Datastore.AllocateSpace") {
		return "", forbidden(at, "Datastore.AllocateSpace")
	}
	return store, nil
}

// vmSuspend is the work of suspending to disk.
type vmSuspend struct {
	w        *World
	n        *Node
	vmid     int
	skiplock bool
	store    string
}

func (s *vmSuspend) work(j *job) error {
	return j.lockFile(lockFileOf(typeQEMU, s.vmid), func() error { return s.begin(j) })
}

// begin makes room for the memory and marks the VM; the lock file is free while the memory is written.
func (s *vmSuspend) begin(j *job) error {
	g := s.w.qemuOn(s.n, s.vmid)
	if g == nil {
		return noConfig(s.n.Name, typeQEMU, s.vmid)
	}
	if text(g.Config["lock"]) == "backup" {
		return fail("cannot suspend VM to disk during backup")
	}
	if err := g.lockedUnless(s.skiplock); err != nil {
		return err
	}
	if !g.Live.Running {
		return notRunning(g)
	}
	config := clone(g.Config)
	if err := s.w.saveState(s.n, g, s.store, "suspend-"+s.w.Now().Format(time.DateOnly), config, j.log); err != nil {
		return err
	}
	config["lock"] = "suspending"
	s.w.storeConfig(g, config)
	j.onFail(s.giveUp)
	j.unlock(g)
	return j.after(saveTime, func() error {
		return j.lock(g, func() error { return s.finish(j) })
	})
}

// giveUp takes back what begin did.
func (s *vmSuspend) giveUp() {
	if g := s.w.qemuOn(s.n, s.vmid); g != nil && text(g.Config["lock"]) == "suspending" {
		s.w.dropState(s.n, g)
	}
}

// finish ends QEMU. The VM is stopped then, with the lock suspended and its memory in a volume (03/066, 03/067).
func (s *vmSuspend) finish(j *job) error {
	g := s.w.qemuOn(s.n, s.vmid)
	if g == nil {
		return noConfig(s.n.Name, typeQEMU, s.vmid)
	}
	if !g.Live.Running {
		return notRunning(g)
	}
	j.log("State saved, quitting")
	s.w.SetStatus(s.vmid, "stopped")
	s.w.setLock(g, "suspended")
	return nil
}

// resumeQemu lets a paused VM go on, or starts one that is suspended to disk.
func resumeQemu(c *call) (any, error) {
	if err := c.rootOnly("skiplock", "nocheck"); err != nil {
		return nil, err
	}
	g := c.w.qemuOn(c.node, c.vmid())
	if g == nil {
		return nil, notHere(c.node, c.vmid())
	}
	if err := c.free(g); err != nil {
		return nil, err
	}
	onDisk, skiplock := text(g.Config["lock"]) == "suspended", truth(c.params["skiplock"])
	if !onDisk && !g.Live.Running {
		return nil, notRunning(g)
	}
	w, n, vmid := c.w, c.node, g.VMID
	return c.fork("qmresume", c.vars["vmid"], func(j *job) error {
		if onDisk {
			return (&vmStart{w: w, n: n, vmid: vmid, skiplock: skiplock}).work(j)
		}
		return j.command(n, vmid, func(g *Guest) error { return g.lockedBeside(skiplock) }, func(g *Guest) { w.pause(g, false) })
	}), nil
}
