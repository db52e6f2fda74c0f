package inventory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// What a disk volume is to the guests of its cluster (Volume.Use).
const (
	UseUsed    = "used"    // a guest refers to it
	UseCopy    = "copy"    // its guest runs on another node: a replica, or left over from a migration
	UseOrphan  = "orphan"  // no guest refers to it, snapshots included
	UseUnknown = "unknown" // that could not be told; Why says what is missing
)

// Volume is one volume as a storage lists it. Node is "" where the storage is shared. Use is "" for what is no disk of a guest.
type Volume struct {
	Cluster, ID, Storage, Node, Content, Format string
	Size, Used                                  *int64
	Owner                                       int    // vmid, 0 = none named
	OwnerName                                   string // "" when no such guest is known
	At                                          time.Time
	Use, Why                                    string
	Protected, Encrypted                        bool
	Notes, Parent                               string
}

func (v *Volume) disk() bool { return v.Content == "images" || v.Content == "rootdir" }

func (v *Volume) bytes() int64 {
	if v.Size == nil {
		return -1
	}
	return *v.Size
}

// VolumeQuery asks for volumes. Empty fields do not filter; Guest is a vmid or name, Content one of images, rootdir, iso, vztmpl, backup,
// snippets, import; Orphans keeps disk volumes that no guest refers to, or of which that is unknown.
type VolumeQuery struct {
	Storage, Node, Guest, Content string
	Orphans                       bool
	Cursor                        string
	ReadOptions
}

func (q *VolumeQuery) sum() string {
	orphans := ""
	if q.Orphans {
		orphans = "o"
	}
	return cursorSum(strings.Join([]string{q.Storage, q.Node, q.Guest, q.Content, orphans, q.Cluster}, "\x00"))
}

// VolumePage is a page of volumes, the largest first. Total, Bytes, ByGuest and the counts are over all that match; Bytes leaves out volumes of unknown size.
type VolumePage struct {
	Meta
	Rows                             []Volume
	Total, Orphans, Unknown, Unsized int
	Bytes, OrphanBytes               int64
	Storages                         int // listings that were read
	ByGuest                          []VolumeShare
	NextCursor                       string
}

// VolumeShare is what the volumes of one guest come to; those of unknown size are counted and add nothing.
type VolumeShare struct {
	Cluster, Name string
	VMID, Count   int
	Bytes         int64
}

// shares sums up volumes by the guest that they belong to, the largest sum first.
func shares(rows []Volume) []VolumeShare {
	at := map[string]int{}
	var out []VolumeShare
	for k := range rows {
		v := &rows[k]
		if v.Owner == 0 {
			continue
		}
		key := v.Cluster + "/" + strconv.Itoa(v.Owner)
		n, ok := at[key]
		if !ok {
			n = len(out)
			at[key] = n
			out = append(out, VolumeShare{Cluster: v.Cluster, VMID: v.Owner, Name: v.OwnerName})
		}
		out[n].Count++
		out[n].Bytes += max(0, v.bytes())
	}
	slices.SortStableFunc(out, func(a, b VolumeShare) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.VMID, b.VMID)) })
	return out
}

// Volumes lists volumes as Proxmox VE sees them now: one call for the token's permissions and one per storage in question, per node unless it is
// shared, and for volumes that may be orphans one per snapshot of their owners. Answers are kept for the time of freshness. A storage that does not
// answer is a warning. Errors: fault.NotFound for a storage, node or guest that is not known, fault.Ambiguous, and those of FindGuests.
func (i *Inventory) Volumes(ctx context.Context, q VolumeQuery) (VolumePage, error) {
	offset, err := decodePage(q.Cursor, q.sum())
	if err != nil {
		return VolumePage{}, err
	}
	began := i.now()
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return VolumePage{}, err
	}
	only, err := i.volumeScope(scope, &q)
	if err != nil {
		return VolumePage{}, err
	}
	ctx, cancel := i.budget(ctx, q.Fresh, began)
	defer cancel()
	page := VolumePage{Meta: i.meta(scope)}
	reads := make([]volumeRead, len(scope))
	i.each(ctx, scope, func(ctx context.Context, k int, c *cluster) {
		if only == nil || only.g.Cluster == c.name {
			reads[k] = c.readVolumes(ctx, &q, only)
		}
	})
	for k, c := range scope {
		page.older(reads[k].oldest, i.now())
		page.tell(c, reads[k].warnings)
		page.Rows = append(page.Rows, reads[k].rows...)
		page.Storages += reads[k].listings
	}
	page.cut(offset, &q)
	return page, nil
}

