package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// knownObjects is the view's map of a kind.
func (r *run) knownObjects(kind store.Kind) map[string]store.Object { return r.v.objectsOf(kind) }

func (c *clusterView) objectsOf(kind store.Kind) map[string]store.Object {
	switch kind {
	case store.KindNode:
		return c.nodeObjs
	case store.KindStorage:
		return c.usage
	case store.KindStorageConfig:
		return c.defs
	case store.KindPool:
		return c.pools
	}
	if c.stateObj.ID == "" {
		return nil
	}
	return map[string]store.Object{c.stateObj.ID: c.stateObj}
}

// putObject writes an object whose state or hash changed, or whose last sight is old. seen says that it was observed now.
func (r *run) putObject(kind store.Kind, id string, state json.RawMessage, seen bool, hash string) (changed bool) {
	old, known := r.knownObjects(kind)[id]
	o := old
	o.Ref, o.State, o.Hash = r.ref(kind, id), state, hash
	if !known {
		o.Life, o.FirstSeen = 1, r.started
	}
	if seen {
		o.LastSeen = r.started
		o.UnknownSince = time.Time{}
	} else if o.UnknownSince.IsZero() {
		o.UnknownSince = r.started
	}
	if known && bytes.Equal(old.State, state) && old.Hash == hash && old.UnknownSince.Equal(o.UnknownSince) && o.LastSeen.Sub(old.LastSeen) <= restamp {
		return false
	}
	r.w.object(o, nil)
	if !known && kind != store.KindStorage && kind != store.KindCluster && !r.announced[o.Ref] {
		r.announced[o.Ref] = true
		r.w.change(r.change(o.Ref, 1, "appeared", "", "", id, r.absentSince()))
	}
	return true
}

// putVersioned writes an object whose content is kept in versions.
func (r *run) putVersioned(kind store.Kind, id string, content map[string]any) {
	redact.Fields(content)
	delete(content, "digest")
	canonical := pve.Config(content).Canonical()
	hash := pve.Hash(canonical)
	old, known := r.knownObjects(kind)[id]
	if was, err := pve.DecodeConfig(old.State); known && err == nil && sumOf(was) == sumOf(content) {
		// At most the spelling of values differs.
		canonical, hash = old.State, old.Hash
	}
	n := r.count(kind)
	put := r.putObject(kind, id, canonical, true, hash)
	switch {
	case !known:
		n.Created++
	case old.Hash == hash:
		n.Unchanged++
	default:
		n.Updated++
	}
	if !put || known && old.Hash == hash {
		return
	}
	c := store.Content{Ref: r.ref(kind, id), Life: 1, Hash: hash, JSON: canonical}
	if known {
		c.NotBefore = old.LastSeen
		r.w.change(r.change(c.Ref, 1, "changed", "config", old.Hash, hash, c.NotBefore))
	}
	r.w.content(c)
}

// count is the report's line of a kind.
func (r *run) count(kind store.Kind) *KindCount { return countOf(&r.report.Others, kind) }

// countOf is the line of a kind in a list of them.
func countOf(list *[]KindCount, kind store.Kind) *KindCount {
	k := slices.IndexFunc(*list, func(n KindCount) bool { return n.Kind == string(kind) })
	if k < 0 {
		k = len(*list)
		*list = append(*list, KindCount{Kind: string(kind)})
	}
	return &(*list)[k]
}

// lost marks objects of a kind that are not listed any more: gone when the token sees all of them, else unknown.
func (r *run) lost(kind store.Kind, listed map[string]bool, sure bool) {
	old := r.knownObjects(kind)
	for _, id := range sortedNames(old) {
		o := old[id]
		switch {
		case listed[id]:
		case sure:
			o.GoneAt = r.started
			r.w.object(o, nil)
			r.w.change(r.change(o.Ref, o.Life, "gone", "", id, "", o.LastSeen))
			r.count(kind).Gone++
		case o.UnknownSince.IsZero():
			o.UnknownSince = r.started
			r.w.object(o, nil)
		}
	}
}

