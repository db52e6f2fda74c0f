package pvesim

import (
	"time"
)

// In worlds that are made, figures of load move: what Live and Node hold was true at one time, and from there each follows a
// curve, into the past as well. All answers take them from here (status/current, cluster/resources, rrddata, metrics), so they
// agree: a counter grows by what rrddata tells as its rate. Those of recorded worlds stay as they were recorded.

// How much the figures of guests and nodes swing.
const (
	swingLoad   = 0.6
	swingMemory = 0.08
	swingIO     = 0.8
)

// What a seed is for, beside a vmid or the number of a node.
const (
	seedLoad = iota << 40
	seedMemory
	seedIO
	seedNode
)

// taken is when the figures of a guest were true: those of a world as it was made, or as the guest was started.
func (w *World) taken(l *Live) time.Time {
	switch {
	case !l.at.IsZero():
		return l.at
	case l.Since.After(w.TakenAt):
		return l.Since
	}
	return w.TakenAt
}

// live is the state of a guest with its figures at a time.
func (w *World) live(g *Guest, at time.Time) Live { return w.liveMean(g, at, 0) }

// liveMean is live with the mean load over a step that ends then.
func (w *World) liveMean(g *Guest, at time.Time, step time.Duration) Live {
	return w.liveLoad(g, at, step, true)
}

// liveLoad is liveMean, with counters that have moved or as they were.
func (w *World) liveLoad(g *Guest, at time.Time, step time.Duration, counters bool) Live {
	l := g.Live
	if w.recorded || !l.Running || l.Paused {
		return l
	}
	if !l.seen.IsZero() && at.After(l.seen) {
		at = l.seen
	}
	from, seed := w.taken(&l), uint64(g.VMID)
	if step > 0 || !at.Equal(from) {
		memory := curveOf(seed|seedMemory, swingMemory)
		used := memory.at(at, step) / memory.at(from, 0)
		l.Mem, l.MemHost = min(int64(float64(l.Mem)*used), g.maxMem()), int64(float64(l.MemHost)*used)
		if load := curveOf(seed|seedLoad, swingLoad); l.CPU > 0 {
			l.CPU *= load.at(at, step) / load.at(from, 0)
		}
		if counters {
			l.grow(g, from, at)
		}
	}
	w.surge(g, &l, at)
	l.cpuWait, l.CPU = 100*max(0, l.CPU-crowded), min(1, l.CPU)
	return l
}

// crowded is the load above which a guest waits for its processors.
const crowded = 0.7

// diskDays is how long the data of a container takes to become twice as much.
const diskDays = 2000

// grow moves what counts: traffic, and the disk of a container.
func (l *Live) grow(g *Guest, from, at time.Time) {
	io := curveOf(uint64(g.VMID)|seedIO, swingIO)
	rates, passed := l.ratesBy(g, &io, from), io.between(from, at)
	for i, n := range [...]*int64{&l.NetIn, &l.NetOut, &l.DiskRead, &l.DiskWrite} {
		*n = max(0, *n+int64(rates[i]*passed))
	}
	if l.Disk > 0 {
		l.Disk = min(int64(float64(l.Disk)*(1+at.Sub(from).Hours()/24/diskDays)), max(l.Disk, g.maxDisk()))
	}
}

// ratesBy are how fast the counters grow at a factor of 1, in bytes per second: as they did since the start, or by the guest's
// number where that is not known.
func (l *Live) ratesBy(g *Guest, io *curve, from time.Time) [4]float64 {
	span := 0.0
	if from.After(l.Since) {
		span = io.between(l.Since, from)
	}
	var out [4]float64
	for i, n := range [...]int64{l.NetIn, l.NetOut, l.DiskRead, l.DiskWrite} {
		out[i] = float64(400 + mix(uint64(g.VMID*4+i))%4000)
		if n > 0 && span > 0 {
			out[i] = float64(n) / span
		}
	}
	return out
}

// stalled is the share of time in percent that a guest without a surge waits for disks, for each part of its load.
const stalled = 1.5

// surge adds what the guest does beyond its everyday load.
func (w *World) surge(g *Guest, l *Live, at time.Time) {
	l.ioWait = stalled * l.CPU
	s := g.Surge
	if !w.surging(s, l.Since, at) {
		return
	}
	secs := at.Sub(s.Since).Seconds()
	l.CPU += s.CPU
	for _, c := range [...]struct {
		n    *int64
		rate int64
	}{{&l.NetIn, s.NetIn}, {&l.NetOut, s.NetOut}, {&l.DiskRead, s.DiskRead}, {&l.DiskWrite, s.DiskWrite}} {
		*c.n += int64(float64(c.rate) * secs)
	}
	l.ioWait += s.wait(uint64(g.VMID), at)
}

