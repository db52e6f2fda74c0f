package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

func poolWriteRoutes() []route {
	allocate := func(c *call) error {
		path := normalPath("/pool/" + c.poolID())
		if !c.may(path, "Pool.Allocate") {
			return forbidden(path, "Pool.Allocate")
		}
		return nil
	}
	return daemon(
		post("/pools", allocate, createPool),
		put("/pools", allocate, updatePool), put("/pools/{poolid}", allocate, updatePool),
		del("/pools", allocate, deletePool), del("/pools/{poolid}", allocate, deletePool))
}

// poolID is the pool of the path, or of the parameters, which can name nested pools as well (facts 92).
func (c *call) poolID() string {
	if id, ok := c.vars["poolid"]; ok {
		return id
	}
	return c.param("poolid")
}

func noPool(id string) error { return fail("pool '%s' does not exist", id) }

func createPool(c *call) (any, error) {
	id := c.param("poolid")
	if c.w.Pool(id) != nil {
		return nil, fail("create pool failed: pool '%s' already exists", id)
	}
	if i := strings.LastIndexByte(id, '/'); i > 0 && c.w.Pool(id[:i]) == nil {
		return nil, fail("create pool failed: parent '%s' of pool '%s' does not exist", id[:i], id)
	}
	c.w.Pools = append(slices.Clone(c.w.Pools), &Pool{ID: id, Comment: c.param("comment")})
	c.w.accessChanged()
	return nil, nil
}

// updatePool changes nothing when any of its members cannot be added or taken away.
func updatePool(c *call) (any, error) {
	p := c.w.Pool(c.poolID())
	if p == nil {
		return nil, locked("update pools failed", noPool(c.poolID()))
	}
	change := poolChange{pool: p, storages: slices.Clone(p.Storages), remove: c.param("delete") == "1"}
	for _, id := range c.list("vms") {
		if err := change.guest(c, id); err != nil {
			return nil, locked("update pools failed", err)
		}
	}
	for _, id := range c.list("storage") {
		if err := change.storage(c, id); err != nil {
			return nil, locked("update pools failed", err)
		}
	}
	if c.given("comment") {
		p.Comment = c.param("comment")
	}
	change.apply(c.w)
	return nil, nil
}

// poolChange collects what a request does to the members of a pool.
type poolChange struct {
	pool     *Pool
	remove   bool
	vmids    []int
	storages []string
}

// poolOf is the pool that a vmid belongs to, also that of a guest that is not there yet.
func (w *World) poolOf(vmid int) string {
	if g := w.Guest(vmid); g != nil {
		return g.Pool
	}
	return w.awaits(vmid)
}

// awaits is the pool that has a vmid among its members although there is no such guest yet.
func (w *World) awaits(vmid int) string {
	if p := find(w.Pools, func(p *Pool) bool { return slices.Contains(p.Missing, vmid) }); p != nil {
		return p.ID
	}
	return ""
}

func (p *poolChange) guest(c *call, id string) error {
	if err := c.mayModify("/vms/" + id); err != nil {
		return err
	}
	vmid, err := strconv.Atoi(id)
	if err != nil {
		return fail("VM %s is not a pool member", id)
	}
	in := c.w.poolOf(vmid)
	member := (in == p.pool.ID) != slices.Contains(p.vmids, vmid)
	switch {
	case p.remove && !member:
		return fail("VM %d is not a pool member", vmid)
	case !p.remove && member:
		return fail("VM %d is already a pool member", vmid)
	case !p.remove && in != "" && c.param("allow-move") != "1":
		return fail("VM %d belongs already to pool '%s' and 'allow-move' is not set", vmid, in)
	case !p.remove && in != "" && !c.may("/pool/"+in, "Pool.Allocate"):
		return forbidden("/pool/"+in, "Pool.Allocate")
	}
	p.vmids = append(p.vmids, vmid)
	return nil
}

func (p *poolChange) storage(c *call, id string) error {
	if err := c.mayModify("/storage/" + id); err != nil {
		return err
	}
	switch member := slices.Contains(p.storages, id); {
	case p.remove && !member:
		return fail("Storage '%s' is not a pool member", id)
	case !p.remove && member:
		return fail("Storage '%s' is already a pool member", id)
	case p.remove:
		p.storages = slices.DeleteFunc(p.storages, func(s string) bool { return s == id })
	default:
		p.storages = append(p.storages, id)
	}
	return nil
}

func (p *poolChange) apply(w *World) {
	for _, vmid := range p.vmids {
		if p.remove {
			w.setPool(vmid, "")
		} else {
			w.setPool(vmid, p.pool.ID)
		}
	}
	p.pool.Storages = p.storages
	w.accessChanged()
}

// setPool puts a vmid into a pool and out of the one that it was in, or into none. There need be no such guest (15/018).
func (w *World) setPool(vmid int, pool string) {
	for _, p := range w.Pools {
		if len(p.Missing) == 0 {
			continue
		}
		p.Missing = slices.DeleteFunc(slices.Clone(p.Missing), func(id int) bool { return id == vmid })
	}
	if g := w.Guest(vmid); g != nil {
		g.Pool = pool
		return
	}
	if p := w.Pool(pool); p != nil {
		p.Missing = append(p.Missing, vmid)
	}
}

// deletePool wants an empty pool; members that are not there do not count.
func deletePool(c *call) (any, error) {
	id := c.poolID()
	p := c.w.Pool(id)
	if p == nil {
		return nil, locked("delete pool failed", noPool(id))
	}
	if what := c.w.holds(p); what != "" {
		return nil, fail("delete pool failed: pool '%s' is not empty (contains %s)", id, what)
	}
	c.w.Pools = slices.DeleteFunc(slices.Clone(c.w.Pools), func(x *Pool) bool { return x == p })
	c.w.dropPathACL("/pool/" + id)
	return nil, nil
}

// holds names one thing that keeps a pool from being deleted, "" when there is none.
func (w *World) holds(p *Pool) string {
	for _, sub := range w.Pools {
		if rest, ok := strings.CutPrefix(sub.ID, p.ID+"/"); ok && !strings.Contains(rest, "/") {
			return "pool '" + sub.ID + "'"
		}
	}
	for _, g := range w.Guests() {
		if g.Pool == p.ID {
			return "VM " + strconv.Itoa(g.VMID)
		}
	}
	for _, s := range slices.Sorted(slices.Values(p.Storages)) {
		if w.Storage(s) != nil {
			return "storage '" + s + "'"
		}
	}
	return ""
}
