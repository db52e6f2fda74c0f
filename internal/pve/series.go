package pve

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Sampled names what has a history of samples: a guest (Type and VMID), a storage as one node sees it, or with neither the node.
type Sampled struct {
	Node    string
	Type    GuestType
	VMID    int
	Storage string
}

// Series is the history of one object as .../rrddata tells it (recordings 02/081, 02/110, 13/079): points in time, and by name of a data
// source one value for each, NaN where nobody took a sample. cpu and iowait are fractions of 1, pressure* percent of time, netin, netout,
// diskread and diskwrite bytes per second, sizes bytes.
type Series struct {
	Times  []int64 // Unix seconds, ascending
	Values map[string][]float64
}

// DecodeSeries reads the rows of rrddata. A point that nobody sampled holds nothing but its time (pve-api.md 52): it stays a gap, as does
// a value that is no number; a row without a time is left out.
func DecodeSeries(raw []byte) (Series, error) {
	var rows []map[string]any
	if err := json.Unmarshal(raw, &rows); err != nil {
		return Series{}, fmt.Errorf("expected a list of samples: %w", err)
	}
	if rows == nil {
		return Series{}, ErrNullList
	}
	rows = slices.DeleteFunc(rows, func(r map[string]any) bool { return math.IsNaN(sample(r["time"])) })
	slices.SortStableFunc(rows, func(a, b map[string]any) int { return cmp.Compare(sample(a["time"]), sample(b["time"])) })
	s := Series{Values: map[string][]float64{}}
	for i, r := range rows {
		s.Times = append(s.Times, int64(sample(r["time"])))
		for key, v := range r {
			f := sample(v)
			if key == "time" || math.IsNaN(f) {
				continue
			}
			if s.Values[key] == nil {
				s.Values[key] = gaps(len(rows))
			}
			s.Values[key][i] = f
		}
	}
	return s, nil
}

func gaps(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

// sample is a number however it is spelt, NaN for anything else.
func sample(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		f, null, err := scalarNumber([]byte(v))
		if err == nil && !null {
			return f
		}
	}
	return math.NaN()
}

// MetricPoint is a row of GET /cluster/metrics/export (schema: cluster/metrics/export): one value of one object at one time. ID is
// "qemu/104", "node/pve1" or "storage/pve1/local"; Type is gauge, or derive for a counter since the object's start.
type MetricPoint struct {
	ID        Text  `json:"id"`
	Metric    Text  `json:"metric"`
	Timestamp Int   `json:"timestamp"`
	Type      Text  `json:"type"`
	Value     Float `json:"value"`
}
