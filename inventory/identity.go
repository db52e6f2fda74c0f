package inventory

import (
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// sameLife decides whether the guest whose configuration was read is the one that was known under its vmid (DESIGN §5). A VM's
// life is its smbios1 uuid; when only that changed, while creation time and disks did not, somebody edited it and the life goes
// on. A container (or a VM without uuid) has no such mark: its life ends only on evidence, a create, restore or destroy task since
// it was last seen, or its absence in a complete sync.
func sameLife(prev *row, typ string, now *facets, evident bool) bool {
	switch {
	case prev.g.Type != "" && prev.g.Type != typ:
		return false
	case prev.f == nil:
		// Never read: nothing tells them apart but evidence.
		return !prev.absent() && !evident
	case typ == string(pve.Qemu) && prev.f.UUID != "" && now.UUID != "":
		return prev.f.UUID == now.UUID ||
			prev.f.CTime != "" && prev.f.CTime == now.CTime && slices.Equal(prev.f.Volumes, now.Volumes)
	}
	return !prev.absent() && !evident && prev.f.Doubt != doubtTask
}

// creating are the task types that end one life of their vmid or begin another. A clone's task names the guest that is cloned (recordings
// 08/071), to which nothing happens.
func creating(taskType string) bool {
	switch taskType {
	case "vzcreate", "vzrestore", "vzdestroy", "qmcreate", "qmrestore", "qmdestroy":
		return true
	}
	return false
}

// consoles are task types that come and go without touching a configuration.
func consoles(taskType string) bool {
	return strings.HasSuffix(taskType, "proxy") || strings.HasSuffix(taskType, "shell")
}

// seesTasks records new and ended tasks and tells which guests they touched: dirty ones, those whose snapshots changed, and those
// with evidence of a new life.
func (r *run) seesTasks(rows []pve.TaskRow, dirty, snaps map[int]bool) {
	known := r.v.tasks
	var fresh []store.Task
	seen := map[string]bool{}
	for _, tr := range rows {
		k, ok := taskFromRow(r.c.name, tr)
		if !ok || seen[k.UPID] || r.told[k.UPID] {
			continue
		}
		seen[k.UPID] = true
		i, before := known.byUPID[k.UPID]
		if before && known.list[i].Exit == k.Exit && known.list[i].End.Equal(k.End) {
			continue
		}
		r.touched(k, before, dirty, snaps)
		if creating(k.Type) {
			// Stored with what it leaves in doubt, so that a run that ends early does not lose its evidence.
			r.evidence, r.told[k.UPID] = append(r.evidence, k), true
		} else {
			fresh = append(fresh, k)
		}
	}
	if len(fresh) > 0 {
		r.w.tasks(fresh)
	}
}

const (
	// clockSkew is how far a node's clock, by which tasks are dated, may be behind ours before a task counts as an old one.
	clockSkew = 10 * time.Minute
	// birthSlack: the task that makes a guest may begin in the moment in which the guest is first seen.
	birthSlack = time.Second
)

// touched takes the word of a task that is new or has ended; before says that it was seen while it ran.
func (r *run) touched(k store.Task, before bool, dirty, snaps map[int]bool) {
	id, ok := vmidOf(k.ID)
	if !ok || consoles(k.Type) {
		return
	}
	prev := r.v.byID[id]
	if prev != nil && !k.End.IsZero() && k.End.Add(clockSkew).Before(r.lastSeen(prev)) && prev.g.ConfigAt.After(k.End.Add(clockSkew)) {
		return
	}
	dirty[id] = true
	if strings.Contains(k.Type, "snapshot") || strings.Contains(k.Type, "rollback") {
		snaps[id] = true
	}
	if prev == nil || !creating(k.Type) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made[id] = r.made[id] || !k.End.IsZero()
	switch at := prev.g.FirstSeen.Add(birthSlack); {
	case k.End.IsZero() && k.Start.After(at):
		r.making[id] = true
	case k.End.IsZero() || taskState(k) == taskFailed:
	case before && prev.doubt() == doubtMaking || !before && k.Start.After(at):
		r.evident[k.ID] = true
	}
}
