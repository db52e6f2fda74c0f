package inventory

import (
	"slices"
	"strings"

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
		return !prev.gone() && !evident
	case typ == string(pve.Qemu) && prev.f.UUID != "" && now.UUID != "":
		return prev.f.UUID == now.UUID ||
			prev.f.CTime != "" && prev.f.CTime == now.CTime && slices.Equal(prev.f.Volumes, now.Volumes)
	}
	return !prev.gone() && !evident
}

// creating are the task types that end one life of a vmid or begin another.
func creating(taskType string) bool {
	switch taskType {
	case "vzcreate", "vzrestore", "vzdestroy", "qmcreate", "qmrestore", "qmdestroy", "qmclone", "vzclone":
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
		if !ok || seen[k.UPID] {
			continue
		}
		seen[k.UPID] = true
		if i, ok := known.byUPID[k.UPID]; ok && known.list[i].Exit == k.Exit && known.list[i].End.Equal(k.End) {
			continue
		}
		fresh = append(fresh, k)
		r.touched(k, dirty, snaps)
	}
	if len(fresh) > 0 {
		r.w.tasks(fresh)
	}
}

func (r *run) touched(k store.Task, dirty, snaps map[int]bool) {
	id, ok := vmidOf(k.ID)
	if !ok || consoles(k.Type) {
		return
	}
	prev := r.v.byID[id]
	if prev != nil && !k.End.IsZero() && k.End.Before(r.lastSeen(prev)) && prev.g.ConfigAt.After(k.End) {
		return
	}
	dirty[id] = true
	if strings.Contains(k.Type, "snapshot") || strings.Contains(k.Type, "rollback") {
		snaps[id] = true
	}
	// The task that made the guest that is known began before it was first seen.
	if prev != nil && creating(k.Type) && !k.End.IsZero() && taskState(k) != taskFailed && k.Start.After(prev.g.FirstSeen) {
		r.mu.Lock()
		r.evident[k.ID] = true
		r.mu.Unlock()
	}
}
