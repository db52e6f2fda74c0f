package inventory

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Mark is how far somebody who follows the inventory has seen it. To the zero Mark nothing is news.
type Mark struct{ v *view }

// News is something that reads otherwise than before: a guest, node, storage or task, or the cluster as a whole. Figures that move all the
// time (load, memory in use, uptime, traffic) are no news.
type News struct {
	Cluster string
	Kind    string // guest, node, storage, task, cluster
	ID      string // vmid, name or UPID; "" for a cluster
	Name    string // of a guest
}

// Follow keeps the clusters of those names watched: one whose last look is older than the pace of a watched cluster is looked at, once for
// all who follow it. It answers what became known since the mark, by whichever process, and the mark of now. It waits for nothing.
func (i *Inventory) Follow(ctx context.Context, clusters []string, since Mark) ([]News, Mark, error) {
	i.watched.touch(i.now())
	if err := i.proj.refresh(ctx); err != nil {
		return nil, since, err
	}
	if err := i.lookAt(ctx, clusters); err != nil {
		return nil, since, err
	}
	now := i.proj.view.Load()
	if since.v == nil || since.v == now {
		return nil, Mark{now}, nil
	}
	var out []News
	for _, c := range i.active() {
		out = append(out, now.clusters[c.name].newsSince(since.v.clusters[c.name])...)
	}
	return out, Mark{now}, nil
}

// lookAt begins a tick of each of these clusters that is due.
func (i *Inventory) lookAt(ctx context.Context, clusters []string) error {
	asked := false
	for _, name := range clusters {
		scope, err := i.scope(ctx, name)
		// A cluster may be configured no more. One that is being looked at is due until that has ended, and may end while the store is asked.
		if err != nil || scope[0].flying() != nil || !scope[0].due() {
			continue
		}
		if !asked { // another process may have looked
			if err := i.proj.relast(ctx); err != nil {
				return err
			}
			asked = true
		}
		if c := scope[0]; c.due() {
			c.start(ctx, c.mode(), false)
		}
	}
	return nil
}

// due says that a watched cluster is to be looked at again. One that is in trouble is left alone for a pace.
func (c *cluster) due() bool {
	now, v := c.inv.now(), c.inv.proj.cluster(c.name)
	if at, err := c.lastError(); err != nil && now.Sub(at) < c.inv.opt.TickWatched {
		return false
	}
	return !v.synced || now.Sub(v.asOf()) >= c.inv.opt.TickWatched
}

func (c *clusterView) newsSince(old *clusterView) []News {
	if old == nil {
		return nil
	}
	var out []News
	add := func(kind, id, name string) {
		out = append(out, News{Cluster: c.name, Kind: kind, ID: id, Name: name})
	}
	c.guestNews(old, add)
	c.placeNews(old, add)
	if c.tasks != old.tasks {
		for k := range c.tasks.list {
			t := &c.tasks.list[k]
			if i, ok := old.tasks.byUPID[t.UPID]; !ok || old.tasks.list[i].Exit != t.Exit || !old.tasks.list[i].End.Equal(t.End) {
				add("task", t.UPID, "")
			}
		}
	}
	return out
}

func (c *clusterView) guestNews(old *clusterView, add func(kind, id, name string)) {
	for _, r := range c.rows {
		if was := old.byID[r.g.VMID]; was == nil || was != r && was.tells(r) {
			add("guest", strconv.Itoa(r.g.VMID), r.g.Name)
		}
	}
	for id, was := range old.byID {
		if c.byID[id] == nil {
			add("guest", strconv.Itoa(id), was.g.Name)
		}
	}
}

// tells says that b is news to who knows a.
func (a *row) tells(b *row) bool {
	if a.state != b.state || a.f != b.f && a.f.encode() != b.f.encode() {
		return true
	}
	if !same(a.g.MaxCPU, b.g.MaxCPU) || !same(a.g.MaxMem, b.g.MaxMem) || !same(a.g.MaxDisk, b.g.MaxDisk) {
		return true
	}
	x, y := a.g, b.g
	for _, g := range []*store.Guest{&x, &y} {
		*g = store.Guest{Life: g.Life, Node: g.Node, Name: g.Name, Status: g.Status, Lock: g.Lock, Tags: g.Tags, Pool: g.Pool, HAState: g.HAState,
			Template: g.Template, ConfigHash: g.ConfigHash, Addresses: g.Addresses, Snapshots: g.Snapshots, UnknownReason: g.UnknownReason}
	}
	return x != y
}

// placeNews tells of nodes, storages and the cluster as a whole.
func (c *clusterView) placeNews(old *clusterView, add func(kind, id, name string)) {
	was := map[string]nodeState{}
	for _, n := range old.nodes {
		was[n.name] = n.st
	}
	for _, n := range c.nodes {
		o, ok := was[n.name]
		delete(was, n.name)
		if !ok || o.Status != n.st.Status || o.Silent != n.st.Silent || o.Stale != n.st.Stale || o.Version != n.st.Version || o.IP != n.st.IP {
			add("node", n.name, "")
		}
	}
	for _, n := range slices.Sorted(maps.Keys(was)) {
		add("node", n, "")
	}
	c.storageNews(old, add)
	a, b := old.state, c.state
	if a.Version != b.Version || a.Online != b.Online || a.Scope != b.Scope || !same(a.Quorate, b.Quorate) || !slices.Equal(a.NoBackup, b.NoBackup) {
		add("cluster", "", "")
	}
}

func (c *clusterView) storageNews(old *clusterView, add func(kind, id, name string)) {
	was := map[string]*Storage{}
	for k := range old.storages {
		was[storageID(old.storages[k])] = &old.storages[k]
	}
	told := map[string]bool{}
	for k := range c.storages {
		s := &c.storages[k]
		o := was[storageID(*s)]
		delete(was, storageID(*s))
		if (o == nil || o.Status != s.Status || !slices.Equal(o.Nodes, s.Nodes) || !same(o.Total, s.Total) || fullness(o) != fullness(s)) && !told[s.Name] {
			told[s.Name] = true
			add("storage", s.Name, "")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(was)) {
		if s := was[id]; !told[s.Name] {
			told[s.Name] = true
			add("storage", s.Name, "")
		}
	}
}

// fullness is how full a storage is in whole percent, -1 while unknown: less than that is no news.
func fullness(s *Storage) int64 {
	if s.Used == nil || s.Total == nil || *s.Total <= 0 {
		return -1
	}
	return *s.Used * 100 / *s.Total
}
