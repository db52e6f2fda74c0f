package pvesim

import (
	"strconv"
	"time"
)

func resourceRoutes() []route {
	return []route{
		get("/cluster/resources", anyone, clusterResources),
	}
}

// statsExpire is after how long without a sign of life figures are dropped (faults.md 3.4).
const statsExpire = 300 * time.Second

// rowBytes is about how long a guest's row is.
const rowBytes = 420

func clusterResources(c *call) (any, error) {
	kind := c.param("type")
	list := &rows{buf: make([]byte, 0, rowBytes*(len(c.w.guests)+len(c.w.Nodes)*(1+len(c.w.Storages))))}
	if kind == "" {
		c.poolRows(list)
	}
	if kind == "" || kind == "vm" {
		c.guestRows(list)
	}
	if kind == "" || kind == "node" {
		for _, n := range c.w.Nodes {
			list.add(c.nodeRow(n, true))
		}
	}
	if kind == "" || kind == "storage" {
		c.storageRows(list)
	}
	if kind == "" {
		c.networkRows(list)
	}
	return list, nil
}

func (c *call) poolRows(list *rows) {
	for _, p := range c.w.Pools {
		if c.may("/pool/"+p.ID, "Pool.Audit") {
			list.add(fields{{"id", "/pool/" + p.ID}, {"type", "pool"}, {"pool", p.ID}})
		}
	}
}

// seesGuest is whether lists show the guest to the caller.
func (c *call) seesGuest(g *Guest) bool { return c.may("/vms/"+strconv.Itoa(g.VMID), "VM.Audit") }

func (c *call) guestRows(list *rows) {
	fresh := map[string]bool{}
	for _, n := range c.w.Nodes {
		fresh[n.Name] = c.fresh(n)
	}
	scratch := make(fields, 0, 24)
	for _, g := range c.w.Guests() {
		if c.seesGuest(g) {
			list.add(c.guestRow(scratch[:0], g, fresh[g.Node], true))
		}
	}
}

// guestRow is one guest in cluster/resources. Without figures it has lost its name, its template flag and all
// numbers, and its status is unknown (F15); lock and tags come from the configuration and stay.
func (c *call) guestRow(f fields, g *Guest, fresh, resources bool) fields {
	f = append(f, field{"id", g.Type + "/" + strconv.Itoa(g.VMID)}, field{"vmid", g.VMID}, field{"type", g.Type}, field{"node", g.Node})
	if resources {
		f = c.resourceFields(f, g)
	}
	seen := c.shown(g)
	if !fresh || seen == nil {
		f.add("status", "unknown")
		return f
	}
	return c.guestFigures(f, seen)
}

// resourceFields are those of a guest that a pool's list of members does not have (15/014).
func (c *call) resourceFields(f fields, g *Guest) fields {
	if g.Pool != "" && c.may("/pool/"+g.Pool, "Pool.Audit") {
		f.add("pool", g.Pool)
	}
	for _, k := range [...]string{"lock", "tags"} {
		if v, ok := g.Config[k]; ok {
			f.add(k, v)
		}
	}
	if c.w.haResource(g) != nil {
		if st := c.haState(g); st != nil {
			f.add("hastate", st)
		}
	}
	return f
}

// shown is what the statistics know of a guest, nil when they do not know it yet: what was sent last.
func (c *call) shown(g *Guest) *Guest {
	if g.last != nil && g.last.Node == g.Node {
		return g.last
	}
	if c.w.StatLag <= 0 || g.prev == nil || c.w.statTick(c.now) != c.w.statTick(g.changedAt) {
		return g
	}
	if !g.prev.known {
		return nil
	}
	return &g.prev.guest
}

// statTick numbers the intervals in which the statistics stay as they are.
func (w *World) statTick(at time.Time) int64 {
	return int64(at.Sub(w.TakenAt) / w.StatLag)
}

func (c *call) guestFigures(f fields, g *Guest) fields {
	l := c.told(g)
	f = append(f, field{"name", g.Name()}, field{"status", g.Status()}, field{"template", bit(g.Template())},
		field{"uptime", l.uptime(c.now)}, field{"maxcpu", g.cpus(c.w)}, field{"cpu", l.cpu()}, field{"maxmem", g.maxMem()},
		field{"mem", l.Mem}, field{"maxdisk", g.maxDisk()}, field{"disk", l.Disk}, field{"netin", l.NetIn}, field{"netout", l.NetOut},
		field{"diskread", l.DiskRead}, field{"diskwrite", l.DiskWrite}, field{"memhost", l.MemHost})
	return f
}

