package tools

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type nodeIn struct {
	Node string `json:"node" req:"true" example:"pve1"`
	Common
}

type nodeFullOut struct {
	Envelope
	nodeOut
	Wait        *float64          `json:"iowait,omitempty"`
	Swap        *int64            `json:"swap_bytes,omitempty"`
	MaxSwap     *int64            `json:"maxswap_bytes,omitempty"`
	CPUType     string            `json:"cpu_type,omitempty"`
	Committed   *int64            `json:"committed_mem_bytes"`
	Updates     []string          `json:"updates"` // null while unknown, as are the lists below
	Services    []string          `json:"services_down"`
	Disks       []nodeDiskOut     `json:"disks"`
	DisksAt     string            `json:"disks_as_of,omitempty"`
	Pools       []nodePoolOut     `json:"zfs_pools"`
	Interfaces  []netOut          `json:"interfaces"`
	NetPending  bool              `json:"network_changes_pending"`
	Running     []nodeTaskOut     `json:"running_tasks"`
	Certificate string            `json:"certificate,omitempty"`
	CertEnds    string            `json:"certificate_ends,omitempty"`
	SkewS       *int              `json:"clock_ahead_s,omitempty"`
	Unread      map[string]string `json:"unread,omitempty"`
	src         inventory.NodeDetail
}

type nodeDiskOut struct {
	Path   string `json:"path"`
	Model  string `json:"model,omitempty"`
	Type   string `json:"type,omitempty"`
	Size   *int64 `json:"size_bytes,omitempty"`
	Health string `json:"health,omitempty"`
	Left   *int   `json:"life_left_percent,omitempty"`
	Use    string `json:"used_for,omitempty"`
}

type nodePoolOut struct {
	Name   string `json:"name"`
	Health string `json:"health,omitempty"`
	Size   *int64 `json:"size_bytes,omitempty"`
	Used   *int64 `json:"used_bytes,omitempty"`
	Frag   *int64 `json:"fragmentation_percent,omitempty"`
}

type nodeTaskOut struct {
	Task   string `json:"task"`
	Type   string `json:"type"`
	Object string `json:"object,omitempty"`
	Start  string `json:"start"`
}

func getNode() Spec {
	return define(Spec{
		Name: "get_node", Title: "Node", Family: "node", Command: "node show", Args: []string{"node"},
		Summary: "One node in full: load, IO wait, memory committed, swap, updates, services down, disk health and wear, ZFS, network, running tasks, certificate end, clock.",
		Needs:   []Need{needNodes, needMembers, needGuests, needRunning, needPoolsOfDisks},
		Examples: []Example{
			{CLI: "node show pve1", Args: map[string]any{"node": "pve1"}, Why: "one node"},
		},
	}, func(ctx context.Context, d Deps, in *nodeIn) (*nodeFullOut, error) {
		n, err := d.Inventory.NodeDetail(ctx, in.Node, in.read())
		if err != nil {
			return nil, err
		}
		return nodeFullOf(d, n), nil
	})
}

func nodeFullOf(d Deps, n inventory.NodeDetail) *nodeFullOut {
	out := &nodeFullOut{Envelope: envelope(d, n.Meta), nodeOut: nodeOf(d, n.Node), Wait: n.Wait, Swap: n.Swap, MaxSwap: n.MaxSwap, CPUType: n.CPUType,
		Committed: n.Committed, Updates: n.Updates, Services: n.Services, NetPending: n.NetPending, Running: []nodeTaskOut{}, Certificate: n.Certificate, Unread: n.Unread, src: n}
	if n.Disks != nil {
		out.Disks, out.DisksAt = []nodeDiskOut{}, stamp(d, n.DisksAt)
	}
	for _, k := range n.Disks {
		out.Disks = append(out.Disks, nodeDiskOut{k.Path, k.Model, k.Type, k.Size, k.Health, k.Left, k.Use})
	}
	if n.Pools != nil {
		out.Pools = []nodePoolOut{}
	}
	for _, p := range n.Pools {
		out.Pools = append(out.Pools, nodePoolOut(p))
	}
	if n.Interfaces != nil {
		out.Interfaces = netsOf(n.Interfaces)
	}
	for _, t := range n.Running {
		out.Running = append(out.Running, nodeTaskOut{t.Handle, t.Type, t.Object, stamp(d, t.Start)})
	}
	if !n.CertificateE.IsZero() {
		out.CertEnds = stamp(d, n.CertificateE)
	}
	if n.Skew != nil {
		s := int(*n.Skew / time.Second)
		out.SkewS = &s
	}
	return out
}

// View implements Answer.
func (o *nodeFullOut) View(d Deps) View {
	n := &o.src
	v := View{Warnings: n.Warnings}
	v.Line("node %s: %s, %s", cell(n.Name, 63), nodeStatus(d, n.Node), asOf(d, n.Meta))
	for _, line := range []string{o.load(), o.software(), o.guests(), o.clock(d)} {
		if line != "" {
			v.Text(line)
		}
	}
	v.Table(o.diskTable())
	v.Table(o.poolTable())
	v.Table(o.netTable())
	t := Table{Name: "running tasks", Columns: []string{"task", "type", "object", "for"}}
	for _, k := range n.Running[:min(len(n.Running), 10)] {
		t.Rows = append(t.Rows, []string{k.Handle, cell(k.Type, 30), cell(k.Object, 60), ago(d, k.Start)})
	}
	v.Table(t)
	return v
}

