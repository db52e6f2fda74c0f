package pvesim

import (
	"strconv"
	"time"
)

func metricsRoutes() []route {
	return []route{get("/cluster/metrics/export", need("/", "Sys.Audit"), exportMetrics)}
}

const (
	// metricStep is how often pvestatd takes figures, metricHistory how many of its rounds are kept: half an hour.
	metricStep    = 10 * time.Second
	metricHistory = 180
	// mostPoints bounds one answer; of very large clusters the oldest rounds are left out.
	mostPoints = 1_000_000
)

// metrics collects points: one value of one metric at one time (schema: id, metric, timestamp, type, value).
type metrics struct {
	c     *call
	out   rows
	count int
	at    time.Time
}

func (m *metrics) point(id, metric, kind string, value any) {
	if value == nil {
		return
	}
	m.count++
	m.out.add(fields{{"id", id}, {"metric", metric}, {"timestamp", m.at.Unix()}, {"type", kind}, {"value", value}})
}

// exportMetrics gives the newest values of nodes, guests and storages, with history=1 those of the last half hour too.
func exportMetrics(c *call) (any, error) {
	m := &metrics{c: c}
	newest, rounds := c.now.Truncate(metricStep), 1
	if truth(c.params["history"]) && !c.w.recorded {
		rounds = metricHistory
	}
	for i := range rounds {
		m.at = newest.Add(-time.Duration(i) * metricStep)
		before := m.count
		if m.at.Unix() < integer(c.params["start-time"]) || before+before/max(1, i) > mostPoints {
			break
		}
		m.round()
	}
	return Object{"data": &m.out}, nil
}

// round are the figures of one time.
func (m *metrics) round() {
	c := m.c
	wanted := splitList(c.param("node-list"))
	for _, n := range c.w.Nodes {
		if !n.Online || !c.fresh(n) || m.at.Before(n.Booted) || c.param("local-only") == "1" && n.Name != c.entry ||
			len(wanted) > 0 && !contains(wanted, n.Name) {
			continue
		}
		m.node(n)
	}
}

// figures are the samples of a time by name.
func figures(list fields) Object {
	o := Object{}
	for _, f := range list {
		o[f.key] = f.val
	}
	return o
}

func (m *metrics) node(n *Node) {
	id := "node/" + n.Name
	s := figures(n.sampler(m.c.w)(m.at, metricStep))
	m.point(id, "uptime", "gauge", n.uptime(m.at))
	for _, p := range [][2]string{{"cpu_current", "cpu"}, {"cpu_max", "maxcpu"}, {"cpu_avg1", "loadavg"}, {"cpu_iowait", "iowait"}, {"mem_total", "memtotal"},
		{"mem_used", "memused"}, {"swap_total", "swaptotal"}, {"swap_used", "swapused"}, {"disk_total", "roottotal"}, {"disk_used", "rootused"}} {
		m.point(id, p[0], "gauge", s[p[1]])
	}
	for _, g := range m.c.w.Guests() {
		if g.Node == n.Name {
			m.guest(g)
		}
	}
	for _, s := range n.Storage {
		if truth(s["active"]) {
			sid := "storage/" + n.Name + "/" + text(s["storage"])
			m.point(sid, "disk_total", "gauge", s["total"])
			m.point(sid, "disk_used", "gauge", s["used"])
		}
	}
}

func (m *metrics) guest(g *Guest) {
	id, l := g.Type+"/"+strconv.Itoa(g.VMID), m.c.w.live(g, m.at)
	running := l.Running && !m.at.Before(l.Since)
	up := int64(0)
	if running {
		up = l.uptime(m.at)
	}
	m.point(id, "uptime", "gauge", up)
	m.point(id, "cpu_max", "gauge", g.cpus(m.c.w))
	m.point(id, "mem_total", "gauge", g.maxMem())
	m.point(id, "disk_total", "gauge", g.maxDisk())
	if !running {
		return
	}
	m.point(id, "cpu_current", "gauge", l.cpu())
	m.point(id, "mem_used", "gauge", l.Mem)
	m.point(id, "disk_used", "gauge", l.Disk)
	for _, counter := range []struct {
		name string
		n    int64
	}{{"net_in", l.NetIn}, {"net_out", l.NetOut}, {"disk_read", l.DiskRead}, {"disk_write", l.DiskWrite}} {
		m.point(id, counter.name, "derive", counter.n)
	}
}
