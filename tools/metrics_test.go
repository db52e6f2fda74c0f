package tools

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// someMetrics are a storage that fills, with a gap in its year.
func someMetrics() inventory.MetricSet {
	tib := float64(int64(1) << 40)
	shape := []*float64{nil, nil}
	for i := range 22 {
		shape = append(shape, pve.Ptr(float64(i+1)/22))
	}
	return inventory.MetricSet{Meta: meta(0), Kind: "storage", Object: "storage pve1/tank", Node: "pve1", State: "available", Timeframe: "year", Step: 6 * time.Hour,
		From: now.AddDate(-1, 0, 0), To: now, Metrics: []inventory.Metric{{Name: "used", Unit: "bytes", Total: pve.Ptr(4 * tib), Points: 1440, Known: 1320, Last: pve.Ptr(3 * tib),
			Min: pve.Ptr(tib), Mean: pve.Ptr(2 * tib), P95: pve.Ptr(2.9 * tib), Max: pve.Ptr(3 * tib), Trend: "rising", Change: pve.Ptr(2 * tib), Shape: shape}}}
}

// Values are for programs: a table of them would drown a model.
func TestMetricsPoints(t *testing.T) {
	f := &fake{metrics: someMetrics()}
	for args, ok := range map[string]bool{`{"object":"tank","points":3}`: false, `{"object":"tank","points":-1,"format":"json"}`: false, `{"object":"tank","points":"3","format":"json"}`: true} {
		_, err := getMetrics().Call(t.Context(), deps(f), json.RawMessage(args))
		if (err == nil) != ok || !ok && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", args, err)
		}
	}
	if f.sampled.Values != 3 {
		t.Errorf("asked for %d values", f.sampled.Values)
	}
}

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		f    float64
		unit string
		want string
	}{{0, "%", "0%"}, {0.04, "%", "<0.1%"}, {0.31, "%", "0.3%"}, {31.4, "%", "31%"}, {0, "bytes/s", "0B/s"}, {0.2, "bytes/s", "1B/s"}, {1536, "bytes", "1.5K"}, {2.25, "", "2.2"}} {
		if got := quantity(&c.f, c.unit); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.f, c.unit, got, c.want)
		}
	}
	if got := quantity(nil, "%"); got != "" {
		t.Errorf("unknown: %q", got)
	}
}
