package tools

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type metricsIn struct {
	Object    string `json:"object" req:"true" rule:"must be a guest, node or storage" example:"104" desc:"guest, node or storage"`
	Timeframe string `json:"timeframe" enum:"hour,day,week,month,year"`
	Points    int    `json:"points" example:"48" desc:"values, json only"`
	Common
}

type metricsOut struct {
	Envelope
	Cluster   string      `json:"cluster"`
	Kind      string      `json:"kind"`
	Object    string      `json:"object"`
	Node      string      `json:"node"`
	State     string      `json:"state"`
	Timeframe string      `json:"timeframe"`
	From      string      `json:"from,omitempty"`
	To        string      `json:"to,omitempty"`
	StepS     int         `json:"step_s,omitempty"`
	Metrics   []metricOut `json:"metrics"`
	Others    []string    `json:"same_name,omitempty"`
	src       inventory.MetricSet
}

// metricOut is null where nothing was sampled; a gap in points is null too.
type metricOut struct {
	Metric string     `json:"metric"`
	Unit   string     `json:"unit,omitempty"`
	Of     *float64   `json:"of,omitempty"`
	Known  int        `json:"known_points"`
	Points int        `json:"of_points"`
	Last   *float64   `json:"last"`
	Min    *float64   `json:"min"`
	Mean   *float64   `json:"mean"`
	P95    *float64   `json:"p95"`
	Max    *float64   `json:"max"`
	Trend  string     `json:"trend,omitempty"`
	Change *float64   `json:"change,omitempty"`
	Values []*float64 `json:"points,omitempty"`
}

