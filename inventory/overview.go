package inventory

import (
	"context"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// failedWindow is how far back failed tasks count in overviews and findings.
const failedWindow = 24 * time.Hour

// Overview answers all clusters in scope at a glance, with the findings of check_health as problems. It needs no call to
// Proxmox VE while the store is young, save that what check_health asks is asked, and waited for a moment, where nobody ever asked it: who
// looks for the first time shall not miss a degraded pool. Errors as of FindGuests.
func (i *Inventory) Overview(ctx context.Context, ro ReadOptions) (Overview, error) {
	scope, err := i.ready(ctx, ro)
	if err != nil {
		return Overview{}, err
	}
	i.each(ctx, scope, func(ctx context.Context, _ int, c *cluster) { c.probeFirst(ctx) })
	v, now := i.proj.view.Load(), i.now()
	o := Overview{Meta: i.meta(scope), Unchecked: i.unchecked(scope)}
	o.Problems, o.Silenced = i.findings(scope, "")
	o.Checked, o.Skipped = i.coverage(scope)
	for _, c := range scope {
		o.Clusters = append(o.Clusters, v.clusters[c.name].overview(c.meta(now), now))
	}
	return o, nil
}

func (c *clusterView) overview(m Meta, now time.Time) ClusterOverview {
	o := ClusterOverview{Name: c.name, ClusterName: c.state.Name, Standalone: c.state.Standalone, Quorate: c.state.Quorate,
		Version: c.state.Version, Guests: c.counts, Storages: slices.Clone(c.storages), Meta: m, Nodes: c.nodeViews(),
		TasksKnown: c.synced, OwnTasks: c.state.OwnTasks}
	for k := range o.Storages {
		if s := &o.Storages[k]; s.Status != stUnknown {
			s.SeenAt = later(s.SeenAt, c.asOf())
		}
	}
	for _, k := range c.tasks.list {
		switch taskState(k) {
		case taskRunning:
			if running(k, now) {
				o.RunningTasks++
			}
		case taskFailed:
			if now.Sub(taskTime(k)) < failedWindow {
				o.FailedTasks++
			}
		}
	}
	return o
}

// later is the later of two times: objects are stamped anew only every few minutes, yet each sync sees them.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// running says that a task without an end still counts as running: its node is asked for its tasks at each full sync, so one of
// which nothing was heard for long died unheard.
func running(k store.Task, now time.Time) bool { return k.End.IsZero() && now.Sub(k.Start) < abandoned }

func taskTime(k store.Task) time.Time {
	if k.End.IsZero() {
		return k.Start
	}
	return k.End
}

func (c *clusterView) nodeViews() []Node {
	out := make([]Node, 0, len(c.nodes))
	for _, n := range c.nodes {
		st := n.st
		v := Node{Cluster: c.name, Name: n.name, Status: st.Status, IP: st.IP, CPU: st.CPU, MaxCPU: st.MaxCPU, Mem: st.Mem,
			MaxMem: st.MaxMem, Disk: st.Disk, MaxDisk: st.MaxDisk, Swap: st.Swap, MaxSwap: st.MaxSwap, Uptime: st.Uptime,
			Load: st.Load, Version: st.Version, Kernel: st.Kernel, CPUType: st.CPUType, Guests: c.byNode[n.name], SeenAt: n.obj.LastSeen}
		if st.Silent != "" {
			v.Status = stUnknown
		}
		if v.Status == "online" {
			v.SeenAt = later(v.SeenAt, c.asOf())
		} else {
			// Figures of a node that is away are not shown as if they were true now.
			v.Since, v.CPU, v.Mem, v.Swap, v.Uptime, v.Load = st.Online, nil, nil, nil, nil, nil
		}
		out = append(out, v)
	}
	return out
}

// Nodes answers all nodes in scope. Errors as of FindGuests.
func (i *Inventory) Nodes(ctx context.Context, ro ReadOptions) (NodeList, error) {
	scope, err := i.ready(ctx, ro)
	if err != nil {
		return NodeList{}, err
	}
	v := i.proj.view.Load()
	l := NodeList{Meta: i.meta(scope)}
	for _, c := range scope {
		l.Nodes = append(l.Nodes, v.clusters[c.name].nodeViews()...)
	}
	return l, nil
}