// volumeScope checks the names in a query.
func (i *Inventory) volumeScope(scope []*cluster, q *VolumeQuery) (*row, error) {
	if err := i.knownStorage(scope, q.Storage); err != nil {
		return nil, err
	}
	if err := i.knownNode(scope, q.Node); err != nil {
		return nil, err
	}
	if q.Guest == "" {
		return nil, nil
	}
	return i.resolve(scope, q.Guest)
}

// knownStorage refuses the name of a storage that no cluster in scope has; "" passes.
func (i *Inventory) knownStorage(scope []*cluster, asked string) error {
	var names []string
	for _, c := range scope {
		cv := i.proj.cluster(c.name)
		for k := range cv.storages {
			names = append(names, cv.storages[k].Name)
		}
		for id := range cv.defs { // defined, and maybe reported by no node
			names = append(names, name(id))
		}
	}
	return i.unknownName(scope, "storage", asked, names)
}

// knownNode refuses the name of a node that no cluster in scope has; "" passes.
func (i *Inventory) knownNode(scope []*cluster, name string) error {
	var names []string
	for _, c := range scope {
		for _, n := range i.proj.cluster(c.name).nodes {
			names = append(names, n.name)
		}
	}
	return i.unknownName(scope, "node", name, names)
}

// unknownName refuses a name that is not among names; while the first sync runs it may yet come.
func (i *Inventory) unknownName(scope []*cluster, kind, name string, names []string) error {
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	e := fault.New(fault.NotFound, "no %s %q is known", kind, clean.Line(name, maxName)).WithNext("get_overview")
	for _, c := range scope {
		cv := i.proj.cluster(c.name)
		if w, ok := loading(cv, c.flying()); ok || !cv.synced {
			e.Cause = cmp.Or(w.Text, "the first sync has not ended")
			return e.WithHint("ask again in a moment, when the first sync has ended").Retry()
		}
		e.Cause = strings.Join(cv.state.otherScopes(), "; ")
	}
	if like := near.Words(name, names, 3); len(like) > 0 {
		return e.WithHint("did you mean %s?", strings.Join(like, ", "))
	}
	return e.WithHint("known: %s", shortList(names, 10))
}

func (p *VolumePage) cut(offset int, q *VolumeQuery) {
	slices.SortStableFunc(p.Rows, func(a, b Volume) int {
		return cmp.Or(cmp.Compare(b.bytes(), a.bytes()), strings.Compare(a.ID, b.ID), strings.Compare(a.Node, b.Node))
	})
	p.Total, p.ByGuest = len(p.Rows), shares(p.Rows)
	for k := range p.Rows {
		v := &p.Rows[k]
		if v.Size == nil {
			p.Unsized++
		} else {
			p.Bytes += *v.Size
		}
		switch v.Use {
		case UseOrphan:
			p.Orphans++
			p.OrphanBytes += max(0, v.bytes())
		case UseUnknown:
			p.Unknown++
		}
	}
	end := min(p.Total, offset+defaultPage)
	if end < p.Total {
		p.NextCursor = pageCursor(end, q.sum())
	}
	p.Rows = p.Rows[min(offset, end):end]
}

// volumeRead is what one cluster contributes.
type volumeRead struct {
	rows     []Volume
	listings int
	oldest   time.Time
	warnings []Warning
}

