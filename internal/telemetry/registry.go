package telemetry

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	// maxLabels is how many labels a metric has at most: keys are arrays, so that counting allocates nothing.
	maxLabels = 4
	// maxSeries bounds a family: 20 nodes with 4 classes and 5 statuses are 400. What comes after is counted together, as "other".
	maxSeries = 1000
	// maxLabel bounds the text of a label.
	maxLabel = 100
)

type key [maxLabels]string

type series struct {
	value   float64 // of a counter or gauge, the sum of a histogram
	count   uint64
	buckets []uint64 // by bound, not cumulative
}

// family is a metric with its series.
type family struct {
	Metric

	mu     sync.Mutex
	series map[key]*series
}

// at gives the series of the labels; f.mu is held.
func (f *family) at(k key) *series {
	s := f.series[k]
	if s == nil && len(f.series) >= maxSeries {
		for i := range f.Labels {
			k[i] = "other"
		}
		s = f.series[k]
	}
	if s == nil {
		s = &series{buckets: make([]uint64, len(f.Bounds))}
		f.series[k] = s
	}
	return s
}

func (f *family) observe(v float64, k key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(k)
	s.value += v
	s.count++
	if i, _ := slices.BinarySearch(f.Bounds, v); i < len(s.buckets) {
		s.buckets[i]++
	}
}

func (f *family) add(v float64, k key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(k).value += v
}

func (f *family) set(v float64, k key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(k).value = v
}

// registry holds the families that are kept; those that are read at a scrape live in a page.
type registry struct {
	order    []string
	families map[string]*family
}

func newRegistry() *registry {
	r := &registry{families: map[string]*family{}}
	for _, m := range Catalogue() {
		r.order = append(r.order, m.Name)
		r.families[m.Name] = &family{Metric: m, series: map[key]*series{}}
	}
	return r
}

// Page is one answer of /metrics while it is made.
type Page struct{ reg *registry }

// Set gives a gauge, or a counter that somebody else keeps, its value.
func (p Page) Set(name string, v float64, labels ...string) {
	if f := p.reg.families[name]; f != nil {
		var k key
		copy(k[:], labels)
		f.set(v, k)
	}
}

// Gather reads values at a scrape. An error is told as GatherErrors; what was set before it stays.
type Gather struct {
	Part string
	Read func(ctx context.Context, p Page) error
}

// write writes the families in the order of the catalogue; those of live are added to the kept ones.
func (r *registry) write(w io.Writer, live *registry) error {
	out := bufio.NewWriter(w)
	for _, name := range r.order {
		f := r.families[name]
		if l := live.families[name]; len(l.series) > 0 {
			f = l
		}
		f.write(out)
	}
	return out.Flush()
}

func (f *family) write(out *bufio.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.series) == 0 {
		return
	}
	line(out, "# HELP ", f.Name, " ", strings.NewReplacer("\\", `\\`, "\n", `\n`).Replace(f.Help))
	line(out, "# TYPE ", f.Name, " ", string(f.Kind))
	for _, k := range slices.SortedFunc(maps.Keys(f.series), func(a, b key) int { return slices.Compare(a[:], b[:]) }) {
		s, labels := f.series[k], labelText(f.Labels, k)
		if f.Kind != Histogram {
			line(out, f.Name, braced(labels), " ", number(s.value))
			continue
		}
		var sum uint64
		for i, n := range s.buckets {
			sum += n
			line(out, f.Name, "_bucket", braced(join(labels, `le="`+number(f.Bounds[i])+`"`)), " ", strconv.FormatUint(sum, 10))
		}
		line(out, f.Name, "_bucket", braced(join(labels, `le="+Inf"`)), " ", strconv.FormatUint(s.count, 10))
		line(out, f.Name, "_sum", braced(labels), " ", number(s.value))
		line(out, f.Name, "_count", braced(labels), " ", strconv.FormatUint(s.count, 10))
	}
}

func line(out *bufio.Writer, parts ...string) {
	for _, p := range parts {
		_, _ = out.WriteString(p) // Flush tells
	}
	_ = out.WriteByte('\n')
}

func labelText(names []string, k key) string {
	escape := strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = n + `="` + escape.Replace(k[i]) + `"`
	}
	return strings.Join(parts, ",")
}

func join(labels, more string) string {
	return strings.TrimPrefix(labels+","+more, ",")
}

func braced(labels string) string {
	if labels == "" {
		return ""
	}
	return "{" + labels + "}"
}

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// label bounds what becomes a label.
func label(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxLabel)], "")
}

// statusClass is 2xx for 204; none where there was no answer.
func statusClass(status int) string {
	if status < 100 {
		return "none"
	}
	return cmp.Or(map[int]string{2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}[status/100], "other")
}
