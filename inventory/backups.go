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
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Backup is one backup as a storage lists it. Node is "" where the storage is shared.
type Backup struct {
	Cluster, Volume, Storage, Node string
	VMID                           int
	Type                           pve.GuestType // "" when the storage does not say
	At                             time.Time     // when it was begun; zero = not told
	Size                           *int64
	Format, Notes                  string
	Protected, Encrypted           bool
	Verified                       string // ok, failed, "" = never verified
}

// good says that a backup counts: one whose verification failed does not.
func (b *Backup) good() bool { return b.Verified != "failed" }

// GuestBackups is a guest with its backups, newest first, and what covers it. Gone means that no such guest is known, only backups of it.
type GuestBackups struct {
	Cluster, Name, Node, State string
	VMID                       int
	Type                       pve.GuestType
	Template, Gone             bool
	Backups                    []Backup
	Jobs                       []string  // enabled jobs that cover it
	NextRun                    time.Time // the earliest of them; zero = none
	Excluded                   []string  // enabled jobs that name it as excluded
	Unsure                     bool      // there may be backups that could not be seen
	Pool                       string
}

// Newest is when the newest backup that counts was begun; zero = none is seen.
func (g *GuestBackups) Newest() time.Time {
	for k := range g.Backups {
		if g.Backups[k].good() {
			return g.Backups[k].At
		}
	}
	return time.Time{}
}

// BackupJob is a backup job. NextRun is zero for one that is switched off.
type BackupJob struct {
	Cluster, ID, Comment, Schedule, Storage, Mode, Node, Pool, Keep string
	Enabled, All                                                    bool
	VMIDs, Exclude                                                  []int
	NextRun                                                         time.Time
}

// BackupQuery asks for backups per guest. Guest is a vmid or name, "" = all. MissingSince keeps the guests that have no backup newer than
// it, templates included and named as such; zero = all guests, and backups whose guest is gone.
type BackupQuery struct {
	Guest, Storage string
	MissingSince   time.Time
	Limit          int
	Cursor         string
	ReadOptions
}

func (q *BackupQuery) sum() string {
	return cursorSum(strings.Join([]string{q.Guest, q.Storage, q.MissingSince.UTC().Format(time.DateOnly), q.Cluster}, "\x00"))
}

// BackupPage is a page of guests with their backups, those without first, then by the age of the newest. Total counts all guests that match, Unsure
// those of them of which backups may exist unseen; Templates and Excluded are counted within Total. JobsKnown says that the jobs were read.
type BackupPage struct {
	Meta
	MissingSince                       time.Time
	Guests                             []GuestBackups
	Total, Unsure, Templates, Excluded int
	All                                int // guests that were looked at, templates included
	Jobs                               []BackupJob
	JobsKnown                          bool
	NextCursor                         string
}

// Backups answers which backups each guest has and which jobs cover it. It asks Proxmox VE: two calls (jobs, permissions) and one per storage that takes
// backups, per node unless it is shared; the answers are kept for the time of freshness, and storages that do not answer in time are warnings.
// Errors: fault.NotFound for a storage that is not known and a guest that is neither known nor has backups, fault.Ambiguous, and those of FindGuests.
func (i *Inventory) Backups(ctx context.Context, q BackupQuery) (BackupPage, error) {
	offset, err := decodePage(q.Cursor, q.sum())
	if err != nil {
		return BackupPage{}, err
	}
	began := i.now()
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return BackupPage{}, err
	}
	if err := i.knownStorage(scope, q.Storage); err != nil {
		return BackupPage{}, err
	}
	r, err := i.backupsOf(scope, &q)
	if err != nil {
		return BackupPage{}, err
	}
	ctx, cancel := i.budget(ctx, q.Fresh, began)
	defer cancel()
	page := BackupPage{Meta: i.meta(scope), MissingSince: q.MissingSince, JobsKnown: true}
	reads := make([]backupRead, len(scope))
	i.each(ctx, scope, func(ctx context.Context, k int, c *cluster) { reads[k] = c.readBackups(ctx, &q, r) })
	for k, c := range scope {
		page.older(reads[k].oldest, i.now())
		page.tell(c, reads[k].warnings)
		page.Jobs = append(page.Jobs, reads[k].jobs...)
		page.JobsKnown = page.JobsKnown && reads[k].jobsKnown
		page.Guests = append(page.Guests, reads[k].guests...)
		page.All += reads[k].all
	}
	if q.Guest != "" && len(page.Guests) == 0 {
		_, err := i.resolve(scope, q.Guest)
		return BackupPage{}, err
	}
	page.cut(offset, &q)
	return page, nil
}

