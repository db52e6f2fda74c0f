package pvesim

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

func networkRoutes() []route {
	audit, modify := need("/nodes/{node}", "Sys.Audit"), need("/nodes/{node}", "Sys.Modify")
	base := "/nodes/{node}/network"
	return append(daemon(
		post(base, modify, addInterface), put(base, modify, applyNetwork), del(base, modify, revertNetwork),
		put(base+"/{iface}", modify, changeInterface), del(base+"/{iface}", modify, removeInterface)),
		get(base, anyone, listNetwork), get(base+"/{iface}", audit, getNetwork))
}

// Changes of the network wait until they are applied: the node keeps the new interfaces beside those in effect.
const (
	networkNow = "network"
	networkNew = "network_new"
)

// interfaces gives the node's interfaces as the configuration file says, with changes that wait.
func (n *Node) interfaces() []Object {
	if list, ok := n.Info[networkNew].([]Object); ok {
		return list
	}
	return n.activeInterfaces()
}

func (n *Node) activeInterfaces() []Object {
	list, _ := objects(n.Info[networkNow])
	return list
}

func (n *Node) networkPending() bool { return n.Info[networkNew] != nil }

// listNetwork shows the interfaces as they will be; what will change stands beside them (15/135).
func listNetwork(c *call) (any, error) {
	kind := c.param("type")
	out := []Object{}
	for _, o := range c.node.interfaces() {
		if !networkMatches(kind, text(o["type"])) || !c.seesInterface(o) {
			continue
		}
		out = append(out, o)
	}
	if kind == "include_sdn" || kind == "any_bridge" {
		out = append(out, c.vnetInterfaces()...)
	}
	if c.node.networkPending() {
		c.beside = field{"changes", c.node.networkDiff(c.w.Now())}
	}
	return out, nil
}

func networkMatches(want, have string) bool {
	switch want {
	case "", "include_sdn":
		return true
	case "any_bridge", "any_local_bridge":
		return strings.HasSuffix(strings.ToLower(have), "bridge")
	}
	return want == have
}

// seesInterface hides bridges from those who may not use them (PVE checks them as parts of the zone localnetwork).
func (c *call) seesInterface(o Object) bool {
	if c.may("/nodes/"+c.node.Name, "Sys.Audit", "Sys.Modify") {
		return true
	}
	return text(o["type"]) == "bridge" && c.may("/sdn/zones/localnetwork/"+text(o["iface"]), "SDN.Audit", "SDN.Use")
}

var errNoInterface = badParam("iface", "interface does not exist")

func (n *Node) interfaceNamed(name string) Object {
	return find(n.interfaces(), func(o Object) bool { return o["iface"] == name })
}

func getNetwork(c *call) (any, error) {
	o := c.node.interfaceNamed(c.vars["iface"])
	if o == nil {
		return nil, errNoInterface
	}
	return without(o, "iface"), nil
}

// addInterface adds an interface to the configuration that waits.
func addInterface(c *call) (any, error) {
	name := c.param("iface")
	if c.node.interfaceNamed(name) != nil {
		return nil, badParam("iface", "interface already exists")
	}
	if err := c.checkInterface(name); err != nil {
		return nil, err
	}
	given := c.interfaceOptions()
	given["iface"] = name
	if given["type"] == "vlan" && given["vlan-raw-device"] == nil && !strings.Contains(name, ".") {
		return nil, badParam("vlan-raw-device", "parameter is required")
	}
	top := 2 // the loopback device
	for _, o := range c.node.interfaces() {
		top = max(top, int(integer(o["priority"])))
	}
	given["priority"] = top + 1
	c.node.Info[networkNew] = append(slices.Clone(c.node.interfaces()), written(given))
	return nil, nil
}

// checkInterface are the rules between an interface and the others.
func (c *call) checkInterface(name string) error {
	for _, o := range c.node.interfaces() {
		if o["iface"] == name {
			continue
		}
		for key, what := range map[string]string{"gateway": "Default gateway", "gateway6": "Default ipv6 gateway"} {
			if c.given(key) && text(o[key]) != "" {
				return badParam(key, what+" already exists on interface '"+text(o["iface"])+"'.")
			}
		}
	}
	if kind := c.param("type"); strings.HasPrefix(kind, "OVS") {
		return fail("Open VSwitch is not installed (need package 'openvswitch-switch')")
	}
	return nil
}

// interfaceOptions are the parameters of a request, with addresses in all their forms.
func (c *call) interfaceOptions() Object {
	o := Object{}
	for key, v := range c.stored("delete") {
		if t := text(v); t != "" {
			o[key] = t
		}
	}
	for _, suffix := range []string{"", "6"} {
		mask := text(o["netmask"+suffix])
		if p, err := netip.ParsePrefix(text(o["cidr"+suffix])); err == nil {
			o["address"+suffix], mask = p.Addr().String(), strconv.Itoa(p.Bits())
		} else if m, err := netip.ParseAddr(mask); err == nil && m.Is4() {
			mask = strconv.Itoa(maskBits(m))
		}
		if o["address"+suffix] != nil && mask != "" {
			o["netmask"+suffix], o["cidr"+suffix] = mask, text(o["address"+suffix])+"/"+mask
		}
	}
	families := []string{}
	if o["method"] = "manual"; o["address"] != nil {
		o["method"] = "static"
		families = append(families, "inet")
	}
	if o["method6"] = "manual"; o["address6"] != nil {
		o["method6"] = "static"
		families = append(families, "inet6")
	}
	if len(families) == 0 {
		families = append(families, "inet")
	}
	o["families"] = families
	return o
}

