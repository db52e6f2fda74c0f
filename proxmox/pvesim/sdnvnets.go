package pvesim

import (
	"net/netip"
	"slices"
	"strings"
)

var (
	vnetFile   = collection{"sdn_vnets", "vnet"}
	subnetFile = collection{"sdn_subnets", "subnet"}
)

var sdnVnets = sdnKind{
	collection: vnetFile, word: "vnet", path: "/sdn/vnets", missing: "sdn vnet '%s' does not exist",
	types: map[string]optionSet{"vnet": {required: "zone", optional: "tag alias vlanaware isolate-ports"}},
	fits:  vnetFits,
	unused: func(w *World, id string) error {
		if w.hasSubnets(id) {
			return badParam("vnet", "Can't delete vnet if subnets exists") // 15/099
		}
		return nil
	},
}

func (w *World) hasSubnets(vnet string) bool {
	return slices.ContainsFunc(w.Cluster.Lists["sdn_subnets"], func(s Object) bool { return s["vnet"] == vnet })
}

var sdnSubnets = sdnKind{
	collection: subnetFile, word: "subnet", path: "/sdn/subnets", missing: "sdn subnet '%s' does not exist",
	types: map[string]optionSet{"subnet": {optional: "gateway snat dhcp-dns-server dhcp-range dnszoneprefix"}},
	fits:  subnetFits,
}

func sdnVnetRoutes() []route {
	own := mayVnet("SDN.Allocate")
	one := "/cluster/sdn/vnets/{vnet}"
	return daemon(
		post("/cluster/sdn/vnets", func(c *call) error { return c.mayZone(c.param("zone")) }, createVnet),
		put(one, own, sdnVnets.update), del(one, own, sdnVnets.remove),
		post(one+"/subnets", own, createSubnet),
		put(one+"/subnets/{subnet}", own, sdnSubnets.update), del(one+"/subnets/{subnet}", own, removeSubnet),
		post(one+"/ips", maySentZone, addIP), put(one+"/ips", maySentZone, setIP), del(one+"/ips", maySentZone, removeIP))
}

func (c *call) mayZone(zone string) error {
	if path := "/sdn/zones/" + zone; !c.may(path, "SDN.Allocate") {
		return forbidden(path, "SDN.Allocate")
	}
	return nil
}

// maySentZone wants rights on the vnet of the path in the zone of the parameters.
func maySentZone(c *call) error {
	return c.mayZone(c.param("zone") + "/" + c.vars["vnet"])
}

// mayVnet wants one of the privileges on a vnet, whose path has its zone in it. Without the vnet there is no path (15/102).
func mayVnet(privs ...string) check {
	return func(c *call) error {
		v := sdnVnets.find(c.w, c.vars["vnet"])
		if v == nil {
			return fail(sdnVnets.missing, c.vars["vnet"])
		}
		if path := "/sdn/zones/" + text(v["zone"]) + "/" + c.vars["vnet"]; !c.may(path, privs...) {
			return forbidden(path, privs...)
		}
		return nil
	}
}

// createVnet does everything under the lock (15/084).
func createVnet(c *call) (any, error) {
	id := c.param("vnet")
	return nil, sdnVnets.sdnFailed("create", c.sdnChange(func() error {
		o, err := sdnVnets.types["vnet"].take(c.stored(append([]string{"vnet"}, sdnControl...)...))
		if err != nil {
			return err
		}
		if sdnVnets.find(c.w, id) != nil {
			return fail("sdn vnet object ID '%s' already defined", id)
		}
		o["vnet"], o["type"] = id, "vnet"
		return sdnVnets.put(c.w, o)
	}))
}

// The greatest numbers that a VLAN and a VXLAN can have.
const (
	maxVLAN  = 4096
	maxVXLAN = 16777215
)