// backupsOf is the guest that a query names: nil for all, and for a vmid of which only backups may be left.
func (i *Inventory) backupsOf(scope []*cluster, q *BackupQuery) (*row, error) {
	if q.Guest == "" {
		return nil, nil
	}
	r, err := i.resolve(scope, q.Guest)
	if _, isID := vmidOf(strings.TrimSpace(q.Guest)); isID && fault.CodeOf(err) == fault.NotFound {
		return nil, nil
	}
	return r, err
}

func (p *BackupPage) cut(offset int, q *BackupQuery) {
	slices.SortStableFunc(p.Guests, func(a, b GuestBackups) int {
		return cmp.Or(compareBool(a.Gone, b.Gone), compareBool(a.Template, b.Template), a.Newest().Compare(b.Newest()), cmp.Compare(a.VMID, b.VMID))
	})
	p.Total = len(p.Guests)
	for k := range p.Guests {
		g := &p.Guests[k]
		switch {
		case g.Template:
			p.Templates++
		case g.Unsure:
			p.Unsure++
		case len(g.Jobs) == 0 && len(g.Excluded) > 0:
			p.Excluded++
		}
	}
	end := min(p.Total, offset+pageSize(q.Limit))
	if end < p.Total {
		p.NextCursor = pageCursor(end, q.sum())
	}
	p.Guests = p.Guests[min(offset, end):end]
}

func compareBool(a, b bool) int {
	if a == b {
		return 0
	}
	if b {
		return -1
	}
	return 1
}

// backupRead is what one cluster contributes.
type backupRead struct {
	guests    []GuestBackups
	jobs      []BackupJob
	jobsKnown bool
	all       int
	oldest    time.Time
	warnings  []Warning
}

func (c *cluster) readBackups(ctx context.Context, q *BackupQuery, only *row) backupRead {
	cv := c.inv.proj.cluster(c.name)
	var out backupRead
	var g gaps
	var perms Rights
	var permErr, jobErr error
	var lists []listing
	var wg sync.WaitGroup
	wg.Go(func() { perms, permErr = c.permissions(ctx, q.Fresh) })
	wg.Go(func() { out.jobs, jobErr = c.backupJobs(ctx, q.Fresh) })
	wg.Go(func() {
		lists, out.oldest = c.contents(ctx, cv, "backup", q.Fresh, &g, func(s *Storage) bool {
			return s.takes("backup") && (q.Storage == "" || s.Name == q.Storage)
		})
	})
	wg.Wait()
	cv.unlisted(&g, q.Storage, c.inv.now())
	out.jobsKnown = out.jobs != nil
	out.warnings = g.warnings("backups")
	unread := len(out.warnings) > 0
	var side gaps
	side.add("backup jobs", time.Time{}, c.inv.now(), jobErr)
	side.add("permissions", time.Time{}, c.inv.now(), permErr)
	out.warnings = append(out.warnings, side.warnings("backups")...)
	byGuest := c.sortBackups(lists)
	see := &backupSight{perms: perms, stores: cv.backupStores(q.Storage), unread: unread || cv.state.PartStores}
	see.evidence(byGuest)
	if q.Storage == "" {
		out.learn(cv, byGuest, see)
	}
	out.all = len(cv.rows)
	out.join(c, cv, q, only, byGuest, see)
	if w, ok := see.warning(); ok {
		out.warnings = append(out.warnings, w)
	}
	if w, ok := cv.holdsNone(q.Storage); ok {
		out.warnings = append(out.warnings, w)
	}
	return out
}

