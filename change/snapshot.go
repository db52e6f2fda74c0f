package change

import (
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Snapshot creates, deletes or rolls back to a snapshot of a guest.
type Snapshot struct {
	Verb        string // create, delete, rollback
	Snapshot    string
	Description string
	RAM         bool // with the memory of a running VM
	Start       bool // start the guest after a roll-back
}

// Name implements Action.
func (s Snapshot) Name() string { return "snapshot." + s.Verb }

// Title implements Action.
func (s Snapshot) Title() string { return s.Verb + " snapshot " + s.Snapshot }

// Needs implements Action.
func (s Snapshot) Needs() Needs { return Needs{Snapshots: true, Backups: s.Verb != "create"} }

// snapshotName is Proxmox VE's pve-configid of at most 40 characters (schema; 08/013: one character is too few).
var snapshotName = lazy.Regexp(`^[A-Za-z][A-Za-z0-9_-]{1,39}$`)

// Steps implements Action.
func (s Snapshot) Steps(l *Live) ([]Step, error) {
	if !snapshotName().MatchString(s.Snapshot) || s.Snapshot == "current" {
		return nil, fault.BadField("snapshot", "a letter, then letters, digits, _ or -, 2 to 40 characters; not current", "before-upgrade")
	}
	k := slices.IndexFunc(l.Snapshots, func(x pve.Snapshot) bool { return string(x.Name) == s.Snapshot })
	switch s.Verb {
	case "create":
		return s.create(l, k >= 0)
	case "delete", "rollback":
		if k < 0 {
			return nil, fault.New(fault.NotFound, "%s has no snapshot %s", l.Label(), s.Snapshot).WithHint("it has: %s", orNone(snapshotNames(l)))
		}
		if s.Verb == "delete" {
			return s.remove(l), nil
		}
		return s.rollback(l, l.Snapshots[k]), nil
	}
	return nil, fault.BadField("action", "it must be one of create, delete, rollback", "create")
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (s Snapshot) create(l *Live, exists bool) ([]Step, error) {
	switch {
	case exists:
		return nil, fault.New(fault.Conflict, "%s has a snapshot %s already", l.Label(), s.Snapshot).WithHint("choose another name")
	case l.Target.Template:
		return nil, fault.New(fault.Conflict, "%s is a template: it cannot be snapshotted", l.Label())
	}
	st := l.step(s.Name(), Reversible, "POST", "/snapshot", Param{"snapname", s.Snapshot})
	if s.Description != "" {
		st.Call.Params = append(st.Call.Params, Param{"description", s.Description})
	}
	if s.RAM && l.Type == pve.Qemu && l.Target.Status == "running" {
		st.Call.Params = append(st.Call.Params, Param{"vmstate", "1"})
	}
	st.Task, st.Want.Snapshot = l.taskType("snapshot"), s.Snapshot
	st.Diff = []Diff{{"snapshot", "", s.Snapshot}}
	st.Undo = []Call{{Method: "DELETE", Path: l.path("/snapshot/" + s.Snapshot)}}
	return []Step{st}, nil
}

func (s Snapshot) remove(l *Live) []Step {
	st := l.step(s.Name(), Destructive, "DELETE", "/snapshot/"+s.Snapshot)
	st.Task, st.Want.NoSnapshot, st.NoUndo = l.taskType("delsnapshot"), s.Snapshot, "a deleted snapshot cannot be brought back"
	st.Diff = []Diff{{"snapshot", s.Snapshot, ""}}
	st.Lost = []string{"the state that snapshot " + s.Snapshot + " holds"}
	return []Step{st}
}

func (s Snapshot) rollback(l *Live, to pve.Snapshot) []Step {
	st := l.step(s.Name(), Destructive, "POST", "/snapshot/"+s.Snapshot+"/rollback")
	if s.Start {
		st.Call.Params = []Param{{"start", "1"}}
	}
	st.Task, st.Want.Parent, st.NoUndo = l.taskType("rollback"), s.Snapshot, "what the disks held before a roll-back is gone"
	st.Lost = []string{"everything that its disks and configuration became since snapshot " + s.Snapshot}
	if to.SnapTime != nil {
		st.Lost[0] += " of " + unixDay(int64(*to.SnapTime))
	}
	st.Diff = []Diff{{"disks and configuration", "now", "as at " + s.Snapshot}}
	switch after := s.after(to); {
	case after != l.Target.Status:
		st.Diff = append(st.Diff, Diff{"status", l.Target.Status, after})
	case after == "running":
		st.Diff = append(st.Diff, Diff{"status", "running", "running, started anew"})
	}
	return []Step{st}
}

// after is what a guest is behind a roll-back: it is stopped by it, and started by a snapshot with its memory or when asked for (recordings
// 08; schema: start).
func (s Snapshot) after(to pve.Snapshot) string {
	if s.Start || to.VMState != nil && bool(*to.VMState) {
		return "running"
	}
	return "stopped"
}
