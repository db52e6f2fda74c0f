package inventory

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Usual holds a figure of the last hour against the week before that hour. Verdict is usual, high, low, or "" when too little is known to
// tell. Node is false for figures of the guest.
type Usual struct {
	Node     bool
	Name     string
	Unit     string
	Total    *float64
	Hour     *float64 // mean
	WeekMean *float64
	WeekP95  *float64
	Verdict  string
}

// Neighbour is a guest on the same node, with its load of the last two minutes; nil = not known. Shares names the storages of both.
type Neighbour struct {
	VMID   int
	Name   string
	Type   pve.GuestType
	CPU    *float64 // CPUs in use
	Mem    *int64
	Disk   *float64 // bytes per second, read and written
	Net    *float64 // bytes per second, both ways
	Shares []string
}

// compared are the figures that a diagnosis looks at, by their data source, with the least that is worth calling high.
var (
	comparedGuest = []compared{{"cpu", 10}, {"mem", 0}, {"disk", 0}, {"diskread", 1 << 20}, {"diskwrite", 1 << 20}, {"netin", 1 << 20}, {"netout", 1 << 20},
		{"pressurecpusome", 5}, {"pressureiosome", 5}, {"pressurememorysome", 5}}
	comparedNode = []compared{{"cpu", 10}, {"iowait", 2}, {"memused", 0}, {"swapused", 1 << 30}, {"pressurecpusome", 5}, {"pressureiosome", 5}, {"pressurememorysome", 5}}
)

type compared struct {
	source string
	floor  float64
}

const (
	// weekLeast is how many points of 30 minutes a week must have before it says what is usual: half a day.
	weekLeast = 24
	// highFactor of the week's mean, above its 95th percentile, is high; below its 5th and a third of its mean is low.
	highFactor, lowFactor = 1.5, 1.0 / 3
)

// usual compares the last hour with the week before it.
func usual(node bool, defs []metricDef, list []compared, hour, week pve.Series, now time.Time) []Usual {
	var out []Usual
	for _, k := range list {
		n := slices.IndexFunc(defs, func(d metricDef) bool { return d.source == k.source })
		recent := known(scaled(hour.Values[k.source], defs[n].scale))
		past := known(scaled(before(week, k.source, now.Add(-time.Hour)), defs[n].scale))
		if len(recent) == 0 {
			continue
		}
		u := Usual{Node: node, Name: defs[n].name, Unit: defs[n].unit, Hour: pve.Ptr(mean(recent))}
		if total := known(hour.Values[defs[n].total]); len(total) > 0 && total[len(total)-1] > 0 {
			u.Total = pve.Ptr(total[len(total)-1])
		}
		if len(past) >= weekLeast {
			slices.Sort(past)
			u.WeekMean, u.WeekP95 = pve.Ptr(mean(past)), pve.Ptr(percentile(past, 0.95))
			u.Verdict = verdict(*u.Hour, *u.WeekMean, percentile(past, 0.05), *u.WeekP95, k.floor)
		}
		out = append(out, u)
	}
	return out
}

func before(s pve.Series, source string, t time.Time) []float64 {
	list := slices.Clone(s.Values[source])
	for i := range list {
		if s.Times[i] > t.Unix() {
			list[i] = math.NaN()
		}
	}
	return list
}

func verdict(hour, mean, p5, p95, floor float64) string {
	switch {
	case hour > p95 && hour > highFactor*mean && hour > floor:
		return "high"
	case hour < p5 && hour < lowFactor*mean && mean > floor:
		return "low"
	}
	return "usual"
}

// The levels at which something is short. Pressure is the share of the time in which at least one process waited (kernel: PSI): a tenth is
// felt, a third is most of the slowness. IO wait counts idle processors whose work waits for disks.
const (
	ioWaitWarn, ioWaitCritical     = 10, 25
	pressureWarn, pressureCritical = 10, 33
	cpuFull                        = 90
	memoryFull                     = 95
	swapFull                       = 0.5
)

// stress is a resource that is short on the node.
type stress struct {
	resource string // disk, cpu, memory
	critical bool
}

// figures compares guest and node with their week and finds what is short.
func (x *examination) figures() {
	diskSeen(x.r.typ(), x.guestHour, pve.Series{})
	diskSeen(x.r.typ(), x.guestWeek, pve.Series{})
	guest := usual(false, guestMetrics, comparedGuest, x.guestHour, x.guestWeek, x.now)
	node := usual(true, nodeMetrics, comparedNode, x.nodeHour, x.nodeWeek, x.now)
	x.d.Usage = slices.Concat(guest, node)
	x.nodeStress(node)
	x.guestStress(guest)
}

func usualOf(list []Usual, name string) (u Usual, ok bool) {
	n := slices.IndexFunc(list, func(u Usual) bool { return u.Name == name })
	if n < 0 {
		return u, false
	}
	return list[n], true
}

// over says how far a figure is over two levels: 0, 1 or 2.
func over(list []Usual, name string, warn, critical float64) int {
	u, ok := usualOf(list, name)
	switch {
	case !ok || *u.Hour < warn:
		return 0
	case *u.Hour < critical:
		return 1
	}
	return 2
}

