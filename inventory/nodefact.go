package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// nodeFact is what a run learns of a node.
type nodeFact struct {
	name   string
	member *pve.ClusterMember // nil when cluster/status could not be read
	res    *pve.Resource      // its row in cluster/resources, nil when absent
	status *pve.NodeStatus    // nil when not asked or not answered
	online bool
	before nodeState
}

// seesNodes joins the node rows of cluster/resources with the members of cluster/status, which is the authority on who is online.
func (r *run) seesNodes(members []pve.ClusterMember) {
	for i := range r.res {
		if res := &r.res[i]; res.Type == "node" && res.Node != "" {
			r.node(string(res.Node)).res = res
		}
	}
	for i := range members {
		if m := &members[i]; m.Type == "node" && m.Name != "" {
			r.node(string(m.Name)).member = m
		}
	}
	for _, n := range r.nodes {
		switch {
		case n.member != nil && n.member.Online != nil:
			n.online = bool(*n.member.Online)
		case n.res != nil:
			n.online = n.res.Status == "online"
		}
	}
}

func (r *run) node(id string) *nodeFact {
	n := r.nodes[id]
	if n == nil {
		n = &nodeFact{name: id}
		if o, ok := r.v.nodeObjs[id]; ok {
			n.before = decodeState[nodeState](o.State)
		}
		r.nodes[id] = n
	}
	return n
}

