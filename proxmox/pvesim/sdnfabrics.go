package pvesim

import (
	"slices"
	"strings"
)

// Fabrics are networks between nodes that route by themselves. They and their nodes stand in one configuration file, and are
// applied as zones are (schema: /cluster/sdn/fabrics; texts are inferred, no recording has any).
var (
	fabricFile      = collection{"sdn_fabrics", "id"}
	fabricNodesFile = collection{"sdn_fabric_nodes", "member"}
)

func fabricRoutes() []route {
	base := "/cluster/sdn/fabrics"
	one, node := base+"/fabric/{id}", base+"/node/{fabric_id}/{node_id}"
	onFabric := func(key, node string, privs ...string) check {
		return func(c *call) error {
			if err := c.wants("/sdn/fabrics/"+c.vars[key], privs[0]); err != nil || node == "" {
				return err
			}
			id := c.vars["node_id"]
			if id == "" {
				id = c.param("node_id")
			}
			return c.wants("/nodes/"+id, node)
		}
	}
	return append(daemon(
		post(base+"/fabric", need("/sdn/fabrics", "SDN.Allocate"), addFabric),
		put(one, onFabric("id", "", "SDN.Allocate"), changeFabric), del(one, onFabric("id", "", "SDN.Allocate"), removeFabric),
		post(base+"/node/{fabric_id}", onFabric("fabric_id", "Sys.Modify", "SDN.Allocate"), addFabricNode),
		put(node, onFabric("fabric_id", "Sys.Modify", "SDN.Allocate"), changeFabricNode),
		del(node, onFabric("fabric_id", "Sys.Modify", "SDN.Allocate"), removeFabricNode)),
		index(base, "subdir", "fabric node all"),
		get(base+"/fabric", anyone, func(c *call) (any, error) { return c.seenFabrics(), nil }),
		get(one, need("/sdn/fabrics/{id}", "SDN.Audit", "SDN.Allocate"), readFabric),
		get(base+"/node", anyone, func(c *call) (any, error) { return c.seenFabricNodes(""), nil }),
		get(base+"/node/{fabric_id}", need("/sdn/fabrics/{fabric_id}", "SDN.Audit"), func(c *call) (any, error) { return c.seenFabricNodes(c.vars["fabric_id"]), nil }),
		get(node, need("/sdn/fabrics/{fabric_id}", "SDN.Audit", "SDN.Allocate"), readFabricNode),
		get(base+"/all", anyone, func(c *call) (any, error) {
			return Object{"fabrics": c.seenFabrics(), "nodes": c.seenFabricNodes("")}, nil
		}))
}

func (c *call) seesFabric(id string) bool {
	return c.may("/sdn/fabrics/"+id, "SDN.Audit", "SDN.Allocate")
}

func (c *call) seenFabrics() []Object {
	return slices.DeleteFunc(slices.Clone(c.fabricView(fabricFile)), func(o Object) bool { return !c.seesFabric(text(o["id"])) })
}

// fabricView is sdnView, never null.
func (c *call) fabricView(l collection) []Object { return append([]Object{}, c.sdnView(l)...) }

func (c *call) seenFabricNodes(fabric string) []Object {
	out := []Object{}
	for _, o := range c.fabricView(fabricNodesFile) {
		id, node, _ := strings.Cut(text(o["member"]), "/")
		if (fabric == "" || fabric == id) && c.seesFabric(id) && c.may("/nodes/"+node, "Sys.Audit", "Sys.Modify") {
			out = append(out, fabricNode(o))
		}
	}
	return out
}

// fabricNode is an entry without the key that it is kept under.
func fabricNode(o Object) Object {
	id, node, _ := strings.Cut(text(o["member"]), "/")
	return merged(o, []string{"member"}, Object{"fabric_id": id, "node_id": node})
}

func (c *call) fabric(id string) (Object, error) {
	if o := fabricFile.find(c.w, id); o != nil {
		return o, nil
	}
	return nil, fail("fabric '%s' does not exist", id)
}

func readFabric(c *call) (any, error) {
	o, err := c.fabric(c.vars["id"])
	return o, err
}

func (c *call) fabricMember() string { return c.vars["fabric_id"] + "/" + c.vars["node_id"] }

func readFabricNode(c *call) (any, error) {
	o := fabricNodesFile.find(c.w, c.fabricMember())
	if o == nil {
		return nil, fail("node '%s' does not exist in fabric '%s'", c.vars["node_id"], c.vars["fabric_id"])
	}
	return fabricNode(o), nil
}

// fabricOptions are the options that only fabrics of one protocol have.
var fabricOptions = map[string]string{"openfabric": "hello_interval csnp_interval", "ospf": "area"}

