package change

import (
	"fmt"
	"path"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// grow makes a disk larger, to a size that is given to Proxmox VE as a whole, so that sent twice it would still be one growth.
func (d Disk) grow(l *Live) ([]Step, error) {
	if len(l.Config.Disks()) == 0 && l.New { // a clone of a snapshot, whose disks are not known yet
		return d.growUnseen(l)
	}
	x, err := d.find(l)
	if err != nil {
		return nil, err
	}
	size, err := d.size(x)
	switch {
	case err != nil:
		return nil, err
	case strings.HasPrefix(x.Slot, "unused"):
		return nil, fault.New(fault.Conflict, "%s of %s is not attached", x.Slot, l.Label()).WithHint("attach it first")
	case size < x.Size:
		return nil, fault.New(fault.Conflict, "%s of %s has %s: a disk cannot be made smaller, what lies at its end would be cut off", x.Slot, l.Label(), exactSize(x.Size)).
			WithHint("add a smaller disk and copy the data inside the guest")
	case strings.HasSuffix(x.Source, ".qcow2") && l.Config.Has("parent"):
		return nil, fault.New(fault.Conflict, "%s has snapshots: a qcow2 disk cannot grow while it has", l.Label()).WithHint("delete its snapshots first")
	}
	s := d.resize(l, x.Slot, size)
	s.Diff = []Diff{{x.Slot + " size", exactSize(x.Size), exactSize(size)}}
	if size == x.Size {
		s.Noop, s.Diff = "it is so large already", nil
	}
	return []Step{s}, nil
}

func (d Disk) growUnseen(l *Live) ([]Step, error) {
	size, ok := pve.ReadSize(d.Size)
	if !ok || size < leastSize || d.Slot == "" {
		return nil, fault.BadField("grow", "of a clone of a snapshot the disk and its whole size are needed", "scsi0=32G")
	}
	s := d.resize(l, d.Slot, size)
	s.Diff = []Diff{{Field: d.Slot + " size", New: exactSize(size)}}
	return []Step{s}, nil
}

func (d Disk) resize(l *Live, slot string, size int64) Step {
	s := l.step(d.Name(), Disruptive, "PUT", "/resize", Param{"disk", slot}, Param{"size", exactSize(size)})
	if l.Digest != "" {
		s.Call.Params = append(s.Call.Params, Param{"digest", l.Digest})
	}
	s.Task, s.Want.Sizes, s.NoUndo = "resize", map[string]int64{slot: size}, "a disk cannot be made smaller again"
	return s
}

// size is how large a disk is to become.
func (d Disk) size(x pve.Disk) (int64, error) {
	text, more := strings.CutPrefix(strings.TrimSpace(d.Size), "+")
	n, ok := pve.ReadSize(text)
	switch {
	case !ok || n < leastSize:
		return 0, fault.BadField("size", "the whole size, or what is added, with its unit", "64G, +32G")
	case x.Size == 0:
		return 0, fault.New(fault.Conflict, "the size of %s is not in the configuration", x.Slot).WithHint("qm rescan (pct rescan) on its node writes it there")
	case more:
		n += x.Size
	}
	return n, nil
}

// exactSize is a size as Proxmox VE takes it: in the largest unit that leaves a whole number.
func exactSize(n int64) string {
	for _, unit := range "TGMK" {
		one := int64(1) << map[rune]int{'T': 40, 'G': 30, 'M': 20, 'K': 10}[unit]
		if n >= one && n%one == 0 {
			return fmt.Sprintf("%d%c", n/one, unit)
		}
	}
	return fmt.Sprint(n)
}

// move copies a disk to another storage or into another format (POST move_disk, move_volume; recordings 05/065, 07/055).
func (d Disk) move(l *Live) ([]Step, error) {
	x, err := d.find(l)
	if err != nil {
		return nil, err
	}
	storage := d.Storage
	if storage == "" && d.Format != "" {
		storage = x.Storage
	}
	was := strings.TrimPrefix(path.Ext(x.Source), ".")
	switch {
	case storage == "":
		return nil, fault.BadField("storage", "where it is to go", strings.Join(l.Places.fitting(l.Node, diskContent(l.Type)), ", "))
	case storage == x.Storage && (d.Format == "" || d.Format == was || l.Type == pve.LXC):
		return nil, fault.New(fault.Conflict, "%s of %s is on %s already", x.Slot, l.Label(), storage).WithHint("name another storage, or a format that it does not have")
	case l.Type == pve.LXC && l.Target.Status == "running":
		return nil, fault.New(fault.Conflict, "%s runs: a container's volumes move only while it is stopped", l.Label()).WithHint("shut it down first (power_guest)")
	case x.CDROM && !strings.Contains(x.Source, "cloudinit"):
		return nil, fault.New(fault.Conflict, "%s of %s is a CD drive: it cannot be moved", x.Slot, l.Label())
	}
	if err := l.Places.storageFor("storage", storage, l.Node, l.Type); err != nil {
		return nil, err
	}
	s := l.step(d.Name(), Disruptive, "POST", "")
	s.Call, s.Task = moveCall(l, x.Slot, storage, d.Format, !d.Keep), map[bool]string{true: "move_volume", false: "qmmove"}[l.Type == pve.LXC]
	if l.Digest != "" {
		s.Call.Params = append(s.Call.Params, Param{"digest", l.Digest})
	}
	s.Want.Moved = map[string]Moved{x.Slot: {Storage: storage, Not: x.Source}}
	s.Diff = []Diff{{x.Slot, cleanLine(x.Source), strings.TrimSpace(storage + " " + d.Format)}}
	if d.Keep {
		s.NoUndo = "the source stays as an unused disk: attach it again, or remove it"
		return []Step{s}, nil
	}
	s.Undo = []Call{moveCall(l, x.Slot, x.Storage, was, true)}
	return []Step{s}, nil
}

func moveCall(l *Live, slot, storage, format string, erase bool) Call {
	tail, key := "/move_disk", "disk"
	if l.Type == pve.LXC {
		tail, key, format = "/move_volume", "volume", ""
	}
	c := Call{Method: "POST", Path: l.path(tail), Params: []Param{{key, slot}, {"storage", storage}}}
	if format != "" {
		c.Params = append(c.Params, Param{"format", format})
	}
	if erase {
		c.Params = append(c.Params, Param{"delete", "1"})
	}
	return c
}
