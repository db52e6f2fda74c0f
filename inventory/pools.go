package inventory

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// poolRows are the pools that cluster/resources lists, which are those that the token may audit.
func (r *run) poolRows() map[string]bool {
	out := map[string]bool{}
	for i := range r.res {
		if res := &r.res[i]; res.Type == "pool" && res.Pool != "" {
			out[clean.Line(string(res.Pool), maxName)] = true
		}
	}
	return out
}

// newPools reads the pools when a tick lists one that is not known: a new one is known with its comment before the next full sync.
func (r *run) newPools(ctx context.Context) {
	known := map[string]bool{}
	for id := range r.v.pools {
		known[clean.Line(id, maxName)] = true
	}
	for id := range r.pools {
		if !known[id] {
			pools, err := r.src.Pools(ctx)
			if r.noteFailure("pools", err); err == nil {
				r.recordPools(pools)
			}
			return
		}
	}
}

// poolOf is the pool that a guest is a member of. Its row names it only to who may audit that pool: where it names none the last known
// one stays, unless the absence is proved.
func (r *run) poolOf(prev *row, res *pve.Resource) string {
	now := clean.Line(string(res.Pool), maxName)
	if now != "" || prev == nil || prev.gone() || prev.g.Pool == "" || r.leaves(prev.g.Pool) {
		return now
	}
	return prev.g.Pool
}

// leaves says that a guest whose row names no pool is not in this one any more: it is listed, or it alone is not listed any more of the
// pools that this token sees, which a loss of rights would be unlikely to do, or the last full sync saw it go.
func (r *run) leaves(pool string) bool {
	if r.pools[pool] {
		return true
	}
	known := r.v.pools
	if _, there := known[pool]; !r.v.state.AllPools || !there {
		return r.v.state.AllPools
	}
	for id := range known {
		if id != pool && !r.pools[clean.Line(id, maxName)] {
			return false
		}
	}
	return len(known) > 1
}

// joined says that a guest that is in a pool now was in none before: the pool would have been seen.
func (r *run) joined(pool string) bool {
	o, known := r.v.pools[pool]
	return r.v.state.AllPools || known && o.UnknownSince.IsZero()
}

// happened is what two rows of one guest tell that its configuration does not: its status, and its pool, which stands in user.cfg.
func (r *run) happened(prev, next *row) (out []store.Change) {
	if prev == nil || prev.gone() {
		return nil
	}
	tell := func(what, old, now string) {
		if old != now {
			out = append(out, r.change(r.guestRef(next.g.VMID), next.g.Life, what, what, old, now, r.lastSeen(prev)))
		}
	}
	if prev.g.UnknownSince.IsZero() {
		tell("status", prev.g.Status, next.g.Status)
	}
	if !prev.g.LastSeen.IsZero() && (prev.g.Pool != "" || r.joined(next.g.Pool)) {
		tell(whatPool, prev.g.Pool, next.g.Pool)
	}
	return out
}
