package pvesim

import (
	"strings"
	"time"
)

// Behaviour is how what runs inside a VM acts towards its host. Its zero value is an ordinary guest.
type Behaviour struct {
	// IgnoresACPI is true for a guest that does nothing when its power button is pressed.
	IgnoresACPI bool
	// Shutdown is how long the guest needs to shut down once it was asked to; 0 = 1 s.
	Shutdown time.Duration
}

// shutdownTime is how long an ordinary guest needs to shut down.
const shutdownTime = time.Second

// bareMachines is how guests of a recorded world behave: VMs there sit in the BIOS and never react to ACPI, unless a
// guest agent answers (pve/README.md section 7).
func bareMachines() Behaviour { return Behaviour{IgnoresACPI: true} }

func (b Behaviour) shutdown() time.Duration {
	if b.Shutdown > 0 {
		return b.Shutdown
	}
	return shutdownTime
}

// settleIn gives a guest that was made just now what lives inside of it: the behaviour of the world's guests, and an
// agent where there is a disk that it can be installed on (in the recordings 100 and 111 answer, 105 has none and does
// not: 16/073).
func (w *World) settleIn(g *Guest) {
	g.Behaviour = w.Inside
	if g.Type != typeQEMU {
		return
	}
	g.Agent = Agent{Running: g.hasSystemDisk(), HostName: g.Name()}
	if w.recorded {
		g.standIn()
	}
}

// hasSystemDisk is whether the VM has a disk that an operating system can be on.
func (g *Guest) hasSystemDisk() bool {
	for key, v := range g.Config {
		if isDisk(key) && !strings.Contains(text(v), "media=cdrom") {
			return true
		}
	}
	return false
}

// agentAnswers is whether a call to the agent of a running VM is answered.
func (g *Guest) agentAnswers() bool { return g.Live.Running && g.agentEnabled() && g.Agent.Running }

// pressPower asks the guest to shut down, by its agent or by ACPI. What the guest does then goes on by itself, whatever
// becomes of the task that asked. incarnation guards against a guest that was stopped and started meanwhile.
func (w *World) pressPower(g *Guest, viaAgent bool) {
	if !viaAgent && g.Behaviour.IgnoresACPI {
		return
	}
	incarnation, vmid := g.Live.PID, g.VMID
	w.schedule(w.scaled(g.Behaviour.shutdown()), func() {
		if g := w.Guest(vmid); g != nil && g.Live.Running && g.Live.PID == incarnation && !g.Live.Paused {
			w.SetStatus(vmid, "stopped")
		}
	})
}
