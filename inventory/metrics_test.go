package inventory

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// curve is a series of one data source from now back, a minute apart.
func curve(at time.Time, step time.Duration, source string, list ...float64) pve.Series {
	s := pve.Series{Values: map[string][]float64{source: list}}
	for i := range list {
		s.Times = append(s.Times, at.Add(-time.Duration(len(list)-1-i)*step).Unix())
	}
	return s
}

// repeat is n times v.
func repeat(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

var gap = math.NaN()

// A gap is not 0: it lowers no minimum and no mean, and shows as one.
func TestMetricGaps(t *testing.T) {
	list := append(repeat(24, gap), repeat(24, 0.5)...)
	m := metricsOf(guestMetrics, curve(time.Unix(1e9, 0), time.Minute, "cpu", list...), pve.Series{}, 4)[0]
	if m.Known != 24 || m.Points != 48 || *m.Min != 50 || *m.Mean != 50 || *m.Last != 50 || m.Trend != "steady" {
		t.Errorf("%+v", m)
	}
	if m.Shape[0] != nil || m.Shape[11] != nil || m.Shape[12] == nil || *m.Shape[23] != 1 {
		t.Errorf("shape %v", m.Shape)
	}
	if diff := cmp.Diff([]*float64{nil, nil, pve.Ptr(50.0), pve.Ptr(50.0)}, m.Values); diff != "" {
		t.Error(diff)
	}
	if m := metricsOf(guestMetrics, curve(time.Unix(1e9, 0), time.Minute, "cpu", repeat(9, gap)...), pve.Series{}, 0)[0]; m.Known != 0 || m.Mean != nil || m.Trend != "" {
		t.Errorf("nothing known: %+v", m)
	}
}

// TestDiskWhileOff: a container that is off uses its disk all the same: its zeros are gaps, and so is a mean that may have some in it.
func TestDiskWhileOff(t *testing.T) {
	at, gib := time.Unix(1e9, 0), float64(1<<30)
	w := newWorld(2, 4)
	r := newRig(t, w)
	means := slices.Concat(repeat(20, 10*gib), []float64{4 * gib}, repeat(20, 0), []float64{7 * gib}, repeat(20, 10*gib))
	peaks := slices.Concat(repeat(21, 10*gib), repeat(20, 0), repeat(21, 10*gib))
	w.samples = func(_ pve.Sampled, _, cf string) pve.Series {
		if cf == "MAX" {
			return curve(at, 30*time.Minute, "disk", slices.Clone(peaks)...)
		}
		return curve(at, 30*time.Minute, "disk", slices.Clone(means)...)
	}
	r.sync()
	for timeframe, known := range map[string]int{"hour": 40, "week": 42} {
		set, err := r.Metrics(t.Context(), MetricQuery{Object: "103", Timeframe: timeframe})
		if err != nil || len(set.Metrics) != 1 {
			t.Fatal(set, err)
		}
		if m := set.Metrics[0]; m.Known != known || m.Points != 62 || *m.Min != 10*gib || *m.Mean != 10*gib || m.Trend != "steady" {
			t.Errorf("%s: known %d of %d, min %v, mean %v, trend %s %v", timeframe, m.Known, m.Points, *m.Min, *m.Mean, m.Trend, *m.Change)
		}
	}
	for typ, n := range map[pve.GuestType]int{pve.Qemu: 0, pve.LXC: 1} {
		hour := curve(at, time.Minute, "disk", repeat(60, 0)...)
		copy(hour.Values["disk"][50:], repeat(10, 10*gib))
		week := curve(at.Add(-time.Hour), 30*time.Minute, "disk", slices.Clone(means)...)
		diskSeen(typ, hour, pve.Series{})
		diskSeen(typ, week, pve.Series{})
		if u := usual(false, guestMetrics, comparedGuest, hour, week, at); len(u) != n || n == 1 && (*u[0].Hour != 10*gib || *u[0].WeekMean != 10*gib || u[0].Verdict != "usual") {
			t.Errorf("%s: %+v", typ, u)
		}
	}
}

func TestTrend(t *testing.T) {
	rising, noisy := make([]float64, 100), make([]float64, 100)
	for i := range rising {
		rising[i], noisy[i] = 100+float64(i), 100+90*math.Sin(float64(i))
	}
	falling := make([]float64, 100)
	for i := range falling {
		falling[i] = 200 - float64(i)
		if i%3 == 0 {
			falling[i] = gap
		}
	}
	for _, c := range []struct {
		name, want string
		list       []float64
		change     float64
	}{
		{"a straight line", "rising", rising, 99},
		{"with gaps", "falling", falling, -97},
		{"noise", "steady", noisy, math.NaN()},
		{"flat", "steady", repeat(100, 7), 0},
		{"too little", "", repeat(trendPoints-1, 1), math.NaN()},
	} {
		word, change := trend(curve(time.Unix(1e9, 0), time.Minute, "x", c.list...).Times, c.list, trendShare*math.Abs(mean(known(c.list))), trendFit)
		if word != c.want || !math.IsNaN(c.change) && math.Abs(*change-c.change) > 0.01 {
			t.Errorf("%s: %q %v", c.name, word, change)
		}
	}
}

func TestMetricPeaks(t *testing.T) {
	at := time.Unix(1e9, 0)
	m := metricsOf(guestMetrics, curve(at, 30*time.Minute, "cpu", repeat(40, 0.2)...), curve(at, 30*time.Minute, "cpu", append(repeat(39, 0.3), 0.97)...), 0)[0]
	if *m.Max != 97 || *m.P95 != 20 {
		t.Errorf("max %v, p95 %v", *m.Max, *m.P95)
	}
}

// One call for points of a minute, two where a point is a mean of many; objects by any of their names.
func TestMetrics(t *testing.T) {
	w := newWorld(2, 4)
	r := newRig(t, w)
	w.samples = func(of pve.Sampled, _, _ string) pve.Series {
		source := "cpu"
		if of.Storage != "" {
			source = "used"
		}
		return curve(r.clock.now(), time.Minute, source, repeat(59, 0.25)...)
	}
	r.sync()
	for _, c := range []struct{ object, timeframe, label string }{
		{"vm100", "hour", "vm 100 vm100"}, {"103", "week", "ct 103 vm103"}, {"guest 101 vm101", "", "vm 101 vm101"}, {"pve2", "year", "node pve2"},
		{"node pve1", "day", "node pve1"}, {"pve2/local-zfs", "hour", "storage pve2/local-zfs"}, {"storage ceph1", "month", "storage pve1/ceph1"},
	} {
		before := w.count("samples")
		m, err := r.Metrics(t.Context(), MetricQuery{Object: c.object, Timeframe: c.timeframe})
		if err != nil || m.Object != c.label || len(m.Metrics) != 1 || m.Metrics[0].Known != 59 || m.Step != time.Minute {
			t.Errorf("%s: %+v, %v", c.object, m, err)
		}
		want := 1
		if c.timeframe == "week" || c.timeframe == "month" || c.timeframe == "year" {
			want = 2
		}
		if n := w.count("samples") - before; n != want {
			t.Errorf("%s: %d calls, want %d", c.object, n, want)
		}
	}
	for object, code := range map[string]fault.Code{"nosuch": fault.NotFound, "": fault.Invalid, "node vm100": fault.NotFound} {
		if _, err := r.Metrics(t.Context(), MetricQuery{Object: object}); fault.CodeOf(err) != code {
			t.Errorf("%q: %v", object, err)
		}
	}
	if _, err := r.Metrics(t.Context(), MetricQuery{Object: "pve", Timeframe: "eon"}); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "hour, day") {
		t.Error(err)
	}
	_, err := r.Metrics(t.Context(), MetricQuery{Object: "pve3"})
	if f := fault.Of(err); f == nil || !strings.Contains(f.Hint, "pve") {
		t.Errorf("nothing near is named: %v", f)
	}
}

