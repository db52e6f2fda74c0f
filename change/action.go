package change

import (
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Action is one thing that is done to a guest: a value with its arguments. Steps is pure: everything that it may look at is in Live.
// Errors are *fault.Error of what cannot be planned; a guest that is so already gets a step with Noop.
type Action interface {
	Name() string // guest.start: the unit of policy, caps and audit
	Title() string
	Needs() Needs
	Steps(l *Live) ([]Step, error)
}

// Together is an Action that makes its steps out of all guests of a query at once: one backup task per node, a node that is emptied.
type Together interface {
	Action
	// Join gets the guests that could be read, in order of vmid. Skipped are those that it leaves out, with the reason.
	Join(lives []*Live) (steps []Step, skipped []Skip, err error)
}

// Needs says what an action wants to be read beside config and status; it decides how many requests a plan costs.
type Needs struct {
	Snapshots bool
	Backups   bool // what could be restored afterwards
	Savable   bool // whether it can be snapshotted: a snapshot before it brings back what it changes
	Places    bool // nodes and storages, as the inventory knows them
	Bridges   bool // bridges and virtual networks of its node
	Migration bool // what Proxmox VE says about moving it
	// NewID asks for a vmid for a guest that is made: 0 the next free one, else this one, which has to be free. nil: none is needed.
	NewID *int

	taken map[int]*Live // vmids that earlier requests of the same plan use
}

// Live is one guest as it was read for a plan.
type Live struct {
	Target
	Found     Found
	Config    pve.Config
	Status    pve.GuestStatus
	Snapshots []pve.Snapshot
	Backup    *Backup // nil: not looked for
	// CanSnapshot is nil where nobody asked.
	CanSnapshot *bool
	Places      Places   // zero: not looked for
	Bridges     []string // of its node; nil: not looked for, or not all could be read
	NewID       int      // a free vmid; 0: not asked for
	Migration   *Migration
}

// Backup is what is known of a guest's backups. At is nil where there is none.
type Backup struct {
	At    *time.Time
	Known bool
}

// step begins a step of an action on this guest: the path is below the guest's own.
func (l *Live) step(action string, tier Tier, method string, path string, params ...Param) Step {
	return Step{Action: action, Tier: tier, Target: l.Target, Call: Call{Method: method, Path: l.path(path), Params: params}}
}

// path is below /nodes/{node}/{type}/{vmid}.
func (l *Live) path(tail string) string {
	return "/nodes/" + l.Node + "/" + string(l.Type) + "/" + l.ID() + tail
}

// taskType is the name of a task by kind of guest: qmstart, vzstart.
func (l *Live) taskType(verb string) string {
	if l.Type == pve.LXC {
		return "vz" + verb
	}
	return "qm" + verb
}
