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
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// RestoreAsk says what is to be restored: a backup by its volume id, or the newest one of a guest (vmid or name, also one that is gone) that
// is not newer than At (zero = now). Over puts it in the guest's own place. Taken are vmids that are not free any more.
type RestoreAsk struct {
	Guest, Backup, Storage string
	At                     time.Time
	VMID                   int
	Taken                  []int
	Over                   bool
	Copy                   bool // never in the place of one that is gone
	OnServer               bool // on a Proxmox Backup Server alone
	ReadOptions
}

// RestoreChoice is what a restore needs to be planned. Exists says that the guest still does. VMID is the one to restore to, Storage "" where
// the disks go back to where they were. Why says in words what was chosen.
type RestoreChoice struct {
	Cluster, Node, Name, Volume string
	Of, VMID                    int
	Type                        pve.GuestType
	Exists                      bool
	At                          time.Time
	Config                      pve.Config // as the backup holds it
	Storage                     string
	Place                       BackupPlace // for a backup of what the guest is now
	Why                         []string
}

// RestoreChoice chooses what RestoreAsk leaves open. It asks Proxmox VE as Recovery does, and for the configuration in the backup. Errors: those of
// Recovery, fault.NotFound where there is no such backup, fault.Conflict where no node or storage can take it.
func (i *Inventory) RestoreChoice(ctx context.Context, q RestoreAsk) (RestoreChoice, error) {
	guest := strings.TrimSpace(q.Guest)
	if q.Backup != "" {
		id := guestOfBackup(q.Backup)
		if id == "" {
			return RestoreChoice{}, fault.BadField("backup", "it must be the volume id of a backup", "nas:backup/vzdump-qemu-104-2026_11_21-02_30_00.vma.zst").WithNext("find_recovery")
		}
		guest = id
	}
	r, p, err := i.backupFor(ctx, guest, &q)
	if err != nil {
		return RestoreChoice{}, err
	}
	out := RestoreChoice{Cluster: r.Cluster, Node: p.Node, Name: r.Name, Volume: p.ID, Of: r.VMID, VMID: q.VMID, Type: r.Type, Exists: r.Known && r.GoneAt.IsZero(),
		At: p.At, Storage: strings.TrimSpace(q.Storage)}
	if out.Type == "" {
		return out, fault.New(fault.Conflict, "what kind of guest %s is of cannot be told", clean.Line(p.ID, maxLine))
	}
	scope, err := i.scope(ctx, r.Cluster)
	if err != nil {
		return out, err
	}
	s := &restoring{c: scope[0], cv: i.proj.cluster(r.Cluster), q: &q, out: &out, home: r.Node}
	for _, step := range []func(context.Context) error{s.node, s.config, s.storage, s.vmid} {
		if err := step(ctx); err != nil {
			return out, err
		}
	}
	return out, nil
}

var backupNames = lazy.Regexp(`:backup/(?:vzdump-(?:qemu|lxc)-([1-9]\d{2,8})-|(?:vm|ct)/([1-9]\d{2,8})/)`)

// guestOfBackup is the vmid in a backup's name, "" without one.
func guestOfBackup(volid string) string {
	m := backupNames().FindStringSubmatch(volid)
	if m == nil {
		return ""
	}
	return cmp.Or(m[1], m[2])
}

// backupFor looks through the ways back of a guest: for the backup that is named, else for the best one that is not newer than wanted.
func (i *Inventory) backupFor(ctx context.Context, guest string, q *RestoreAsk) (Recovery, RecoveryPoint, error) {
	ask := RecoveryQuery{Guest: guest, At: q.At, ReadOptions: q.ReadOptions}
	var oldest *RecoveryPoint
	for {
		r, err := i.Recovery(ctx, ask)
		if err != nil {
			return r, RecoveryPoint{}, err
		}
		for k := range r.Rows {
			p := &r.Rows[k]
			switch {
			case p.Kind != PointBackup || q.OnServer && !onServer(p.ID):
			case q.Backup != "" && p.ID == q.Backup, q.Backup == "" && p.Doubt == "" && !p.At.After(r.At):
				return r, *p, nil
			case oldest == nil || p.At.Before(oldest.At):
				oldest = p
			}
		}
		if r.NextCursor == "" {
			return r, RecoveryPoint{}, noBackup(r, q, oldest)
		}
		ask.Cursor, ask.At = r.NextCursor, time.Time{}
	}
}

// onServer says whether a backup is on a Proxmox Backup Server, which names them in its own way.
func onServer(volid string) bool {
	m := backupNames().FindStringSubmatch(volid)
	return m != nil && m[2] != ""
}