// facts joins "name value" for the values that are known.
func facts(pairs ...string) string {
	var out []string
	for k := 0; k+1 < len(pairs); k += 2 {
		if pairs[k+1] != "" {
			out = append(out, pairs[k]+" "+pairs[k+1])
		}
	}
	return strings.Join(out, ", ")
}

func percentText(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f*100, 'f', 1, 64) + "%"
}

func (o *nodeFullOut) load() string {
	n := &o.src
	cpu := percentText(n.CPU)
	if cpu != "" && n.MaxCPU != nil {
		cpu += " of " + whole(n.MaxCPU)
	}
	stale := ""
	if n.Stale {
		stale = "are stale"
	}
	return facts("cpu", cpu, "io wait", percentText(n.Wait), "load", cell(strings.Join(n.Load, " "), 30), "memory", usage(n.Mem, n.MaxMem), "swap", usage(n.Swap, n.MaxSwap),
		"rootfs", usage(n.Disk, n.MaxDisk), "up", seconds(n.Uptime), "statistics", stale)
}

func (o *nodeFullOut) software() string {
	n := &o.src
	return facts("version", cell(n.Version, 20), "kernel", cell(n.Kernel, 60), "cpu type", cell(n.CPUType, 60), "ip", cell(n.IP, 45)) + "\n" +
		facts("updates", o.list("updates", n.Updates, n.Updates != nil, "none pending"), "services down", o.list("services", n.Services, n.Services != nil, "none"))
}

// list is a list with its number, "none" where it is empty, and why it is unknown where it was not read.
func (o *nodeFullOut) list(part string, items []string, read bool, none string) string {
	switch {
	case !read && o.src.Unread[part] != "":
		return "unknown (" + cell(o.src.Unread[part], 120) + ")"
	case !read:
		return "unknown"
	case len(items) == 0:
		return none
	}
	shown := items[:min(len(items), 6)]
	s := strconv.Itoa(len(items)) + " (" + strings.Join(shown, ", ")
	if len(items) > len(shown) {
		s += ", ..."
	}
	return s + ")"
}

func (o *nodeFullOut) guests() string {
	n := &o.src
	s := counted(n.Guests.Total, "guest")
	if c := guestCounts(n.Guests); c != "" {
		s += ": " + c
	}
	if n.Committed != nil {
		s += "; running ones may take " + usage(n.Committed, n.MaxMem) + " of memory"
	}
	return s
}

func (o *nodeFullOut) clock(d Deps) string {
	n := &o.src
	cert, skew := "", ""
	if !n.CertificateE.IsZero() {
		cert = cell(n.Certificate, 40) + " ends " + n.CertificateE.In(zone(d)).Format(time.DateOnly) + " (" + ahead(d, n.CertificateE) + ")"
	} else if n.Unread["certificates"] != "" {
		cert = "unknown"
	}
	switch {
	case n.Skew == nil && n.Unread["clock"] != "":
		skew = "unknown"
	case n.Skew == nil:
	case *n.Skew > 0:
		skew = span(*n.Skew) + " ahead of ours"
	case *n.Skew < 0:
		skew = span(-*n.Skew) + " behind ours"
	default:
		skew = "in step"
	}
	return facts("certificate", cert, "clock", skew)
}

func (o *nodeFullOut) diskTable() Table {
	t := Table{Name: "disks", Main: true, Columns: []string{"disk", "model", "size", "type", "health", "life left", "used for"}}
	for _, k := range o.src.Disks {
		left := ""
		if k.Left != nil {
			left = strconv.Itoa(*k.Left) + "%"
		}
		t.Rows = append(t.Rows, []string{cell(k.Path, 40), cell(k.Model, 40), sizeOf(k.Size), cell(k.Type, 10), cell(k.Health, 20), left, cell(k.Use, 20)})
	}
	return t
}

func (o *nodeFullOut) poolTable() Table {
	t := Table{Name: "zfs pools", Columns: []string{"pool", "health", "used", "fragmented"}}
	for _, p := range o.src.Pools {
		frag := ""
		if p.Frag != nil {
			frag = strconv.FormatInt(*p.Frag, 10) + "%"
		}
		t.Rows = append(t.Rows, []string{cell(p.Name, 40), cell(p.Health, 20), usage(p.Used, p.Size), frag})
	}
	return t
}

// netTable leaves out bare ports: list_networks has them.
func (o *nodeFullOut) netTable() Table {
	list := slices.DeleteFunc(slices.Clone(o.src.Interfaces), func(n inventory.NetInterface) bool {
		return n.Type == "eth" && len(n.Addresses) == 0
	})
	t := netTable("network", false, list)
	t.Columns = t.Columns[1:]
	for k := range t.Rows {
		t.Rows[k] = t.Rows[k][1:]
	}
	if o.src.NetPending {
		t.Name += " (changes wait to be applied)"
	}
	return t
}
