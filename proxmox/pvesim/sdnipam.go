package pvesim

import (
	"net/netip"
	"slices"
	"strconv"
)

// Addresses of the built-in IPAM are rows of Lists as its status shows them: zone, subnet, vnet, ip, mac, vmid, hostname,
// gateway. Only zones that name the IPAM have any.

// ipamStatus lists the addresses of the networks that the caller may see; other IPAMs do not tell theirs.
func ipamStatus(c *call) (any, error) {
	o := sdnIPAMs.find(c.w, c.vars["ipam"])
	switch {
	case o == nil:
		return nil, fail(sdnIPAMs.missing, c.vars["ipam"])
	case o["type"] != "pve":
		return nil, fail("IPAM status is not supported for type %s", text(o["type"]))
	}
	out := []Object{}
	for _, row := range c.w.Cluster.Lists["sdn_ips"] {
		if c.may("/sdn/zones/"+text(row["zone"])+"/"+text(row["vnet"]), "SDN.Audit", "SDN.Allocate") {
			out = append(out, row)
		}
	}
	return out, nil
}

// holdGateway notes the gateway of a new subnet in the IPAM of its zone.
func (w *World) holdGateway(s Object) {
	zone := sdnZones.find(w, text(s["zone"]))
	if text(zone["ipam"]) == "" || text(s["gateway"]) == "" {
		return
	}
	w.holdIP(Object{"zone": s["zone"], "vnet": s["vnet"], "subnet": s["cidr"], "ip": s["gateway"], "gateway": 1})
}

func (w *World) holdIP(row Object) {
	w.Cluster.Lists["sdn_ips"] = append(slices.Clone(w.Cluster.Lists["sdn_ips"]), row)
}

func (w *World) dropIPs(which func(Object) bool) {
	w.Cluster.Lists["sdn_ips"] = slices.DeleteFunc(slices.Clone(w.Cluster.Lists["sdn_ips"]), which)
}

// ipOf finds the subnet of the vnet of the path that an address is in, and the row of the address, nil when it is free.
func (c *call) ipOf() (subnet, row Object, err error) {
	vnet, ip := c.vars["vnet"], c.param("ip")
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, nil, badParam("ip", "invalid address")
	}
	subnet = find(c.w.Cluster.Lists["sdn_subnets"], func(s Object) bool {
		p, err := netip.ParsePrefix(text(s["cidr"]))
		return err == nil && s["vnet"] == vnet && s["zone"] == c.param("zone") && p.Contains(addr)
	})
	if subnet == nil {
		return nil, nil, fail("no subnet found for %s in vnet %s", ip, vnet)
	}
	row = find(c.w.Cluster.Lists["sdn_ips"], func(o Object) bool { return o["ip"] == ip && o["vnet"] == vnet })
	return subnet, row, nil
}

func addIP(c *call) (any, error) {
	subnet, row, err := c.ipOf()
	if err != nil {
		return nil, err
	}
	if row != nil {
		return nil, fail("IP '%s' already exist", c.param("ip"))
	}
	c.keepIP(subnet)
	return nil, nil //nolint:nilnil // the answer is null
}

// setIP gives an address to another device.
func setIP(c *call) (any, error) {
	subnet, row, err := c.ipOf()
	if err != nil {
		return nil, err
	}
	mac := c.param("mac")
	c.w.dropIPs(func(o Object) bool {
		return row != nil && o["ip"] == row["ip"] && o["vnet"] == row["vnet"] || mac != "" && o["mac"] == mac && o["subnet"] == subnet["cidr"]
	})
	c.keepIP(subnet)
	return nil, nil //nolint:nilnil // the answer is null
}

func (c *call) keepIP(subnet Object) {
	row := Object{"zone": subnet["zone"], "vnet": subnet["vnet"], "subnet": subnet["cidr"], "ip": c.param("ip")}
	if mac := c.param("mac"); mac != "" {
		row["mac"] = mac
	}
	if vmid, err := strconv.Atoi(c.param("vmid")); err == nil {
		row["vmid"] = vmid
		if g := c.w.Guest(vmid); g != nil {
			row["hostname"] = g.Name()
		}
	}
	c.w.holdIP(row)
}

func removeIP(c *call) (any, error) {
	_, row, err := c.ipOf()
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fail("IP '%s' does not exist", c.param("ip"))
	}
	c.w.dropIPs(func(o Object) bool { return o["ip"] == row["ip"] && o["vnet"] == row["vnet"] })
	return nil, nil //nolint:nilnil // the answer is null
}
