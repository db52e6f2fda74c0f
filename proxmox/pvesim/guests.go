package pvesim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// masked is what the API shows in place of a stored cloud-init password.
const masked = "**********"

// guestRoutes are those that virtual machines and containers share.
func guestRoutes() []route {
	var list []route
	for _, kind := range []string{typeQEMU, typeLXC} {
		base := "/nodes/{node}/" + kind
		audit := need("/vms/{vmid}", "VM.Audit")
		list = append(list,
			get(base+"/{vmid}/config", audit, of(kind, guestConfig)),
			get(base+"/{vmid}/pending", audit, of(kind, guestPending)))
		list = append(list, daemon(
			get(base, anyone, listGuests(kind)),
			get(base+"/{vmid}/status/current", audit, of(kind, guestCurrent)))...)
	}
	return list
}

// guestHandler answers for one guest that exists on the node.
type guestHandler func(*call, *Guest) (any, error)

// of finds the guest of the path. One on another node or of the other kind does not exist here (F32).
func of(kind string, h guestHandler) handler {
	return func(c *call) (any, error) {
		id, err := strconv.Atoi(c.vars["vmid"])
		if err != nil {
			return nil, badParam("vmid", "type check ('integer') failed - got '"+c.vars["vmid"]+"'")
		}
		g := c.w.Guest(id)
		if g == nil || g.Type != kind || g.Node != c.node.Name {
			return nil, noConfig(c.node.Name, kind, id)
		}
		return h(c, g)
	}
}

func noConfig(node, kind string, id int) error {
	dir := "qemu-server"
	if kind == typeLXC {
		dir = "lxc"
	}
	return fail("Configuration file 'nodes/%s/%s/%d.conf' does not exist", node, dir, id)
}

func listGuests(kind string) handler {
	return func(c *call) (any, error) {
		list := []fields{}
		for _, g := range c.w.Guests() {
			if g.Type == kind && g.Node == c.node.Name && c.seesGuest(g) {
				list = append(list, c.figures(g, false, c.param("full") == "1"))
			}
		}
		return list, nil
	}
}

func guestConfig(c *call, g *Guest) (any, error) {
	if name := c.param("snapshot"); name != "" {
		return c.snapshotConfig(g, name)
	}
	config := g.merged()
	if c.param("current") == "1" {
		config = clone(g.Config)
	}
	config["digest"] = g.Digest
	return maskPassword(config), nil
}

// snapshotConfig is a snapshot's configuration with the digest of the whole file (04/116).
func (c *call) snapshotConfig(g *Guest, name string) (any, error) {
	if c.param("current") == "1" {
		text := "cannot use 'snapshot' parameter with 'current'"
		return nil, badParams(map[string]string{"snapshot": text, "current": text})
	}
	s := g.snapshot(name)
	if s == nil {
		return nil, noSnapshot(name)
	}
	config := clone(s.Config)
	config["digest"] = g.Digest
	return maskPassword(config), nil
}

func maskPassword(config Object) Object {
	if has(config, "cipassword") {
		config["cipassword"] = masked
	}
	return config
}

// guestPending lists each key with its value in effect and what waits, and the digest as if it were a key (facts 41).
func guestPending(_ *call, g *Guest) (any, error) {
	list := []Object{{"key": "digest", "value": g.Digest}}
	config := maskPassword(clone(g.Config))
	pending := maskPassword(clone(g.Pending))
	keys := map[string]bool{}
	for k := range config {
		keys[k] = true
	}
	for k := range pending {
		keys[k] = true
	}
	for _, k := range g.Deleted {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		e := Object{"key": k}
		if v, ok := config[k]; ok {
			e["value"] = v
		}
		if v, ok := pending[k]; ok {
			e["pending"] = v
		}
		if slices.Contains(g.Deleted, k) {
			e["delete"] = 1 + bit(slices.Contains(g.forced, k))
		}
		list = append(list, e)
	}
	return list, nil
}

