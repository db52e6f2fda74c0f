package inventory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// guestRows sorts the guest rows of cluster/resources by vmid and sets odd ones aside: one odd guest never hides the others.
func (r *run) guestRows() map[int][]*pve.Resource {
	out := map[int][]*pve.Resource{}
	for i := range r.res {
		res := &r.res[i]
		switch {
		case !res.IsGuest():
		case res.VMID <= 0 || !pve.ValidName(string(res.Node)):
			r.warning("odd_data", fmt.Sprintf("a guest row makes no sense and was left out (%s)", clean.Line(res.ID, maxTag)))
			r.incomplete()
		default:
			out[int(res.VMID)] = append(out[int(res.VMID)], res)
		}
	}
	return out
}

// applyRows turns the guest rows into next rows and returns the guests whose configuration must be read, with why.
func (r *run) applyRows(ctx context.Context, rows map[int][]*pve.Resource) (dirty map[int]bool) {
	dirty, r.pools = map[int]bool{}, r.poolRows()
	for _, id := range sortedIDs(rows) {
		res := rows[id][0]
		if len(rows[id]) > 1 {
			res = r.choose(ctx, id, rows[id])
			r.report.Conflicts++
			dirty[id] = true
		}
		prev := r.v.byID[id]
		if prev == nil {
			prev = r.v.gone[id]
		}
		if r.applyRow(prev, res) {
			dirty[id] = true
		}
	}
	return dirty
}

// choose picks, of several rows for one vmid, the one whose configuration answers; else the one on the node where it was.
func (r *run) choose(ctx context.Context, id int, rows []*pve.Resource) *pve.Resource {
	r.warning("odd_data", fmt.Sprintf("guest %d is listed on several nodes; the one whose configuration answers counts", id))
	for _, res := range rows {
		if ok, _ := r.trusts(string(res.Node)); !ok {
			continue
		}
		if _, err := r.src.GuestConfig(ctx, string(res.Node), pve.GuestType(res.Type), id); err == nil {
			return res
		}
	}
	for _, res := range rows {
		if prev := r.v.byID[id]; prev != nil && prev.g.Node == string(res.Node) {
			return res
		}
	}
	return rows[0]
}

// applyRow records one guest row and says whether its configuration may have changed.
func (r *run) applyRow(prev *row, res *pve.Resource) (dirty bool) {
	id := int(res.VMID)
	known, reason := r.known(res)
	next := r.birth(prev, res)
	var changes []store.Change
	moved := prev != nil && prev.g.Node != string(res.Node)
	next.g.Node = string(res.Node)
	if known {
		next.figures(res)
		dirty = next.facts(res, r.poolOf(prev, res))
		next.g.LastSeen, next.g.UnknownSince, next.g.UnknownReason = r.started, time.Time{}, ""
		changes = r.happened(prev, next)
	} else {
		next.unknown(r.started, reason)
	}
	r.c.agent.adopt(next)
	next.finish()
	fresh := prev == nil || prev.gone()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next[id] = next
	if prev != nil {
		r.before[id] = prev
	}
	shown := next
	if moved && !fresh {
		r.moving[id] = prev.g.Node
		shown = next.on(prev.g.Node)
	}
	if fresh && prev != nil {
		// It may be the old guest come back or another under its vmid: the configuration decides.
		r.hold[id] = true
		return true
	}
	if fresh {
		r.report.Created++
		changes = append(changes, r.change(r.guestRef(id), 1, "appeared", "", "", next.g.Name, r.absentSince()))
	}
	if fresh || len(changes) > 0 || prev.differs(shown) {
		r.w.guest(shown, nil, changes)
	}
	return dirty || fresh || moved || next.f == nil
}

// absentSince is the start of the last sync, which did not list what appears now; zero when there was none.
func (r *run) absentSince() time.Time {
	if !r.v.synced {
		return time.Time{}
	}
	return r.v.asOf()
}

