package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// RecoveryQuery asks for the ways to bring a guest back to what it was at a time (zero = now). Guest is a vmid or name, also of a
// guest that is gone, and a vmid of which only backups are left.
type RecoveryQuery struct {
	Guest  string
	At     time.Time
	Cursor string
	ReadOptions
}

// The kinds of recovery points.
const (
	PointSnapshot = "snapshot"
	PointBackup   = "backup"
	PointConfig   = "config"
)

// RecoveryPoint is a way back. At is the state that it brings back (zero = not told). Keys are the configuration's keys that differ
// between then and the newest version; KeysKnown says that both were recorded. Missing are disks that a backup leaves out. Doubt says why
// it may be no good: "" = nothing speaks against it.
type RecoveryPoint struct {
	Kind      string // snapshot, backup, config
	ID        string // snapshot name, volume, number of a version
	At        time.Time
	Node      string // where it can be restored; "" = on any node
	Size      *int64
	Keys      []string
	KeysKnown bool
	Missing   []string
	ByNow     bool // Missing is by the newest configuration, as that of then was not recorded
	Doubt     string
	Proven    time.Time // when it was last restored and seen to run, filled in by who knows; zero = never
}

// Recovery is the ways back, best first: what holds data before recorded configurations, what nothing speaks against before what is in
// doubt, not newer than At before newer, then the nearest.
type Recovery struct {
	Meta
	Unlisted            []Warning // those of the Warnings that say which backups were not listed
	Cluster, Name, Node string
	VMID                int
	Type                pve.GuestType // "" when nothing tells
	GoneAt              time.Time     // zero while it exists
	Known               bool          // the guest is or was known, not only backups of it
	At                  time.Time
	Total               int
	Rows                []RecoveryPoint
	NextCursor          string
}

// Recovery finds the ways back. It asks Proxmox VE for backups as Backups does; snapshots and configurations come from the store. What
// could not be read is a warning. Errors: fault.NotFound for a guest that is not known and has no backups, fault.Ambiguous, fault.Invalid.
func (i *Inventory) Recovery(ctx context.Context, q RecoveryQuery) (Recovery, error) {
	offset, err := resumeWindow(q.Cursor, q.Guest+"\x00"+q.Cluster, new(time.Time), &q.At)
	if err != nil {
		return Recovery{}, err
	}
	began := i.now()
	h, err := i.historian(ctx, q.ReadOptions)
	if err != nil {
		return Recovery{}, err
	}
	now := i.now()
	if q.At = q.At.Truncate(time.Millisecond); q.At.IsZero() {
		q.At = now
	}
	if q.At.After(now) {
		return Recovery{}, fault.BadField("at", "it must not lie in the future", "yesterday")
	}
	s := &search{h: h, began: began, out: Recovery{At: q.At}}
	if err := s.find(q.Guest); err != nil {
		return Recovery{}, err
	}
	if err := s.backups(ctx, q); err != nil {
		return Recovery{}, err
	}
	s.snapshots()
	if err := s.configs(ctx); err != nil {
		return Recovery{}, err
	}
	s.rank()
	out := &s.out
	out.Total = len(s.points)
	end := min(out.Total, offset+defaultPage)
	out.Rows = s.points[min(offset, end):end]
	if end < out.Total {
		out.NextCursor = windowCursor(end, q.Guest+"\x00"+q.Cluster, time.Time{}, q.At)
	}
	return *out, nil
}

// search gathers the recovery points of one guest.
type search struct {
	h        *historian
	began    time.Time
	out      Recovery
	row      *row // as last known; nil when only backups tell of it
	versions []store.Version
	points   []RecoveryPoint
}

// find resolves the guest; a number of which nothing is known may still have backups.
func (s *search) find(text string) error {
	refs, err := s.h.i.guestRefs(s.h.scope, text)
	switch {
	case err != nil:
		return err
	case len(refs) > 1:
		var in []string
		for _, r := range refs {
			in = append(in, r.Cluster)
		}
		return whichCluster(fault.New(fault.Ambiguous, "%d guests that are gone are meant by %q", len(refs), clean.Line(text, maxName)), in)
	case len(refs) == 0:
		id, number := vmidOf(strings.TrimSpace(text))
		if !number {
			return s.h.i.unknownGuest(s.h.view, s.h.scope, text)
		}
		s.out.VMID = id
		return nil
	}
	id, _ := vmidOf(refs[0].ID)
	cv := s.h.view.clusters[refs[0].Cluster]
	s.row = cmp.Or(cv.byID[id], cv.gone[id])
	s.out.Cluster, s.out.VMID, s.out.Known = refs[0].Cluster, id, true
	s.out.Name, s.out.Node, s.out.Type, s.out.GoneAt = name(s.row.g.Name), s.row.g.Node, s.row.typ(), s.row.g.GoneAt
	return nil
}

// backups adds the backups that Proxmox VE lists now.
func (s *search) backups(ctx context.Context, q RecoveryQuery) error {
	i := s.h.i
	ctx, cancel := i.budget(ctx, q.Fresh, s.began)
	defer cancel()
	page := BackupPage{Meta: i.meta(s.h.scope)}
	general := len(page.Warnings)
	ask := &BackupQuery{Guest: strconv.Itoa(s.out.VMID), ReadOptions: q.ReadOptions}
	only := s.row
	if only != nil && only.gone() {
		only = nil
	}
	for _, c := range s.h.scope {
		if s.out.Cluster != "" && c.name != s.out.Cluster {
			continue
		}
		read := c.readBackups(ctx, ask, only)
		page.older(read.oldest, i.now())
		page.tell(c, read.warnings)
		page.Guests = append(page.Guests, read.guests...)
	}
	if s.row == nil && len(page.Guests) == 0 {
		return i.unknownGuest(s.h.view, s.h.scope, ask.Guest)
	}
	s.out.Meta, s.out.Unlisted = page.Meta, page.Warnings[general:]
	for k := range page.Guests {
		s.guestBackups(&page.Guests[k])
	}
	return nil
}

