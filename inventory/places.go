package inventory

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Places are the nodes and storages of one cluster, as far as they say where something can go.
type Places struct {
	Nodes     []Node
	Storages  []StorageUse
	Members   int              // nodes that the cluster counts, 0 for one that stands alone or where that is not known
	Present   int              // of them online
	Committed map[string]int64 // memory that the running guests of a node may take together, by node that is online
}

// Places answers from the store, without asking any node, about the cluster of that name. Errors: those of FindGuests.
func (i *Inventory) Places(ctx context.Context, cluster string) (Places, error) {
	scope, err := i.ready(ctx, ReadOptions{Cluster: cluster})
	if err != nil {
		return Places{}, err
	}
	cv := i.proj.cluster(scope[0].name)
	p := Places{Nodes: cv.nodeViews(), Committed: map[string]int64{}}
	if cv.state.Quorate != nil {
		p.Members, p.Present = cv.state.Votes, cv.state.Online
	}
	for _, n := range p.Nodes {
		if n.Status == "online" {
			p.Committed[n.Name] = cv.committed(n.Name)
		}
	}
	for k := range cv.storages {
		p.Storages = append(p.Storages, cv.storageUse(&cv.storages[k]))
	}
	return p, nil
}

// Room is what a storage has left in bytes, nil while that is not known.
func (s *StorageUse) Room() *int64 {
	if s.Used == nil || s.Total == nil {
		return nil
	}
	return pve.Ptr(*s.Total - *s.Used)
}
