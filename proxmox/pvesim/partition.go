package pvesim

import "time"

// SetPartition cuts the cluster's network into parts, each given by the names of its nodes; nodes that no part names are in
// one together. From then on nodes of other parts are as if they were off, and a part without the majority of the votes has
// no quorum. Without arguments the network is whole again.
func (w *World) SetPartition(parts ...[]string) {
	w.parts, w.cutSince = nil, w.Now()
	if len(parts) == 0 {
		return
	}
	w.parts = map[string]int{}
	for i, names := range parts {
		for _, name := range names {
			w.parts[name] = i + 1
		}
	}
}

// reaches is whether one node's packets come to another one.
func (w *World) reaches(from, to *Node) bool {
	return to.Online && (from == nil || w.parts[from.Name] == w.parts[to.Name])
}

// quorate is whether a node is in the part of the cluster that has the majority of the votes; each node has one. The world
// can say that there is no quorum all the same, and a recorded one knows it.
func (w *World) quorate(entry string) bool {
	if !w.Cluster.Quorate || w.Cluster.Name == "" || w.recorded && w.parts == nil {
		return w.Cluster.Quorate
	}
	from, votes := w.Node(entry), 0
	for _, n := range w.Nodes {
		if w.reaches(from, n) {
			votes++
		}
	}
	return 2*votes > len(w.Nodes)
}

// statsFresh is whether the cluster still has figures that a node sent.
func (n *Node) statsFresh(now time.Time) bool {
	if !n.StatsSince.IsZero() && now.Sub(n.StatsSince) > statsExpire {
		return false
	}
	return n.Online || !n.DownSince.IsZero() && now.Sub(n.DownSince) <= statsExpire
}

// fresh is whether the entry node has figures of a node. One that has just come up sends them with the next interval; what
// comes from another part of a cut network grows old.
func (c *call) fresh(n *Node) bool {
	w := c.w
	switch {
	case !n.statsFresh(c.now):
		return false
	case w.StatLag > 0 && n.Online && w.statTick(n.Booted) == w.statTick(c.now) && n.Booted.After(w.TakenAt):
		return false
	case w.parts == nil || w.parts[c.entry] == w.parts[n.Name]:
		return true
	}
	return c.now.Sub(w.cutSince) <= statsExpire
}
