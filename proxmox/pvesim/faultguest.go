package pvesim

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // made-up identities, not a signature
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// onWorld is a fault that changes the world once when it is put in, and may change it back.
func onWorld(name string, do func(*World), undo func(*World)) Fault {
	return Fault{Name: name, install: func(s *Sim) func() {
		s.Update(do)
		if undo == nil {
			return func() {}
		}
		return func() { s.Update(undo) }
	}}
}

// LockFileHeld makes something outside of the API hold a guest's lock file for a time (F27).
func LockFileHeld(vmid int, by time.Duration) Fault {
	return onWorld(fmt.Sprintf("F27 lock file of %d held for %s", vmid, by), func(w *World) {
		if g := w.Guest(vmid); g != nil {
			holder := &job{w: w, task: &Task{}}
			holder.take(g.lockFile())
			w.schedule(by, func() { holder.unlockAll() })
		}
	}, nil)
}

// GuestLocked puts a configuration lock on a guest. With a running task it looks like work in progress (F28), without one
// like what a crash left (F29). Removing the fault takes the lock away and ends the task.
func GuestLocked(vmid int, lock string, withTask bool) Fault {
	var upid string
	return onWorld(fmt.Sprintf("F28 guest %d locked (%s)", vmid, lock), func(w *World) {
		g := w.Guest(vmid)
		if g == nil {
			return
		}
		w.setLock(g, lock)
		if kind := map[string]string{"backup": "vzdump", "snapshot": "qmsnapshot", "clone": "qmclone", "migrate": "qmigrate"}[lock]; withTask && kind != "" {
			upid = w.AddTask(g.Node, kind, fmt.Sprint(vmid), rootUser, "").UPID
		}
	}, func(w *World) {
		if g := w.Guest(vmid); g != nil {
			w.setLock(g, "")
		}
		w.FinishTask(upid, "OK")
	})
}

// NextIDRace lets another client take each vmid that GET /cluster/nextid has offered, before anyone can use it (F30).
func NextIDRace() Fault {
	var sim *Sim
	f := Fault{Name: "F30 nextid is taken", Path: "/cluster/nextid", Method: http.MethodGet,
		install: func(s *Sim) func() { sim = s; return func() {} }}
	f.after = func(_ *exchange, r *response) {
		var body Object
		if r.status != http.StatusOK || decodeJSON(bytes.NewReader(r.body), &body) != nil {
			return
		}
		sim.Update(func(w *World) {
			if id := int(integer(body["data"])); id > 0 && w.Guest(id) == nil {
				w.AddGuest(&Guest{VMID: id, Type: typeQEMU, Node: w.Nodes[0].Name, Config: newIdentity(w, Object{"name": "taken", "memory": "512"})})
			}
		})
	}
	return f
}

// newIdentity adds what makes a VM another one: uuid, generation id and time of creation.
func newIdentity(w *World, config Object) Object {
	uuid := func(what string) string {
		w.eventSeq++
		sum := sha1.Sum(fmt.Appendf(nil, "%s %d", what, w.eventSeq)) //nolint:gosec // see the import
		h := hex.EncodeToString(sum[:])
		return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "8" + h[17:20], h[20:32]}, "-")
	}
	config = clone(config)
	config["smbios1"], config["vmgenid"] = "uuid="+uuid("smbios"), uuid("vmgenid")
	config["meta"] = fmt.Sprintf("creation-qemu=9.2.0,ctime=%d", w.Now().Unix())
	return config
}

// Reincarnated destroys a guest and makes another one under its vmid (F31): a new identity and no snapshots.
func Reincarnated(vmid int) Fault {
	return onWorld(fmt.Sprintf("F31 guest %d is another one", vmid), func(w *World) {
		g := w.Guest(vmid)
		if g == nil {
			return
		}
		destroy, create := "qmdestroy", "qmcreate"
		config := without(g.Config, "parent", "lock")
		if g.Type == typeLXC {
			destroy, create = "vzdestroy", "vzcreate"
		} else {
			config = newIdentity(w, config)
		}
		w.AddTask(g.Node, destroy, fmt.Sprint(vmid), rootUser, "OK")
		w.AddTask(g.Node, create, fmt.Sprint(vmid), rootUser, "OK")
		w.AddGuest(&Guest{VMID: vmid, Type: g.Type, Node: g.Node, Config: config})
	}, nil)
}