// maskBits is the length of a netmask.
func maskBits(m netip.Addr) int {
	bits := 0
	for _, b := range m.As4() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	return bits
}

// changeInterface sets the options that are given and keeps the others, but for addresses: an interface without one in
// the request has none any more.
func changeInterface(c *call) (any, error) {
	name := c.vars["iface"]
	old := c.node.interfaceNamed(name)
	if old == nil {
		return nil, errNoInterface
	}
	if err := c.checkInterface(name); err != nil {
		return nil, err
	}
	drop := c.list("delete")
	set := c.interfaceOptions()
	for _, suffix := range []string{"", "6"} {
		if contains(drop, "cidr"+suffix) || set["address"+suffix] == nil {
			drop = append(drop, "address"+suffix, "netmask"+suffix, "cidr"+suffix)
		}
	}
	o := merged(old, drop, set)
	c.node.setInterface(name, written(o))
	return nil, nil
}

// setInterface puts an interface of the waiting configuration in the place of the old one; nil takes it away.
func (n *Node) setInterface(name string, o Object) {
	list := slices.Clone(n.interfaces())
	i := slices.IndexFunc(list, func(o Object) bool { return o["iface"] == name })
	if o == nil {
		list = slices.Delete(list, i, i+1)
	} else {
		list[i] = o
	}
	n.Info[networkNew] = list
}

// removeInterface takes an interface away; network cards stay, without settings.
func removeInterface(c *call) (any, error) {
	name := c.vars["iface"]
	old := c.node.interfaceNamed(name)
	if old == nil {
		return nil, errNoInterface
	}
	var left Object
	if truth(old["exists"]) {
		left = Object{"iface": name, "type": old["type"], "exists": 1, "method": "manual", "method6": "manual", "families": []string{"inet"},
			"priority": old["priority"]}
		if v, ok := old["active"]; ok {
			left["active"] = v
		}
	}
	c.node.setInterface(name, left)
	return nil, nil
}

// revertNetwork forgets the changes that wait.
func revertNetwork(c *call) (any, error) {
	delete(c.node.Info, networkNew)
	return nil, nil
}

// reloadTime is how long ifreload needs.
const reloadTime = 2 * time.Second

// applyNetwork makes the waiting configuration the one in effect.
func applyNetwork(c *call) (any, error) {
	return c.fork("srvreload", "networking", reloadNetwork), nil
}

// reloadNetwork is the work of that task; SDN networks that are applied become bridges too.
func reloadNetwork(j *job) error {
	if list, ok := j.node.Info[networkNew].([]Object); ok {
		for i, o := range list {
			if truth(o["autostart"]) || truth(o["exists"]) {
				list[i] = merged(o, nil, Object{"active": 1})
			}
		}
		j.node.Info[networkNow] = anyList(list)
		delete(j.node.Info, networkNew)
	}
	return j.after(reloadTime, func() error {
		j.w.reloadSDN(j.node)
		return nil
	})
}

// interfaceKeys are the settings that the file holds of each type beside those of all.
var interfaceKeys = sync.OnceValue(func() map[string][]string {
	return map[string][]string{
		"bridge": strings.Fields("bridge_ports bridge_stp bridge_fd bridge_vlan_aware bridge_vids"),
		"bond":   strings.Fields("slaves bond_mode bond_miimon bond_xmit_hash_policy bond-primary"),
		"vlan":   strings.Fields("vlan-id vlan-raw-device"),
	}
})

var (
	commonInterfaceKeys = strings.Fields("iface type method method6 families priority active exists autostart address netmask cidr gateway " +
		"address6 netmask6 cidr6 gateway6 comments comments6 mtu")
	plainVLAN  = lazy.Regexp(`^vlan(\d+)$`)
	dottedVLAN = lazy.Regexp(`^(\S+)\.(\d+)$`)
)

// written is an interface as it is read back from the file: with the defaults of its type and without what the type does
// not have (15/135, 15/136).
func written(o Object) Object {
	out, kind := Object{}, text(o["type"])
	for key, v := range o {
		if contains(commonInterfaceKeys, key) || contains(interfaceKeys()[kind], key) {
			out[key] = v
		}
	}
	fallback := func(key string, v any) {
		if out[key] == nil {
			out[key] = v
		}
	}
	switch kind {
	case "bridge":
		fallback("bridge_ports", "")
		fallback("bridge_stp", "off")
		fallback("bridge_fd", "0")
		if truth(out["bridge_vlan_aware"]) {
			fallback("bridge_vids", "2-4094")
		} else {
			delete(out, "bridge_vlan_aware")
			delete(out, "bridge_vids")
		}
	case "bond":
		fallback("slaves", "")
		fallback("bond_mode", "balance-rr")
		fallback("bond_miimon", "100")
	case "vlan":
		if m := plainVLAN().FindStringSubmatch(text(out["iface"])); m != nil {
			out["vlan-id"] = m[1]
		} else if m := dottedVLAN().FindStringSubmatch(text(out["iface"])); m != nil {
			out["vlan-raw-device"], out["vlan-id"] = m[1], m[2]
		}
	}
	for _, key := range []string{"autostart", "bridge_vlan_aware"} {
		if truth(out[key]) {
			out[key] = 1
		} else {
			delete(out, key)
		}
	}
	for _, suffix := range []string{"", "6"} {
		if t := commentText(text(out["comments"+suffix])); t != "" {
			out["comments"+suffix] = t
		}
		if out["method"+suffix] != "static" {
			delete(out, "gateway"+suffix)
		}
	}
	return out
}