func (c *call) fabricFits(o Object) error {
	for protocol, options := range fabricOptions {
		for key := range strings.FieldsSeq(options) {
			if has(o, key) && o["protocol"] != protocol {
				return badParam(key, "unexpected property '"+key+"'")
			}
		}
	}
	if o["protocol"] == "ospf" && !has(o, "area") {
		return badParam("area", textMissing)
	}
	if !has(o, "ip_prefix") && !has(o, "ip6_prefix") {
		return fail("fabric '%s' needs an IPv4 or an IPv6 prefix", text(o["id"]))
	}
	return nil
}

func addFabric(c *call) (any, error) {
	return nil, c.sdnChange(func() error {
		o := c.stored("lock-token", "digest")
		if fabricFile.find(c.w, text(o["id"])) != nil {
			return fail("fabric '%s' already exists", text(o["id"]))
		}
		if err := c.fabricFits(o); err != nil {
			return err
		}
		fabricFile.store(c.w, o)
		return nil
	})
}

func changeFabric(c *call) (any, error) {
	return nil, c.sdnChange(func() error {
		old, err := c.fabric(c.vars["id"])
		if err != nil {
			return err
		}
		if err := fabricFile.unmodified(c); err != nil {
			return err
		}
		if old["protocol"] != c.param("protocol") {
			return badParam("protocol", "the protocol of a fabric cannot change")
		}
		o := merged(old, c.list("delete"), c.stored("lock-token", "digest", "delete", "id"))
		if err := c.fabricFits(o); err != nil {
			return err
		}
		fabricFile.store(c.w, o)
		return nil
	})
}

// removeFabric also removes its nodes.
func removeFabric(c *call) (any, error) {
	return nil, c.sdnChange(func() error {
		id := c.vars["id"]
		if _, err := c.fabric(id); err != nil {
			return err
		}
		if err := c.w.fabricUnused(id); err != nil {
			return err
		}
		for _, o := range slices.Clone(c.w.Cluster.Lists[fabricNodesFile.list]) {
			if strings.HasPrefix(text(o["member"]), id+"/") {
				fabricNodesFile.drop(c.w, text(o["member"]))
			}
		}
		fabricFile.drop(c.w, id)
		return nil
	})
}

func addFabricNode(c *call) (any, error) {
	return nil, c.sdnChange(func() error {
		f, err := c.fabric(c.vars["fabric_id"])
		if err != nil {
			return err
		}
		node := c.param("node_id")
		member := c.vars["fabric_id"] + "/" + node
		switch {
		case c.w.Node(node) == nil:
			return fail("no such cluster node '%s'", node)
		case fabricNodesFile.find(c.w, member) != nil:
			return fail("node '%s' already exists in fabric '%s'", node, c.vars["fabric_id"])
		case f["protocol"] != c.param("protocol"):
			return badParam("protocol", "fabric '"+text(f["id"])+"' is of protocol "+text(f["protocol"]))
		}
		fabricNodesFile.store(c.w, merged(c.stored("lock-token", "digest", "node_id", "fabric_id"), nil, Object{"member": member}))
		return nil
	})
}

func changeFabricNode(c *call) (any, error) {
	return nil, c.sdnChange(func() error {
		old := fabricNodesFile.find(c.w, c.fabricMember())
		if old == nil {
			return fail("node '%s' does not exist in fabric '%s'", c.vars["node_id"], c.vars["fabric_id"])
		}
		if err := fabricNodesFile.unmodified(c); err != nil {
			return err
		}
		fabricNodesFile.store(c.w, merged(old, c.list("delete"), c.stored("lock-token", "digest", "delete", "fabric_id", "node_id")))
		return nil
	})
}

func removeFabricNode(c *call) (any, error) {
	return nil, c.sdnChange(func() error {
		if fabricNodesFile.find(c.w, c.fabricMember()) == nil {
			return fail("node '%s' does not exist in fabric '%s'", c.vars["node_id"], c.vars["fabric_id"])
		}
		fabricNodesFile.drop(c.w, c.fabricMember())
		return nil
	})
}

// fabricUnused checks that no controller and no zone routes by a fabric (source: pve-network, API2/Network/SDN/Fabrics/Fabric.pm).
func (w *World) fabricUnused(id string) error {
	for _, o := range w.Cluster.Lists[sdnControllers.list] {
		if o["type"] == "evpn" && o["fabric"] == id {
			return fail("this fabric is still used in the EVPN controller \"%s\"", text(o["controller"]))
		}
	}
	for _, o := range w.Cluster.Lists[sdnZones.list] {
		if o["type"] == "vxlan" && o["fabric"] == id {
			return fail("this fabric is still used in the VXLAN zone \"%s\"", text(o["zone"]))
		}
	}
	return nil
}

// onFabric is whether a node can set a zone up: one that finds its peers by a fabric works where that is applied.
func (w *World) onFabric(n *Node, zone Object) bool {
	id := text(zone["fabric"])
	return id == "" || fabricNodesFile.among(w.Cluster.Applied[fabricNodesFile.list], id+"/"+n.Name) != nil
}
