package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// taskBack and taskRows bound what a full sync reads of each node's own task list, since the cluster's list keeps 25 per node
// (faults.md 3.4): a little more than a week, so that weekly backups are seen.
const (
	taskBack = 8 * 24 * time.Hour
	taskRows = 1000
)

// full reads everything once: 8 calls for the cluster, 2 per node that is online, a configuration per guest and a snapshot list
// per guest that has snapshots. cluster/resources comes first; its rows are stored before the configurations are read, so that a
// first reader need not wait for them.
func (r *run) full(ctx context.Context) error {
	side := r.sideCalls(ctx)
	defer side.wait()
	members, err := r.rowsAndMembers(ctx)
	if err != nil {
		return err
	}
	side.rest(ctx, r.src)
	r.clusterMembers(members)
	r.seesNodes(members)
	r.distrust()
	nodes := r.nodeCalls(ctx)
	defer nodes.wait()
	r.flight.say(Progress{Cluster: r.c.name, Phase: "resources", Done: 1, Total: 1})
	// Evidence of new lives comes from the task list, so that is waited for before the first configuration is judged.
	rows := r.guestRows()
	snaps := r.truth(ctx, rows)
	dirty := r.applyRows(ctx, rows)
	r.recordRows()
	side.waitTasks()
	r.seesTasks(r.contiguous(ctx, side.tasks), dirty, map[int]bool{})
	r.readGuests(ctx, r.targets(func(int) bool { return true }, snaps))
	if err := r.cut(ctx); err != nil {
		return err
	}
	r.vanished(ctx)
	side.wait()
	nodes.wait()
	r.seesTasks(nodes.tasks, dirty, map[int]bool{})
	r.recordSide(side)
	return r.conclude(ctx)
}

// rowsAndMembers asks for the two lists that everything else builds on, at once. Without cluster/resources there is no sync;
// cluster/status may be forbidden (recording 11): the node rows then say who is online.
func (r *run) rowsAndMembers(ctx context.Context) ([]pve.ClusterMember, error) {
	var members []pve.ClusterMember
	var memberErr error
	var wg sync.WaitGroup
	wg.Go(func() { members, memberErr = r.src.ClusterStatus(ctx) })
	rows, odd, err := r.src.Resources(ctx)
	wg.Wait()
	if err != nil {
		return nil, err
	}
	r.flight.heard.Store(max(1, int64(r.c.inv.now().Sub(r.started))))
	r.res = rows
	r.oddRows(odd)
	r.noteFailure("who is online and whether there is quorum", memberErr)
	if memberErr != nil {
		members = nil
	}
	return members, r.sameCluster(members)
}

// renamed says that both the cluster that the store knows and this one have a name, and not the same: a cluster keeps its
// name, so that equal node names (pve1) do not make two clusters one.
func (r *run) renamed(members []pve.ClusterMember) bool {
	return slices.ContainsFunc(members, func(m pve.ClusterMember) bool {
		return m.Type == "cluster" && r.v.state.Name != "" && m.Name != "" && string(m.Name) != r.v.state.Name
	})
}

// sameCluster refuses to mix two clusters under one name: when not one node of those that the store knows is listed, the endpoint was
// pointed to another cluster, and each guest of the first would look gone (I1).
func (r *run) sameCluster(members []pve.ClusterMember) error {
	known, listed := map[string]bool{}, []string{}
	for i := range r.v.nodes {
		known[r.v.nodes[i].name] = true
	}
	add := func(name string) { listed = append(listed, name) }
	for i := range r.res {
		if r.res[i].Type == "node" {
			add(string(r.res[i].Node))
		}
	}
	for i := range members {
		if members[i].Type == "node" {
			add(string(members[i].Name))
		}
	}
	if len(known) == 0 || len(listed) == 0 || slices.ContainsFunc(listed, func(n string) bool { return known[n] }) && !r.renamed(members) {
		return nil
	}
	return fault.New(fault.Conflict, "the store knows another cluster under the name %s (nodes %s), and this one has nodes %s: nothing was stored",
		r.c.name, strings.Join(sortedNames(known), ", "), strings.Join(slices.Compact(slices.Sorted(slices.Values(listed))), ", ")).
		WithHint("give it another name in the configuration, or another database: --state FILE")
}

// distrust keeps nodes that were silent at the last sync under suspicion until they answer a probe.
func (r *run) distrust() {
	for id, n := range r.nodes {
		if n.online && n.before.Silent != "" {
			r.silent[id] = fault.New(fault.NodeSilent, "%s", n.before.Silent)
		}
	}
}

// recordRows stores what cluster/resources and cluster/status said, so that readers who wait can be answered; at the first sync
// the nodes too, whose details come later.
func (r *run) recordRows() {
	r.recordUsage()
	for _, id := range sortedNames(r.nodes) {
		// A node that is away must not look online to those who read before the end of the sync.
		if n := r.nodes[id]; !r.v.synced || !n.online {
			r.putObject(store.KindNode, id, encodeState(r.nodeState(n)), n.online, "")
		}
	}
	r.state.RowsAt = r.started
	r.putObject(store.KindCluster, clusterID, encodeState(r.state), true, "")
	r.w.then(r.flight.rowsReady)
}

// targets are the listed guests on nodes that answer which a filter picks, each on the node where it is listed.
func (r *run) targets(pick func(id int) bool, snaps map[int]bool) []target {
	var out []target
	for _, id := range sortedIDs(r.next) {
		n := r.next[id]
		if ok, _ := r.trusts(n.g.Node); ok && pick(id) {
			out = append(out, target{id: id, node: n.g.Node, typ: n.typ(), snaps: snaps[id]})
		}
	}
	return out
}

// cut is the error that ended the reading early: the context's, or Proxmox VE gone altogether.
func (r *run) cut(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.fatal
}

// conclude records what is known only at the end of a run.
func (r *run) conclude(ctx context.Context) error {
	r.unmoved()
	r.doubts()
	r.release()
	r.silence()
	r.readFailures()
	r.recordNodes()
	if r.flight.mode == modeFull {
		r.state.FullAt = r.started
	}
	r.recordCluster()
	r.flight.say(Progress{Cluster: r.c.name, Phase: "store", Done: r.done, Total: r.total})
	return r.cut(ctx)
}

// noteFailure warns about a part that could not be read.
func (r *run) noteFailure(what string, err error) {
	switch code := fault.CodeOf(err); {
	case err == nil || code == fault.Cancelled:
	case code == fault.Forbidden:
		r.warning("forbidden", fmt.Sprintf("%s: not visible to this token (%s)", what, fault.Of(err).Error())+wayOut(err))
	case code == fault.Unsupported:
		// An older Proxmox VE does not have it: nothing is missing that could be there.
	default:
		r.warning("partial", fmt.Sprintf("%s: could not be read (%s)", what, fault.Of(err).Error()))
		r.incomplete()
	}
}

// wayOut is the first sentence of what to do about an error: for a missing privilege the line that grants it.
func wayOut(err error) string {
	hint, _, _ := strings.Cut(fault.Of(err).Hint, ". ")
	if hint == "" {
		return ""
	}
	return "; " + hint
}
