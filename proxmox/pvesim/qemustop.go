package pvesim

import (
	"time"
)

// stopTime is how long QEMU needs to quit (03/073: about 0.1 s).
const stopTime = 50 * time.Millisecond

// stopWait is how many seconds the real one waits for a guest when no timeout is given; it looks once in pollTime.
const (
	stopWait = 60
	pollTime = time.Second
)

// restartTime is how long it takes until a VM that was rebooted is started again, by the process that cleans up after
// VMs.
const restartTime = 500 * time.Millisecond

// vmStop is the work of a stop, a shutdown or a reboot.
type vmStop struct {
	w       *World
	n       *Node
	vmid    int
	timeout int // seconds, negative = none given
	// shutdown asks the guest instead of ending QEMU; force ends QEMU when that did not help.
	shutdown, force, reboot, skiplock bool

	incarnation int // process id of the QEMU that is to end
}

func (s *vmStop) work(j *job) error {
	return j.lockFile(lockFileOf(typeQEMU, s.vmid), func() error { return s.locked(j) })
}

func (s *vmStop) locked(j *job) error {
	g := s.w.qemuOn(s.n, s.vmid)
	if g == nil {
		return notHere(s.n, s.vmid)
	}
	g.reboot = s.reboot && g.Live.Running
	if !g.Live.Running { // 03/082
		return nil
	}
	if err := g.lockedUnless(s.skiplock); err != nil {
		g.reboot = false
		return err
	}
	s.incarnation = g.Live.PID
	if s.reboot {
		j.onFail(func() { s.forgetReboot() })
	}
	if !s.shutdown {
		return s.quit(j)
	}
	if s.timeout < 0 {
		s.timeout = stopWait
		if down := int(integer(driveOption(text(g.Config["startup"]), "down"))); down > 0 {
			s.timeout = down
		}
	}
	return s.ask(j, g)
}

func (s *vmStop) forgetReboot() {
	if g := s.w.qemuOn(s.n, s.vmid); g != nil {
		g.reboot = false
	}
}

// ask tells the guest to shut down: by its agent where one is configured and answers, which takes a while to find out
// (16/076), else by ACPI.
func (s *vmStop) ask(j *job, g *Guest) error {
	if g.agentEnabled() && !g.agentAnswers() {
		return j.after(agentWait, func() error {
			if g := s.alive(); g != nil {
				s.w.pressPower(g, false)
			}
			return s.wait(j, 0)
		})
	}
	s.w.pressPower(g, g.agentEnabled())
	return s.wait(j, 0)
}

// alive gives the VM while the QEMU that is to end runs.
func (s *vmStop) alive() *Guest {
	if g := s.w.qemuOn(s.n, s.vmid); g != nil && g.Live.Running && g.Live.PID == s.incarnation {
		return g
	}
	return nil
}

// wait looks once a second whether the guest has gone.
func (s *vmStop) wait(j *job, seconds int) error {
	switch {
	case s.alive() == nil:
		return s.cleanUp(j)
	case seconds < s.timeout:
		return j.after(pollTime, func() error { return s.wait(j, seconds+1) })
	case s.force:
		j.log("VM still running - terminating now with SIGTERM")
		return s.quit(j)
	}
	return fail("VM quit/powerdown failed - got timeout") // 03/078
}

// quit ends QEMU, whatever the guest does.
func (s *vmStop) quit(j *job) error {
	return j.after(stopTime, func() error {
		if s.alive() != nil {
			s.w.SetStatus(s.vmid, "stopped")
		}
		return s.cleanUp(j)
	})
}

// cleanUp lets pending changes take effect (04/104) and has a rebooted VM started again.
func (s *vmStop) cleanUp(j *job) error {
	g := s.w.qemuOn(s.n, s.vmid)
	if g == nil || g.Live.Running {
		return nil
	}
	j.applyPending(g)
	if g.reboot {
		s.w.schedule(s.w.scaled(restartTime), s.restart)
	}
	return nil
}

// restart starts a VM after a reboot, unless somebody started or stopped it meanwhile. It begins at once, and only where
// nobody has the lock file, so that there is no moment in which a stop finds the VM off and the start is still to come.
func (s *vmStop) restart() {
	g := s.w.qemuOn(s.n, s.vmid)
	switch {
	case g == nil || !g.reboot || g.Live.Running:
	case s.w.flocks[g.lockFile()] != nil:
		s.w.schedule(s.w.scaled(restartTime), s.restart)
	default:
		s.w.startGuest(s.n, g, rootUser).job.beginNow()
	}
}
