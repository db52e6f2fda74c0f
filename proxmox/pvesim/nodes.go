package pvesim

import "fmt"

func nodeRoutes() []route {
	audit := need("/nodes/{node}", "Sys.Audit")
	open := []route{
		get("/nodes", anyone, listNodes),
		get("/nodes/{node}/version", anyone, nodeVersion),
		get("/nodes/{node}/subscription", anyone, nodeInfo("subscription")),
	}
	return append(open, daemon(
		get("/nodes/{node}/status", audit, nodeStatus),
		get("/nodes/{node}/time", audit, nodeTime),
		get("/nodes/{node}/netstat", audit, nodeInfo("netstat")),
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

// rootCA is the file of the cluster's authority (02/062).
const rootCA = "pve-root-ca.pem"

// certificateInfo shows the served certificate in place of pve-ssl.pem, so that a client can learn the other
// nodes' pins from one of them.
func certificateInfo(c *call) (any, error) {
	certs, _ := objects(c.node.Info["certificates"])
	if c.sim.recorded {
		return certs, nil
	}
	out := []Object{}
	for _, o := range certs {
		if o["filename"] != "pve-ssl.pem" && o["filename"] != rootCA {
			out = append(out, o)
		}
	}
	ca := c.sim.certs.of(rootCA).info(c.node.Name) // each simulated cluster has its own
	ca["filename"], ca["san"] = rootCA, []string{}
	out = append(out, ca)
	return append(out, c.sim.certs.of(c.node.Name).info(c.node.Name)), nil
}

// nodeStatus is the stored body with the present figures.
func nodeStatus(c *call) (any, error) {
	stored, _ := c.node.Info["status"].(Object)
	out := clone(stored)
	out["uptime"] = c.node.uptime(c.now)
	l := c.w.nodeLive(c.node, c.now, 0)
	out["cpu"] = Live{CPU: l.cpu}.cpu()
	if !c.w.recorded {
		out["wait"] = l.wait
		load := l.load(float64(c.w.nodeCPUs(c.node.Name)))
		out["loadavg"] = []string{fmt.Sprintf("%.2f", load), fmt.Sprintf("%.2f", 0.95*load), fmt.Sprintf("%.2f", 0.9*load)}
	}
	if memory, ok := stored["memory"].(Object); ok {
		m := clone(memory)
		total := integer(m["total"])
		m["used"], m["free"] = l.mem, total-l.mem
		if !c.w.recorded {
			m["available"] = total - l.mem
		}
		out["memory"] = m
	}
	return out, nil
}