func getMetrics() Spec {
	return define(Spec{
		Name: "get_metrics", Title: "Metrics", Family: "metrics", Command: "metric show", Args: []string{"object"},
		Needs:   []Need{needGuestFigures, needNodeFigures, needStorageFigures},
		Summary: "CPU, memory, disk, network, IO wait, pressure over time: last, min, mean, p95, max, trend, sparkline.",
		Examples: []Example{
			{CLI: "metric show jellyfin --timeframe week", Args: map[string]any{"object": "jellyfin", "timeframe": "week"}, Why: "a guest's week"},
			{CLI: "metric show pve1 --timeframe hour", Args: map[string]any{"object": "pve1", "timeframe": "hour"}, Why: "IO wait and pressure of a node"},
			{CLI: "metric show tank --points 48 -o json", Args: map[string]any{"object": "tank", "points": 48, "format": "json"}, Why: "values, for programs"},
		},
	}, func(ctx context.Context, d Deps, in *metricsIn) (*metricsOut, error) {
		switch {
		case in.Points < 0:
			return nil, fault.BadField("points", "it must be at least 1", "48")
		case in.Points > 0 && !in.wantsJSON():
			return nil, fault.BadField("points", "values come with format json only", "48")
		}
		m, err := d.Inventory.Metrics(ctx, inventory.MetricQuery{Object: in.Object, Timeframe: in.Timeframe, Values: in.Points, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		return metricsOf(d, m), nil
	})
}

func metricsOf(d Deps, m inventory.MetricSet) *metricsOut {
	out := &metricsOut{Envelope: envelope(d, m.Meta), Cluster: m.Cluster, Kind: m.Kind, Object: cell(m.Object, 120), Node: m.Node, State: m.State,
		Timeframe: m.Timeframe, StepS: int(m.Step / time.Second), Metrics: []metricOut{}, Others: m.Others, src: m}
	if !m.From.IsZero() {
		out.From, out.To = stamp(d, m.From), stamp(d, m.To)
	}
	for _, x := range m.Metrics {
		out.Metrics = append(out.Metrics, metricOut{x.Name, x.Unit, x.Total, x.Known, x.Points, x.Last, x.Min, x.Mean, x.P95, x.Max, x.Trend, x.Change, x.Values})
	}
	return out
}

// View implements Answer.
func (o *metricsOut) View(d Deps) View {
	m := o.src
	v := View{Warnings: m.Warnings}
	head := o.Object
	if m.Kind == "guest" {
		head += " on " + m.Node
	}
	v.Line("%s, %s, last %s, %s", head, m.State, m.Timeframe, asOf(d, m.Meta))
	if len(m.Others) > 0 {
		v.Line("another storage of that name each: %s", strings.Join(m.Others, ", "))
	}
	t := Table{Name: "metrics", Main: true, Columns: []string{"metric", "last", "min", "mean", "p95", "max", "trend", "sparkline"}}
	if slices.ContainsFunc(m.Metrics, func(x inventory.Metric) bool { return x.Known > 0 && x.Known < x.Points }) {
		t.Columns = append(t.Columns, "known%")
	}
	var idle, unknown []string
	for _, x := range m.Metrics {
		switch {
		case x.Known == 0:
			unknown = append(unknown, x.Name)
			continue
		case *x.Max == 0:
			idle = append(idle, x.Name)
			continue
		}
		t.Rows = append(t.Rows, metricRow(x))
	}
	if len(t.Rows) > 0 {
		legend := "points of " + span(m.Step) + "; sparkline: 0 is its lowest, 9 its highest, _ a gap"
		if slices.ContainsFunc(m.Metrics, func(x inventory.Metric) bool { return strings.Contains(x.Name, "pressure") }) {
			legend += "; pressure: % of time that work waited"
		}
		v.Text(legend)
	}
	v.Table(t)
	if idle != nil {
		v.Line("always 0: %s", strings.Join(idle, ", "))
	}
	if unknown != nil {
		v.Line("no sample: %s", strings.Join(unknown, ", "))
	}
	if full := fullIn(d, m); full != "" {
		v.Text(full)
	}
	return v
}

func metricRow(x inventory.Metric) []string {
	last := quantity(x.Last, x.Unit)
	if x.Total != nil {
		last += "/" + quantity(x.Total, x.Unit)
	}
	move := x.Trend
	if x.Change != nil && (move == "rising" || move == "falling") {
		if *x.Change > 0 {
			move = "+"
		} else {
			move = "-"
		}
		move += quantity(new(math.Abs(*x.Change)), x.Unit)
	}
	row := []string{x.Name, last, quantity(x.Min, x.Unit), quantity(x.Mean, x.Unit), quantity(x.P95, x.Unit), quantity(x.Max, x.Unit), move, sparkline(x.Shape)}
	if x.Known < x.Points {
		row = append(row, strconv.Itoa(x.Known*100/x.Points))
	}
	return row
}

// quantity writes a value in its unit: 12%, 3.1G, 40K/s, 1.5; "" when unknown. What is more than 0 never shows as 0.
func quantity(f *float64, unit string) string {
	switch {
	case f == nil:
		return ""
	case unit == "bytes":
		return size(int64(*f))
	case unit == "bytes/s":
		return size(int64(math.Ceil(*f))) + "/s"
	}
	digits := 0
	if *f != 0 && math.Abs(*f) < 10 {
		digits = 1
	}
	s := strings.TrimSuffix(strconv.FormatFloat(*f, 'f', digits, 64), ".0")
	if s == "0" && *f > 0 {
		s = "<0.1"
	}
	return s + unit
}

// sparkline is one of digits: a model pays a token for three of them, and for each of the block characters two.
func sparkline(shape []*float64) string {
	var b strings.Builder
	for _, v := range shape {
		if v == nil {
			b.WriteByte('_')
			continue
		}
		b.WriteString(strconv.Itoa(int(math.Round(min(1, max(0, *v)) * 9))))
	}
	return b.String()
}

// fullIn says when a storage that fills is full at this rate, where that is within two years: beyond, the rate means little.
func fullIn(d Deps, m inventory.MetricSet) string {
	if m.Kind != "storage" || len(m.Metrics) == 0 {
		return ""
	}
	x := m.Metrics[0]
	if x.Trend != "rising" || x.Total == nil || *x.Change <= 0 {
		return ""
	}
	left := (*x.Total - *x.Last) / *x.Change * float64(m.To.Sub(m.From))
	if left < 0 || left > float64(2*365*24*time.Hour) {
		return ""
	}
	return "at this rate full in " + span(time.Duration(left)) + ", about " + m.To.Add(time.Duration(left)).In(zone(d)).Format("2006-01-02")
}