// GuestMoved makes another node a guest's home (F32).
func GuestMoved(vmid int, to string) Fault {
	return onWorld(fmt.Sprintf("F32 guest %d moved to %s", vmid, to), func(w *World) { w.MoveGuest(vmid, to) }, nil)
}

// EditBetween changes a guest's configuration each time when a write of it arrives, before the write is looked at, so
// that its digest no longer fits (F33).
func EditBetween(vmid int) Fault {
	n := 0
	return Fault{Name: fmt.Sprintf("F33 guest %d edited by others", vmid), VMID: vmid, before: func(s *Sim, x *exchange) *response {
		if x.method == http.MethodPut || x.method == http.MethodPost {
			n++
			s.Update(func(w *World) { w.SetConfig(vmid, "description", fmt.Sprintf("edited by somebody else %d", n)) })
		}
		return nil
	}}
}

// EditedByFile changes a guest's configuration without a task or a line of any log (F49).
func EditedByFile(vmid int) Fault {
	return onWorld(fmt.Sprintf("F49 guest %d edited by file", vmid), func(w *World) {
		w.SetConfig(vmid, "description", "edited by file at "+w.Now().UTC().Format(time.RFC3339))
	}, nil)
}

// CountersReset lets a guest's traffic counters begin anew (F53).
func CountersReset(vmid int) Fault {
	return onWorld(fmt.Sprintf("F53 counters of %d reset", vmid), func(w *World) {
		if g := w.Guest(vmid); g != nil {
			g.Live.at = w.Now()
			g.Live.NetIn, g.Live.NetOut, g.Live.DiskRead, g.Live.DiskWrite = 0, 0, 0, 0
		}
	}, nil)
}

// AgentGone stops a guest's agent: calls wait and fail (F37).
func AgentGone(vmid int) Fault {
	set := func(up bool) func(*World) {
		return func(w *World) {
			if g := w.Guest(vmid); g != nil {
				g.Agent.Running = up
			}
		}
	}
	return onWorld(fmt.Sprintf("F37 agent of %d gone", vmid), set(false), set(true))
}

// AgentSlow makes agent calls of a guest take time (F37).
func AgentSlow(vmid int, by time.Duration) Fault {
	return Fault{Name: fmt.Sprintf("F37 agent of %d slow", vmid), VMID: vmid, Path: "/nodes/*/qemu/*/agent/*", delay: by}
}

// AgentHarms hangs a guest at its n-th agent call: from then on its agent is gone and the guest is paused (F38).
func AgentHarms(vmid, n int) Fault {
	f := Fault{Name: fmt.Sprintf("F38 agent call %d hangs %d", n, vmid), VMID: vmid, Path: "/nodes/*/qemu/*/agent/*", After: max(0, n-1), Count: 1}
	f.before = func(s *Sim, _ *exchange) *response {
		s.Update(func(w *World) {
			if g := w.Guest(vmid); g != nil {
				g.Agent.Running, g.Live.Paused = false, true
			}
		})
		return nil
	}
	return f
}

// HALate makes the HA manager see what is wanted of a service only after a time, or never when that is negative: tasks
// such as hastart end at once all the same (F26). Removing the fault lets it see everything.
func HALate(by time.Duration) Fault {
	set := func(d time.Duration) func(*World) {
		return func(w *World) { w.HADelay, w.ha.held = d, nil }
	}
	name := "F26 HA acts " + by.String() + " late"
	if by < 0 {
		name = "F26 HA never acts"
	}
	return onWorld(name, set(by), set(0))
}
