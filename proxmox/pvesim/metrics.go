package pvesim

import "strconv"

func metricsRoutes() []route {
	return []route{get("/cluster/metrics/export", need("/", "Sys.Audit"), exportMetrics)}
}

// point is one value of metrics/export (schema: id, metric, timestamp, type, value).
func point(id, metric, kind string, at int64, value any) fields {
	return fields{{"id", id}, {"metric", metric}, {"timestamp", at}, {"type", kind}, {"value", value}}
}

// exportMetrics gives the newest values of nodes, guests and storages. There is no history to give (see series):
// with history=1 the answer is the same, from start-time on.
func exportMetrics(c *call) (any, error) {
	at := c.now.Unix()
	at -= at % 10 // pvestatd's step
	list := []fields{}
	if at < integer(c.params["start-time"]) {
		return Object{"data": list}, nil
	}
	wanted := splitList(c.param("node-list"))
	for _, n := range c.w.Nodes {
		if !n.Online || !n.statsFresh(c.now) || c.param("local-only") == "1" && n.Name != c.entry ||
			len(wanted) > 0 && !contains(wanted, n.Name) {
			continue
		}
		list = c.exportNode(list, n, at)
	}
	return Object{"data": list}, nil
}

func (c *call) exportNode(list []fields, n *Node, at int64) []fields {
	id := "node/" + n.Name
	list = append(list, point(id, "uptime", "gauge", at, n.uptime(c.now)), point(id, "cpu_current", "gauge", at, n.CPU),
		point(id, "mem_used", "gauge", at, n.Mem))
	for _, g := range c.w.Guests() {
		if g.Node == n.Name {
			list = c.exportGuest(list, g, at)
		}
	}
	for _, s := range n.Storage {
		if truth(s["active"]) {
			sid := "storage/" + n.Name + "/" + text(s["storage"])
			list = append(list, point(sid, "disk_total", "gauge", at, s["total"]), point(sid, "disk_used", "gauge", at, s["used"]))
		}
	}
	return list
}

func (c *call) exportGuest(list []fields, g *Guest, at int64) []fields {
	id, l := g.Type+"/"+strconv.Itoa(g.VMID), g.Live
	list = append(list, point(id, "uptime", "gauge", at, l.uptime(c.now)), point(id, "mem_total", "gauge", at, g.maxMem()))
	if !l.Running {
		return list
	}
	return append(list, point(id, "cpu_current", "gauge", at, l.CPU), point(id, "mem_used", "gauge", at, l.Mem),
		point(id, "net_in", "derive", at, l.NetIn), point(id, "net_out", "derive", at, l.NetOut),
		point(id, "disk_read", "derive", at, l.DiskRead), point(id, "disk_write", "derive", at, l.DiskWrite))
}
