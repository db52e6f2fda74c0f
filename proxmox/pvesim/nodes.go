package pvesim

import (
	"strings"
)

func nodeRoutes() []route {
	audit := need("/nodes/{node}", "Sys.Audit")
	info := func(key string) handler {
		return func(c *call) (any, error) { return c.node.Info[key], nil }
	}
	open := []route{
		get("/nodes", anyone, listNodes),
		get("/nodes/{node}/version", anyone, nodeVersion),
		get("/nodes/{node}/config", audit, info("config")),
		get("/nodes/{node}/dns", audit, info("dns")),
		get("/nodes/{node}/hosts", audit, info("hosts")),
		get("/nodes/{node}/subscription", anyone, info("subscription")),
		get("/nodes/{node}/network", anyone, listNetwork),
		get("/nodes/{node}/network/{iface}", audit, getNetwork),
	}
	return append(open, daemon(
		get("/nodes/{node}/status", audit, nodeStatus),
		get("/nodes/{node}/time", audit, nodeTime),
		get("/nodes/{node}/netstat", audit, info("netstat")),
		get("/nodes/{node}/certificates/info", anyone, certificateInfo),
		index("/nodes/{node}/certificates", "name", "acme custom info"))...)
}

func listNodes(c *call) (any, error) {
	list := []fields{}
	for _, n := range c.w.Nodes {
		list = append(list, c.nodeRow(n, false))
	}
	return list, nil
}

func nodeVersion(c *call) (any, error) {
	if v, ok := c.node.Info["version"]; ok {
		return v, nil
	}
	return c.w.Version, nil
}

// fingerprint is that of the certificate that a node really serves, or of the recorded one.
func (c *call) fingerprint(n *Node) string {
	if !c.sim.recorded {
		return c.sim.certs.of(n.Name).fingerprint
	}
	certs, _ := objects(n.Info["certificates"])
	for _, o := range certs {
		if o["filename"] == "pve-ssl.pem" {
			return text(o["fingerprint"])
		}
	}
	return ""
}

// certificateInfo shows the served certificate in place of pve-ssl.pem, so that a client can learn the other
// nodes' pins from one of them.
func certificateInfo(c *call) (any, error) {
	certs, _ := objects(c.node.Info["certificates"])
	if c.sim.recorded {
		return certs, nil
	}
	out := []Object{}
	for _, o := range certs {
		if o["filename"] != "pve-ssl.pem" {
			out = append(out, o)
		}
	}
	return append(out, c.sim.certs.of(c.node.Name).info(c.node.Name)), nil
}

// nodeStatus is the stored body with the present figures.
func nodeStatus(c *call) (any, error) {
	stored, _ := c.node.Info["status"].(Object)
	out := clone(stored)
	out["uptime"] = c.node.uptime(c.now)
	out["cpu"] = Live{CPU: c.node.CPU}.cpu()
	if memory, ok := stored["memory"].(Object); ok {
		m := clone(memory)
		total := integer(m["total"])
		m["used"], m["free"] = c.node.Mem, total-c.node.Mem
		out["memory"] = m
	}
	return out, nil
}

func nodeTime(c *call) (any, error) {
	stored, _ := c.node.Info["time"].(Object)
	now := c.now.Add(c.sim.faults.skew(c.node.Name))
	zone := text(stored["timezone"])
	if zone == "" {
		zone = "Etc/UTC"
	}
	offset := integer(stored["localtime"]) - integer(stored["time"])
	return Object{"timezone": zone, "time": now.Unix(), "localtime": now.Unix() + offset}, nil
}

func listNetwork(c *call) (any, error) {
	ifaces, _ := objects(c.node.Info["network"])
	kind := c.param("type")
	out := []Object{}
	for _, o := range ifaces {
		if !networkMatches(kind, text(o["type"])) || !c.seesInterface(o) {
			continue
		}
		out = append(out, o)
	}
	return out, nil
}

func networkMatches(want, have string) bool {
	switch want {
	case "", "include_sdn":
		return true
	case "any_bridge", "any_local_bridge":
		return strings.HasSuffix(strings.ToLower(have), "bridge") || want == "any_bridge" && have == "vnet"
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

func getNetwork(c *call) (any, error) {
	ifaces, _ := objects(c.node.Info["network"])
	for _, o := range ifaces {
		if o["iface"] == c.vars["iface"] {
			return without(o, "iface"), nil
		}
	}
	return nil, badParam("iface", "interface does not exist")
}
