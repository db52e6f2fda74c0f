package change

import (
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Destroy removes a guest with its disks. Purge also removes it from backup jobs, replication and HA; Unreferenced also removes disks
// that only its vmid names. Both are off by default, as in Proxmox VE's own dialog (security.md 2, 8).
type Destroy struct {
	Purge        bool
	Unreferenced bool
}

// Name implements Action.
func (d Destroy) Name() string { return "guest.destroy" }

// Title implements Action.
func (d Destroy) Title() string { return "destroy" }

// Needs implements Action.
func (d Destroy) Needs() Needs { return Needs{Snapshots: true, Backups: true} }

// Steps implements Action.
func (d Destroy) Steps(l *Live) ([]Step, error) {
	switch {
	case l.Target.Protection:
		return nil, fault.New(fault.Conflict, "%s is protected (protection: 1)", l.Label()).WithHint("its owner takes the protection off first")
	case l.Target.Status != "stopped":
		return nil, fault.New(fault.Conflict, "%s is %s: only a stopped guest can be destroyed", l.Label(), l.Target.Status).WithHint("shut it down first (power_guest)")
	case len(l.Found.LinkedClones) > 0:
		return nil, fault.New(fault.Conflict, "linked clones use the disks of %s: %v", l.Label(), l.Found.LinkedClones).WithHint("destroy or fully clone them first")
	case l.HA != "" && !d.Purge:
		return nil, fault.New(fault.Conflict, "%s is managed by HA", l.Label()).WithHint("take it out of HA, or destroy it with purge") // 15/071
	}
	s := l.step(d.Name(), Destructive, "DELETE", "", Param{"purge", flag(d.Purge)}, Param{"destroy-unreferenced-disks", flag(d.Unreferenced)})
	s.Task, s.Want.Gone, s.NoUndo = l.taskType("destroy"), true, "a destroyed guest comes back from a backup only"
	s.Diff = []Diff{{"guest", l.Label(), ""}}
	s.Lost = d.lost(l)
	return []Step{s}, nil
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// lost names each disk and snapshot that goes.
func (d Destroy) lost(l *Live) []string {
	var out []string
	for _, disk := range l.Config.Disks() {
		if v := volumeOf(l.Config, disk.Slot); v != "" && v != "none" {
			out = append(out, "disk "+disk.Slot+" "+cleanLine(v))
		}
	}
	for _, n := range snapshotNames(l) {
		out = append(out, "snapshot "+cleanLine(n))
	}
	if d.Purge {
		out = append(out, "its entries in backup jobs, replication and HA")
	}
	return out
}

func unixDay(s int64) string { return time.Unix(s, 0).UTC().Format("2006-01-02 15:04Z") }

var (
	_ Action = Power{}
	_ Action = Configure{}
	_ Action = Snapshot{}
	_ Action = Destroy{}
)
