package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// problemsShown is how many problems an overview lists; check_health has them all.
const problemsShown = 6

type overviewIn struct {
	Common
}

type overviewOut struct {
	Envelope
	Clusters  []clusterOut `json:"clusters"`
	Problems  []findingOut `json:"problems"`
	Unchecked []string     `json:"unchecked,omitempty"` // checks that say nothing of now: check_health asks
	src       inventory.Overview
}

type clusterOut struct {
	Name         string       `json:"name"`
	Version      string       `json:"version,omitempty"`
	Standalone   *bool        `json:"standalone"` // null while unknown
	Quorate      *bool        `json:"quorate,omitempty"`
	Nodes        []nodeOut    `json:"nodes"`
	Guests       countsOut    `json:"guests"`
	Storages     []storageOut `json:"storages"`
	RunningTasks *int         `json:"running_tasks"` // null while the task list was not read
	FailedTasks  *int         `json:"failed_tasks_24h"`
	OwnTasks     bool         `json:"own_tasks_only,omitempty"`
}

// countsOut are guests by state. The states are null where nothing is known of any of these guests now.
type countsOut struct {
	Total     int  `json:"total"`
	Running   *int `json:"running"`
	Stopped   *int `json:"stopped"`
	Paused    *int `json:"paused"`
	Suspended *int `json:"suspended"`
	Unknown   int  `json:"unknown"`
	Templates int  `json:"templates"`
	VMs       int  `json:"vms"`
	CTs       int  `json:"cts"`
}

func countsOf(c inventory.GuestCounts) countsOut {
	out := countsOut{Total: c.Total, Unknown: c.Unknown, Templates: c.Templates, VMs: c.VMs, CTs: c.CTs}
	if !c.Unseen() {
		out.Running, out.Stopped, out.Paused, out.Suspended = &c.Running, &c.Stopped, &c.Paused, &c.Suspended
	}
	return out
}

// runningCount is how many guests run, "?" where that is not known of any, and how many may run beside those that do.
func runningCount(c inventory.GuestCounts) string {
	switch {
	case c.Unseen():
		return "?"
	case c.Unknown > 0:
		return fmt.Sprintf("%d (%d unknown)", c.Running, c.Unknown)
	}
	return strconv.Itoa(c.Running)
}

type storageOut struct {
	Name   string   `json:"name"`
	Nodes  []string `json:"nodes"`
	Type   string   `json:"type,omitempty"`
	Shared bool     `json:"shared"`
	Status string   `json:"status"`
	Used   *int64   `json:"used_bytes,omitempty"`
	Total  *int64   `json:"total_bytes,omitempty"`
}

func getOverview() Spec {
	return define(Spec{
		Name: "get_overview", Title: "Cluster overview", Family: "cluster", Command: "overview",
		Needs:   []Need{needGuests, needCluster, needNodes, needTasks, needStorages, needRunning},
		Summary: "Start here: nodes, guest counts, storage fill, tasks and the ranked problems of the whole Proxmox VE cluster.",
		Examples: []Example{
			{CLI: "overview", Args: map[string]any{}, Why: "the cluster at a glance"},
			{CLI: "overview --fresh", Args: map[string]any{"fresh": true}, Why: "asked now, not from the store"},
		},
	}, func(ctx context.Context, d Deps, in *overviewIn) (*overviewOut, error) {
		o, err := d.Inventory.Overview(ctx, in.read())
		if err != nil {
			return nil, err
		}
		out := &overviewOut{Envelope: envelope(d, o.Meta), Clusters: []clusterOut{}, Unchecked: o.Unchecked, src: o}
		for _, c := range o.Clusters {
			out.Clusters = append(out.Clusters, clusterOf(d, c))
		}
		out.Problems = findingsOf(d, o.Problems)
		return out, nil
	})
}

func clusterOf(d Deps, c inventory.ClusterOverview) clusterOut {
	out := clusterOut{Name: c.Name, Version: c.Version, Quorate: c.Quorate, Guests: countsOf(c.Guests), OwnTasks: c.OwnTasks,
		Nodes: []nodeOut{}, Storages: []storageOut{}}
	if kindKnown(c) {
		out.Standalone = &c.Standalone
	}
	if c.TasksKnown {
		out.RunningTasks, out.FailedTasks = &c.RunningTasks, &c.FailedTasks
	}
	for _, n := range c.Nodes {
		out.Nodes = append(out.Nodes, nodeOf(d, n))
	}
	for _, s := range c.Storages {
		out.Storages = append(out.Storages, storageOut{Name: s.Name, Nodes: s.Nodes, Type: s.Type, Shared: s.Shared, Status: s.Status,
			Used: s.Used, Total: s.Total})
	}
	return out
}

// kindKnown says that cluster/status was read: it may be forbidden, or not be there yet.
func kindKnown(c inventory.ClusterOverview) bool { return c.Standalone || c.ClusterName != "" }

// taskCounts are the counts of tasks in words.
func taskCounts(c inventory.ClusterOverview) string {
	if !c.TasksKnown {
		return "not read yet"
	}
	s := fmt.Sprintf("%d running, %d failed in 24h", c.RunningTasks, c.FailedTasks)
	if c.OwnTasks {
		s += " (own ones only)"
	}
	return s
}