// surging is whether a surge goes on at a time: it ends when the guest is started anew, or when its cause ends.
func (w *World) surging(s *Surge, since, at time.Time) bool {
	if s == nil || at.Before(s.Since) || since.After(s.Since) {
		return false
	}
	if s.Cause == 0 {
		return true
	}
	g := w.Guest(s.Cause)
	return g != nil && g.Live.Running && w.surging(g.Surge, g.Live.Since, at)
}

// wait is the share of time that a surge makes wait, which goes up and down a little.
func (s *Surge) wait(seed uint64, at time.Time) float64 {
	c := curveOf(seed|seedIO, 0.15)
	return s.IOWait * c.at(at, 0)
}

// nodeLive are the figures of a node: its own part and that of its guests.
type nodeLive struct {
	cpu, wait, in, out float64
	mem                int64
}

// startFigures learns what part of the figures of nodes is their own and not that of their guests.
func (w *World) startFigures() {
	for _, n := range w.Nodes {
		n.own = nodeLive{}
		sum := w.nodeLive(n, w.TakenAt, 0)
		n.own = nodeLive{cpu: max(ownCPU, n.CPU-sum.cpu), mem: max(ownMemory, n.Mem-sum.mem), in: ownTraffic, out: ownTraffic}
		if !n.Online {
			n.own = nodeLive{cpu: ownCPU, mem: ownMemory, in: ownTraffic, out: ownTraffic}
		}
	}
}

// The least that a node needs for itself.
const (
	ownCPU     = 0.01
	ownMemory  = int64(1500 * mib)
	ownTraffic = 3000.0
)

// nodeLive gives the figures of a node at a time, as means over a step that ends then.
func (w *World) nodeLive(n *Node, at time.Time, step time.Duration) nodeLive {
	return w.nodeSum(n, w.running()[n.Name], at, step, func(g *Guest) Live { return w.liveLoad(g, at, step, step > 0) })
}

// nodeSum is nodeLive for a node whose guests are known, and live what they have then.
func (w *World) nodeSum(n *Node, guests []*Guest, at time.Time, step time.Duration, live func(*Guest) Live) nodeLive {
	if w.recorded {
		return nodeLive{cpu: n.CPU, mem: n.Mem}
	}
	sum, cpus := n.own, float64(w.nodeCPUs(n.Name))
	c := curveOf(uint64(n.ID)|seedNode, swingLoad)
	sum.cpu *= c.at(at, step)
	for _, g := range guests {
		if at.Before(g.Live.Since) {
			continue
		}
		l := live(g)
		sum.cpu += l.CPU * number(g.cpus(w)) / cpus
		sum.mem += l.Mem
		if step > 0 {
			r := w.rates(g, &l, at, step)
			sum.in, sum.out = sum.in+r[0], sum.out+r[1]
		}
	}
	if sum.wait = 0.02 * sum.cpu; w.surging(n.Surge, n.Booted, at) {
		sum.wait += n.Surge.wait(uint64(n.ID)|seedNode, at) / 100
	}
	sum.cpu = min(1, sum.cpu)
	if total := integer(n.hardware("memory")["total"]); total > 0 {
		sum.mem = min(sum.mem, total*99/100)
	}
	return sum
}

// running are the guests that run by their node, in order: sums of fractions depend on it.
func (w *World) running() map[string][]*Guest {
	w.sortGuests()
	list := map[string][]*Guest{}
	for _, id := range w.order {
		if g := w.guests[id]; g.Live.Running {
			list[g.Node] = append(list[g.Node], g)
		}
	}
	return list
}

// rates are how fast the counters of a guest grew in the step that ended then, in bytes per second; l is the guest at its end.
func (w *World) rates(g *Guest, l *Live, at time.Time, step time.Duration) [4]float64 {
	before, secs := Live{}, step.Seconds()
	if begin := at.Add(-step); begin.After(l.Since) {
		before = w.live(g, begin)
	}
	return [...]float64{float64(l.NetIn-before.NetIn) / secs, float64(l.NetOut-before.NetOut) / secs, float64(l.DiskRead-before.DiskRead) / secs,
		float64(l.DiskWrite-before.DiskWrite) / secs}
}

// load is the load average of a node: what runs and what waits for disks.
func (l *nodeLive) load(cpus float64) float64 { return (l.cpu + 0.6*l.wait) * cpus }
