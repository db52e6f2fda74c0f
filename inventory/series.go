package inventory

import (
	"math"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Metric is one figure over a time frame, in its plain unit. Known of Points were sampled: the others are gaps, never 0. Pointers are nil
// when nothing was. Trend is rising, falling, steady or "" (too little is known), Change the change of a straight line fitted through all
// that is known, from its first to its last sample. Shape is the course in equal parts, from 0 to 1 of the highest part, nil = a gap.
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
}

// The figures of each kind of object, in the order of answers. PVE 9 names them (recordings 02/081, 02/110, 13/079; pressure of guests and
// memhost since 9.0, status/current shows the same names: 03/018); what a node or version does not have is left out.
var (
	guestMetrics = []metricDef{
		{"cpu", "cpu", "%", 100, ""}, {"mem", "memory", "bytes", 1, "maxmem"}, {"memhost", "memory on host", "bytes", 1, ""}, {"disk", "disk used", "bytes", 1, "maxdisk"},
		{"diskread", "disk read", "bytes/s", 1, ""}, {"diskwrite", "disk write", "bytes/s", 1, ""}, {"netin", "net in", "bytes/s", 1, ""}, {"netout", "net out", "bytes/s", 1, ""},
		{"pressurecpusome", "cpu pressure", "%", 1, ""}, {"pressureiosome", "io pressure", "%", 1, ""}, {"pressureiofull", "io pressure full", "%", 1, ""},
		{"pressurememorysome", "memory pressure", "%", 1, ""},
	}
	nodeMetrics = []metricDef{
		{"cpu", "cpu", "%", 100, ""}, {"iowait", "io wait", "%", 100, ""}, {"loadavg", "load", "", 1, "maxcpu"}, {"memused", "memory", "bytes", 1, "memtotal"},
		{"arcsize", "zfs arc", "bytes", 1, ""}, {"swapused", "swap", "bytes", 1, "swaptotal"}, {"rootused", "root disk", "bytes", 1, "roottotal"},
		{"netin", "net in", "bytes/s", 1, ""}, {"netout", "net out", "bytes/s", 1, ""},
		{"pressurecpusome", "cpu pressure", "%", 1, ""}, {"pressureiosome", "io pressure", "%", 1, ""}, {"pressureiofull", "io pressure full", "%", 1, ""},
		{"pressurememorysome", "memory pressure", "%", 1, ""},
	}
	storageMetrics = []metricDef{{"used", "used", "bytes", 1, "total"}}
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
	m.Trend, m.Change = trend(times, list)
	m.Shape = partMeans(list, shapeParts)
	if top := slices.MaxFunc(m.Shape, byValue); top != nil && *top > 0 {
		by := *top
		for _, v := range m.Shape {
			if v != nil {
				*v /= by
			}
		}
	}
	return m
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
)

// trend fits a straight line through what is known.
func trend(times []int64, list []float64) (word string, change *float64) {
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
	if dy <= 0 || math.Abs(*change) < trendShare*math.Abs(sy/n) || dxy*dxy/(dx*dy) < trendFit {
		return "steady", change
	}
	if *change > 0 {
		return "rising", change
	}
	return "falling", change
}

// step is the distance of two points; 0 when there are not two.
func step(s pve.Series) time.Duration {
	if len(s.Times) < 2 {
		return 0
	}
	return time.Duration(s.Times[1]-s.Times[0]) * time.Second
}
