package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// NetGuest is a guest on a bridge or vnet, with the VLAN tag of its interface, "" = none.
type NetGuest struct {
	VMID int    `json:"vmid"`
	Name string `json:"name"`
	Tag  string `json:"tag,omitempty"`
}

// NetInterface is an interface of a node as it is configured. Active is nil when Proxmox VE does not say that it is up.
type NetInterface struct {
	Cluster, Node, Name, Type string
	Addresses                 []string
	Gateway, Ports, VLANs     string
	VLANAware                 bool
	Active                    *bool
	MTU, Comment              string
	Guests                    []NetGuest
}

// Vnet is a virtual network of the software-defined network, with its zone. State is new, changed or deleted while that waits to be applied.
type Vnet struct {
	Cluster, Name, Zone, ZoneType, Tag, Alias, State, ZoneState string
	Guests                                                      []NetGuest
}

// NodeChanges is the configuration of a node's network that waits to be applied, as a patch.
type NodeChanges struct{ Cluster, Node, Patch string }

// NetworkQuery asks for networks. Empty fields do not filter.
type NetworkQuery struct {
	Node, Cursor string
	ReadOptions
}

func (q *NetworkQuery) sum() string { return cursorSum(q.Node + "\x00" + q.Cluster) }

// NetworkPage is a page of interfaces by node, bridges first, and all vnets. Zones counts the zones, Lost are bridges that guests name and their
// node does not list.
type NetworkPage struct {
	Meta
	Interfaces []NetInterface
	Total      int
	Vnets      []Vnet
	Zones      int
	Pending    []NodeChanges
	Lost       []NetInterface
	NextCursor string
}

// Networks answers the interfaces of each node and the virtual networks, with the guests on them (from the store). It asks Proxmox VE: one call per
// node and two for the virtual networks, kept for the time of freshness. A node that does not answer is a warning. Errors: fault.NotFound for a node
// that is not known, and those of FindGuests.
func (i *Inventory) Networks(ctx context.Context, q NetworkQuery) (NetworkPage, error) {
	offset, err := decodePage(q.Cursor, q.sum())
	if err != nil {
		return NetworkPage{}, err
	}
	began := i.now()
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return NetworkPage{}, err
	}
	if err := i.knownNode(scope, q.Node); err != nil {
		return NetworkPage{}, err
	}
	ctx, cancel := i.budget(ctx, q.Fresh, began)
	defer cancel()
	page := NetworkPage{Meta: i.meta(scope)}
	reads := make([]netRead, len(scope))
	i.each(ctx, scope, func(ctx context.Context, k int, c *cluster) { reads[k].read(ctx, c, &q) })
	for k, c := range scope {
		r := &reads[k]
		page.older(r.oldest, i.now())
		page.tell(c, r.gaps.warnings("networks"))
		page.Interfaces, page.Vnets = append(page.Interfaces, r.ifaces...), append(page.Vnets, r.vnets...)
		page.Pending, page.Lost = append(page.Pending, r.pending...), append(page.Lost, r.lost...)
		page.Zones += r.zones
	}
	page.Total = len(page.Interfaces)
	end := min(page.Total, offset+defaultPage)
	if end < page.Total {
		page.NextCursor = pageCursor(end, q.sum())
	}
	page.Interfaces = page.Interfaces[min(offset, end):end]
	return page, nil
}

// Bridges are the names of the bridges and virtual networks that guests of a node can be on, sorted; nil where not all could be read.
func (i *Inventory) Bridges(ctx context.Context, cluster, node string) []string {
	p, err := i.Networks(ctx, NetworkQuery{Node: node, ReadOptions: ReadOptions{Cluster: cluster}})
	if err != nil || p.NextCursor != "" || slices.ContainsFunc(p.Warnings, func(w Warning) bool { return strings.HasPrefix(w.Text, "networks not read") }) {
		return nil
	}
	var out []string
	for _, n := range p.Interfaces {
		if netRank(n.Type) == 0 {
			out = append(out, n.Name)
		}
	}
	for _, v := range p.Vnets {
		out = append(out, v.Name)
	}
	slices.Sort(out)
	return out
}

