package pvesim

import "maps"

// everyZone are options that many types of zones share.
const everyZone = "nodes mtu dns reversedns dnszone ipam "

var sdnZones = sdnKind{
	collection: collection{"sdn_zones", "zone"}, word: "zone", path: "/sdn/zones", missing: "sdn '%s' does not exist",
	types: map[string]optionSet{
		"simple": {optional: everyZone + "dhcp"},
		"vlan":   {required: "bridge", optional: everyZone + "bridge-disable-mac-learning"},
		"qinq":   {required: "tag bridge", optional: everyZone + "bridge-disable-mac-learning vlan-protocol"},
		"vxlan":  {optional: everyZone + "peers vxlan-port fabric"},
		"evpn": {required: "vrf-vxlan controller", optional: everyZone + "exitnodes exitnodes-local-routing exitnodes-primary advertise-subnets " +
			"disable-arp-nd-suppression bridge-disable-mac-learning rt-import mac"},
		"faucet": {required: "dp-id bridge", optional: everyZone},
	},
	fits: zoneFits,
	unused: func(w *World, id string) error {
		for _, v := range w.Cluster.Lists["sdn_vnets"] {
			if v["zone"] == id { // 15/094
				return fail("zone %s is used by vnet %s at /usr/share/perl5/PVE/Network/SDN/Zones/Plugin.pm line 149.", id, text(v["vnet"]))
			}
		}
		return nil
	},
}

var sdnControllers = sdnKind{
	collection: collection{"sdn_controllers", "controller"}, word: "controller", path: "/sdn/controllers", missing: "sdn '%s' does not exist", parent: true,
	types: map[string]optionSet{
		"evpn":   {required: "asn", optional: "peers fabric"},
		"bgp":    {required: "node asn", optional: "peers bgp-multipath-as-path-relax ebgp ebgp-multihop loopback"},
		"isis":   {required: "isis-domain isis-ifaces isis-net node", optional: "loopback"},
		"faucet": {},
	},
	unused: usedBy("controller", "controller"),
}

var sdnIPAMs = sdnKind{
	collection: collection{"sdn_ipams", "ipam"}, word: "ipam", path: "/sdn/ipams", missing: "sdn '%s' does not exist", parent: true,
	types: map[string]optionSet{
		"pve": {}, "phpipam": {required: "url token section", optional: "fingerprint"},
		"netbox": {required: "url token", optional: "fingerprint"},
	},
	unused: usedBy("ipam", "ipam"),
}

var sdnDNS = sdnKind{
	collection: collection{"sdn_dns", "dns"}, word: "dns", path: "/sdn/dns", missing: "sdn '%s' does not exist", parent: true,
	types: map[string]optionSet{
		"powerdns": {required: "url key", optional: "ttl reversemaskv6 reversev6mask fingerprint"},
	},
	unused: usedBy("dns", "dns"),
}

// usedBy checks that no zone names an object under a key.
func usedBy(word, key string) func(*World, string) error {
	return func(w *World, id string) error {
		for _, z := range w.Cluster.Lists["sdn_zones"] {
			if z[key] == id {
				return fail("%s %s is used by %s", word, id, text(z["zone"]))
			}
		}
		return nil
	}
}

// zoneFits checks what a zone refers to.
func zoneFits(w *World, z Object) error {
	for _, k := range []sdnKind{sdnIPAMs, sdnDNS} {
		if id := text(z[k.key]); id != "" && k.find(w, id) == nil {
			return badParam(k.key, id+" not existing")
		}
	}
	switch dns, zone := text(z["dns"]), text(z["dnszone"]); {
	case dns != "" && zone == "":
		return badParam("dnszone", "missing dnszone")
	case zone != "" && dns == "":
		return badParam("dns", "missing dns server")
	}
	if z["type"] != "evpn" {
		return nil
	}
	switch controller := sdnControllers.find(w, text(z["controller"])); {
	case controller == nil:
		return fail("controller %s don't exist", text(z["controller"]))
	case controller["type"] != "evpn":
		return fail("%s is not a evpn controller type", text(z["controller"]))
	}
	for _, other := range w.Cluster.Lists["sdn_zones"] {
		if other["zone"] != z["zone"] && has(other, "vrf-vxlan") && text(other["vrf-vxlan"]) == text(z["vrf-vxlan"]) {
			return fail("vrf-vxlan %s is already declared in %s", text(z["vrf-vxlan"]), text(other["zone"]))
		}
	}
	return nil
}

// sdnFailed words an error of a change under the lock of the configuration.
func (k sdnKind) sdnFailed(verb string, err error) error {
	return locked(verb+" sdn "+k.word+" object failed", err)
}

// sdnControl are parameters that are no options of an object.
var sdnControl = []string{"type", "digest", "delete", "lock-token"}

// create checks the options before anything else (15/081).
func (k sdnKind) create(c *call) (any, error) {
	id, kind := c.param(k.key), c.param("type")
	given := c.stored(append([]string{k.key}, sdnControl...)...)
	s := k.types[kind]
	o, err := s.take(given)
	if err == nil {
		err = s.complete(given)
	}
	if err != nil {
		return nil, err
	}
	o[k.key], o["type"] = id, kind
	return nil, k.sdnFailed("create", c.sdnChange(func() error {
		if k.find(c.w, id) != nil {
			return fail("sdn %s object ID '%s' already defined", k.word, id) // 15/079
		}
		return k.put(c.w, o)
	}))
}

// put stores an entry that fits.
func (k sdnKind) put(w *World, o Object) error {
	if k.fits != nil {
		if err := k.fits(w, o); err != nil {
			return err
		}
	}
	k.store(w, o)
	return nil
}

func (k sdnKind) update(c *call) (any, error) {
	id := c.vars[k.key]
	return nil, k.sdnFailed("update", c.sdnChange(func() error {
		if err := k.unmodified(c); err != nil {
			return err
		}
		old := k.find(c.w, id)
		if old == nil {
			return fail(k.missing, id)
		}
		o, err := k.types[text(old["type"])].change(old, c.stored(sdnControl...), c.list("delete"))
		if err != nil {
			return err
		}
		return k.put(c.w, o)
	}))
}

func (k sdnKind) remove(c *call) (any, error) {
	id := c.vars[k.key]
	return nil, k.sdnFailed("delete", c.sdnChange(func() error {
		if k.find(c.w, id) == nil {
			return fail(k.missing, id)
		}
		if k.unused != nil {
			if err := k.unused(c.w, id); err != nil {
				return err
			}
		}
		k.drop(c.w, id)
		return nil
	}))
}

// sdnChange makes a change unless somebody else holds the lock on the SDN configuration.
func (c *call) sdnChange(do func() error) error {
	if token := c.w.Cluster.sdnLock; token != "" && token != c.param("lock-token") {
		return fail("configuration is locked: the lock token is missing or wrong")
	}
	return do()
}

// appliedCopy is the configuration of all kinds, to be kept as the one that runs.
func (w *World) appliedCopy() map[string][]Object {
	out := maps.Clone(w.Cluster.Applied)
	if out == nil {
		out = map[string][]Object{}
	}
	for _, name := range sdnLists {
		out[name] = w.Cluster.Lists[name]
	}
	return out
}

// sdnLists are the collections that wait for being applied.
var sdnLists = []string{"sdn_zones", "sdn_vnets", "sdn_subnets", "sdn_controllers", "sdn_fabrics", "sdn_fabric_nodes"}
