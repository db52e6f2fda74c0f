package pvesim

import "slices"

func poolRoutes() []route {
	return append(poolWriteRoutes(),
		get("/pools", anyone, listPools),
		get("/pools/{poolid}", need("/pool/{poolid}", "Pool.Audit"), getPool))
}

func (p *Pool) row() fields {
	f := fields{{"poolid", p.ID}}
	if p.Comment != "" {
		f.add("comment", p.Comment)
	}
	return f
}

// listPools shows a pool that is asked for by poolid without looking at rights on it (facts 72, 11/069).
func listPools(c *call) (any, error) {
	list := []fields{}
	if id := c.param("poolid"); id != "" {
		p := c.w.Pool(id)
		if p == nil {
			return nil, noPool(id)
		}
		return append(list, append(p.row(), field{"members", c.members(p)})), nil
	}
	for _, p := range c.w.Pools {
		if c.may("/pool/"+p.ID, "Pool.Audit") {
			list = append(list, p.row())
		}
	}
	return list, nil
}

// getPool is the older way to read a pool; its members have no names (15/003).
func getPool(c *call) (any, error) {
	p := c.w.Pool(c.vars["poolid"])
	if p == nil {
		return nil, noPool(c.vars["poolid"])
	}
	members := c.members(p)
	for i, m := range members {
		members[i] = slices.DeleteFunc(m, func(f field) bool { return f.key == "name" })
	}
	return append(p.row(), field{"members", members}), nil
}

func (c *call) members(p *Pool) []fields {
	list, kind := []fields{}, c.param("type")
	for _, g := range c.w.Guests() {
		if n := c.w.Node(g.Node); g.Pool == p.ID && (kind == "" || kind == g.Type) {
			list = append(list, c.guestRow(nil, g, n != nil && c.fresh(n), false))
		}
	}
	for _, id := range slices.Sorted(slices.Values(p.Storages)) {
		def := c.w.Storage(id)
		if def == nil || kind != "" && kind != "storage" {
			continue
		}
		if n := c.storageNode(def); n != nil {
			list = append(list, c.storageRow(def, n))
		}
	}
	return list
}

// storageNode is the one node whose figures of a storage a pool shows: the node that was asked, if it has the storage.
func (c *call) storageNode(def Object) *Node {
	if storedOn(def, c.entry) {
		return c.w.Node(c.entry)
	}
	names := splitList(text(def["nodes"]))
	slices.Sort(names)
	return c.w.Node(names[0])
}