// netRead is what one cluster contributes.
type netRead struct {
	mu      sync.Mutex
	ifaces  []NetInterface
	vnets   []Vnet
	pending []NodeChanges
	lost    []NetInterface
	zones   int
	sdnRead bool // the vnets were read: a bridge that is not listed is none of them
	oldest  time.Time
	gaps    gaps
}

// netKey names a bridge of a node; the node of a vnet is "", for it is the same on all.
type netKey struct{ node, name string }

func (r *netRead) read(ctx context.Context, c *cluster, q *NetworkQuery) {
	cv := c.inv.proj.cluster(c.name)
	users := cv.netUsers()
	var wg sync.WaitGroup
	wg.Go(func() { r.sdn(ctx, c, cv, users, q.Fresh) })
	answered := map[string]bool{}
	for _, n := range cv.nodes {
		if q.Node != "" && n.name != q.Node {
			continue
		}
		if why := cv.nodeAway(n.name); why != "" {
			r.gaps.add("node "+n.name, time.Time{}, c.inv.now(), fault.New(fault.NodeSilent, "%s", why))
			continue
		}
		wg.Go(func() {
			if r.node(ctx, c, n.name, users, q.Fresh) {
				r.mu.Lock()
				answered[n.name] = true
				r.mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.missing(c.name, answered, users)
	slices.SortFunc(r.ifaces, compareNets)
	slices.SortFunc(r.pending, func(a, b NodeChanges) int { return strings.Compare(a.Node, b.Node) })
}

func compareNets(a, b NetInterface) int {
	return cmp.Or(strings.Compare(a.Node, b.Node), cmp.Compare(netRank(a.Type), netRank(b.Type)), strings.Compare(a.Name, b.Name))
}

func netRank(typ string) int {
	for k, word := range []string{"bridge", "bond", "vlan"} {
		if strings.Contains(strings.ToLower(typ), word) {
			return k
		}
	}
	return 3
}

// netUsers are the guests on each bridge of each node.
func (c *clusterView) netUsers() map[netKey][]NetGuest {
	out := map[netKey][]NetGuest{}
	for _, r := range c.rows {
		if r.f == nil {
			continue
		}
		for _, net := range slices.Compact(slices.Sorted(slices.Values(r.f.Nets))) {
			name, tag, _ := strings.Cut(net, " ")
			k := netKey{r.g.Node, name}
			out[k] = append(out[k], NetGuest{r.g.VMID, r.g.Name, tag})
		}
	}
	return out
}

// node reads one node's interfaces and says whether it answered.
func (r *netRead) node(ctx context.Context, c *cluster, node string, users map[netKey][]NetGuest, fresh bool) bool {
	net, at, err := recall(ctx, c, asking{key: "network " + node, keep: c.inv.opt.Freshness, fresh: fresh},
		func(ctx context.Context, src Source) (pve.NodeNetwork, error) { return src.NodeNetwork(ctx, node) })
	r.gaps.add("node "+node, at, c.inv.now(), err)
	if at.IsZero() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen(at)
	for k := range net.Interfaces {
		n := interfaceOf(c.name, node, &net.Interfaces[k])
		n.Guests = users[netKey{node, n.Name}]
		r.ifaces = append(r.ifaces, n)
	}
	if net.Changes != "" {
		r.pending = append(r.pending, NodeChanges{c.name, node, clean.Block(net.Changes, maxPatch)})
	}
	return true
}

// maxPatch is how much of waiting changes is shown: a page of a terminal.
const maxPatch = 3000

func (r *netRead) seen(at time.Time) {
	if r.oldest.IsZero() || at.Before(r.oldest) {
		r.oldest = at
	}
}

func interfaceOf(cluster, node string, row *pve.InterfaceRow) NetInterface {
	text := func(t pve.Text) string { return clean.Line(string(t), maxName) }
	n := NetInterface{Cluster: cluster, Node: node, Name: text(row.Iface), Type: text(row.Type), Gateway: text(cmp.Or(row.Gateway, row.Gateway6)),
		Ports: text(cmp.Or(row.Ports, row.OVSPorts, row.Slaves, row.OVSBonds, row.VLANRaw)), VLANAware: isTrue(row.VLANAware), MTU: text(row.MTU), Comment: text(row.Comments)}
	if row.Active != nil {
		n.Active = pve.Ptr(bool(*row.Active))
	}
	if n.VLANs = text(row.VLANID); n.VLANAware {
		n.VLANs = text(row.VLANs)
	}
	for _, a := range []pve.Text{row.CIDR, row.CIDR6} {
		if a != "" {
			n.Addresses = append(n.Addresses, text(a))
		}
	}
	return n
}

// sdn reads zones and vnets; a cluster without them answers empty lists.
func (r *netRead) sdn(ctx context.Context, c *cluster, cv *clusterView, users map[netKey][]NetGuest, fresh bool) {
	var zones []pve.ZoneRow
	var zerr error
	var zat time.Time
	var wg sync.WaitGroup
	wg.Go(func() {
		zones, zat, zerr = recall(ctx, c, asking{key: "zones", keep: c.inv.opt.Freshness, fresh: fresh},
			func(ctx context.Context, src Source) ([]pve.ZoneRow, error) { return src.SDNZones(ctx) })
	})
	vnets, vat, verr := recall(ctx, c, asking{key: "vnets", keep: c.inv.opt.Freshness, fresh: fresh},
		func(ctx context.Context, src Source) ([]pve.VnetRow, error) { return src.SDNVnets(ctx) })
	wg.Wait()
	for _, e := range []struct {
		part string
		at   time.Time
		err  error
	}{{"zones", zat, zerr}, {"vnets", vat, verr}} {
		if fault.CodeOf(e.err) != fault.Unsupported {
			r.gaps.add(e.part, e.at, c.inv.now(), e.err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zones, r.sdnRead = len(zones), !vat.IsZero() || fault.CodeOf(verr) == fault.Unsupported
	for k := range vnets {
		v := vnetOf(c.name, &vnets[k], zones)
		for _, n := range cv.nodes {
			v.Guests = append(v.Guests, users[netKey{n.name, v.Name}]...)
		}
		r.vnets = append(r.vnets, v)
	}
}

// vnetOf takes what is in effect, and of a new vnet what will be (15/088).
func vnetOf(cluster string, row *pve.VnetRow, zones []pve.ZoneRow) Vnet {
	var next pve.VnetRow
	// What waits is shown where nothing is in effect; a form that cannot be read is left out.
	_ = json.Unmarshal(row.Pending, &next)
	text := func(t ...pve.Text) string { return clean.Line(string(cmp.Or(t...)), maxName) }
	v := Vnet{Cluster: cluster, Name: text(row.Vnet), Zone: text(row.Zone, next.Zone), Tag: text(row.Tag, next.Tag), Alias: text(row.Alias, next.Alias), State: text(row.State)}
	for _, z := range zones {
		if string(z.Zone) == v.Zone {
			v.ZoneType, v.ZoneState = text(z.Type), text(z.State)
		}
	}
	return v
}

// missing finds bridges that guests name and their node does not list: such a guest does not start, unless the token cannot see the vnet.
func (r *netRead) missing(cluster string, answered map[string]bool, users map[netKey][]NetGuest) {
	if !r.sdnRead {
		return
	}
	have := map[netKey]bool{}
	for k := range r.ifaces {
		have[netKey{r.ifaces[k].Node, r.ifaces[k].Name}] = true
	}
	for k := range r.vnets {
		have[netKey{"", r.vnets[k].Name}] = true
	}
	for k, guests := range users {
		if answered[k.node] && !have[k] && !have[netKey{"", k.name}] {
			r.lost = append(r.lost, NetInterface{Cluster: cluster, Node: k.node, Name: clean.Line(k.name, maxName), Guests: guests})
		}
	}
	slices.SortFunc(r.lost, func(a, b NetInterface) int {
		return cmp.Or(strings.Compare(a.Node, b.Node), strings.Compare(a.Name, b.Name))
	})
}