func noBackup(r Recovery, q *RestoreAsk, oldest *RecoveryPoint) error {
	switch {
	case q.OnServer && oldest == nil:
		e := fault.New(fault.Conflict, "no such backup of guest %d is seen on a Proxmox Backup Server: Proxmox VE looks into no others", r.VMID).WithNext("list_backups")
		if len(r.Warnings) > 0 {
			return e.WithHint("there may be more than is seen: %s", r.Warnings[0].Text)
		}
		return e.WithHint("restore_guest with action beside brings the whole guest as a copy")
	case q.Backup != "":
		return fault.New(fault.NotFound, "backup %s is not seen", clean.Line(q.Backup, maxLine)).WithNext("find_recovery")
	case oldest == nil:
		return fault.New(fault.NotFound, "no backup of guest %d is seen", r.VMID).WithNext("find_recovery")
	}
	return fault.New(fault.NotFound, "guest %d has no good backup from before %s", r.VMID, r.At.UTC().Format("2006-01-02 15:04Z")).
		WithHint("the oldest is %s of %s: name it as backup", clean.Line(oldest.ID, maxLine), oldest.At.UTC().Format("2006-01-02 15:04Z")).WithNext("find_recovery")
}

// restoring is one choice.
type restoring struct {
	c    *cluster
	cv   *clusterView
	q    *RestoreAsk
	out  *RestoreChoice
	home string // where the guest is or was
}

func (s *restoring) why(format string, args ...any) {
	s.out.Why = append(s.out.Why, fmt.Sprintf(format, args...))
}

// node takes the one that has the backup, of several the guest's own, else the one with the most free memory.
func (s *restoring) node(context.Context) error {
	if s.out.Node != "" {
		if why := s.cv.nodeAway(s.out.Node); why != "" {
			return fault.New(fault.NodeSilent, "the backup is on %s: %s", s.out.Node, why).Retry()
		}
		return nil
	}
	store, _, _ := strings.Cut(s.out.Volume, ":")
	best, most := "", int64(-1)
	for k := range s.cv.nodes {
		n := &s.cv.nodes[k]
		if s.cv.nodeAway(n.name) != "" || decodeState[storageState](s.cv.usage[n.name+"/"+store].State).Status != "available" {
			continue
		}
		if n.name == s.home {
			s.out.Node = n.name
			return nil
		}
		free := int64(0)
		if n.st.Mem != nil && n.st.MaxMem != nil {
			free = *n.st.MaxMem - *n.st.Mem
		}
		if free > most {
			best, most = n.name, free
		}
	}
	if best == "" {
		return fault.New(fault.Conflict, "no node that answers has storage %s", clean.Line(store, maxName))
	}
	s.out.Node = best
	s.why("node %s: it reads the backup and has the most memory free", best)
	return nil
}

func (s *restoring) config(ctx context.Context) (err error) {
	src, err := s.c.source(ctx)
	if err != nil {
		return err
	}
	s.out.Config, err = src.ArchiveConfig(ctx, s.out.Node, s.out.Volume)
	return err
}

// storage keeps disks where they were, if these storages are there; a container's go to one storage together, which has to be named.
func (s *restoring) storage(context.Context) error {
	kind := "images"
	if s.out.Type == pve.LXC {
		kind = "rootdir"
	}
	if s.out.Storage != "" {
		if s.cv.roomiest(s.out.Node, kind, s.out.Storage) == nil {
			return fault.BadField("storage", fmt.Sprintf("storage %s takes no disks on %s", clean.Line(s.out.Storage, maxName), s.out.Node), "")
		}
		return nil
	}
	was, missing := "", ""
	for _, d := range s.out.Config.Disks() {
		if d.Storage == "" || d.CDROM || strings.HasPrefix(d.Slot, "unused") {
			continue
		}
		if d.Slot == "rootfs" {
			was = d.Storage
		}
		if s.cv.roomiest(s.out.Node, kind, d.Storage) == nil {
			missing = d.Storage
		}
	}
	if missing == "" && (s.out.Type == pve.Qemu || was != "") {
		s.out.Storage = was
		return nil
	}
	p := s.cv.roomiest(s.out.Node, kind, "")
	if p == nil {
		return fault.New(fault.Conflict, "no active storage of %s takes disks", s.out.Node)
	}
	s.out.Storage = p.Storage
	s.why("storage %s: the most room; %s, where a disk was, is not there", p.Storage, clean.Line(missing, maxName))
	return nil
}

// vmid is the guest's own where it is gone and nobody has it, else the next free one.
func (s *restoring) vmid(ctx context.Context) error {
	if s.q.Over {
		s.out.VMID = s.out.Of
		if p := s.cv.roomiest(s.out.Node, "backup", ""); p != nil {
			s.out.Place = *p
		}
		return nil
	}
	taken := func(id int) bool { return s.cv.byID[id] != nil || slices.Contains(s.q.Taken, id) }
	switch {
	case s.out.VMID != 0 && taken(s.out.VMID):
		return fault.BadField("vmid", fmt.Sprintf("%d is taken", s.out.VMID), "").WithHint("without vmid a free one is chosen")
	case s.out.VMID != 0:
		return nil
	case !s.out.Exists && !s.q.Copy && !taken(s.out.Of):
		s.out.VMID = s.out.Of
		s.why("vmid %d: its own, which is free", s.out.Of)
		return nil
	}
	src, err := s.c.source(ctx)
	if err != nil {
		return err
	}
	id, err := src.NextID(ctx)
	if err != nil {
		return err
	}
	for taken(id) {
		id++
	}
	s.out.VMID = id
	s.why("vmid %s: free", strconv.Itoa(id))
	return nil
}
