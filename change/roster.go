package change

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// rosterAge is how old the list of guests may be that a step is judged by: a plan of many steps reads it again, one of few reads it once.
// The inventory's own may be 10 s old, time enough for somebody else to move a guest into a pool that is denied.
const rosterAge = 3 * time.Second

// roster is the cluster's list of guests as a plan read it last.
type roster struct {
	mu   sync.Mutex
	at   time.Time
	rows []pve.Resource
}

// guestRows are the rows of cluster/resources; Proxmox VE makes them of the configuration of users and the list of vmids as they are then.
func guestRows(ctx context.Context, c Cluster) ([]pve.Resource, error) {
	raw, err := c.Raw(ctx, "GET", "/cluster/resources", proxmox.Params{}.Str("type", "vm"))
	if err != nil {
		return nil, err
	}
	var rows []pve.Resource
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "the list of guests cannot be read")
	}
	return rows, nil
}

// resource is a guest's row of cluster/resources, nil without one.
func resource(ctx context.Context, c Cluster, vmid int) (*pve.Resource, error) {
	rows, err := guestRows(ctx, c)
	if err != nil {
		return nil, err
	}
	return rowOf(rows, vmid), nil
}

func rowOf(rows []pve.Resource, vmid int) *pve.Resource {
	if k := slices.IndexFunc(rows, func(r pve.Resource) bool { return int(r.VMID) == vmid }); k >= 0 {
		return &rows[k]
	}
	return nil
}

// listed fills in the pool that a guest is in now, and refuses one that two nodes claim: which of them a request would hit is not known
// (F55). A guest that the list does not show is as the inventory knows it.
func (t *Target) listed(rows []pve.Resource) error {
	row := rowOf(rows, t.VMID)
	if row == nil {
		return nil
	}
	if k := slices.IndexFunc(rows, func(r pve.Resource) bool { return r.VMID == row.VMID && r.Node != row.Node }); k >= 0 {
		return fault.New(fault.Conflict, "two nodes claim guest %s: %s and %s; nothing was sent", t.Label(), cleanLine(string(row.Node)), cleanLine(string(rows[k].Node))).
			WithHint("after a migration that heals by itself: try again in a minute; else a configuration lies on both nodes and a person has to look").Retry()
	}
	t.Pool = string(row.Pool)
	return nil
}

// listed is Target.listed by a list that is young enough, which all chains of the plan share.
func (r *run) listed(ctx context.Context, t *Target) error {
	r.roster.mu.Lock()
	defer r.roster.mu.Unlock()
	if r.roster.rows == nil || r.e.now().Sub(r.roster.at) > rosterAge {
		rows, err := guestRows(ctx, r.c)
		if err != nil {
			return err
		}
		r.roster.rows, r.roster.at = rows, r.e.now()
	}
	return t.listed(r.roster.rows)
}
