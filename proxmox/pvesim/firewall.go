package pvesim

// Kinds of firewall rules: where they belong decides which are legal.
const (
	fwCluster = "cluster"
	fwHost    = "host"
	fwVM      = "vm"
	fwCT      = "ct"
	fwVNet    = "vnet"
	fwGroup   = "group"
)

// fwPlace is the firewall that a path is about, and the cluster's, whose names are known everywhere.
type fwPlace struct {
	env     string
	own, dc *Firewall
}

// placeOf finds the firewall that a request is about, to be read or to be changed.
type placeOf func(c *call, change bool) (*fwPlace, error)

// fwLevel is one of the places in the API that have a firewall.
type fwLevel struct {
	base          string
	audit, modify check
	of            placeOf
}

func firewallRoutes() []route {
	cluster := fwLevel{"/cluster/firewall", need("/", "Sys.Audit"), need("/", "Sys.Modify"), clusterPlace}
	list := append(cluster.rules(), append(cluster.options(), cluster.names()...)...)
	list = append(list, firewallGroupRoutes(cluster)...)
	list = append(list, index(cluster.base, "name", "aliases rules options groups ipset macros refs"),
		get(cluster.base+"/macros", anyone, func(c *call) (any, error) { return c.w.macros(), nil }))

	node := fwLevel{"/nodes/{node}/firewall", need("/nodes/{node}", "Sys.Audit"), need("/nodes/{node}", "Sys.Modify"), nodePlace}
	list = append(list, append(node.rules(), node.options()...)...)
	list = append(list, index(node.base, "name", "rules options log"))
	list = append(list, daemon(get(node.base+"/log", need("/nodes/{node}", "Sys.Syslog"), nodeFirewallLog))...)

	vnet := fwLevel{"/cluster/sdn/vnets/{vnet}/firewall", anyone, anyone, vnetPlace}
	list = append(list, append(vnet.rules(), vnet.options()...)...)
	list = append(list, index(vnet.base, "name", "rules options"))
	for kind, env := range map[string]string{typeQEMU: fwVM, typeLXC: fwCT} {
		list = append(list, guestFirewallRoutes(kind, env)...)
	}
	return list
}

// guestFirewallRoutes are those of one kind of guest. Only options and log need the node of the path: the files of rules
// and names are on all nodes, and their methods do not look whether there is such a guest (14/103).
func guestFirewallRoutes(kind, env string) []route {
	guest := fwLevel{"/nodes/{node}/" + kind + "/{vmid}/firewall", need("/vms/{vmid}", "VM.Audit"), need("/vms/{vmid}", "VM.Config.Network"), guestPlace(env)}
	list := append(guest.rules(), guest.names()...)
	list = append(list, index(guest.base, "name", "rules aliases ipset refs options"))
	for i := range list {
		list[i].anywhere = true
	}
	list = append(list, guest.options()...)
	return append(list, daemon(get(guest.base+"/log", need("/vms/{vmid}", "VM.Console"), guestFirewallLog))...)
}

// rules are the methods of a list of rules.
func (l fwLevel) rules() []route {
	return ruleRoutes(l.base+"/rules", l, func(c *call, change bool) (*ruleList, error) {
		p, err := l.of(c, change)
		if err != nil {
			return nil, err
		}
		return &ruleList{fwPlace: p, rules: p.load(p.own.Rules)}, nil
	})
}

// names are the methods of aliases and sets, and of what refers to them.
func (l fwLevel) names() []route {
	return append(append(aliasRoutes(l), setRoutes(l)...), get(l.base+"/refs", l.audit, l.reads(listRefs)))
}

func (l fwLevel) options() []route {
	path := l.base + "/options"
	return append(daemon(put(path, l.modify, l.changes(setFirewallOptions("PUT "+path)))), get(path, l.audit, l.reads(firewallOptions)))
}

// reads is a handler that shows something of the firewall.
func (l fwLevel) reads(work func(*call, *fwPlace) (any, error)) handler {
	return func(c *call) (any, error) {
		p, err := l.of(c, false)
		if err != nil {
			return nil, err
		}
		return work(c, p)
	}
}

// changes is a handler that changes the firewall and answers null.
func (l fwLevel) changes(work func(*call, *fwPlace) error) handler {
	return func(c *call) (any, error) {
		p, err := l.of(c, true)
		if err != nil {
			return nil, err
		}
		return nil, work(c, p)
	}
}

func clusterPlace(c *call, _ bool) (*fwPlace, error) {
	f := c.w.Cluster.Firewall
	return &fwPlace{fwCluster, f, f}, nil
}

func nodePlace(c *call, _ bool) (*fwPlace, error) {
	return &fwPlace{fwHost, c.node.Firewall, c.w.Cluster.Firewall}, nil
}

// guestPlace is the firewall of a vmid. One of a guest that is not there is kept apart until there is one.
func guestPlace(env string) placeOf {
	return func(c *call, change bool) (*fwPlace, error) {
		f := c.w.firewallOf(c.vmid())
		if change && c.w.Guest(c.vmid()) == nil {
			c.w.strays = with(c.w.strays, c.vmid(), f)
		}
		return &fwPlace{env, f, c.w.Cluster.Firewall}, nil
	}
}

// with puts a value into a map, which need not be there yet.
func with[K comparable, V any](m map[K]V, key K, v V) map[K]V {
	if m == nil {
		m = map[K]V{}
	}
	m[key] = v
	return m
}

// vnetPlace is the firewall of a virtual network. Rights on it are checked once it is known which zone it is in.
func vnetPlace(c *call, change bool) (*fwPlace, error) {
	name := c.vars["vnet"]
	v := named(c.w.Cluster.Lists["sdn_vnets"], "vnet", name)
	if v == nil {
		return nil, fail("invalid vnet specified")
	}
	rights := []string{"SDN.Audit", "SDN.Allocate"}
	if change {
		rights = rights[1:]
	}
	if path := "/sdn/zones/" + text(v["zone"]) + "/" + name; !c.may(path, rights...) {
		return nil, forbidden(path, rights...)
	}
	f := c.w.Cluster.VNetFirewalls[name]
	if f == nil {
		f = newFirewall()
	}
	if change {
		c.w.Cluster.VNetFirewalls = with(c.w.Cluster.VNetFirewalls, name, f)
	}
	return &fwPlace{fwVNet, f, c.w.Cluster.Firewall}, nil
}

// named finds an object by the value of a key, nil when there is none.
func named(list []Object, key, name string) Object {
	return find(list, isNamed(key, name))
}

// inner is a list inside of an object.
func inner(o Object, key string) []Object {
	if list, ok := o[key].([]Object); ok {
		return list
	}
	list, _ := objects(o[key])
	return notNil(list)
}
