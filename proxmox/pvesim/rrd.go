package pvesim

import (
	"slices"
	"strconv"
	"time"
)

// rrdFrame is how far apart the points of a time frame are and how many there are.
type rrdFrame struct {
	step  time.Duration
	count int
}

// rrdFrames are those of the files since 9.0; an hour has 59 or 60 points, as its begin falls (02/081: 59).
var rrdFrames = map[string]rrdFrame{
	"hour": {time.Minute, 59}, "day": {time.Minute, 1440}, "week": {30 * time.Minute, 336}, "month": {30 * time.Minute, 1440},
	"year": {6 * time.Hour, 1440}, "decade": {7 * 24 * time.Hour, 570},
}

func rrdRoutes() []route {
	guest := need("/vms/{vmid}", "VM.Audit")
	return daemon(
		get("/nodes/{node}/rrddata", need("/nodes/{node}", "Sys.Audit"), nodeRRD),
		get("/nodes/{node}/qemu/{vmid}/rrddata", guest, of(typeQEMU, guestRRD)),
		get("/nodes/{node}/lxc/{vmid}/rrddata", guest, of(typeLXC, guestRRD)),
		get("/nodes/{node}/storage/{storage}/rrddata", need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace"), storageRRD))
}

// sampler gives the figures of a time that is past; nil where nobody took any.
type sampler func(at time.Time) fields

// series makes the points of the time frame. Points without samples hold nothing but their time (facts 52). A recorded
// world tells nothing of its past, so only the newest point of it has values.
func (c *call) series(sample sampler) []fields {
	frame := rrdFrames[c.param("timeframe")]
	last := c.now.Truncate(frame.step)
	out := make([]fields, 0, frame.count)
	for i := frame.count - 1; i >= 0; i-- {
		at := last.Add(-time.Duration(i) * frame.step)
		p := fields{{"time", at.Unix()}}
		if i == 0 || !c.w.recorded {
			p = append(p, sample(at)...)
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

func nodeRRD(c *call) (any, error) { return c.series(c.node.sampler(c.w, c.now)), nil }

// sampler tells the figures of a node since it was started.
func (n *Node) sampler(w *World, now time.Time) sampler {
	load, memory, net := curveOf(n.Name, 0.5), curveOf(n.Name+" memory", 0.12), curveOf(n.Name+" net", 0.8)
	total, cpus := float64(integer(n.hardware("memory")["total"])), number(n.hardware("cpuinfo")["cpus"])
	in, out := w.traffic(n, now)
	return func(at time.Time) fields {
		if at.Before(n.Booted) {
			return nil
		}
		cpu := min(1, load.past(n.CPU, at, now))
		used := min(0.99*total, memory.past(float64(n.Mem), at, now))
		return fields{{"cpu", Live{CPU: cpu}.cpu()}, {"maxcpu", n.hardware("cpuinfo")["cpus"]}, {"loadavg", cpu * cpus}, {"iowait", 0.02 * cpu},
			{"memused", int64(used)}, {"memtotal", n.hardware("memory")["total"]}, {"memavailable", int64(total - used)},
			{"swapused", n.hardware("swap")["used"]}, {"swaptotal", n.hardware("swap")["total"]}, {"arcsize", 0},
			{"rootused", n.hardware("rootfs")["used"]}, {"roottotal", n.hardware("rootfs")["total"]},
			{"netin", net.past(in, at, now)}, {"netout", net.past(out, at, now)},
			{"pressurecpusome", 8 * cpu}, {"pressureiosome", 0.3 * cpu}, {"pressureiofull", 0.2 * cpu}, {"pressurememorysome", 0}, {"pressurememoryfull", 0}}
	}
}

// traffic is what the guests of a node receive and send, in bytes per second.
func (w *World) traffic(n *Node, now time.Time) (in, out float64) {
	for _, g := range w.Guests() {
		if g.Node == n.Name && g.Live.Running {
			in += perSecond(g.Live.NetIn, g.Live, now)
			out += perSecond(g.Live.NetOut, g.Live, now)
		}
	}
	return in, out
}

// perSecond is the mean rate of a counter since the guest was started.
func perSecond(n int64, l Live, now time.Time) float64 {
	return float64(n) / max(1, now.Sub(l.Since).Seconds())
}

func guestRRD(c *call, g *Guest) (any, error) { return c.series(g.sampler(c.w, c.now)), nil }

// sampler tells the figures of a guest; while it was off it had none but its sizes, and before it was made none at all.
func (g *Guest) sampler(w *World, now time.Time) sampler {
	name, l := g.Type+strconv.Itoa(g.VMID), g.Live
	load, memory, io := curveOf(name, 0.6), curveOf(name+" memory", 0.1), curveOf(name+" io", 0.8)
	made := time.Unix(integer(driveOption(text(g.Config["meta"]), "ctime")), 0)
	always := fields{{"maxcpu", g.cpus(w)}, {"maxmem", g.maxMem()}, {"maxdisk", g.maxDisk()}, {"disk", l.Disk}}
	return func(at time.Time) fields {
		switch {
		case at.Before(made):
			return nil
		case !l.Running || at.Before(l.Since.Add(-time.Minute)):
			return always
		}
		mem := min(float64(g.maxMem()), memory.past(float64(l.Mem), at, now))
		rate := func(n int64) float64 { return io.past(perSecond(n, l, now), at, now) }
		return append(slices.Clip(always), field{"cpu", Live{CPU: min(1, load.past(l.CPU, at, now))}.cpu()}, field{"mem", int64(mem)},
			field{"netin", rate(l.NetIn)}, field{"netout", rate(l.NetOut)}, field{"diskread", rate(l.DiskRead)}, field{"diskwrite", rate(l.DiskWrite)})
	}
}

// fillDays is how long a storage takes to get from empty to where it is, as its past shows it.
const fillDays = 900

func storageRRD(c *call) (any, error) {
	s := c.node.storage(c.vars["storage"])
	if s == nil {
		return nil, badParam("storage", "No such storage.")
	}
	wobble := curveOf(c.node.Name+text(s["storage"]), 0.01)
	return c.series(func(at time.Time) fields {
		if !truth(s["active"]) {
			return nil
		}
		grown := max(0.2, 1-c.now.Sub(at).Hours()/24/fillDays)
		used := min(float64(integer(s["total"])), wobble.past(float64(integer(s["used"])), at, c.now)*grown)
		return fields{{"total", s["total"]}, {"used", int64(used)}}
	}), nil
}
