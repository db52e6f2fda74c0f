package inventory

import (
	"math"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Metric is one figure over a time frame, in its plain unit. Known of Points were sampled: the others are gaps, never 0. Pointers are nil
// when nothing was. Trend is rising, falling, steady or "" (too little is known), Change the change of a straight line fitted through all
// that is known, from its first to its last sample. Shape is the course in equal parts, from 0 for the lowest to 1 for the highest, all 1 where it never changed, nil = a gap.
type Metric struct {
	Name   string
	Unit   string // %, bytes, bytes/s, or "" for a plain number
	Total  *float64
	Points int
	Known  int
	Last   *float64
	Min    *float64
	Mean   *float64
	P95    *float64
	Max    *float64
	Trend  string
	Change *float64
	Shape  []*float64
	Values []*float64 // as many as were asked for, each the mean of its part of the time; nil = a gap
}

// shapeParts is the width of a course: an hour in parts of 2.5 minutes, a week in parts of 7 hours.
const shapeParts = 24

// metricDef is a figure that is shown, by the data source of rrddata that holds it.
type metricDef struct {
	source, name, unit string
	scale              float64 // from Proxmox VE's unit to ours
	total              string  // data source of the capacity, "" = none
	fills              bool    // it grows slowly until it is full: a small part of its capacity is a trend
}

// The figures of each kind of object, in the order of answers. PVE 9 names them (recordings 02/081, 02/110, 13/079; pressure of guests and
// memhost since 9.0, status/current shows the same names: 03/018); what a node or version does not have is left out.
var (
	guestMetrics = []metricDef{
		{"cpu", "cpu", "%", 100, "", false}, {"mem", "memory", "bytes", 1, "maxmem", false}, {"memhost", "memory on host", "bytes", 1, "", false}, {"disk", "disk used", "bytes", 1, "maxdisk", false},
		{"diskread", "disk read", "bytes/s", 1, "", false}, {"diskwrite", "disk write", "bytes/s", 1, "", false}, {"netin", "net in", "bytes/s", 1, "", false}, {"netout", "net out", "bytes/s", 1, "", false},
		{"pressurecpusome", "cpu pressure", "%", 1, "", false}, {"pressureiosome", "io pressure", "%", 1, "", false}, {"pressureiofull", "io pressure full", "%", 1, "", false},
		{"pressurememorysome", "memory pressure", "%", 1, "", false},
	}
	nodeMetrics = []metricDef{
		{"cpu", "cpu", "%", 100, "", false}, {"iowait", "io wait", "%", 100, "", false}, {"loadavg", "load", "", 1, "maxcpu", false}, {"memused", "memory", "bytes", 1, "memtotal", false},
		{"arcsize", "zfs arc", "bytes", 1, "", false}, {"swapused", "swap", "bytes", 1, "swaptotal", false}, {"rootused", "root disk", "bytes", 1, "roottotal", false},
		{"netin", "net in", "bytes/s", 1, "", false}, {"netout", "net out", "bytes/s", 1, "", false},
		{"pressurecpusome", "cpu pressure", "%", 1, "", false}, {"pressureiosome", "io pressure", "%", 1, "", false}, {"pressureiofull", "io pressure full", "%", 1, "", false},
		{"pressurememorysome", "memory pressure", "%", 1, "", false},
	}
	storageMetrics = []metricDef{{"used", "used", "bytes", 1, "total", true}}
)

// metricsOf computes what the definitions name. peaks is the series of maxima of the same time, nil where the points are fine enough.
func metricsOf(defs []metricDef, s, peaks pve.Series, values int) []Metric {
	var out []Metric
	for _, d := range defs {
		list, ok := s.Values[d.source]
		if !ok {
			continue
		}
		m := d.metric(s.Times, scaled(list, d.scale))
		if top := known(scaled(peaks.Values[d.source], d.scale)); len(top) > 0 && m.Max != nil {
			*m.Max = max(*m.Max, slices.Max(top))
		}
		if total := known(s.Values[d.total]); len(total) > 0 && total[len(total)-1] > 0 {
			m.Total = pve.Ptr(total[len(total)-1])
		}
		if d.fills && m.Total != nil {
			m.Trend, m.Change = trend(s.Times, scaled(list, d.scale), fillShare**m.Total, fillFit)
		}
		if values > 0 {
			m.Values = partMeans(scaled(list, d.scale), values)
		}
		out = append(out, m)
	}
	return out
}

func scaled(list []float64, by float64) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = v * by
	}
	return out
}

// known leaves out the gaps.
func known(list []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(list), math.IsNaN)
}

