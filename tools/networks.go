package tools

import (
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// netGuestsShown is how many guests of a bridge a line names; the JSON has all.
const netGuestsShown = 12

type networksIn struct {
	Node   string `json:"node" example:"pve1"`
	Cursor string `json:"cursor"`
	Common
}

type networksOut struct {
	Envelope
	Total      int       `json:"total"`
	Interfaces []netOut  `json:"interfaces"`
	Vnets      []vnetOut `json:"vnets"`
	Pending    []waitOut `json:"pending"`
	Lost       []netOut  `json:"not_listed_but_used,omitempty"`
	NextCursor string    `json:"next_cursor,omitempty"`
	src        inventory.NetworkPage
}

type netOut struct {
	Cluster   string               `json:"cluster"`
	Node      string               `json:"node"`
	Name      string               `json:"name"`
	Type      string               `json:"type,omitempty"`
	Active    *bool                `json:"active,omitempty"`
	Addresses []string             `json:"addresses,omitempty"`
	Gateway   string               `json:"gateway,omitempty"`
	Ports     string               `json:"ports,omitempty"`
	VLANAware bool                 `json:"vlan_aware,omitempty"`
	VLANs     string               `json:"vlans,omitempty"`
	MTU       string               `json:"mtu,omitempty"`
	Comment   string               `json:"comment,omitempty"`
	Guests    []inventory.NetGuest `json:"guests,omitempty"`
}

type vnetOut struct {
	Cluster  string               `json:"cluster"`
	Vnet     string               `json:"vnet"`
	Zone     string               `json:"zone,omitempty"`
	ZoneType string               `json:"zone_type,omitempty"`
	Tag      string               `json:"tag,omitempty"`
	Alias    string               `json:"alias,omitempty"`
	Pending  string               `json:"pending,omitempty"`
	Guests   []inventory.NetGuest `json:"guests,omitempty"`
}

type waitOut struct {
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	Patch   string `json:"patch"`
}

func listNetworks() Spec {
	return define(Spec{
		Name: "list_networks", Title: "Networks", Family: "network", Command: "network list", Args: []string{"node"},
		Summary: "Bridges, bonds, VLANs per node, SDN vnets: addresses, ports, unapplied changes, guests with VLAN tags.",
		Needs:   []Need{needInterfaces, needVnets, needGuests},
		Examples: []Example{
			{CLI: "network list", Args: map[string]any{}, Why: "all nodes and vnets"},
			{CLI: "network list pve1", Args: map[string]any{"node": "pve1"}, Why: "one node"},
		},
	}, func(ctx context.Context, d Deps, in *networksIn) (*networksOut, error) {
		p, err := d.Inventory.Networks(ctx, inventory.NetworkQuery{Node: in.Node, Cursor: in.Cursor, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		out := &networksOut{Envelope: envelope(d, p.Meta), Total: p.Total, Interfaces: netsOf(p.Interfaces), Vnets: []vnetOut{}, Pending: []waitOut{}, NextCursor: p.NextCursor, src: p}
		if p.Lost != nil {
			out.Lost = netsOf(p.Lost)
		}
		for _, n := range p.Vnets {
			out.Vnets = append(out.Vnets, vnetOut{Cluster: n.Cluster, Vnet: n.Name, Zone: n.Zone, ZoneType: n.ZoneType, Tag: n.Tag, Alias: n.Alias, Pending: n.State, Guests: n.Guests})
		}
		for _, n := range p.Pending {
			out.Pending = append(out.Pending, waitOut(n))
		}
		return out, nil
	})
}

func netsOf(list []inventory.NetInterface) []netOut {
	out := []netOut{}
	for _, n := range list {
		out = append(out, netOut{Cluster: n.Cluster, Node: n.Node, Name: n.Name, Type: n.Type, Active: n.Active, Addresses: n.Addresses, Gateway: n.Gateway, Ports: n.Ports,
			VLANAware: n.VLANAware, VLANs: n.VLANs, MTU: n.MTU, Comment: n.Comment, Guests: n.Guests})
	}
	return out
}

// View implements Answer.
func (o *networksOut) View(d Deps) View {
	p := &o.src
	v := View{Warnings: p.Warnings}
	line := counted(p.Total, "interface")
	if p.Zones > 0 || len(p.Vnets) > 0 {
		line += ", " + counted(p.Zones, "SDN zone") + " with " + counted(len(p.Vnets), "vnet")
	}
	v.Line("%s, %s", line, asOf(d, p.Meta))
	v.Table(netTableIn(d, "interfaces", true, p.Interfaces))
	var at []string
	t := Table{Name: "vnets", Columns: []string{"vnet", "zone", "type", "tag", "pending", "alias", "guests"}}
	for k := range p.Vnets {
		n := &p.Vnets[k]
		at = append(at, n.Cluster)
		t.Rows = append(t.Rows, []string{cell(n.Name, 20), cell(n.Zone, 20), cell(n.ZoneType, 20), cell(n.Tag, 10), cell(n.State, 20), cell(n.Alias, 60), netGuests(n.Guests)})
	}
	v.Table(t.in(d, at))
	v.Table(netTableIn(d, "used by guests, not listed on their node", false, p.Lost))
	for _, n := range p.Pending {
		where := cell(n.Node, 63)
		if d.Several {
			where += " of cluster " + cell(n.Cluster, 40)
		}
		v.Line("%s: changes wait to be applied:\n%s", where, n.Patch)
	}
	if p.NextCursor != "" {
		v.Line("more: cursor %s", p.NextCursor)
	}
	return v
}

// netTableIn is the table of interfaces of nodes of more than one cluster, perhaps.
func netTableIn(d Deps, name string, main bool, list []inventory.NetInterface) Table {
	var at []string
	for k := range list {
		at = append(at, list[k].Cluster)
	}
	t := netTable(name, main, list)
	return t.in(d, at)
}

func netTable(name string, main bool, list []inventory.NetInterface) Table {
	t := Table{Name: name, Main: main, Columns: []string{"node", "name", "type", "address", "gateway", "ports", "note", "guests"}}
	for k := range list {
		n := &list[k]
		t.Rows = append(t.Rows, []string{cell(n.Node, 63), cell(n.Name, 20), cell(n.Type, 20), cell(strings.Join(n.Addresses, ","), 90), cell(n.Gateway, 45), cell(n.Ports, 60),
			netNote(n), netGuests(n.Guests)})
	}
	return t
}

func netNote(n *inventory.NetInterface) string {
	var out []string
	switch {
	case n.VLANAware && n.VLANs != "":
		out = append(out, "vlan aware "+cell(n.VLANs, 30))
	case n.VLANAware:
		out = append(out, "vlan aware")
	case n.VLANs != "":
		out = append(out, "vlan "+cell(n.VLANs, 10))
	}
	if n.MTU != "" {
		out = append(out, "mtu "+cell(n.MTU, 10))
	}
	if n.Comment != "" {
		out = append(out, cell(n.Comment, 60))
	}
	return strings.Join(out, "; ")
}

// netGuests names the guests of a network: "100 104/20 +3" with the tag behind the vmid.
func netGuests(list []inventory.NetGuest) string {
	var out []string
	for k, g := range list {
		if k == netGuestsShown {
			out = append(out, "+"+strconv.Itoa(len(list)-k))
			break
		}
		s := strconv.Itoa(g.VMID)
		if g.Tag != "" {
			s += "/" + cell(g.Tag, 10)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}
