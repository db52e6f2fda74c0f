package inventory

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// settle records what a guest's configuration says and returns its row; wantSnaps says that its snapshot list must be read.
func (r *run) settle(id int, cfg pve.Config) (next *row, wantSnaps bool) {
	content, digest := splitConfig(cfg)
	canonical := content.Canonical()
	hash := pve.Hash(canonical)

	r.mu.Lock()
	defer r.mu.Unlock()
	prev, base := r.before[id], r.next[id]
	next = base.clone()
	if respelt(prev, next, hash, content) {
		hash = prev.g.ConfigHash
	}
	if prev == nil || prev.f == nil || hash != prev.g.ConfigHash || prev.g.Type != next.g.Type {
		next.f = extractFacets(next.typ(), content)
	} else {
		next.f = prev.f
	}
	changes := r.lives(prev, next)
	if why := r.undecided(prev, next); next.doubt() != why {
		next = next.doubted(why)
	}
	changes = append(append(changes, r.moved(prev, next)...), r.renames(prev, next)...)
	var c *store.Content
	if prev == nil || hash != prev.g.ConfigHash || next.g.Life != prev.g.Life {
		c = &store.Content{Ref: r.guestRef(id), Life: next.g.Life, Hash: hash, JSON: canonical, NotBefore: r.verified(prev, next)}
		if prev != nil && prev.g.ConfigHash != "" && next.g.Life == prev.g.Life {
			changes = append(changes, r.change(c.Ref, next.g.Life, "changed", "config", prev.g.ConfigHash, hash, c.NotBefore))
			r.report.Updated++
		}
	} else {
		r.report.Unchanged++
	}
	next.g.ConfigHash, next.g.Digest, next.g.ConfigAt = hash, clean.Line(digest, maxName), r.started
	next.g.Template = next.f.Template || next.g.Template
	wantSnaps = r.snapshotsOf(prev, next)
	next.finish()
	r.next[id] = next
	if held := r.hold[id]; held || base.differs(next) || len(changes) > 0 || c != nil || prev == nil {
		delete(r.hold, id)
		r.w.guest(next, c, changes)
	}
	return next, wantSnaps
}

// respelt says that only the spelling of values differs from the stored configuration.
func respelt(prev, next *row, hash string, content pve.Config) bool {
	return prev != nil && prev.f != nil && prev.g.ConfigHash != "" && prev.g.ConfigHash != hash && prev.g.Type == next.g.Type &&
		prev.f.Sum == sumOf(content)
}

// verified is the last time the older content was known to hold; zero for the first version of a life.
func (r *run) verified(prev, next *row) time.Time {
	if prev == nil || prev.g.Life != next.g.Life {
		return time.Time{}
	}
	return prev.g.ConfigAt
}

// lives raises the life when another guest has taken the vmid, and records that the old one is gone.
func (r *run) lives(prev, next *row) []store.Change {
	if prev == nil {
		return nil
	}
	ref := r.guestRef(next.g.VMID)
	evident := r.evident[strconv.Itoa(next.g.VMID)]
	if sameLife(prev, next.g.Type, next.f, evident) {
		next.g.Life = prev.g.Life
		if !prev.absent() {
			return nil
		}
		return []store.Change{r.change(ref, next.g.Life, "appeared", "", "", next.g.Name, r.absentSince())}
	}
	var out []store.Change
	if !prev.absent() {
		out = append(out, r.change(ref, prev.g.Life, "gone", "", prev.g.Name, "", r.lastSeen(prev)))
		r.report.Gone++
		old := prev.clone()
		old.g.GoneAt = r.started
		r.w.guest(old, nil, nil)
	}
	g := &next.g
	g.Life, g.FirstSeen, g.Name = prev.g.Life+1, r.started, ""
	g.Addresses, g.AddressesAt, g.Snapshots, g.SnapshotsAt = "", time.Time{}, "", time.Time{}
	r.report.Created++
	return append(out, r.change(ref, g.Life, "life", "", strconv.Itoa(prev.g.Life), strconv.Itoa(g.Life), r.lastSeen(prev)))
}

// renames takes the name of the configuration. Within one life another name is a rename.
func (r *run) renames(prev, next *row) []store.Change {
	now := next.f.Name
	if now == "" || now == next.g.Name {
		return nil
	}
	old := next.g.Name
	next.g.Name = now
	if prev == nil || prev.f == nil || old == "" || next.g.Life != prev.g.Life {
		return nil
	}
	return []store.Change{r.change(r.guestRef(next.g.VMID), next.g.Life, "renamed", "name", old, now, prev.g.ConfigAt)}
}

// snapshotsOf says whether the snapshot list must be read: at a full sync where the configuration has a parent, at a tick where
// the parent changed or the list was never read. Without a parent there are none.
func (r *run) snapshotsOf(prev, next *row) bool {
	if next.f.Parent == "" {
		if next.g.Snapshots != "[]" {
			next.g.Snapshots = "[]"
		}
		next.g.SnapshotsAt = r.started
		return false
	}
	return r.flight.mode == modeFull || prev == nil || prev.f == nil || prev.f.Parent != next.f.Parent || next.g.SnapshotsAt.IsZero()
}

// settleSnapshots records a snapshot list.
func (r *run) settleSnapshots(id int, list []pve.Snapshot) {
	b, err := json.Marshal(snapshotViews(list))
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	base := r.next[id]
	next := base.clone()
	next.g.Snapshots, next.g.SnapshotsAt = string(b), r.started
	next.finish()
	r.next[id] = next
	r.report.Snapshots++
	if base.differs(next) {
		r.w.guest(next, nil, nil)
	}
}

// snapshotViews leaves out the pseudo entry "current" (facts: pve-api.md 46) and makes the texts safe.
func snapshotViews(list []pve.Snapshot) []Snapshot {
	out := make([]Snapshot, 0, len(list))
	for _, s := range list {
		if s.Name == "current" || s.Name == "" {
			continue
		}
		v := Snapshot{Name: name(string(s.Name)), Description: clean.Block(string(s.Description), maxNote), Parent: name(string(s.Parent)),
			VMState: isTrue(s.VMState)}
		if s.SnapTime != nil {
			v.At = time.Unix(int64(*s.SnapTime), 0).UTC()
		}
		out = append(out, v)
	}
	return out
}