// join makes the rows: guests that are known, then those of which only backups are left.
func (b *backupRead) join(c *cluster, cv *clusterView, q *BackupQuery, only *row, byGuest map[int][]Backup, see *backupSight) {
	id, byID := vmidOf(strings.TrimSpace(q.Guest))
	for _, r := range cv.rows {
		if only != nil && only != r || only == nil && q.Guest != "" {
			continue
		}
		g := GuestBackups{Cluster: c.name, VMID: r.g.VMID, Name: r.g.Name, Node: r.g.Node, State: r.state, Type: r.typ(), Template: r.g.Template, Pool: r.g.Pool}
		g.Backups = ofType(byGuest[r.g.VMID], g.Type)
		g.cover(b.jobs)
		g.Unsure = see.hides(g.VMID)
		if q.MissingSince.IsZero() || g.Newest().Before(q.MissingSince) {
			b.guests = append(b.guests, g)
		}
	}
	if !q.MissingSince.IsZero() || only != nil {
		return
	}
	for _, vmid := range sortedIDs(byGuest) {
		if cv.byID[vmid] == nil && (q.Guest == "" || byID && id == vmid) {
			b.guests = append(b.guests, GuestBackups{Cluster: c.name, VMID: vmid, Type: byGuest[vmid][0].Type, Gone: true, Backups: byGuest[vmid]})
		}
	}
}

// sortBackups puts the listed backups under their guests, newest first.
func (c *cluster) sortBackups(lists []listing) map[int][]Backup {
	out := map[int][]Backup{}
	for _, l := range lists {
		for k := range l.rows {
			if v := &l.rows[k]; v.Content == "backup" || v.Content == "" {
				b := backupOf(c.name, &l, v)
				out[b.VMID] = append(out[b.VMID], b)
			}
		}
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b Backup) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Volume, b.Volume)) })
	}
	return out
}

func backupOf(cluster string, l *listing, v *pve.VolumeRow) Backup {
	b := Backup{Cluster: cluster, Volume: clean.Line(string(v.VolID), maxLine), Storage: l.storage, Node: l.node, Format: clean.Line(string(v.Format), maxTag),
		Notes: clean.Line(string(v.Notes), maxName), Protected: isTrue(v.Protected), Encrypted: v.Encrypted != "", Size: sizeOfRow(v), At: unix(v.CTime),
		Type: pve.GuestType(clean.Line(string(v.Subtype), maxTag))}
	if v.Verification != nil {
		b.Verified = clean.Line(string(v.Verification.State), maxTag)
	}
	if v.VMID != nil {
		b.VMID = int(*v.VMID)
	}
	if b.Type == "" {
		b.Type = backupType(b.Volume)
	}
	return b
}

// backupType reads the kind of guest from a volume's name: vzdump-qemu-..., vzdump-lxc-..., or backup/vm/..., backup/ct/... on a backup server.
func backupType(volume string) pve.GuestType {
	switch {
	case strings.Contains(volume, "vzdump-qemu-") || strings.Contains(volume, ":backup/vm/"):
		return pve.Qemu
	case strings.Contains(volume, "vzdump-lxc-") || strings.Contains(volume, ":backup/ct/"):
		return pve.LXC
	}
	return ""
}

func sizeOfRow(v *pve.VolumeRow) *int64 {
	if v.Size == nil {
		return optInt(v.ApproxSize)
	}
	return optInt(v.Size)
}

// unix is the time that a row gives in seconds; zero for none.
func unix(v *pve.Int) time.Time {
	if v == nil || *v <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(*v), 0).UTC()
}

// storagePath and guestPath are where rights on them are given.
func storagePath(id string) string { return "/storage/" + id }
func guestPath(vmid int) string    { return "/vms/" + strconv.Itoa(vmid) }