// recordUsage writes the storages as each node sees them, from cluster/resources.
func (r *run) recordUsage() {
	listed := map[string]bool{}
	for i := range r.res {
		res := &r.res[i]
		if res.Type != "storage" || res.Storage == "" || !pve.ValidName(string(res.Node)) {
			continue
		}
		id := string(res.Node) + "/" + string(res.Storage)
		listed[id] = true
		st := storageState{Name: name(string(res.Storage)), Node: string(res.Node), Type: clean.Line(string(res.PluginType), maxTag),
			Content: clean.Line(string(res.Content), maxName), Shared: isTrue(res.Shared), Status: clean.Line(string(res.Status), maxTag)}
		ok, _ := r.trusts(st.Node)
		st.Used, st.Total = optInt(res.Disk), optInt(res.MaxDisk)
		if !ok || st.Status == stUnknown {
			// What an expired row says about usage is nothing; the last known figures stay.
			last := decodeState[storageState](r.v.usage[id].State)
			st.Used, st.Total, st.Status = last.Used, last.Total, stUnknown
		}
		r.putObject(store.KindStorage, id, encodeState(st), ok && st.Status != stUnknown, "")
	}
	for _, id := range sortedNames(r.v.usage) {
		o := r.v.usage[id]
		if node := decodeState[storageState](o.State).Node; !listed[id] && r.online(node) {
			o.GoneAt = r.started
			r.w.object(o, nil)
		}
	}
}

func (r *run) online(node string) bool { ok, _ := r.trusts(node); return ok }

func (r *run) recordDefs(defs []pve.StorageDef) {
	listed := map[string]bool{}
	for _, d := range defs {
		if d.Storage == "" {
			continue
		}
		content, err := pve.DecodeConfig(d.Raw)
		if err != nil {
			content = pve.Config{"storage": string(d.Storage), "type": string(d.Type), "content": string(d.Content), "nodes": string(d.Nodes)}
		}
		listed[string(d.Storage)] = true
		r.putVersioned(store.KindStorageConfig, string(d.Storage), content)
	}
	r.lost(store.KindStorageConfig, listed, seesAll(r.perms, "Datastore.Audit", "/storage"))
}

func (r *run) recordPools(pools []pve.PoolRow) {
	listed := map[string]bool{}
	for _, p := range pools {
		if p.PoolID == "" {
			continue
		}
		listed[string(p.PoolID)] = true
		r.putVersioned(store.KindPool, string(p.PoolID), map[string]any{"poolid": string(p.PoolID), "comment": string(p.Comment)})
	}
	r.lost(store.KindPool, listed, seesAll(r.perms, "Pool.Audit", "/pool"))
}

// clusterMembers takes what cluster/status says of the whole. A standalone node has no cluster row: no quorum to speak of (F18).
func (r *run) clusterMembers(members []pve.ClusterMember) {
	if members == nil {
		// Whether there is quorum now was not observed.
		r.state.Quorate = nil
		return
	}
	s := &r.state
	s.Name, s.Standalone, s.Quorate, s.Votes, s.Online = "", true, nil, 0, 0
	for i := range members {
		switch m := &members[i]; m.Type {
		case "cluster":
			s.Standalone, s.Name = false, name(string(m.Name))
			if m.Quorate != nil {
				s.Quorate = pve.Ptr(bool(*m.Quorate))
			}
		case "node":
			s.Votes++
			if isTrue(m.Online) {
				s.Online++
			}
		}
	}
}

func (r *run) recordCluster() {
	if r.state.Scope != "" {
		r.warning("scope", r.state.Scope)
	}
	for _, text := range r.state.otherScopes() {
		r.warning("scope", text)
	}
	r.putObject(store.KindCluster, clusterID, encodeState(r.state), true, "")
}

func (r *run) recordNoBackup(rows []pve.NotBackedUp) {
	ids := make([]int, 0, len(rows))
	for _, n := range rows {
		ids = append(ids, int(n.VMID))
	}
	r.state.NoBackup, r.state.NoBackupAt = ids, r.started
}

func (r *run) oddRows(odd []error) {
	if len(odd) > 0 {
		r.warning("odd_data", fmt.Sprintf("%d rows of cluster/resources could not be read (%s); the others are shown", len(odd),
			clean.Line(odd[0].Error(), maxName)))
		r.incomplete()
	}
}
