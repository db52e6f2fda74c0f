package pvesim

import "time"

// rrdSteps are the distance between two points of a time frame; there are about 60 to 70 points of each.
var rrdSteps = map[string]time.Duration{
	"hour": time.Minute, "day": 30 * time.Minute, "week": 3 * time.Hour, "month": 12 * time.Hour, "year": 7 * 24 * time.Hour,
	"decade": 7 * 24 * time.Hour,
}

// rrdPoints is how many points an hour has (02/081: 59).
const rrdPoints = 59

func rrdRoutes() []route {
	guest := need("/vms/{vmid}", "VM.Audit")
	return daemon(
		get("/nodes/{node}/rrddata", need("/nodes/{node}", "Sys.Audit"), nodeRRD),
		get("/nodes/{node}/qemu/{vmid}/rrddata", guest, of(typeQEMU, guestRRD)),
		get("/nodes/{node}/lxc/{vmid}/rrddata", guest, of(typeLXC, guestRRD)),
		get("/nodes/{node}/storage/{storage}/rrddata", need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace"), storageRRD))
}

// series makes the points. A simulator keeps no history: only the newest point has values, and those before it
// hold nothing but their time, as points without samples do (facts 52).
func (c *call) series(newest fields) []fields {
	step := rrdSteps[c.param("timeframe")]
	last := c.now.Truncate(step)
	out := make([]fields, 0, rrdPoints)
	for i := rrdPoints - 1; i >= 0; i-- {
		p := fields{{"time", last.Add(-time.Duration(i) * step).Unix()}}
		if i == 0 {
			p = append(p, newest...)
		}
		out = append(out, p)
	}
	return out
}

func nodeRRD(c *call) (any, error) {
	status, _ := c.node.Info["status"].(Object)
	cpu, _ := status["cpuinfo"].(Object)
	memory, _ := status["memory"].(Object)
	rootfs, _ := status["rootfs"].(Object)
	return c.series(fields{{"cpu", Live{CPU: c.node.CPU}.cpu()}, {"maxcpu", cpu["cpus"]}, {"memused", c.node.Mem},
		{"memtotal", memory["total"]}, {"rootused", rootfs["used"]}, {"roottotal", rootfs["total"]}}), nil
}

func guestRRD(c *call, g *Guest) (any, error) {
	f := fields{{"maxcpu", g.cpus(c.w)}, {"maxmem", g.maxMem()}, {"maxdisk", g.maxDisk()}, {"disk", g.Live.Disk}}
	if g.Live.Running {
		l := g.Live
		f = append(f, field{"cpu", l.cpu()}, field{"mem", l.Mem}, field{"netin", l.NetIn}, field{"netout", l.NetOut},
			field{"diskread", l.DiskRead}, field{"diskwrite", l.DiskWrite})
	}
	return c.series(f), nil
}

func storageRRD(c *call) (any, error) {
	s := c.node.storage(c.vars["storage"])
	if s == nil {
		return nil, badParam("storage", "No such storage.")
	}
	return c.series(fields{{"total", s["total"]}, {"used", s["used"]}}), nil
}