// evidence writes figures with what is usual for them.
func evidence(list []Usual, names ...string) string {
	var out []string
	for _, n := range names {
		u, ok := usualOf(list, n)
		if !ok {
			continue
		}
		text := n + " " + amount(*u.Hour, u.Unit)
		if u.Total != nil && u.Unit == "bytes" {
			text += fmt.Sprintf(" (%.0f%%)", *u.Hour / *u.Total * 100)
		}
		if u.WeekMean != nil {
			text += ", usual " + amount(*u.WeekMean, u.Unit)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func amount(f float64, unit string) string {
	switch unit {
	case "bytes":
		return size(int64(f))
	case "bytes/s":
		return size(int64(f)) + "/s"
	}
	if f != 0 && math.Abs(f) < 10 {
		return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + unit
	}
	return strconv.FormatFloat(f, 'f', 0, 64) + unit
}

// onset is since when a figure has been over a level without a break, as far as the week tells; zero when it is not over it now. Gaps do not
// end it, and are not its beginning.
func onset(hour, week pve.Series, source string, level float64) time.Time {
	var first time.Time
	for _, s := range []pve.Series{hour, week} {
		for i, v := range slices.Backward(s.Values[source]) {
			at := time.Unix(s.Times[i], 0).UTC()
			switch {
			case math.IsNaN(v), !first.IsZero() && !at.Before(first):
				continue
			case v < level:
				return first
			}
			first = at
		}
	}
	return first
}

func levelOf(level int) Severity {
	if level > 1 {
		return Critical
	}
	return Warn
}

// nodeStress finds what is short on the node for all of its guests.
func (x *examination) nodeStress(list []Usual) {
	node := x.r.g.Node
	found := func(resource string, level int, f Finding) {
		if level == 0 {
			return
		}
		x.stress = append(x.stress, stress{resource, level > 1})
		f.Object, f.Severity = "node "+node, levelOf(level)
		x.finding(f)
	}
	io := max(over(list, "io wait", ioWaitWarn, ioWaitCritical), over(list, "io pressure", pressureWarn, pressureCritical))
	waiting := onset(x.nodeHour, x.nodeWeek, "iowait", ioWaitWarn/100.0)
	if waiting.IsZero() {
		waiting = onset(x.nodeHour, x.nodeWeek, "pressureiosome", pressureWarn)
	}
	found("disk", io, Finding{Code: "node_io", Score: 93, Since: waiting, Title: "its guests wait for its disks", Evidence: evidence(list, "io wait", "io pressure"), Hint: "see who reads and writes below"})
	cpu := max(over(list, "cpu", cpuFull, math.Inf(1)), over(list, "cpu pressure", pressureWarn, pressureCritical))
	found("cpu", cpu, Finding{Code: "node_cpu", Score: 90, Since: onset(x.nodeHour, x.nodeWeek, "cpu", cpuFull/100.0), Title: "its processors are short", Evidence: evidence(list, "cpu", "cpu pressure"), Hint: "move a busy guest to another node"})
	memory := over(list, "memory pressure", pressureWarn, pressureCritical)
	for name, share := range map[string]float64{"memory": memoryFull / 100.0, "swap": swapFull} {
		if u, ok := usualOf(list, name); ok && u.Total != nil && *u.Hour >= share**u.Total {
			memory = max(memory, 1)
		}
	}
	found("memory", memory, Finding{Code: "node_memory_short", Score: 88, Title: "its memory is short", Evidence: evidence(list, "memory", "swap", "memory pressure"), Hint: "move or shrink a guest"})
}

// guestStress finds what is short in the guest itself, and what it does more than usual.
func (x *examination) guestStress(list []Usual) {
	found := func(level int, f Finding) {
		if level > 0 {
			f.Severity = levelOf(level)
			x.finding(f)
		}
	}
	found(over(list, "io pressure", pressureWarn, pressureCritical), Finding{Code: "guest_io", Score: 94, Since: onset(x.guestHour, x.guestWeek, "pressureiosome", pressureWarn), Title: "it waits for its disks", Evidence: evidence(list, "io pressure"), Hint: "see node, neighbours and storages"})
	found(over(list, "cpu pressure", pressureWarn, pressureCritical), Finding{Code: "guest_cpu_wait", Score: 85, Since: onset(x.guestHour, x.guestWeek, "pressurecpusome", pressureWarn), Title: "it waits for processors of " + x.r.g.Node, Evidence: evidence(list, "cpu pressure"),
		Hint: "see neighbours; move it or them"})
	found(over(list, "cpu", cpuFull, math.Inf(1)), Finding{Code: "guest_cpu_full", Score: 84, Since: onset(x.guestHour, x.guestWeek, "cpu", cpuFull/100.0), Title: "its own CPUs are busy", Evidence: evidence(list, "cpu"), Hint: "look inside for the process, or give it more cores"})
	found(over(list, "memory pressure", pressureWarn, pressureCritical), Finding{Code: "guest_memory", Score: 83, Title: "it waits for memory", Evidence: evidence(list, "memory pressure", "memory"), Hint: "give it more memory"})
	if u, ok := usualOf(list, "memory"); ok && u.Total != nil && *u.Hour >= memoryFull/100.0**u.Total {
		hint := "give it more memory, or look inside"
		if x.r.typ() == pve.Qemu {
			hint = "caches may count: look inside before it gets more"
		}
		found(1, Finding{Code: "guest_memory_full", Score: 60, Title: "its memory is full", Evidence: evidence(list, "memory"), Hint: hint})
	}
	if u, ok := usualOf(list, "disk used"); ok && u.Total != nil && *u.Hour >= 0.9**u.Total {
		found(1, Finding{Code: "guest_disk_full", Score: 82, Title: "its root disk is nearly full", Evidence: evidence(list, "disk used"), Hint: "clean up inside, or enlarge it"})
	}
	var busy []string
	for _, u := range list {
		if u.Verdict == "high" && (u.Unit == "bytes/s" || u.Name == "cpu" && *u.Hour < cpuFull) {
			busy = append(busy, u.Name)
		}
	}
	if busy != nil {
		x.finding(Finding{Severity: Info, Code: "guest_busy", Score: 50, Title: "it does more than usual itself", Evidence: evidence(list, busy...), Hint: "look inside: find out what began"})
	}
}
