package inventory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// snapshotReads bounds the snapshot configurations that one question reads; volumes beyond stay unknown, and asking again goes on.
	snapshotReads = 40
	// snapshotKeep is how long they are remembered: what a snapshot holds does not change.
	snapshotKeep = time.Hour
)

// volumeJudge tells which disk volumes guests refer to. Doubt is never an orphan: somebody may delete what is called one.
type volumeJudge struct {
	c      *cluster
	cv     *clusterView
	gaps   *gaps
	refs   map[string]*row   // volume id: the guest that refers to it; linked clones refer to their base too
	names  map[string]string // backing and name: volume id that guests refer to, for storages that are two names of one place
	back   map[string]string // storage: what is behind it
	unread map[string]bool   // nodes with guests whose configuration was never read
	asked  int
}

func newJudge(c *cluster, cv *clusterView, g *gaps) *volumeJudge {
	j := &volumeJudge{c: c, cv: cv, gaps: g, refs: map[string]*row{}, names: map[string]string{}, back: map[string]string{}, unread: map[string]bool{}}
	for id, o := range cv.defs {
		j.back[id] = backing(o)
	}
	for _, r := range cv.rows {
		if r.f == nil {
			j.unread[r.g.Node] = true
			continue
		}
		for _, list := range [][]string{r.f.Volumes, r.f.Loose} {
			for _, id := range list {
				j.refer(r, id)
			}
		}
	}
	return j
}

func (j *volumeJudge) refer(r *row, id string) {
	j.refs[id] = r
	v, ok := pve.ParseVolume(id)
	if !ok {
		return
	}
	j.names[j.place(v.Storage)+v.Name] = id
	if base := baseOf(v.Name); base != "" && j.refs[v.Storage+":"+base] == nil {
		j.refs[v.Storage+":"+base] = r
	}
}

// place is what a volume's name is unique in: what is behind the storage, else the storage itself.
func (j *volumeJudge) place(storage string) string {
	if b := j.back[storage]; b != "" {
		return b + "\x00"
	}
	return storage + "\x00"
}

// backing is what a storage's definition says that it stands on; "" when it says nothing. Two storages with the same one hold the same volumes.
func backing(o store.Object) string {
	def, err := pve.DecodeConfig(o.State)
	if err != nil {
		return ""
	}
	var parts []string
	for _, key := range []string{"path", "pool", "vgname", "thinpool", "server", "export", "share", "subdir", "portal", "target", "datastore", "namespace", "monhost", "fs-name"} {
		if v := def.Str(key); v != "" {
			parts = append(parts, key+"="+v)
		}
	}
	if parts == nil {
		return ""
	}
	return strings.Join(append(parts, def.Str("type")), "\x01")
}

// baseOf is the template's volume in the name of a linked clone: "900/base-900-disk-0.qcow2/210/vm-210-disk-0.qcow2" and "base-900-disk-0/vm-210-disk-0".
func baseOf(name string) string {
	parts := strings.Split(name, "/")
	switch len(parts) {
	case 2:
		if strings.HasPrefix(parts[0], "base") {
			return parts[0]
		}
	case 4:
		return parts[0] + "/" + parts[1]
	}
	return ""
}

// judge fills in Use and Why of each disk volume.
func (j *volumeJudge) judge(ctx context.Context, all []Volume) {
	parents := map[string]bool{}
	for k := range all {
		if v := &all[k]; v.Parent != "" {
			parents[v.Storage+":"+v.Parent], parents[v.Parent] = true, true
		}
	}
	var open []*Volume
	for k := range all {
		v := &all[k]
		if !v.disk() {
			continue
		}
		if v.Use, v.Why = j.stored(v, parents); v.Use == "" {
			open = append(open, v)
		}
	}
	j.snapshots(ctx, open)
}

// stored judges by what the store knows; "" = the owner's snapshots must be asked.
func (j *volumeJudge) stored(v *Volume, parents map[string]bool) (use, why string) {
	if r := j.refs[v.ID]; r != nil {
		if v.Node != "" && r.g.Node != v.Node {
			return UseCopy, fmt.Sprintf("guest %d is on %s", r.g.VMID, r.g.Node)
		}
		return UseUsed, ""
	}
	if id, ok := pve.ParseVolume(v.ID); ok && j.names[j.place(id.Storage)+id.Name] != "" || parents[v.ID] {
		return UseUsed, ""
	}
	owner := j.cv.byID[v.Owner]
	if owner != nil && ofSnapshotState(owner, v.ID) {
		return UseUsed, ""
	}
	if why := j.doubt(v, owner); why != "" {
		return UseUnknown, why
	}
	if owner != nil && len(decodeSnapshots(owner.g.Snapshots)) > 0 {
		return "", ""
	}
	return UseOrphan, orphanWhy(v, owner)
}