// What cannot be read is a warning; a node that is known to be away is not asked.
func TestMetricsAway(t *testing.T) {
	w := newWorld(2, 4)
	r := newRig(t, w)
	r.sync()
	ask := func() MetricSet {
		t.Helper()
		m, err := r.Metrics(context.Background(), MetricQuery{Object: "101", Timeframe: "hour"})
		if err != nil || len(m.Metrics) != 0 {
			t.Errorf("%+v, %v", m, err)
		}
		return m
	}
	if m := ask(); !hasWarning(m.Warnings, "partial") {
		t.Errorf("no samples: %v", m.Warnings)
	}
	w.fail = func(call, _ string, _ int) error {
		if call == "samples" {
			return fault.New(fault.Forbidden, "Permission check failed (/vms/101, VM.Audit)")
		}
		return nil
	}
	if m := ask(); !hasWarning(m.Warnings, "forbidden") {
		t.Errorf("refused: %v", m.Warnings)
	}
	w.fail, w.nodes["pve2"].online = nil, false
	r.tick()
	before := w.count("samples")
	if m := ask(); !hasWarning(m.Warnings, "node_silent") || w.count("samples") != before {
		t.Errorf("away: %v, %d calls", m.Warnings, w.count("samples")-before)
	}
}

// TestFilling: a storage that fills slowly and straight has a trend and a course that shows it; one that goes up and down, or hardly moves,
// has none; storages of the same name on other nodes are named where none was asked for.
func TestFilling(t *testing.T) {
	used := func(value func(i int) float64) Metric {
		s := pve.Series{Values: map[string][]float64{"total": repeat(100, 3600)}}
		for i := range 100 {
			s.Times, s.Values["used"] = append(s.Times, int64(i*1800)), append(s.Values["used"], value(i))
		}
		return metricsOf(storageMetrics, s, pve.Series{}, 0)[0]
	}
	for name, c := range map[string]struct {
		value func(i int) float64
		want  string
	}{
		"slowly":      {func(i int) float64 { return 3200 + float64(i) }, "rising"},
		"hardly":      {func(i int) float64 { return 3200 + float64(i)/10 }, "steady"},
		"up and down": {func(i int) float64 { return 3200 + float64(i%20)*10 }, "steady"},
	} {
		m := used(c.value)
		if m.Trend != c.want || *m.Total != 3600 {
			t.Errorf("%s: %s", name, m.Trend)
		}
		if name == "slowly" && (*m.Shape[0] != 0 || *m.Shape[shapeParts-1] != 1 || *m.Shape[12] < 0.4 || *m.Shape[12] > 0.6) {
			t.Errorf("its course: %v to %v", *m.Shape[0], *m.Shape[shapeParts-1])
		}
	}
	r := newRig(t, newWorld(3, 3))
	r.sync()
	for object, want := range map[string][]string{"local-zfs": {"pve2/local-zfs", "pve3/local-zfs"}, "pve2/local-zfs": nil, "ceph1": nil} {
		if m, err := r.Metrics(t.Context(), MetricQuery{Object: object}); err != nil || !slices.Equal(m.Others, want) {
			t.Errorf("%s: %v, %v", object, m.Others, err)
		}
	}
}
