package pvesim

import (
	"slices"
	"strings"
)

func sdnApplyRoutes() []route {
	allocate := need("/sdn", "SDN.Allocate")
	return daemon(
		put("/cluster/sdn", allocate, applySDN),
		post("/cluster/sdn/lock", allocate, lockSDN), del("/cluster/sdn/lock", allocate, unlockSDN),
		post("/cluster/sdn/rollback", allocate, rollbackSDN))
}

// applySDN makes what is configured what runs, at once; a task has the nodes reload their networks then (15/096).
func applySDN(c *call) (any, error) {
	err := c.sdnChange(func() error {
		c.w.commitSDN()
		if c.param("release-lock") != "0" {
			c.w.Cluster.sdnLock = ""
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	w, by := c.w, c.id.name()
	return c.clusterFork("reloadnetworkall", func(j *job) error {
		for _, n := range w.Nodes {
			j.log("%s: reloading network config", n.Name)
			if !n.Online {
				j.log("command 'pvesh set /nodes/%s/network' failed: exit code 255", n.Name)
				continue
			}
			w.fork(n, "srvreload", "networking", by, reloadNetwork)
		}
		return nil
	}), nil
}

// commitSDN keeps the configuration as the one that runs. Nodes have not taken it over yet: zones are pending.
func (w *World) commitSDN() {
	w.Cluster.Applied = w.appliedCopy()
	for _, n := range w.Nodes {
		w.zoneRows(n, "pending")
	}
}

// reloadSDN makes a node take over what is applied: networks of its zones become bridges.
func (w *World) reloadSDN(n *Node) {
	n.vnets = nil
	for _, v := range w.Cluster.Applied["sdn_vnets"] {
		if zone := sdnZones.among(w.Cluster.Applied["sdn_zones"], text(v["zone"])); zone != nil && storedOn(zone, n.Name) && w.onFabric(n, zone) {
			n.vnets = append(n.vnets, v)
		}
	}
	w.zoneRows(n, "available")
}

// zoneRows makes the rows of cluster/resources for the zones that run on a node, beside that of its local bridges.
func (w *World) zoneRows(n *Node, status string) {
	rows := slices.DeleteFunc(slices.Clone(w.Cluster.Resources), func(o Object) bool {
		return o["node"] == n.Name && o["network-type"] == "zone" && o["network"] != localZone
	})
	for _, z := range w.Cluster.Applied["sdn_zones"] {
		if !storedOn(z, n.Name) {
			continue
		}
		is := status
		if is == "available" && !w.onFabric(n, z) {
			is = "error"
		}
		rows = append(rows, zoneRow(n.Name, text(z["zone"]), Object{"zone-type": z["type"], "status": is}))
	}
	w.Cluster.Resources = rows
}

// localZone stands for the bridges that are no SDN networks.
const localZone = "localnetwork"

func zoneRow(node, zone string, with Object) Object {
	o := clone(with)
	o["id"], o["type"], o["network-type"] = "network/"+node+"/zone/"+zone, "network", "zone"
	o["node"], o["network"] = node, zone
	return o
}

// ApplySDN makes the SDN configuration in Lists run on all nodes at once, as PUT /cluster/sdn does with its tasks.
func (w *World) ApplySDN() {
	w.commitSDN()
	for _, n := range w.Nodes {
		w.reloadSDN(n)
	}
}

// sdnPending is whether anything waits for being applied.
func (w *World) sdnPending() bool {
	for _, l := range []collection{sdnZones.collection, sdnVnets.collection, sdnSubnets.collection, sdnControllers.collection, fabricFile, fabricNodesFile} {
		for _, o := range pendingEntries(l, w.Cluster.Applied[l.list], w.Cluster.Lists[l.list]) {
			if has(o, "state") {
				return true
			}
		}
	}
	return false
}

// lockSDN gives a token without which nobody else changes the SDN configuration.
func lockSDN(c *call) (any, error) {
	switch {
	case c.w.Cluster.sdnLock != "":
		return nil, fail("configuration is locked already")
	case c.param("allow-pending") != "1" && c.w.sdnPending():
		return nil, fail("configuration has pending changes")
	}
	c.w.Cluster.sdnLock = strings.TrimPrefix(text(newIdentity(c.w, nil)["smbios1"]), "uuid=")
	return c.w.Cluster.sdnLock, nil
}

func unlockSDN(c *call) (any, error) {
	if c.param("force") != "1" && c.param("lock-token") != c.w.Cluster.sdnLock {
		return nil, fail("configuration is locked: the lock token is missing or wrong")
	}
	c.w.Cluster.sdnLock = ""
	return nil, nil //nolint:nilnil // the answer is null
}

// rollbackSDN throws away what was not applied.
func rollbackSDN(c *call) (any, error) {
	return nil, c.sdnChange(func() error {
		for _, name := range sdnLists {
			c.w.Cluster.setSections(name, slices.Clone(c.w.Cluster.Applied[name]))
		}
		if c.param("release-lock") != "0" {
			c.w.Cluster.sdnLock = ""
		}
		return nil
	})
}

func sdnNodeRoutes() []route {
	zone := need("/sdn/zones/{zone}", "SDN.Audit")
	return append(daemon(
		get("/nodes/{node}/sdn/zones", anyone, nodeZones),
		get("/nodes/{node}/sdn/zones/{zone}/content", zone, nodeVnets), get("/nodes/{node}/sdn/zones/{zone}/bridges", zone, nodeBridges)),
		index("/nodes/{node}/sdn", "name", "zones vnets"))
}

// nodeZones are the zones that run on a node, with their status there.
func nodeZones(c *call) (any, error) {
	out := []Object{}
	for _, row := range c.w.Cluster.Resources {
		if row["node"] == c.node.Name && text(row["zone-type"]) != "" && c.may("/sdn/zones/"+text(row["network"]), "SDN.Audit", "SDN.Allocate") {
			out = append(out, Object{"zone": row["network"], "status": row["status"]})
		}
	}
	return out, nil
}

// nodeVnets are the networks of a zone that a node has; the zone of local bridges has those.
func nodeVnets(c *call) (any, error) {
	out := []Object{}
	if c.vars["zone"] == localZone {
		network, _ := objects(c.node.Info["network"])
		for _, o := range network {
			if strings.HasSuffix(strings.ToLower(text(o["type"])), "bridge") {
				out = append(out, Object{"vnet": o["iface"], "status": "available"})
			}
		}
		return out, nil
	}
	for _, v := range c.w.Cluster.Applied["sdn_vnets"] {
		if v["zone"] == c.vars["zone"] {
			status := "pending"
			if slices.ContainsFunc(c.node.vnets, func(o Object) bool { return o["vnet"] == v["vnet"] }) {
				status = "available"
			}
			out = append(out, Object{"vnet": v["vnet"], "status": status})
		}
	}
	return out, nil
}

// vnetInterfaces are the SDN networks of the node as its list of interfaces shows them to those who may use them.
func (c *call) vnetInterfaces() []Object {
	var list []Object
	for _, v := range c.node.vnets {
		if !c.may("/sdn/zones/"+text(v["zone"])+"/"+text(v["vnet"]), "SDN.Audit", "SDN.Use") {
			continue
		}
		o := Object{"iface": v["vnet"], "type": "vnet", "active": "1"}
		if alias := text(v["alias"]); alias != "" {
			o["comments"] = alias
		}
		list = append(list, o)
	}
	return list
}