// vnetFits is what a zone of each type wants of its networks (15/084 to 15/086).
func vnetFits(w *World, v Object) error {
	zone := sdnZones.find(w, text(v["zone"]))
	if zone == nil {
		return fail("cannot lookup undefined type! at /usr/share/perl5/PVE/API2/Network/SDN/Vnets.pm line 326.")
	}
	if old := vnetFile.find(w, text(v["vnet"])); old != nil && old["zone"] != v["zone"] && w.hasSubnets(text(v["vnet"])) {
		return badParam("zone", "can't change zone if subnets exists")
	}
	kind, tag := text(zone["type"]), integer(v["tag"])
	switch given := has(v, "tag"); {
	case kind == "simple" && given:
		return badParam("tag", "vlan tag is not allowed on simple zone")
	case kind == "simple" || kind == "faucet":
		return nil
	case (kind == "vlan" || kind == "qinq") && !given:
		return badParam("tag", "missing vlan tag")
	case (kind == "vlan" || kind == "qinq") && tag > maxVLAN:
		return badParam("tag", "vlan tag max value is 4096")
	case !given:
		return badParam("tag", "missing vxlan tag")
	case tag > maxVXLAN:
		return badParam("tag", "vxlan tag max value is 16777215")
	case (kind == "vxlan" || kind == "evpn") && truth(v["vlanaware"]):
		return badParam("vlanaware", "vlanaware option can't be enabled with vxlan plugin")
	}
	for _, other := range w.Cluster.Lists["sdn_vnets"] {
		if other["vnet"] != v["vnet"] && other["zone"] == v["zone"] && text(other["tag"]) == text(v["tag"]) {
			return badParam("tag", "tag "+text(v["tag"])+" already exist in vnet "+text(other["vnet"]))
		}
	}
	return nil
}

// createSubnet makes the id from the zone and the network (15/090).
func createSubnet(c *call) (any, error) {
	vnet := c.vars["vnet"]
	zone := text(sdnVnets.find(c.w, vnet)["zone"])
	return nil, sdnSubnets.sdnFailed("create", c.sdnChange(func() error {
		o, err := sdnSubnets.types["subnet"].take(c.stored(append([]string{"subnet"}, sdnControl...)...))
		if err != nil {
			return err
		}
		cidr := strings.TrimPrefix(c.param("subnet"), zone+"-")
		if !strings.Contains(cidr, "/") {
			i := strings.LastIndexByte(cidr, '-')
			cidr = cidr[:max(0, i)] + "/" + cidr[i+1:]
		}
		network, mask, _ := strings.Cut(cidr, "/")
		id := zone + "-" + network + "-" + mask
		if sdnSubnets.find(c.w, id) != nil {
			return fail("sdn subnet object ID '%s' already defined", id) // 15/091
		}
		o = merged(o, nil, Object{"id": id, "subnet": id, "type": "subnet", "cidr": cidr, "network": network, "mask": mask, "zone": zone, "vnet": vnet})
		if err := sdnSubnets.put(c.w, o); err != nil {
			return err
		}
		c.w.holdGateway(o)
		return nil
	}))
}

// subnetFits checks the addresses of a subnet, and shows its ranges as objects (15/093).
func subnetFits(w *World, s Object) error {
	net, err := netip.ParsePrefix(text(s["cidr"]))
	if err != nil {
		return badParam("subnet", "invalid network")
	}
	if s["dhcp-range"], err = dhcpRanges(net, s["dhcp-range"]); err != nil {
		return err
	}
	if gw, err := netip.ParseAddr(text(s["gateway"])); err == nil && !net.Contains(gw) && !net.IsSingleIP() {
		return badParam("gateway", text(s["gateway"])+" is not in subnet "+text(s["cidr"]))
	}
	for _, other := range w.Cluster.Lists["sdn_subnets"] {
		if p, err := netip.ParsePrefix(text(other["cidr"])); err == nil && other["zone"] == s["zone"] && other["id"] != s["id"] && p.Overlaps(net) {
			return badParam("subnet", text(s["cidr"])+" is overlapping with "+text(other["cidr"]))
		}
	}
	return nil
}

// dhcpRanges reads start-address=A,end-address=B; what was read before stays.
func dhcpRanges(net netip.Prefix, v any) ([]Object, error) {
	list, _ := v.([]any)
	out, _ := v.([]Object)
	for _, e := range list {
		if o, ok := e.(Object); ok {
			out = append(out, o)
			continue
		}
		o := Object{}
		for _, k := range []string{"start-address", "end-address"} {
			o[k] = driveOption(text(e), k)
			if a, err := netip.ParseAddr(text(o[k])); err != nil || !net.Contains(a) {
				return nil, badParam("dhcp-range", text(o[k])+" is not in subnet "+net.String())
			}
		}
		out = append(out, o)
	}
	if out == nil {
		out = []Object{}
	}
	return out, nil
}

// removeSubnet gives its gateway's address back.
func removeSubnet(c *call) (any, error) {
	s := sdnSubnets.find(c.w, c.vars["subnet"])
	answer, err := sdnSubnets.remove(c)
	if err == nil && s != nil {
		c.w.dropIPs(func(o Object) bool { return o["vnet"] == s["vnet"] && o["subnet"] == s["cidr"] })
	}
	return answer, err
}
