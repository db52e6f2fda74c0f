package pvesim

import (
	"slices"
	"strings"
)

func sdnRoutes() []route {
	return slices.Concat([]route{
		index("/cluster/sdn", "id", "vnets zones controllers ipams dns fabrics"),
		get("/cluster/sdn/vnets", anyone, listVnets),
		get("/cluster/sdn/vnets/{vnet}", mayVnet("SDN.Audit", "SDN.Allocate"), sdnVnets.read),
		get("/cluster/sdn/vnets/{vnet}/subnets", mayVnet("SDN.Audit", "SDN.Allocate"), listSubnets),
		get("/cluster/sdn/vnets/{vnet}/subnets/{subnet}", mayVnet("SDN.Audit", "SDN.Allocate"), sdnSubnets.read),
		get("/cluster/sdn/ipams/{ipam}/status", anyone, ipamStatus),
	}, sdnZones.routes(), sdnControllers.routes(), sdnIPAMs.routes(), sdnDNS.routes(), sdnVnetRoutes(), sdnApplyRoutes(), sdnNodeRoutes())
}

// sdnKind is a kind of SDN object: a configuration file with entries of some types.
type sdnKind struct {
	collection
	word, path string // zone, /sdn/zones
	missing    string
	types      map[string]optionSet
	// parent is true where changes need rights on the path of all objects, not on the object's own.
	parent bool
	// fits checks an entry against the others, unused whether it can go.
	fits   func(w *World, o Object) error
	unused func(w *World, id string) error
}

// routes are those of a kind that stands alone.
func (k sdnKind) routes() []route {
	base := "/cluster" + k.path
	one := base + "/{" + k.key + "}"
	own := need(k.path+"/{"+k.key+"}", "SDN.Allocate")
	change, make := own, need(k.path, "SDN.Allocate")
	if k.parent {
		change = make
	}
	return append([]route{get(base, anyone, k.listAll), get(one, own, k.read)},
		daemon(post(base, make, k.create), put(one, change, k.update), del(one, change, k.remove))...)
}

// sdnView gives the entries of a kind as the request wants them: those that are configured, with running=1 those that
// are applied, with pending=1 both and how they differ.
func (c *call) sdnView(l collection) []Object {
	conf, run := c.w.Cluster.Lists[l.list], c.w.Cluster.Applied[l.list]
	switch {
	case c.param("pending") == "1":
		return pendingEntries(l, run, conf)
	case c.param("running") == "1":
		out := make([]Object, len(run))
		for i, o := range run {
			out[i] = clone(o)
			out[i]["digest"] = nil
		}
		return out
	}
	return conf
}

func (k sdnKind) listAll(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.sdnView(k.collection) {
		if kind := c.param("type"); (kind == "" || kind == o["type"]) && c.may(k.path+"/"+text(o[k.key]), "SDN.Audit", "SDN.Allocate") {
			out = append(out, o)
		}
	}
	return out, nil
}

func (k sdnKind) read(c *call) (any, error) {
	id := c.vars[k.word]
	for _, o := range c.sdnView(k.collection) {
		if o[k.key] == id {
			return o, nil
		}
	}
	return nil, fail(k.missing, id)
}

// sdnTop are the keys that stand beside pending: what an object is rather than what it has. Those of a subnet follow from
// its id.
const sdnTop = " type protocol vnet id subnet cidr network mask "

// pendingEntries compares what is configured with what runs (15/088, 15/089): an object that is new, changed or deleted
// says so, and has what it will be under pending.
func pendingEntries(l collection, run, conf []Object) []Object {
	ids := map[string]bool{}
	var out []Object
	for _, o := range slices.Concat(run, conf) {
		if id := text(o[l.key]); !ids[id] {
			ids[id] = true
			same := func(x Object) bool { return x[l.key] == id }
			out = append(out, pendingEntry(l.key, find(run, same), find(conf, same)))
		}
	}
	return out
}

func pendingEntry(key string, run, conf Object) Object {
	out, wait := without(run, "digest"), Object{}
	state := ""
	switch {
	case conf == nil:
		state = "deleted"
	case run == nil:
		state = "new"
	}
	for k := range out {
		if conf != nil && !has(conf, k) {
			wait[k], state = "deleted", "changed"
		}
	}
	for k, v := range without(conf, "digest") {
		switch {
		case k == key || contains(strings.Fields(sdnTop), k) || k == "zone" && has(conf, "cidr"):
			out[k] = v
		case run == nil:
			wait[k] = v
		case !has(run, k) || string(encode(v)) != string(encode(run[k])):
			wait[k], state = v, "changed"
		}
	}
	out["digest"] = nil
	if state != "" {
		out["state"], out["pending"] = state, wait
	}
	return out
}

// listVnets has rights by the zone, also by that which a new one is going to be in.
func listVnets(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.sdnView(sdnVnets.collection) {
		zone := text(o["zone"])
		if wait, ok := o["pending"].(Object); ok && zone == "" {
			zone = text(wait["zone"])
		}
		if c.may("/sdn/zones/"+zone+"/"+text(o["vnet"]), "SDN.Audit", "SDN.Allocate") {
			out = append(out, o)
		}
	}
	return out, nil
}

func listSubnets(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.sdnView(sdnSubnets.collection) {
		if o["vnet"] == c.vars["vnet"] {
			out = append(out, o)
		}
	}
	return out, nil
}
