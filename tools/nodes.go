package tools

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type nodesIn struct {
	Common
}

type nodesOut struct {
	Envelope
	Nodes []nodeOut `json:"nodes"`
	src   inventory.NodeList
}

type nodeOut struct {
	Cluster string    `json:"cluster,omitempty"`
	Node    string    `json:"node"`
	Status  string    `json:"status"`
	Since   string    `json:"last_online,omitempty"`
	IP      string    `json:"ip,omitempty"`
	CPU     *float64  `json:"cpu,omitempty"`
	CPUs    *float64  `json:"cpus,omitempty"`
	Mem     *int64    `json:"mem_bytes,omitempty"`
	MaxMem  *int64    `json:"maxmem_bytes,omitempty"`
	Disk    *int64    `json:"rootfs_bytes,omitempty"`
	MaxDisk *int64    `json:"maxrootfs_bytes,omitempty"`
	Uptime  *int64    `json:"uptime_s,omitempty"`
	Load    []string  `json:"loadavg,omitempty"`
	Version string    `json:"version,omitempty"`
	Kernel  string    `json:"kernel,omitempty"`
	Guests  countsOut `json:"guests"`
}

func listNodes() Spec {
	return define(Spec{
		Name: "list_nodes", Title: "Nodes", Family: "node", Command: "node list",
		Needs:   []Need{needGuests, needNodes, needMembers},
		Summary: "All nodes: status, CPU, memory, root disk, load, uptime, version, guests.",
		Examples: []Example{
			{CLI: "node list", Args: map[string]any{}, Why: "all nodes"},
			{CLI: "node list -o json", Args: map[string]any{"format": "json"}, Why: "for programs"},
		},
	}, func(ctx context.Context, d Deps, in *nodesIn) (*nodesOut, error) {
		l, err := d.Inventory.Nodes(ctx, in.read())
		if err != nil {
			return nil, err
		}
		out := &nodesOut{Envelope: envelope(d, l.Meta), Nodes: []nodeOut{}, src: l}
		for _, n := range l.Nodes {
			out.Nodes = append(out.Nodes, nodeOf(d, n))
		}
		return out, nil
	})
}

func nodeOf(d Deps, n inventory.Node) nodeOut {
	out := nodeOut{Cluster: n.Cluster, Node: n.Name, Status: n.Status, IP: n.IP, CPU: n.CPU, CPUs: n.MaxCPU, Mem: n.Mem, MaxMem: n.MaxMem,
		Disk: n.Disk, MaxDisk: n.MaxDisk, Uptime: n.Uptime, Load: n.Load, Version: n.Version, Kernel: n.Kernel, Guests: countsOf(n.Guests)}
	if n.Status != "online" && !n.Since.IsZero() {
		out.Since = stamp(d, n.Since)
	}
	return out
}

// nodeStatus adds since when a node is away.
func nodeStatus(d Deps, n inventory.Node) string {
	if n.Status == "online" {
		return n.Status
	}
	if n.Since.IsZero() {
		return n.Status + " (never seen online)"
	}
	return n.Status + ", last seen " + ago(d, n.Since) + " ago"
}

// View implements Answer.
func (o *nodesOut) View(d Deps) View {
	v := View{Warnings: o.src.Warnings}
	online := 0
	var at []string
	t := Table{Name: "nodes", Main: true, Columns: []string{"node", "status", "cpu%", "cpus", "mem", "rootfs", "load", "uptime", "version", "guests", "running", "ip"}}
	for _, n := range o.src.Nodes {
		at = append(at, n.Cluster)
		if n.Status == "online" {
			online++
		}
		t.Rows = append(t.Rows, []string{cell(n.Name, 63), nodeStatus(d, n), fraction(n.CPU), whole(n.MaxCPU), usage(n.Mem, n.MaxMem),
			usage(n.Disk, n.MaxDisk), cell(strings.Join(n.Load, " "), 30), seconds(n.Uptime), cell(n.Version, 20),
			strconv.Itoa(n.Guests.Total), runningCount(n.Guests), cell(n.IP, 45)})
	}
	v.Line("%s, %d online, %s", counted(len(o.src.Nodes), "node"), online, asOf(d, o.src.Meta))
	v.Table(t.in(d, at))
	return v
}

func whole(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

// seconds is an uptime; "" when unknown, "-" when 0 (off).
func seconds(s *int64) string {
	switch {
	case s == nil:
		return ""
	case *s <= 0:
		return "-"
	}
	return span(time.Duration(*s) * time.Second)
}