func (s *search) guestBackups(g *GuestBackups) {
	s.out.Cluster, s.out.Type = cmp.Or(s.out.Cluster, g.Cluster), cmp.Or(s.out.Type, g.Type)
	for k := range g.Backups {
		b := &g.Backups[k]
		p := RecoveryPoint{Kind: PointBackup, ID: b.Volume, At: b.At, Node: b.Node, Size: b.Size}
		switch {
		case !b.good():
			p.Doubt = "its verification failed"
		case s.row != nil && s.row.g.Life > 1 && b.At.Before(s.row.g.FirstSeen):
			p.Doubt = "older than this guest: of another one that had its number"
		}
		s.points = append(s.points, p)
	}
}

// snapshots adds those of a guest that exists; they went with one that is gone.
func (s *search) snapshots() {
	if s.row == nil || s.row.gone() {
		return
	}
	for _, k := range decodeSnapshots(s.row.g.Snapshots) {
		s.points = append(s.points, RecoveryPoint{Kind: PointSnapshot, ID: k.Name, At: k.At, Node: s.row.g.Node})
	}
	if s.row.g.ConfigHash == "" {
		s.out.Warnings = append(s.out.Warnings, Warning{"partial", "the guest's configuration was not read yet: whether it has snapshots is not known"})
	}
}

// configs adds the recorded configurations and tells of each point what was configured differently.
func (s *search) configs(ctx context.Context) error {
	if s.row == nil {
		return nil
	}
	ref := store.Ref{Cluster: s.out.Cluster, Kind: store.KindGuest, ID: strconv.Itoa(s.out.VMID)}
	list, err := s.h.versions(ctx, ref)
	if err != nil {
		return err
	}
	s.versions = slices.DeleteFunc(list, func(v store.Version) bool { return v.Life != s.row.g.Life })
	for _, v := range s.versions[:max(0, len(s.versions)-1)] { // the newest is what it is now
		s.points = append(s.points, RecoveryPoint{Kind: PointConfig, ID: version(v.Life, v.Seq), At: v.SeenAt})
	}
	if s.row.gone() && len(s.versions) > 0 {
		v := s.versions[len(s.versions)-1]
		s.points = append(s.points, RecoveryPoint{Kind: PointConfig, ID: version(v.Life, v.Seq), At: v.SeenAt})
	}
	for k := range s.points {
		if err := s.compare(ctx, &s.points[k]); err != nil {
			return err
		}
	}
	return nil
}

func version(life, seq int) string {
	if life > 1 {
		return fmt.Sprintf("%d.%d", life, seq)
	}
	return strconv.Itoa(seq)
}

// compare takes the configuration that was recorded when a point was made, and the newest one.
func (s *search) compare(ctx context.Context, p *RecoveryPoint) error {
	k := len(s.versions) - 1
	for k >= 0 && (p.At.IsZero() || s.versions[k].SeenAt.After(p.At)) {
		k--
	}
	if len(s.versions) == 0 || p.Doubt != "" && p.Kind == PointBackup {
		return nil
	}
	now, err := s.h.body(ctx, s.versions[len(s.versions)-1].Hash)
	if err != nil {
		return err
	}
	if k < 0 {
		if p.Kind == PointBackup {
			p.Missing, p.ByNow = leftOut(s.row.typ(), now), true
		}
		return nil
	}
	then, err := s.h.body(ctx, s.versions[k].Hash)
	if err != nil {
		return err
	}
	p.KeysKnown = true
	for _, d := range differences(then, now) {
		p.Keys = append(p.Keys, d.Key)
	}
	if p.Kind == PointBackup {
		p.Missing = leftOut(s.row.typ(), then)
	}
	return nil
}

// leftOut are the disks that a backup does not hold: of a VM those with backup=0, of a container all mount points without backup=1
// (schema: qemu and lxc config, backup of scsiN and mpN).
func leftOut(t pve.GuestType, c pve.Config) []string {
	var out []string
	for _, d := range c.Disks() {
		if d.CDROM || d.Source == "none" || strings.HasPrefix(d.Slot, "unused") || d.Slot == "rootfs" {
			continue
		}
		switch on := d.Backup; {
		case t == pve.LXC && (on == nil || !*on), t == pve.Qemu && on != nil && !*on:
			out = append(out, d.Slot)
		}
	}
	return out
}

// rank puts the best first.
func (s *search) rank() {
	slices.SortStableFunc(s.points, func(a, b RecoveryPoint) int {
		return cmp.Or(compareBool(a.Kind == PointConfig, b.Kind == PointConfig), compareBool(a.Doubt != "", b.Doubt != ""), compareBool(a.At.IsZero(), b.At.IsZero()),
			compareBool(a.At.After(s.out.At), b.At.After(s.out.At)), cmp.Compare(s.out.At.Sub(a.At).Abs(), s.out.At.Sub(b.At).Abs()),
			compareBool(a.Kind == PointBackup, b.Kind == PointBackup), strings.Compare(a.ID, b.ID))
	})
}
