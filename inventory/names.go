package inventory

import (
	"context"
	"maps"
	"slices"
	"time"
)

// waitNames is how long names are waited for where nothing was ever read: somebody types meanwhile.
const waitNames = 300 * time.Millisecond

// namedTasks bounds the tasks of a cluster: who completes wants one of the last, and a client shows 100.
const namedTasks = 200

// GuestName is a guest by the two ways to call it.
type GuestName struct {
	Cluster string
	VMID    int
	Name    string // "" while unknown
}

// Names are what can be named, for completion. Each list is sorted (guests by cluster and vmid) and holds no name twice.
type Names struct {
	Clusters []string // configured, without those that are other names of one
	Guests   []GuestName
	Nodes    []string
	Storages []string
	Tags     []string
	Pools    []string
	Tasks    []string // UPIDs, newest first within a cluster; at most namedTasks of each
}

// Names lists what is known of a cluster (of; "" = all) from the store alone. Where the store holds nothing yet the first rows are waited for,
// waitNames at most.
func (i *Inventory) Names(ctx context.Context, of string) (Names, error) {
	if err := i.proj.refresh(ctx); err != nil {
		return Names{}, err
	}
	scope, err := i.scope(ctx, of)
	if err != nil {
		return Names{}, err
	}
	if empty := slices.DeleteFunc(slices.Clone(scope), func(c *cluster) bool { return !c.empty() }); len(empty) > 0 {
		wait, cancel := context.WithTimeout(ctx, waitNames)
		i.waitAll(wait, empty, false)
		cancel()
		if err := i.proj.refresh(ctx); err != nil {
			return Names{}, err
		}
	}
	return i.collect(ctx, scope), nil
}

// KnownNames are the names that the store holds now: nothing is asked of Proxmox VE and nothing is waited for.
func (i *Inventory) KnownNames(ctx context.Context) (Names, error) {
	if err := i.proj.refresh(ctx); err != nil {
		return Names{}, err
	}
	return i.collect(ctx, i.reached(ctx)), nil
}

func (i *Inventory) collect(ctx context.Context, scope []*cluster) Names {
	out := Names{}
	for _, c := range i.reached(ctx) {
		out.Clusters = append(out.Clusters, c.name)
	}
	for _, c := range scope {
		out.add(i.proj.cluster(c.name))
	}
	for _, list := range []*[]string{&out.Nodes, &out.Storages, &out.Tags, &out.Pools} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return out
}

func (n *Names) add(v *clusterView) {
	for _, r := range v.rows {
		n.Guests = append(n.Guests, GuestName{Cluster: v.name, VMID: r.g.VMID, Name: name(r.g.Name)})
		n.Tags = append(n.Tags, r.tags...)
	}
	for _, node := range v.nodes {
		n.Nodes = append(n.Nodes, name(node.name))
	}
	for k := range v.storages {
		n.Storages = append(n.Storages, v.storages[k].Name)
	}
	for id := range maps.Keys(v.pools) {
		n.Pools = append(n.Pools, name(id))
	}
	for k := range min(namedTasks, len(v.tasks.list)) {
		n.Tasks = append(n.Tasks, v.tasks.list[k].UPID)
	}
}
