package inventory

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// checksPerNode bounds the configuration reads that verify vanished guests in one sync; the rest wait for the next one.
	checksPerNode = 12
	// massFloor and massShare: more guests than both gone at once is rather a lost privilege than a deed (faults.md F07, F08).
	massFloor = 3
	massShare = 0.30
)

// vanished decides about guests that were known and are not listed. Only the answer that its configuration does not exist makes
// a guest gone; everything else leaves it unknown (invariant I1).
func (r *run) vanished(ctx context.Context) {
	var missing []int
	for _, id := range sortedIDs(r.v.byID) {
		if r.next[id] == nil {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return
	}
	if n := len(missing); n > massFloor && float64(n) > massShare*float64(len(r.v.byID)) {
		r.warning("scope", fmt.Sprintf("%d of %d known guests are not listed any more; unless Proxmox VE says that one does not exist it counts as unknown, as privileges may have been taken away",
			n, len(r.v.byID)))
		r.incomplete()
	}
	r.scopeAgain(ctx)
	budget := checksPerNode * max(1, len(r.nodes))
	for _, id := range missing {
		prev := r.v.byID[id]
		var reason string
		gone := false
		switch ok, why := r.trusts(prev.g.Node); {
		case ctx.Err() != nil:
			return
		case !ok:
			reason = why
		case budget == 0:
			reason = "not listed any more; whether it still exists was not verified yet"
		default:
			budget--
			reason, gone = r.exists(ctx, prev)
		}
		r.missing(prev, reason, gone)
	}
	if len(r.hidden) > 0 {
		r.warning("scope", fmt.Sprintf("%d known guests are not visible to this token any more (%s); that does not mean that they do not exist", len(r.hidden),
			shortList(strings.Split(joinInts(r.hidden), ", "), 5)))
	}
}

// scopeAgain reads the permissions at a tick in which guests vanished; a full sync reads them anyway.
func (r *run) scopeAgain(ctx context.Context) {
	if r.flight.mode == modeFull {
		return
	}
	if perms, err := r.src.Permissions(ctx); err == nil {
		r.seesScope(perms)
	}
}

// exists asks the last known node for the guest's configuration.
func (r *run) exists(ctx context.Context, prev *row) (reason string, gone bool) {
	_, err := r.src.GuestConfig(ctx, prev.g.Node, prev.typ(), prev.g.VMID)
	switch code := fault.CodeOf(err); {
	case err == nil:
		return "not listed any more, although its configuration can be read", false
	case code == fault.NotFound:
		return "", true
	case code == fault.Forbidden:
		r.hidden = append(r.hidden, prev.g.VMID)
		return "not visible to this token any more", false
	case isSilent(err):
		r.markSilent(prev.g.Node, err)
		return fmt.Sprintf("node %s does not answer", prev.g.Node), false
	}
	return "not listed any more; whether it still exists could not be verified", false
}

func (r *run) missing(prev *row, reason string, gone bool) {
	next := prev.clone()
	id := prev.g.VMID
	r.mu.Lock()
	defer r.mu.Unlock()
	if gone {
		next.g.GoneAt = r.started
		r.report.Gone++
		r.w.guest(next, nil, []store.Change{r.change(r.guestRef(id), prev.g.Life, "gone", "", prev.g.Name, "", r.lastSeen(prev))})
		return
	}
	r.partial = true
	next.unknown(r.started, reason)
	next.finish()
	r.next[id], r.before[id] = next, prev
	if prev.differs(next) {
		r.w.guest(next, nil, nil)
	}
}

func joinInts(ids []int) string {
	parts := make([]string, 0, len(ids))
	for _, id := range ids {
		parts = append(parts, strconv.Itoa(id))
	}
	return strings.Join(parts, ", ")
}

func vmidOf(s string) (int, bool) {
	id, err := strconv.Atoi(s)
	return id, err == nil && id > 0
}