// View implements Answer.
func (o *overviewOut) View(d Deps) View {
	v := View{Warnings: o.src.Warnings}
	for _, c := range o.src.Clusters {
		clusterView(&v, d, c, len(o.src.Clusters) > 1)
	}
	v.Text(asOf(d, o.src.Meta))
	if len(o.src.Problems) == 0 {
		checked := 1
		if slices.ContainsFunc(o.src.Warnings, func(w inventory.Warning) bool { return w.Code == "loading" }) {
			checked = 0
		}
		v.Text(noProblems(checked, len(o.src.Skipped), o.src.Warnings))
		o.uncheckedLine(&v, d)
		return v
	}
	shown := o.src.Problems[:min(problemsShown, len(o.src.Problems))]
	head := counted(len(o.src.Problems), "problem")
	if len(shown) < len(o.src.Problems) {
		head += ", worst " + strconv.Itoa(len(shown)) + " (all: " + worded(d, "check_health") + ")"
	}
	v.Text(head)
	v.Table(findingTable(d, shown))
	o.uncheckedLine(&v, d)
	return v
}

// uncheckedLine says which problems may exist unseen.
func (o *overviewOut) uncheckedLine(v *View, d Deps) {
	if n := len(o.Unchecked); n > 0 {
		v.Line("%s without an answer of now (%s asks): %s", counted(n, "check"), worded(d, "check_health"), fitting([]string{strings.Join(o.Unchecked, ", ")}, 40))
	}
}

func clusterView(v *View, d Deps, c inventory.ClusterOverview, named bool) {
	head := []string{}
	if named {
		head = append(head, "["+cell(c.Name, 40)+"]")
	}
	head = append(head, clusterHead(c))
	v.Text(strings.Join(head, " "))
	guests := guestCounts(c.Guests)
	if guests == "" {
		guests = "none visible"
	}
	if c.Meta.AsOf.IsZero() {
		guests = "never observed"
	}
	v.Line("%s (%d vm, %d ct): %s; tasks: %s", counted(c.Guests.Total, "guest"), c.Guests.VMs, c.Guests.CTs, guests, taskCounts(c))
	v.Table(overviewNodes(d, c.Nodes))
	if line := storageLine(c.Storages); line != "" {
		v.Line("storage: %s", line)
	}
}

func clusterHead(c inventory.ClusterOverview) string {
	name := "standalone node"
	switch {
	case !kindKnown(c):
		name = "cluster (name unknown)"
	case !c.Standalone:
		name = "cluster " + cell(c.ClusterName, 60)
	}
	if c.Version != "" {
		name += ", Proxmox VE " + cell(c.Version, 20)
	}
	switch {
	case c.Standalone:
	case c.Quorate == nil:
		name += ", quorum unknown"
	case *c.Quorate:
		name += ", quorate"
	default:
		name += ", NO QUORUM"
	}
	return name
}

// nodesShown bounds the node table of an overview: 20 nodes cost some 300 tokens; list_nodes has them all.
const nodesShown = 8

// overviewNodes puts the nodes that need attention first and leaves out the rest of a large cluster.
func overviewNodes(d Deps, nodes []inventory.Node) Table {
	t := Table{Name: "nodes", Main: true, Columns: []string{"node", "status", "cpu%", "mem%", "guests"}}
	sorted := slices.Clone(nodes)
	if len(sorted) > nodesShown {
		slices.SortStableFunc(sorted, func(a, b inventory.Node) int { return nodeRank(b) - nodeRank(a) })
	}
	for i, n := range sorted {
		if i == nodesShown {
			t.Rows = append(t.Rows, []string{"… " + strconv.Itoa(len(nodes)-i) + " more: " + worded(d, "list_nodes")})
			break
		}
		t.Rows = append(t.Rows, []string{n.Name, nodeStatus(d, n), fraction(n.CPU), percent(n.Mem, n.MaxMem), strconv.Itoa(n.Guests.Total)})
	}
	return t
}

func nodeRank(n inventory.Node) int {
	rank := 0
	if n.Status != "online" {
		rank += 1000
	}
	if n.Mem != nil && n.MaxMem != nil && *n.MaxMem > 0 {
		rank += int(*n.Mem * 100 / *n.MaxMem)
	}
	return rank
}

// storagesShown bounds the storage line to the fullest ones.
const storagesShown = 6

func storageLine(all []inventory.Storage) string {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b inventory.Storage) int { return int(fill(b)*1000) - int(fill(a)*1000) })
	var parts []string
	for i, s := range sorted {
		if i == storagesShown {
			parts = append(parts, strconv.Itoa(len(sorted)-i)+" more")
			break
		}
		name := s.Name
		if !s.Shared && len(s.Nodes) == 1 {
			name += "@" + s.Nodes[0]
		}
		if p := percent(s.Used, s.Total); p != "" {
			parts = append(parts, name+" "+p+"%")
		} else {
			parts = append(parts, name+" "+s.Status)
		}
	}
	return strings.Join(parts, ", ")
}

func fill(s inventory.Storage) float64 {
	if s.Used == nil || s.Total == nil || *s.Total <= 0 {
		return -1
	}
	return float64(*s.Used) / float64(*s.Total)
}
