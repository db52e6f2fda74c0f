package change

import (
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
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
	if seed := seedOf(l); seed != "" {
		return Chained("destroy "+l.ID(), s, removeSeed(l, seed)), nil
	}
	return []Step{s}, nil
}

// removeSeed takes the seed image of a guest away with it: Proxmox VE removes disks, and leaves what is in CD drives.
func removeSeed(l *Live, seed string) Step {
	storage, _, _ := strings.Cut(seed, ":")
	s := deleteVolume("volume.delete", VolumeTarget(l.Cluster, l.Node, seed, &l.Found), volumeCall(l.Node, storage, seed))
	s.TaskID, s.NoUndo = storage, "it was made with the guest" // an ISO image has no owner
	return s
}

// seedOf is the seed image that this program made with a guest and that is in one of its CD drives, "" without one. A clone that has the
// drive of its original is not taken for the owner: the name says whose it is.
func seedOf(l *Live) string {
	for _, disk := range l.Config.Disks() {
		if _, file, ok := strings.Cut(disk.Source, ":iso/"); ok && disk.CDROM && strings.HasPrefix(file, seedPrefix(l.VMID)) && seedName().MatchString(file) {
			return disk.Source
		}
	}
	return ""
}

// seedPrefix begins the name of a guest's seed image.
func seedPrefix(vmid int) string { return "proxmox-mcp-seed-" + strconv.Itoa(vmid) + "-" }

var seedName = lazy.Regexp(`^proxmox-mcp-seed-[0-9]+-[0-9a-f]{8}\.iso$`)

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
