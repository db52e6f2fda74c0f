package inventory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// clusterBudget bounds the question whether a cluster can be reached: a refused login is answered after 3 s (pve-api.md 18).
const clusterBudget = 4 * time.Second

// Endpoint is one address of a cluster. InUse is the one that the next call will probably take; Node is empty while unknown.
type Endpoint struct {
	Address string `json:"address"`
	Node    string `json:"node,omitempty"`
	InUse   bool   `json:"in_use,omitempty"`
	Learnt  bool   `json:"learnt,omitempty"` // not configured, but told by the cluster and trusted through it
	Failing bool   `json:"failing,omitempty"`
}

// ClusterInfo is one configured cluster: what is stored of it, and whether it answers now.
type ClusterInfo struct {
	ClusterOverview
	Endpoints []Endpoint
	Reachable bool
	Failure   *fault.Error // why it is not
	AlsoAs    []string     // configured names that were found to be this very cluster and are merged into it
	SameAs    string       // a configured cluster whose nodes show the same certificates, while that both are one is not proved
	LooksLike string       // a configured cluster of the same name whose nodes have other certificates
	SyncedAt  time.Time    // end of the last sync that is stored; zero = never
	keys      map[string]string
}

// ClusterList is all clusters in scope, in the order of the configuration.
type ClusterList struct {
	Meta
	Clusters []ClusterInfo
}

// Clusters answers what is configured: from the store, and one call to each cluster at once, 4 s at most. A cluster that does not answer is
// shown as that. The error is that of the store.
func (i *Inventory) Clusters(ctx context.Context, ro ReadOptions) (ClusterList, error) {
	storeErr := i.proj.refresh(ctx) // opening the store tells which clusters are one
	scope, err := i.scope(ctx, ro.Cluster)
	if err := cmp.Or(err, storeErr); err != nil {
		return ClusterList{}, err
	}
	if ro.Fresh {
		i.waitAll(ctx, scope, true)
	}
	ask, cancel := context.WithTimeoutCause(ctx, clusterBudget, fault.New(fault.Timeout, "no answer within %s", clusterBudget).Retry())
	defer cancel()
	all := i.reached(ctx) // all of them: another one may be the same cluster
	found := make([]ClusterInfo, len(all))
	i.each(ask, all, func(ctx context.Context, k int, c *cluster) { found[k] = c.info(i.opt.Waiting(ctx)) })
	if err := i.proj.refresh(ctx); err != nil {
		return ClusterList{}, err
	}
	if err := i.proj.relast(ctx); err != nil {
		return ClusterList{}, err
	}
	v, now := i.proj.view.Load(), i.now()
	for k, c := range all {
		cv := v.clusters[c.name]
		found[k].ClusterOverview = cv.overview(c.meta(now), now)
		found[k].SyncedAt, found[k].AlsoAs = cv.last.Finished, i.alsoGivenAs(ctx, c.name)
	}
	twins(found)
	list := ClusterList{Meta: i.meta(scope)}
	for k, c := range all {
		if slices.Contains(scope, c) {
			list.Clusters = append(list.Clusters, found[k])
		}
	}
	return list, nil
}

// info asks one cluster for its nodes' certificates: everybody may, and they tell two clusters of one name apart.
func (c *cluster) info(ctx context.Context) ClusterInfo {
	src, err := c.source(ctx)
	if err != nil {
		return ClusterInfo{Failure: fault.Of(err)}
	}
	var o ClusterInfo
	o.keys, err = src.NodeKeys(ctx)
	if err != nil {
		err = c.silence(ctx, err)
		o.Failure = fault.Of(err)
	}
	o.Reachable, o.Endpoints = err == nil, src.Endpoints()
	return o
}

// twins finds clusters that are configured twice: the same name of the cluster, and a node of the same name with the same certificate
// (faults.md F42). The same name with other certificates is another cluster: two homes may both call theirs "pve".
func twins(all []ClusterInfo) {
	for k := range all {
		for j := range k {
			a, b := &all[j], &all[k]
			switch {
			case a.keys == nil || b.keys == nil:
			case a.ClusterName == b.ClusterName && SameCluster(a.keys, b.keys):
				if b.SameAs == "" {
					b.SameAs = a.Name
				}
			case a.ClusterName != "" && a.ClusterName == b.ClusterName:
				b.LooksLike = a.Name
			}
		}
	}
}

// SameCluster compares the certificates' fingerprints of two clusters' nodes, by node. A node's key is its own, so that one node with
// the same one is the same node.
func SameCluster(a, b map[string]string) bool {
	for _, node := range slices.Collect(maps.Keys(a)) {
		if a[node] != "" && a[node] == b[node] {
			return true
		}
	}
	return false
}

// SyncOutcome is what became of a sync: a report, a failure, or still running.
type SyncOutcome struct {
	SyncReport
	Running  bool
	Progress Progress // of one that runs
	Failure  *fault.Error
}

// SyncWithin reads everything of the clusters in scope, all at once, and waits no longer than limit; what runs then goes on, and the
// next call joins it. The error is that of a single cluster that failed.
func (i *Inventory) SyncWithin(ctx context.Context, q SyncRequest, limit time.Duration) ([]SyncOutcome, error) {
	scope, err := i.scope(ctx, q.Cluster)
	if err != nil {
		return nil, err
	}
	out := make([]SyncOutcome, len(scope))
	var wg sync.WaitGroup
	for k, c := range scope {
		wg.Go(func() { out[k] = c.syncWithin(ctx, q.Progress, limit) })
	}
	wg.Wait()
	if len(out) == 1 && out[0].Failure != nil {
		return nil, out[0].Failure
	}
	return out, nil
}

func (c *cluster) syncWithin(ctx context.Context, progress func(Progress), limit time.Duration) SyncOutcome {
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	report, err := c.syncNow(wait, progress)
	o := SyncOutcome{SyncReport: report}
	o.Cluster = c.name
	switch {
	case err == nil:
	case ctx.Err() == nil && wait.Err() != nil:
		o.Running = true
		if f := c.flying(); f != nil {
			o.Progress = f.at()
		}
	default:
		o.Failure = fault.Of(fmt.Errorf("cluster %s: %w", c.name, err))
	}
	return o
}