// trusts says that rows of a node's guests describe the present: it is online and was not silent when last asked.
func (r *run) trusts(node string) (ok bool, reason string) {
	n := r.nodes[node]
	switch {
	case n == nil:
		return false, fmt.Sprintf("node %s is not listed", node)
	case !n.online:
		return false, fmt.Sprintf("node %s is offline", node)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.silent[node]; err != nil {
		return false, fmt.Sprintf("node %s does not answer", node)
	}
	return true, ""
}

// markSilent keeps the first reason why a node did not answer.
func (r *run) markSilent(node string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.silent[node] == nil {
		r.silent[node] = err
	}
	r.partial = true
}

// probe asks a node for its status: at a full sync each online one, at a tick only those that were silent.
func (r *run) probe(ctx context.Context, n *nodeFact) {
	st, err := r.src.NodeStatus(ctx, n.name)
	switch {
	case err == nil:
		r.mu.Lock()
		n.status = &st
		r.mu.Unlock()
	case isSilent(err):
		r.markSilent(n.name, err)
	case fault.CodeOf(err) == fault.Forbidden:
		r.warning("forbidden", "details of nodes are not visible to this token (Sys.Audit on /nodes)")
	case ctx.Err() == nil:
		r.warning("partial", fmt.Sprintf("details of node %s could not be read: %s", n.name, fault.Of(err).Error()))
		r.incomplete()
	}
}

func isSilent(err error) bool { return fault.CodeOf(err) == fault.NodeSilent }

// stale says that the node answers while its statistics do not move (F16): cluster/resources has lost its figures.
func (n *nodeFact) stale() bool { return n.online && n.res != nil && n.res.Status == "unknown" }

// recordNodes writes the state of each node. Figures that Proxmox VE no longer gives keep their last known values.
func (r *run) recordNodes() {
	away := map[string]nodeState{}
	for _, id := range sortedNames(r.nodes) {
		n := r.nodes[id]
		st := r.nodeState(n)
		if st.Status != "online" || st.Silent != "" {
			away[id] = st
		}
		if st.Stale {
			r.warning("stale", fmt.Sprintf("statistics of node %s are stale although it answers (is pvestatd running there?)", id))
		}
		r.putObject(store.KindNode, id, encodeState(st), n.online, "")
	}
	if w, ok := awayWarning(away, r.started, r.c.inv.opt.Zone); ok {
		r.warning(w.Code, w.Text)
	}
	r.goneNodes()
}

// awayWarning says which nodes are away, since when as far as that was seen, and what that means, in one line for all of them.
func awayWarning(away map[string]nodeState, now time.Time, zone *time.Location) (Warning, bool) {
	var list []string
	for _, id := range sortedNames(away) {
		st := away[id]
		text := id + " " + awayWord(st)
		if st.Online.IsZero() {
			text += " (never seen online)"
		} else if !st.Since.IsZero() {
			text += " since " + clockText(st.Since, now, zone)
		}
		list = append(list, text)
	}
	whose := "it and its"
	if len(list) > 1 {
		whose = "they and their"
	}
	return Warning{"node_silent", strings.Join(list, ", ") + ": " + whose + " guests are shown as last known"}, list != nil
}

func awayWord(st nodeState) string {
	if st.Silent != "" && st.Status == "online" {
		return "does not answer"
	}
	return "is " + st.Status
}

func clockText(t, now time.Time, zone *time.Location) string {
	t = t.In(zone)
	if now.Sub(t) < 12*time.Hour {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// goneNodes records nodes that left the cluster: only cluster/status is believed about that.
func (r *run) goneNodes() {
	if !slices.ContainsFunc(sortedNames(r.nodes), func(id string) bool { return r.nodes[id].member != nil }) {
		return
	}
	for id, o := range r.v.nodeObjs {
		if r.nodes[id] == nil {
			o.GoneAt = r.started
			r.w.object(o, nil)
			r.w.change(r.change(o.Ref, o.Life, "gone", "", "", "", o.LastSeen))
		}
	}
}

func (r *run) nodeState(n *nodeFact) nodeState {
	r.mu.Lock()
	silent, status := r.silent[n.name], n.status
	r.mu.Unlock()
	st := n.before
	st.Status, st.Stale, st.Silent = "offline", n.stale(), ""
	switch {
	case n.online:
		st.Status, st.Online = "online", r.started
	case n.member == nil && (n.res == nil || n.res.Status == "unknown"):
		st.Status = "unknown"
	}
	if silent != nil {
		st.Silent = clean.Line(fault.Of(silent).Error(), maxLine)
		st.Online = n.before.Online
	}
	if st.Since.IsZero() || st.Status != n.before.Status || (st.Silent == "") != (n.before.Silent == "") {
		st.Since = r.started
	}
	if n.member != nil && n.member.IP != "" {
		st.IP = string(n.member.IP)
	}
	if n.online {
		st.figures(n.res)
		st.details(status)
	}
	return st
}

func (st *nodeState) figures(res *pve.Resource) {
	if res == nil || res.Status == "unknown" {
		return
	}
	st.CPU, st.MaxCPU = optFloat(res.CPU), optFloat(res.MaxCPU)
	st.Mem, st.MaxMem = optInt(res.Mem), optInt(res.MaxMem)
	st.Disk, st.MaxDisk = optInt(res.Disk), optInt(res.MaxDisk)
	st.Uptime = optInt(res.Uptime)
}

func (st *nodeState) details(s *pve.NodeStatus) {
	if s == nil {
		return
	}
	st.Version, st.Kernel, st.Load = clean.Line(managerVersion(string(s.PVEVersion)), maxName), clean.Line(string(s.KVersion), maxName), nil
	for _, l := range s.LoadAvg {
		st.Load = append(st.Load, string(l))
	}
	if s.CPUInfo != nil {
		st.CPUType = clean.Line(string(s.CPUInfo.Model), maxName)
	}
	if s.Swap != nil {
		st.Swap, st.MaxSwap = optInt(s.Swap.Used), optInt(s.Swap.Total)
	}
	for _, p := range []struct {
		u          *pve.Usage
		used, full **int64
	}{{s.Memory, &st.Mem, &st.MaxMem}, {s.RootFS, &st.Disk, &st.MaxDisk}} {
		if p.u != nil && *p.full == nil {
			*p.used, *p.full = optInt(p.u.Used), optInt(p.u.Total)
		}
	}
	if st.Uptime == nil {
		st.Uptime = optInt(s.Uptime)
	}
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// managerVersion takes the version out of "pve-manager/9.2.11/14a22df3b2e1c5aa" (recording 02/045).
func managerVersion(s string) string {
	if parts := strings.Split(s, "/"); len(parts) == 3 {
		return parts[1]
	}
	return s
}
