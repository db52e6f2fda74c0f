package inventory

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// pressureSpan is what is averaged: a shorter peak is work, not trouble.
const pressureSpan = 15 * time.Minute

// pressureFact is the mean of a node's last samples by data source; sources that were not sampled (PSI before Proxmox VE 9) are missing.
type pressureFact struct {
	Means map[string]float64 `json:"means,omitempty"`
}

// pressureLimit is from when on a node's guests notice: percent of time in which something waited (PSI some, Linux), except load per CPU.
type pressureLimit struct {
	source, what, hint string
	limit, scale       float64
}

var pressureLimits = []pressureLimit{
	{"iowait", "IO wait", "find the busiest guest: find_guests order:cpu, get_metrics of its disks", 20, 100},
	{"pressureiofull", "IO pressure (full)", "find who writes: get_metrics of guests; check disks", 20, 1},
	{"pressurecpusome", "CPU pressure", "move guests, or give them fewer cores", 40, 1},
	{"pressurememoryfull", "memory pressure (full)", "move or shrink guests", 10, 1},
}

// loadLimit is the load average per CPU above which work queues.
const loadLimit = 2

func (f pressureFact) wrong() bool { return len(f.over()) > 0 }

// over lists what is above its limit, as words.
func (f pressureFact) over() (out []string) {
	for _, l := range pressureLimits {
		if v, ok := f.Means[l.source]; ok && v*l.scale > l.limit {
			out = append(out, fmt.Sprintf("%s %.0f %%", l.what, v*l.scale))
		}
	}
	if per, ok := f.loadPerCPU(); ok && per > loadLimit {
		out = append(out, fmt.Sprintf("load %.1f on %.0f CPUs", f.Means["loadavg"], f.Means["maxcpu"]))
	}
	return out
}

func (f pressureFact) loadPerCPU() (float64, bool) {
	load, ok := f.Means["loadavg"]
	cpus := f.Means["maxcpu"]
	return load / cpus, ok && cpus > 0
}

// askPressure averages the last samples of a node (nodes/{n}/rrddata, recording 02/081).
func askPressure(ctx context.Context, p *prober, node string) (any, []string, error) {
	series, err := p.src.Samples(ctx, pve.Sampled{Node: node}, "hour", "")
	if err != nil {
		return nil, nil, err
	}
	f, from := pressureFact{Means: map[string]float64{}}, p.c.inv.now().Add(-pressureSpan).Unix()
	for _, source := range []string{"iowait", "pressureiofull", "pressurecpusome", "pressurememoryfull", "loadavg", "maxcpu"} {
		sum, n := 0.0, 0
		for i, v := range series.Values[source] {
			if series.Times[i] >= from && !math.IsNaN(v) && !math.IsInf(v, 0) {
				sum, n = sum+v, n+1
			}
		}
		if n > 0 {
			f.Means[source] = sum / float64(n)
		}
	}
	if f.wrong() {
		return f, []string{"pressure"}, nil
	}
	return f, nil, nil
}

func checkPressure(c *checkup) []Finding {
	var out []Finding
	answers(c, "pressure", func(node string, s *probeState, f pressureFact) {
		over := f.over()
		if len(over) == 0 {
			return
		}
		hint := "see get_metrics of the node"
		for _, l := range pressureLimits {
			if strings.HasPrefix(over[0], l.what) {
				hint = l.hint
			}
		}
		out = append(out, Finding{Severity: Warn, Code: "host_pressure", Object: "node " + node, On: onNode(node), Score: 57, Since: s.First["pressure"], Noticed: true,
			Title: over[0] + " over " + ago(pressureSpan), Evidence: strings.Join(over, ", "), Hint: hint})
	})
	return out
}

// lacksPressure names nodes that took no samples lately: that their figures are low is not known.
func lacksPressure(c *checkup) []miss {
	var nodes []string
	answers(c, "pressure", func(node string, _ *probeState, f pressureFact) {
		if len(f.Means) == 0 {
			nodes = append(nodes, node)
		}
	})
	if nodes == nil {
		return nil
	}
	return []miss{{reason: "no samples of the last " + ago(pressureSpan), nodes: nodes}}
}
