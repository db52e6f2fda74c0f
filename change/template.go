package change

import (
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Template makes a guest a template, for good: it never runs again, and is cloned instead.
type Template struct{}

// Name implements Action.
func (Template) Name() string { return "guest.template" }

// Title implements Action.
func (Template) Title() string { return "convert to a template" }

// Needs implements Action.
func (Template) Needs() Needs { return Needs{Snapshots: true} }

// Steps implements Action. A VM's is a task; a container's answers at once (pve-api.md 35).
func (t Template) Steps(l *Live) ([]Step, error) {
	s := l.step(t.Name(), Disruptive, "POST", "/template")
	s.NoUndo, s.Want.Set = "a template cannot become a guest again; a full clone of it can take its place", map[string]string{"template": "1"}
	if l.Type == pve.Qemu {
		s.Task = "qmtemplate"
	} else if root := storageOf(l, "rootfs"); root != "" { // its volumes become base volumes a little later
		s.Want.Moved = map[string]Moved{"rootfs": {Storage: root, Not: volumeOf(l.Config, "rootfs")}}
	}
	switch {
	case l.Target.Template:
		s.Noop = "it is a template already"
		return []Step{s}, nil
	case l.Target.Status != "stopped":
		return nil, fault.New(fault.Conflict, "%s is %s: only a stopped guest can become a template", l.Label(), l.Target.Status).WithHint("shut it down first (power_guest)")
	case len(l.Snapshots) > 0:
		return nil, fault.New(fault.Conflict, "%s has snapshots: %v", l.Label(), snapshotNames(l)).WithHint("delete them first (snapshot_guest)")
	}
	s.Diff = []Diff{{Field: "template", New: "1"}}
	s.Lost = []string{"it can never be started again, only cloned"}
	return []Step{s}, nil
}