func (c *cluster) readVolumes(ctx context.Context, q *VolumeQuery, only *row) volumeRead {
	cv := c.inv.proj.cluster(c.name)
	var out volumeRead
	var g gaps
	var perms Rights
	var permErr error
	var lists []listing
	var wg sync.WaitGroup
	wg.Go(func() { perms, permErr = c.permissions(ctx, q.Fresh) })
	wg.Go(func() {
		lists, out.oldest = c.contents(ctx, cv, q.Content, q.Fresh, &g, func(s *Storage) bool { return q.wants(s, only) })
	})
	wg.Wait()
	out.listings = len(lists)
	g.add("permissions", time.Time{}, c.inv.now(), permErr)
	all := c.volumesOf(cv, lists)
	newJudge(c, cv, &g).judge(ctx, all)
	for k := range all {
		if q.takes(&all[k], only) {
			out.rows = append(out.rows, all[k])
		}
	}
	out.warnings = g.warnings("volumes")
	if permErr == nil && hidesVolumes(perms, cv, all) {
		out.warnings = append(out.warnings, Warning{"forbidden", "volumes of guests may be hidden from this token: it needs Datastore.Audit on /storage and VM.Config.Disk " +
			"on /vms for disks, Datastore.AllocateSpace and VM.Backup for backups, or Datastore.Allocate on /storage"})
	}
	return out
}

// wants picks the storages that may hold what is asked for.
func (q *VolumeQuery) wants(s *Storage, only *row) bool {
	switch {
	case q.Storage != "" && s.Name != q.Storage, q.Node != "" && !slices.Contains(s.Nodes, q.Node):
		return false
	case only != nil && !slices.Contains(s.Nodes, only.g.Node):
		return false
	case q.Orphans && q.Content == "":
		return s.takes("images") || s.takes("rootdir")
	}
	return q.Content == "" || s.takes(q.Content)
}

func (q *VolumeQuery) takes(v *Volume, only *row) bool {
	switch {
	case q.Content != "" && v.Content != q.Content, only != nil && v.Owner != only.g.VMID:
		return false
	case q.Orphans:
		return v.Use == UseOrphan || v.Use == UseUnknown
	}
	return true
}

func (c *cluster) volumesOf(cv *clusterView, lists []listing) []Volume {
	var out []Volume
	for _, l := range lists {
		for k := range l.rows {
			out = append(out, volumeOf(c.name, &l, &l.rows[k]))
			v := &out[len(out)-1]
			if r := cv.byID[v.Owner]; r != nil {
				v.OwnerName = r.g.Name
			}
		}
	}
	return out
}

func volumeOf(cluster string, l *listing, row *pve.VolumeRow) Volume {
	text := func(t pve.Text, limit int) string { return clean.Line(string(t), limit) }
	v := Volume{Cluster: cluster, ID: text(row.VolID, maxLine), Storage: l.storage, Node: l.node, Content: text(row.Content, maxTag), Format: text(row.Format, maxTag),
		Size: sizeOfRow(row), Used: optInt(row.Used), At: unix(row.CTime), Protected: isTrue(row.Protected), Encrypted: row.Encrypted != "",
		Notes: text(row.Notes, maxName), Parent: text(row.Parent, maxLine)}
	if row.VMID != nil {
		v.Owner = int(*row.VMID)
	}
	return v
}

// hidesVolumes says that disks or backups may be missing from the listings: the token has not the rights that Proxmox VE asks for
// (pve-storage, check_volume_access), and nothing was seen that only an auditor's sight explains.
func hidesVolumes(perms Rights, cv *clusterView, seen []Volume) bool {
	mayUse := func(storage string, vmid int, content string) bool {
		at := storagePath(storage)
		if perms.On(at, "Datastore.Allocate") {
			return true
		}
		if content == "backup" {
			return perms.On(at, "Datastore.AllocateSpace") && perms.On(guestPath(vmid), "VM.Backup")
		}
		return perms.On(at, "Datastore.Audit") && perms.On(guestPath(vmid), "VM.Config.Disk")
	}
	for k := range seen {
		if v := &seen[k]; v.Owner > 0 && (v.disk() || v.Content == "backup") && !mayUse(v.Storage, v.Owner, v.Content) {
			return false
		}
	}
	for k := range cv.storages {
		for _, r := range cv.rows {
			if !mayUse(cv.storages[k].Name, r.g.VMID, "images") || !mayUse(cv.storages[k].Name, r.g.VMID, "backup") {
				return true
			}
		}
	}
	return false
}