func (d *metricDef) metric(times []int64, list []float64) Metric {
	m := Metric{Name: d.name, Unit: d.unit, Points: len(list)}
	have := known(list)
	m.Known = len(have)
	if m.Known == 0 {
		return m
	}
	m.Last = pve.Ptr(have[len(have)-1])
	sorted := slices.Sorted(slices.Values(have))
	m.Min, m.Max, m.Mean, m.P95 = pve.Ptr(sorted[0]), pve.Ptr(sorted[len(sorted)-1]), pve.Ptr(mean(have)), pve.Ptr(percentile(sorted, 0.95))
	m.Trend, m.Change = trend(times, list, trendShare*math.Abs(*m.Mean), trendFit)
	m.Shape = stretched(partMeans(list, shapeParts))
	return m
}

// stretched puts a course between 0 and 1, so that what a fill of 92 % did is seen as well as what a load did.
func stretched(shape []*float64) []*float64 {
	have := slices.DeleteFunc(slices.Clone(shape), func(v *float64) bool { return v == nil })
	low, high := *slices.MinFunc(have, byValue), *slices.MaxFunc(have, byValue)
	for _, v := range have {
		if high == low {
			*v = 1
			continue
		}
		*v = (*v - low) / (high - low)
	}
	return shape
}

// byValue orders gaps first.
func byValue(a, b *float64) int {
	switch {
	case a == nil && b == nil || a != nil && b != nil && *a == *b:
		return 0
	case a == nil || b != nil && *a < *b:
		return -1
	}
	return 1
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

// percentile takes the nearest rank of sorted values.
func percentile(sorted []float64, p float64) float64 {
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

// partMeans cuts a list into n parts of equal length (fewer where it is shorter) and takes the mean of what is known in each; nil = nothing.
func partMeans(list []float64, n int) []*float64 {
	n = min(n, len(list))
	out := make([]*float64, n)
	for i := range n {
		if part := known(list[i*len(list)/n : (i+1)*len(list)/n]); len(part) > 0 {
			out[i] = pve.Ptr(mean(part))
		}
	}
	return out
}

const (
	// trendPoints is how much must be known before a trend is claimed.
	trendPoints = 10
	// trendShare of the mean is the least change that is one, and trendFit the least share of the variance that a straight line must explain.
	trendShare, trendFit = 0.1, 0.2
	// fillShare of its capacity is a trend of a storage: 1 % in a month fills it in years, 1 % in a day before anybody looks again. It has to
	// go straight, for what was deleted once is no trend.
	fillShare, fillFit = 0.01, 0.5
)

// trend fits a straight line through what is known. What changes by less than least, or is explained by it to a smaller part than fit, is steady.
func trend(times []int64, list []float64, least, fit float64) (word string, change *float64) {
	var n, sx, sy, sxx, sxy, syy, first, last float64
	for i, v := range list {
		if math.IsNaN(v) {
			continue
		}
		x := float64(times[i] - times[0])
		if n == 0 {
			first = x
		}
		last = x
		n, sx, sy, sxx, sxy, syy = n+1, sx+x, sy+v, sxx+x*x, sxy+x*v, syy+v*v
	}
	dx, dy, dxy := n*sxx-sx*sx, n*syy-sy*sy, n*sxy-sx*sy
	if n < trendPoints || dx <= 0 {
		return "", nil
	}
	change = pve.Ptr(dxy / dx * (last - first))
	if dy <= 0 || math.Abs(*change) < least || dxy*dxy/(dx*dy) < fit {
		return "steady", change
	}
	if *change > 0 {
		return "rising", change
	}
	return "falling", change
}

// diskSeen makes gaps of the samples of a guest's disk that nobody took: Proxmox VE writes 0 for every VM, whose file systems it does not see,
// and for a container that does not run (its source: PVE::LXC::vmstatus, as pvestatd stores it). A point of many samples beside such a gap
// may be a mean with zeros in it and is a gap too, unless the maximum of that time is known and takes its place.
func diskSeen(t pve.GuestType, means, peaks pve.Series) {
	const source = "disk"
	if t == pve.Qemu {
		delete(means.Values, source)
		return
	}
	list := means.Values[source]
	whole := slices.Equal(means.Times, peaks.Times) && len(peaks.Values[source]) == len(list)
	if whole {
		copy(list, peaks.Values[source])
	}
	off := func(i int) bool { return i >= 0 && i < len(list) && list[i] == 0 }
	var gaps []int
	for i := range list {
		if off(i) || !whole && (off(i-1) || off(i+1)) {
			gaps = append(gaps, i)
		}
	}
	for _, i := range gaps {
		list[i] = math.NaN()
	}
}

// step is the distance of two points; 0 when there are not two.
func step(s pve.Series) time.Duration {
	if len(s.Times) < 2 {
		return 0
	}
	return time.Duration(s.Times[1]-s.Times[0]) * time.Second
}
