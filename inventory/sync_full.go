package inventory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// taskBack is how far back a full sync reads each node's own task list: the cluster's list keeps 25 per node (faults.md 3.4).
const taskBack = 24 * time.Hour

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
	r.clusterMembers(members)
	r.seesNodes(members)
	r.distrust()
	nodes := r.nodeCalls(ctx)
	defer nodes.wait()
	r.flight.say(Progress{Cluster: r.c.name, Phase: "resources", Done: 1, Total: 1})
	// Evidence of new lives comes from the task list, so that is waited for before the first configuration is judged.
	dirty := r.applyRows(r.guestRows())
	r.recordUsage()
	r.firstNodes()
	if err := r.w.flush(); err != nil {
		return err
	}
	r.flight.rowsReady()
	side.waitTasks()
	r.seesTasks(side.tasks, dirty, map[int]bool{})
	r.readGuests(ctx, r.targets(func(int) bool { return true }, nil))
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
	r.res = rows
	r.oddRows(odd)
	r.noteFailure("who is online and whether there is quorum", memberErr)
	if memberErr != nil {
		members = nil
	}
	return members, nil
}

// distrust keeps nodes that were silent at the last sync under suspicion until they answer a probe.
func (r *run) distrust() {
	for id, n := range r.nodes {
		if n.online && n.before.Silent != "" {
			r.silent[id] = fault.New(fault.NodeSilent, "%s", n.before.Silent)
		}
	}
}

// firstNodes records the nodes early at the first sync, so that a first overview can name them.
func (r *run) firstNodes() {
	if r.v.synced {
		return
	}
	for _, id := range sortedNames(r.nodes) {
		n := r.nodes[id]
		r.putObject("node", id, encodeState(r.nodeState(n)), n.online, "")
	}
	r.putObject("cluster", "cluster", encodeState(r.state), true, "")
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
		r.warning("forbidden", fmt.Sprintf("%s: not visible to this token (%s)", what, fault.Of(err).Error()))
	case code == fault.Unsupported:
		// An older Proxmox VE does not have it: nothing is missing that could be there.
	default:
		r.warning("partial", fmt.Sprintf("%s: could not be read (%s)", what, fault.Of(err).Error()))
		r.incomplete()
	}
}