func orphanWhy(v *Volume, owner *row) string {
	switch {
	case v.Owner == 0:
		return "no guest refers to it"
	case owner == nil:
		return fmt.Sprintf("guest %d does not exist", v.Owner)
	}
	return fmt.Sprintf("guest %d does not refer to it", v.Owner)
}

// doubt is why it cannot be said that nobody refers to a volume. A node that is off hides no guest: all members hold all configurations, and those
// of its guests are as they were last read.
func (j *volumeJudge) doubt(v *Volume, owner *row) string {
	switch {
	case !j.cv.synced:
		return "the first sync has not ended"
	case owner == nil && !j.cv.last.Complete:
		return "the last sync could not read everything"
	case j.cv.state.Scope != "":
		return "guests may be hidden from this token"
	case owner != nil && owner.state == stUnknown:
		return fmt.Sprintf("guest %d is unknown: %s", v.Owner, owner.g.UnknownReason)
	case owner != nil && owner.g.Lock != "":
		return fmt.Sprintf("guest %d is locked (%s)", v.Owner, owner.g.Lock)
	case owner != nil && owner.g.SnapshotsAt.IsZero() && owner.f != nil && owner.f.Parent != "":
		return fmt.Sprintf("the snapshots of guest %d were not read", v.Owner)
	case v.Node == "" && len(j.unread) > 0 || j.unread[v.Node]:
		// A guest of another node cannot use what is local to this one.
		return "the configurations of guests on " + shortList(sortedNames(j.unread), 5) + " were not read"
	case !v.At.IsZero() && v.At.After(j.cv.asOf()):
		return "it is newer than the last look at the guests"
	case j.cv.state.Quorate != nil && !*j.cv.state.Quorate:
		return "the cluster has no quorum"
	case j.busy(v.Owner):
		return fmt.Sprintf("a task works on guest %d", v.Owner)
	}
	return ""
}

func (j *volumeJudge) busy(vmid int) bool {
	for _, k := range j.cv.tasks.list {
		if running(k, j.c.inv.now()) && k.ID == strconv.Itoa(vmid) {
			return true
		}
	}
	return false
}

// ofSnapshotState tells the saved memory of a snapshot by its name (vm-100-state-before).
func ofSnapshotState(owner *row, id string) bool {
	for _, s := range decodeSnapshots(owner.g.Snapshots) {
		if s.VMState && strings.Contains(id, fmt.Sprintf("vm-%d-state-%s", owner.g.VMID, s.Name)) {
			return true
		}
	}
	return false
}

// snapshots asks the snapshots of the owners whether they refer to a volume.
func (j *volumeJudge) snapshots(ctx context.Context, open []*Volume) {
	byOwner := map[int][]*Volume{}
	for _, v := range open {
		byOwner[v.Owner] = append(byOwner[v.Owner], v)
	}
	var wg sync.WaitGroup
	for _, vmid := range sortedIDs(byOwner) {
		owner := j.cv.byID[vmid]
		snaps := decodeSnapshots(owner.g.Snapshots)
		j.asked += len(snaps)
		if j.asked > snapshotReads {
			conclude(byOwner[vmid], nil, fmt.Sprintf("%d snapshots of guest %d were not looked at", len(snaps), vmid))
			continue
		}
		wg.Go(func() {
			refs, err := j.snapshotRefs(ctx, owner, snaps)
			why := ""
			if err != nil {
				why = fmt.Sprintf("the snapshots of guest %d could not be read: %s", vmid, fault.Of(err).Error())
			}
			conclude(byOwner[vmid], refs, why)
		})
	}
	wg.Wait()
}

func conclude(list []*Volume, refs map[string]bool, why string) {
	for _, v := range list {
		switch {
		case refs[v.ID]:
			v.Use, v.Why = UseUsed, ""
		case why != "":
			v.Use, v.Why = UseUnknown, why
		default:
			v.Use, v.Why = UseOrphan, fmt.Sprintf("neither guest %d nor its snapshots refer to it", v.Owner)
		}
	}
}

// snapshotRefs are the volumes that the snapshots of a guest refer to.
func (j *volumeJudge) snapshotRefs(ctx context.Context, owner *row, snaps []Snapshot) (map[string]bool, error) {
	refs := map[string]bool{}
	for _, s := range snaps {
		key := fmt.Sprintf("snapshot %d %d %s %d", owner.g.VMID, owner.g.Life, s.Name, s.At.Unix())
		cfg, at, err := recall(ctx, j.c, asking{key: key, keep: snapshotKeep}, func(ctx context.Context, src Source) (pve.Config, error) {
			return src.SnapshotConfig(ctx, owner.g.Node, owner.typ(), owner.g.VMID, s.Name)
		})
		if at.IsZero() {
			return nil, err
		}
		for _, d := range cfg.Disks() {
			refs[d.Source] = true
		}
		refs[cfg.Str("vmstate")] = true
	}
	return refs, nil
}
