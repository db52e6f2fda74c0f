package inventory

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Selection resolves one cluster and the guests in it that a query selects, from the store alone: nothing is asked of Proxmox VE, however
// old the store is. cluster is a configured name, "" for the only one; vmids is nil for the empty query, which means all. Errors:
// fault.Invalid for a name, a query or a choice that is missing.
func (i *Inventory) Selection(ctx context.Context, cluster, query string) (name string, vmids map[int]bool, err error) {
	if err := i.proj.refresh(ctx); err != nil {
		return "", nil, err
	}
	scope, err := i.scope(ctx, cluster)
	if err != nil {
		return "", nil, err
	}
	if len(scope) != 1 {
		return "", nil, fault.BadField("cluster", "must be one of "+strings.Join(i.names(ctx), ", "), scope[0].name)
	}
	if query = strings.TrimSpace(query); query == "" {
		return scope[0].name, nil, nil
	}
	q, err := parseQuery(query)
	if err != nil {
		return "", nil, err
	}
	rows, _ := i.selectRows(i.proj.view.Load(), scope, &q, nil)
	vmids = make(map[int]bool, len(rows))
	for _, r := range rows {
		vmids[r.g.VMID] = true
	}
	return scope[0].name, vmids, nil
}

// GuestID resolves a guest by vmid or name, from the store alone.
func (i *Inventory) GuestID(ctx context.Context, cluster, guest string) (name string, vmid int, err error) {
	if err := i.proj.refresh(ctx); err != nil {
		return "", 0, err
	}
	scope, err := i.scope(ctx, cluster)
	if err != nil {
		return "", 0, err
	}
	r, err := i.resolve(scope, guest)
	if err != nil {
		return "", 0, err
	}
	return r.g.Cluster, r.g.VMID, nil
}