func guestCurrent(c *call, g *Guest) (any, error) {
	f := c.figures(g, true, true)
	ha := Object{"managed": 0}
	if r := c.w.haResource(g); r != nil {
		ha = c.haInfo(g, r)
	}
	return append(f, field{"ha", ha}), nil
}

// figures is a guest in its node's list, and with current set in status/current.
func (c *call) figures(g *Guest, current, full bool) fields {
	l := c.w.live(g, c.now)
	f := fields{{"vmid", g.VMID}, {"name", g.Name()}, {"status", g.Status()}, {"cpus", g.cpus(c.w)}, {"cpu", l.cpu()},
		{"mem", l.Mem}, {"maxmem", g.maxMem()}, {"disk", l.Disk}, {"maxdisk", g.maxDisk()}, {"uptime", l.uptime(c.now)},
		{"netin", l.NetIn}, {"netout", l.NetOut}}
	for _, k := range []string{"tags", "lock", "template"} {
		if v, ok := g.Config[k]; ok {
			f.add(k, v)
		}
	}
	if l.Running {
		f.add("pid", l.PID)
	}
	if g.Type == typeLXC {
		return g.containerFigures(f, &l)
	}
	return g.machineFigures(f, &l, current, full)
}

var pressures = []string{"pressurecpusome", "pressurecpufull", "pressureiosome", "pressureiofull", "pressurememorysome", "pressurememoryfull"}

// pressure are the values of pressures: the share of time in percent that it waited for each.
func (l *Live) pressure() [6]float64 {
	return [...]float64{l.cpuWait, 0, l.ioWait, 0.8 * l.ioWait, 0, 0}
}

// hundredths rounds a figure as the API does; 0 is an integer there.
func hundredths(v float64) any {
	if v = math.Round(100*v) / 100; v == 0 {
		return 0
	}
	return v
}

func (g *Guest) containerFigures(f fields, l *Live) fields {
	f = append(f, field{"type", typeLXC}, field{"swap", l.Swap}, field{"maxswap", swapBytes(g.Config)},
		field{"diskread", l.DiskRead}, field{"diskwrite", l.DiskWrite})
	if l.Running {
		for i, v := range l.pressure() {
			f.add(pressures[i], fmt.Sprintf("%.2f", v)) // a string for containers, a number for virtual machines (facts 26)
		}
	}
	return f
}

func (g *Guest) machineFigures(f fields, l *Live, current, full bool) fields {
	f.add("memhost", l.MemHost)
	if has(g.Config, "serial0") {
		f.add("serial", 1)
	}
	if current && g.agentEnabled() {
		f.add("agent", 1)
	}
	if current && has(g.Config, "vga") {
		f.add("clipboard", nil)
	}
	if l.Running {
		for i, v := range l.pressure() {
			f.add(pressures[i], hundredths(v))
		}
		if nics := g.nics(l); full && len(nics) > 0 {
			f.add("nics", nics)
		}
		// The QEMU of the recordings reported no block statistics and had no such keys; worlds with figures show them.
		if full && l.DiskRead+l.DiskWrite > 0 {
			f.add("diskread", l.DiskRead)
			f.add("diskwrite", l.DiskWrite)
		}
	}
	if full {
		state := g.Status()
		if l.Paused {
			state = "paused"
		}
		f.add("qmpstatus", state)
	}
	return f
}

// nics shows the traffic of each tap device; all of it on the first, since the world keeps one figure per guest.
func (g *Guest) nics(l *Live) Object {
	out := Object{}
	for i := range 32 {
		if !has(g.Config, "net"+strconv.Itoa(i)) {
			continue
		}
		name := "tap" + strconv.Itoa(g.VMID) + "i" + strconv.Itoa(i)
		if len(out) == 0 {
			out[name] = Object{"netin": l.NetIn, "netout": l.NetOut}
		} else {
			out[name] = Object{"netin": 0, "netout": 0}
		}
	}
	return out
}

// agentEnabled reads the property string agent: 1, enabled=1, 1,fstrim_cloned_disks=1.
func (g *Guest) agentEnabled() bool {
	first, _, _ := strings.Cut(text(g.Config["agent"]), ",")
	return first == "1" || first == "enabled=1"
}
