package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// backupSight tells whether the absence of a backup means anything: Proxmox VE leaves out of listings what a token may not use. Backups are shown to
// who has Datastore.Allocate on the storage, or Datastore.AllocateSpace there and VM.Backup on the guest (pve-storage, check_volume_access). That an
// auditor sees them as well is believed when a backup is seen that only that can explain.
type backupSight struct {
	perms    Rights
	stores   []string // storages that take backups
	unread   bool     // one of them could not be read
	auditors bool
	hidden   []int
}

// evidence looks for a backup that is shown although the stronger rights are missing.
func (s *backupSight) evidence(byGuest map[int][]Backup) {
	for id, list := range byGuest {
		for k := range list {
			if id > 0 && !s.mayUse(list[k].Storage, id) {
				s.auditors = true
				return
			}
		}
	}
}

func (s *backupSight) mayUse(storage string, vmid int) bool {
	at := storagePath(storage)
	return s.perms.On(at, "Datastore.Allocate") || s.perms.On(at, "Datastore.AllocateSpace") && s.perms.On(guestPath(vmid), "VM.Backup")
}

// hides says that backups of a guest may exist that were not seen.
func (s *backupSight) hides(vmid int) bool {
	for _, st := range s.stores {
		if s.mayUse(st, vmid) || s.auditors && s.perms.On(storagePath(st), "Datastore.Audit") && s.perms.On(guestPath(vmid), "VM.Audit") {
			continue
		}
		s.hidden = append(s.hidden, vmid)
		return true
	}
	return s.unread
}

// warning says what is missing to see all backups.
func (s *backupSight) warning() (Warning, bool) {
	if len(s.hidden) == 0 || s.perms == nil {
		return Warning{}, false
	}
	return Warning{"forbidden", fmt.Sprintf("backups of %s may be hidden from this token: it needs Datastore.AllocateSpace on /storage and VM.Backup on /vms, "+
		"or Datastore.Allocate on %s", guestList(s.hidden), strings.Join(s.stores, ", "))}, true
}

// unlisted notes storages that are defined for backups and that no node reports: what is on them is not known.
func (c *clusterView) unlisted(g *gaps, only string, now time.Time) {
	for id, o := range c.defs {
		def, err := pve.DecodeConfig(o.State)
		if err != nil || def.Bool("disable") || only != "" && only != id || slices.ContainsFunc(c.storages, func(s Storage) bool { return s.Name == name(id) }) {
			continue
		}
		if s := (Storage{Content: def.Str("content")}); s.takes("backup") {
			g.add(name(id), time.Time{}, now, fault.New(fault.Upstream, "no node reports this storage"))
		}
	}
}

// backupStores are the storages that take backups and are not switched off.
func (c *clusterView) backupStores(only string) []string {
	names := map[string]bool{}
	for k := range c.storages {
		if s := &c.storages[k]; s.Status != "disabled" && s.takes("backup") && (only == "" || s.Name == only) {
			names[s.Name] = true
		}
	}
	return sortedNames(names)
}

// holdsNone says that a storage is not set up for backups: that there are none on it tells nothing.
func (c *clusterView) holdsNone(storage string) (Warning, bool) {
	k := slices.IndexFunc(c.storages, func(s Storage) bool { return s.Name == storage })
	if k < 0 || len(c.backupStores(storage)) > 0 {
		return Warning{}, false
	}
	why := "it holds " + c.storages[k].Content
	if c.storages[k].Status == "disabled" {
		why = "it is switched off"
	}
	return Warning{"scope", fmt.Sprintf("storage %s takes no backups (%s); these do: %s", storage, why, strings.Join(c.backupStores(""), ", "))}, true
}