// known says whether a row describes the present. A row with status unknown has expired statistics or is new: nothing in it but
// vmid, node and type can be believed (faults.md F15, F16; pve-api.md 47).
func (r *run) known(res *pve.Resource) (bool, string) {
	if ok, reason := r.trusts(string(res.Node)); !ok {
		return false, reason
	}
	if res.Status == "" || res.Status == stUnknown {
		return false, fmt.Sprintf("node %s reports no statistics for it (stale, or just created)", res.Node)
	}
	return true, ""
}

// birth is the row to fill: a copy of what was known, or a new guest.
func (r *run) birth(prev *row, res *pve.Resource) *row {
	if prev != nil {
		next := prev.clone()
		next.g.GoneAt = time.Time{}
		return next
	}
	return &row{g: store.Guest{Cluster: r.c.name, VMID: int(res.VMID), Life: 1, Type: res.Type, Node: string(res.Node),
		Name: name(string(res.Name)), Status: stUnknown, FirstSeen: r.started}}
}

// on is a copy of the row on another node.
func (n *row) on(node string) *row {
	c := n.clone()
	c.g.Node = node
	return c
}

// moved records a move once the configuration has answered where the guest is listed: the list may name a node on which it is not
// any more (faults.md F55). r.mu is held.
func (r *run) moved(prev, next *row) []store.Change {
	id := next.g.VMID
	from, ok := r.moving[id]
	delete(r.moving, id)
	if !ok || prev.g.Life != next.g.Life {
		return nil
	}
	return []store.Change{r.change(r.guestRef(id), next.g.Life, "moved", "node", from, next.g.Node, r.lastSeen(prev))}
}

// unmoved leaves guests where they were whose configuration did not answer where they are listed; the next run looks again.
func (r *run) unmoved() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range sortedIDs(r.moving) {
		r.next[id] = r.next[id].on(r.moving[id])
		r.w.guest(r.next[id], nil, nil)
	}
}

// figures takes the counters, which are never history. What Proxmox VE did not say is unknown, not 0.
func (n *row) figures(res *pve.Resource) {
	g := &n.g
	g.CPU, g.Mem, g.Disk = optFloat(res.CPU), optInt(res.Mem), usedDisk(res.Disk)
	g.Uptime, g.NetIn, g.NetOut = optInt(res.Uptime), optInt(res.NetIn), optInt(res.NetOut)
}

// facts takes what a dirty guest is told by (DESIGN §6): name, type, status, lock, tags, pool, template, hastate and limits. The
// name itself is only believed from the configuration, because the row's lags behind (pve-api.md 47).
func (n *row) facts(res *pve.Resource, pool string) (dirty bool) {
	g := &n.g
	set := func(field *string, v string) {
		dirty = dirty || *field != v
		*field = v
	}
	set(&g.Type, res.Type)
	set(&g.Status, clean.Line(string(res.Status), maxTag))
	set(&g.Lock, clean.Line(string(res.Lock), maxTag))
	set(&g.Tags, strings.Join(splitTags(string(res.Tags)), ";"))
	set(&g.Pool, pool)
	set(&g.HAState, clean.Line(string(res.HAState), maxTag))
	if res.Template != nil {
		dirty = dirty || g.Template != bool(*res.Template)
		g.Template = bool(*res.Template)
	}
	if n.f != nil && res.Name != "" && name(string(res.Name)) != g.Name {
		dirty = true
	}
	if g.Name == "" {
		g.Name = name(string(res.Name))
	}
	limits := []struct {
		old **int64
		now *int64
	}{{&g.MaxMem, optInt(res.MaxMem)}, {&g.MaxDisk, optInt(res.MaxDisk)}}
	for _, l := range limits {
		if l.now != nil {
			dirty = dirty || !same(*l.old, l.now)
			*l.old = l.now
		}
	}
	if v := optFloat(res.MaxCPU); v != nil {
		dirty = dirty || !same(g.MaxCPU, v)
		g.MaxCPU = v
	}
	return dirty
}

// unknown keeps everything that was known and says since when it is not any more.
func (n *row) unknown(at time.Time, reason string) {
	n.g.Status = stUnknown
	if n.g.UnknownSince.IsZero() {
		n.g.UnknownSince = at
	}
	n.g.UnknownReason = reason
}

func (r *run) guestRef(vmid int) store.Ref { return r.ref(store.KindGuest, strconv.Itoa(vmid)) }
