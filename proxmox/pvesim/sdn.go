package pvesim

func sdnRoutes() []route {
	return []route{
		index("/cluster/sdn", "id", "vnets zones controllers ipams dns fabrics"),
		get("/cluster/sdn/zones", anyone, sdnList("sdn_zones", "zone", "/sdn/zones/")),
		get("/cluster/sdn/zones/{zone}", need("/sdn/zones/{zone}", "SDN.Allocate"), clusterItem("sdn_zones", "zone", "sdn '%s' does not exist")),
		get("/cluster/sdn/vnets", anyone, listVnets),
		get("/cluster/sdn/vnets/{vnet}", anyone, clusterItem("sdn_vnets", "vnet", "sdn '%s' does not exist")),
		get("/cluster/sdn/vnets/{vnet}/subnets", anyone, listSubnets),
		get("/cluster/sdn/controllers", anyone,
			sdnList("sdn_controllers", "controller", "/sdn/controllers/")),
		get("/cluster/sdn/ipams", anyone, sdnList("sdn_ipams", "ipam", "/sdn/ipams/")),
		get("/cluster/sdn/dns", anyone, sdnList("sdn_dns", "dns", "/sdn/dns/")),
	}
}

// sdnList shows the entries that the caller may see. pending adds what waits for being applied; nothing of a
// world was ever applied unless it runs, so all entries are new (15/089).
func sdnList(name, key, path string) handler {
	return func(c *call) (any, error) {
		out := []Object{}
		for _, o := range c.w.Cluster.Lists[name] {
			if kind := c.param("type"); kind != "" && kind != o["type"] || !c.may(path+text(o[key]), "SDN.Audit", "SDN.Allocate") {
				continue
			}
			out = append(out, c.sdnEntry(o, key))
		}
		return out, nil
	}
}

func (c *call) sdnEntry(o Object, key string) Object {
	if c.param("pending") != "1" {
		return o
	}
	return Object{key: o[key], "type": o["type"], "digest": nil, "state": "new", "pending": without(o, key, "type", "digest")}
}

func listVnets(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.w.Cluster.Lists["sdn_vnets"] {
		if c.may("/sdn/zones/"+text(o["zone"])+"/"+text(o["vnet"]), "SDN.Audit", "SDN.Allocate") {
			out = append(out, c.sdnEntry(o, "vnet"))
		}
	}
	return out, nil
}

func listSubnets(c *call) (any, error) {
	return notNil(c.w.Cluster.Subnets[c.vars["vnet"]]), nil
}
