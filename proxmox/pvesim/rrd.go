package pvesim

import (
	"slices"
	"sync"
	"time"
)

// rrdFrame is how far apart the points of a time frame are and how many there are.
type rrdFrame struct {
	step  time.Duration
	count int
}

// rrdFrames are those of the files since 9.0; an hour has 59 or 60 points, as its begin falls (02/081: 59).
var rrdFrames = sync.OnceValue(func() map[string]rrdFrame {
	return map[string]rrdFrame{
		"hour": {time.Minute, 59}, "day": {time.Minute, 1440}, "week": {30 * time.Minute, 336}, "month": {30 * time.Minute, 1440},
		"year": {6 * time.Hour, 1440}, "decade": {7 * 24 * time.Hour, 570},
	}
})

func rrdRoutes() []route {
	guest := need("/vms/{vmid}", "VM.Audit")
	return daemon(
		get("/nodes/{node}/rrddata", need("/nodes/{node}", "Sys.Audit"), nodeRRD),
		get("/nodes/{node}/qemu/{vmid}/rrddata", guest, of(typeQEMU, guestRRD)),
		get("/nodes/{node}/lxc/{vmid}/rrddata", guest, of(typeLXC, guestRRD)),
		get("/nodes/{node}/storage/{storage}/rrddata", need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace"), storageRRD))
}

// sampler gives the figures of a time that is past, as means over the step that ends then; nil where nobody took any.
type sampler func(at time.Time, step time.Duration) fields

// series makes the points of the time frame. Points without samples hold nothing but their time (facts 52). A recorded
// world tells nothing of its past, so only the newest point of it has values.
func (c *call) series(sample sampler) []fields {
	frame := rrdFrames()[c.param("timeframe")]
	last := c.now.Truncate(frame.step)
	out := make([]fields, 0, frame.count)
	for i := frame.count - 1; i >= 0; i-- {
		at := last.Add(-time.Duration(i) * frame.step)
		p := fields{{"time", at.Unix()}}
		if i == 0 || !c.w.recorded {
			p = append(p, sample(at, frame.step)...)
		}
		out = append(out, p)
	}
	return out
}

// hardware is the part of a node's status that its figures are about.
func (n *Node) hardware(part string) Object {
	status, _ := n.Info["status"].(Object)
	o, _ := status[part].(Object)
	return o
}

func nodeRRD(c *call) (any, error) { return c.series(c.node.sampler(c.w)), nil }

// sampler tells the figures of a node since it was started.
func (n *Node) sampler(w *World) sampler {
	memory, swap, root, cpus := n.hardware("memory"), n.hardware("swap"), n.hardware("rootfs"), float64(w.nodeCPUs(n.Name))
	guests := w.running()[n.Name]
	return func(at time.Time, step time.Duration) fields {
		if at.Before(n.Booted) {
			return nil
		}
		l := w.nodeSum(n, guests, at, step, func(g *Guest) Live { return w.liveMean(g, at, step) })
		io := 100 * l.wait
		return fields{{"cpu", Live{CPU: l.cpu}.cpu()}, {"maxcpu", n.hardware("cpuinfo")["cpus"]}, {"loadavg", l.load(cpus)}, {"iowait", l.wait},
			{"memused", l.mem}, {"memtotal", memory["total"]}, {"memavailable", integer(memory["total"]) - l.mem},
			{"swapused", swap["used"]}, {"swaptotal", swap["total"]}, {"arcsize", 0},
			{"rootused", root["used"]}, {"roottotal", root["total"]}, {"netin", l.in}, {"netout", l.out},
			{"pressurecpusome", hundredths(8 * l.cpu)}, {"pressureiosome", hundredths(io)}, {"pressureiofull", hundredths(0.8 * io)},
			{"pressurememorysome", 0}, {"pressurememoryfull", 0}}
	}
}

func guestRRD(c *call, g *Guest) (any, error) { return c.series(g.sampler(c.w)), nil }

// sampler tells the figures of a guest; while it was off it had none but its sizes, and before it was made none at all.
func (g *Guest) sampler(w *World) sampler {
	made := time.Unix(integer(driveOption(text(g.Config["meta"]), "ctime")), 0)
	always := fields{{"maxcpu", g.cpus(w)}, {"maxmem", g.maxMem()}, {"maxdisk", g.maxDisk()}}
	return func(at time.Time, step time.Duration) fields {
		switch {
		case at.Before(made):
			return nil
		case !g.Live.Running || at.Before(g.Live.Since):
			return append(slices.Clip(always), field{"disk", 0})
		}
		l := w.liveMean(g, at, step)
		r := w.rates(g, &l, at, step)
		f := append(slices.Clip(always), field{"disk", l.Disk}, field{"cpu", l.cpu()}, field{"mem", l.Mem}, field{"memhost", l.MemHost},
			field{"netin", r[0]}, field{"netout", r[1]}, field{"diskread", r[2]}, field{"diskwrite", r[3]})
		for i, v := range l.pressure() {
			f.add(pressures[i], hundredths(v))
		}
		return f
	}
}

// fillDays is how long a storage takes to get from empty to where it is, as its past shows it.
const fillDays = 900

func storageRRD(c *call) (any, error) {
	s := c.node.storage(c.vars["storage"])
	if s == nil {
		return nil, badParam("storage", "No such storage.")
	}
	return c.series(func(at time.Time, _ time.Duration) fields {
		if !truth(s["active"]) {
			return nil
		}
		grown := max(0.2, 1-c.now.Sub(at).Hours()/24/fillDays)
		return fields{{"total", s["total"]}, {"used", int64(float64(integer(s["used"])) * grown)}}
	}), nil
}