func (l Live) uptime(now time.Time) int64 {
	if !l.Running {
		return 0
	}
	if !l.seen.IsZero() {
		now = l.seen
	}
	return max(0, int64(now.Sub(l.Since)/time.Second))
}

// cpu keeps 0 an integer, as the API shows it.
func (l Live) cpu() any {
	if l.CPU == 0 {
		return 0
	}
	return l.CPU
}

// nodeRow is a node in cluster/resources and, with ssl_fingerprint in place of cgroup-mode, in /nodes. Those
// without rights see no figures (11/038, 11/039).
func (c *call) nodeRow(n *Node, resources bool) fields {
	f := fields{{"id", "node/" + n.Name}, {"node", n.Name}, {"type", "node"}}
	switch {
	case !c.w.reaches(c.w.Node(c.entry), n):
		f.add("status", "offline")
	case !c.fresh(n): // pve-manager, API2Tools.pm, extract_node_stats: online needs figures (F16)
		f.add("status", "unknown")
	default:
		f.add("status", "online")
	}
	f.add("level", "")
	if !resources {
		f.add("ssl_fingerprint", c.fingerprint(n))
	}
	if !c.fresh(n) {
		return f
	}
	if resources {
		f.add("cgroup-mode", 2)
	}
	if c.may("/nodes/"+n.Name, "Sys.Audit") {
		f = append(f, c.nodeFigures(n)...)
	}
	return f
}

func (c *call) nodeFigures(n *Node) fields {
	l, root := c.toldNode(n), n.hardware("rootfs")
	return fields{{"uptime", n.uptime(c.now)}, {"cpu", Live{CPU: l.cpu}.cpu()}, {"maxcpu", n.hardware("cpuinfo")["cpus"]}, {"mem", l.mem},
		{"maxmem", n.hardware("memory")["total"]}, {"disk", root["used"]}, {"maxdisk", root["total"]}}
}

// uptime is that of the last figures of a node that is off.
func (n *Node) uptime(now time.Time) int64 {
	if !n.Online && !n.DownSince.IsZero() {
		now = n.DownSince
	}
	return max(0, int64(now.Sub(n.Booted)/time.Second))
}

// storageRows lists each storage once per node that has it; a shared one too, with equal figures (F43).
func (c *call) storageRows(list *rows) {
	for _, def := range c.w.Storages {
		id := text(def["storage"])
		if truth(def["disable"]) || !c.may("/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace", "Datastore.Allocate") {
			continue
		}
		for _, n := range c.w.Nodes {
			if storedOn(def, n.Name) {
				list.add(c.storageRow(def, n))
			}
		}
	}
}

// storedOn is whether a storage definition is meant for a node.
func storedOn(def Object, node string) bool {
	nodes := text(def["nodes"])
	return nodes == "" || contains(splitList(nodes), node)
}

func (c *call) storageRow(def Object, n *Node) fields {
	id := text(def["storage"])
	f := fields{{"id", "storage/" + n.Name + "/" + id}, {"storage", id}, {"node", n.Name}, {"type", "storage"},
		{"plugintype", def["type"]}, {"content", def["content"]}, {"shared", bit(truth(def["shared"]))}}
	status := n.storage(id)
	if status == nil || !c.fresh(n) || !truth(status["active"]) {
		f.add("status", "unknown")
		return f
	}
	return append(f, field{"status", "available"}, field{"disk", status["used"]}, field{"maxdisk", status["total"]})
}

// storage gives the node's status of a storage.
func (n *Node) storage(id string) Object {
	for _, s := range n.Storage {
		if s["storage"] == id {
			return s
		}
	}
	return nil
}

func (c *call) networkRows(list *rows) {
	for _, o := range c.w.Cluster.Resources {
		zone := text(o["network"])
		if zone == "" {
			zone = text(o["sdn"])
		}
		if !c.may("/sdn/zones/"+zone, "SDN.Audit", "SDN.Allocate", "SDN.Use") {
			continue
		}
		var f fields
		for k, v := range o {
			f.add(k, v)
		}
		list.add(f)
	}
}
