package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

// nodeBridges are the bridges of a zone on a node with what is plugged into them (schema: /nodes/{node}/sdn/zones/{zone}/bridges).
func nodeBridges(c *call) (any, error) {
	out := []Object{}
	if c.vars["zone"] != localZone {
		for _, v := range c.node.vnets {
			if v["zone"] == c.vars["zone"] {
				out = append(out, c.bridgeRow(text(v["vnet"]), nil, truth(v["vlanaware"])))
			}
		}
		return out, nil
	}
	network, _ := objects(c.node.Info["network"])
	for _, o := range network {
		if o["type"] == "bridge" {
			out = append(out, c.bridgeRow(text(o["iface"]), strings.Fields(text(o["bridge_ports"])), truth(o["bridge_vlan_aware"])))
		}
	}
	return out, nil
}

func (c *call) bridgeRow(name string, ports []string, vlans bool) Object {
	list := []Object{}
	for _, port := range ports {
		list = append(list, Object{"name": port})
	}
	for _, g := range c.w.Guests() {
		if g.Node != c.node.Name || !g.Live.Running {
			continue
		}
		for _, port := range g.portsOn(name) {
			list = append(list, Object{"name": port, "vmid": g.VMID})
		}
	}
	return Object{"name": name, "ports": list, "vlan_filtering": strconv.Itoa(bit(vlans))}
}

// portsOn are the names of the guest's devices on a bridge: one that is filtered hangs behind a bridge of its own.
func (g *Guest) portsOn(bridge string) []string {
	var out []string
	for key, v := range g.Config {
		i, ok := strings.CutPrefix(key, "net")
		if _, err := strconv.Atoi(i); !ok || err != nil || driveOption(text(v), "bridge") != bridge {
			continue
		}
		id := strconv.Itoa(g.VMID)
		switch {
		case driveOption(text(v), "firewall") == "1":
			out = append(out, "fwpr"+id+"p"+i)
		case g.Type == typeLXC:
			out = append(out, "veth"+id+"i"+i)
		default:
			out = append(out, "tap"+id+"i"+i)
		}
	}
	slices.Sort(out)
	return out
}
