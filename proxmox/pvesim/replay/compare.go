package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// sortKeys are the fields by which bags are put in order.
var sortKeys = strings.Fields("vmid id type node storage volid userid roleid groupid tokenid path ugid poolid iface key name n pos sid zone " +
	"vnet subdir realm status user subnet cidr macro")

// alwaysVolatile are keys whose values never count.
var alwaysVolatile = setOf("pid pstart starttime endtime uptime cpu cputime localtime wait idle loadavg diskread diskwrite netin netout " +
	"digest ticket CSRFPreventionToken avail used used_fraction free available freemem time vmgenid snaptime msg_time ctime memhost")

func setOf(s string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		out[w] = true
	}
	return out
}

func volatileKey(k string) bool { return alwaysVolatile[k] || strings.HasPrefix(k, "pressure") }

// comparison walks a recorded and an actual body together.
type comparison struct {
	volatile, normal, optional marks
	pending                    bool
	found                      []string
}

func (c *comparison) differ(at []place, format string, args ...any) {
	c.found = append(c.found, show(at)+": "+fmt.Sprintf(format, args...))
}

// kind is the JSON type of a value.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "list"
	}
	return "object"
}

func (c *comparison) walk(at []place, want, got any) {
	if kind(want) != kind(got) {
		if !c.optional.cover(at) {
			c.differ(at, "recorded %s %s, got %s %s", kind(want), short(want), kind(got), short(got))
		}
		return
	}
	if c.volatile.cover(at) || len(at) > 0 && !at[len(at)-1].list && volatileKey(at[len(at)-1].key) {
		return
	}
	switch want := want.(type) {
	case map[string]any:
		c.objects(at, want, got.(map[string]any)) //nolint:forcetypeassert // same kind
	case []any:
		c.lists(at, want, got.([]any)) //nolint:forcetypeassert // same kind
	default:
		c.scalars(at, want, got)
	}
}

func (c *comparison) objects(at []place, want, got map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		here := below(at, place{key: k})
		v, ok := got[k]
		if !ok {
			if !c.optional.cover(here) {
				c.differ(here, "missing, recorded %s", short(want[k]))
			}
			continue
		}
		c.walk(here, want[k], v)
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			if here := below(at, place{key: k}); !c.optional.cover(here) {
				c.differ(here, "not recorded, got %s", short(got[k]))
			}
		}
	}
}

func below(at []place, p place) []place { return append(slices.Clone(at), p) }

// lists compares bags: both are put in order by their key fields.
func (c *comparison) lists(at []place, want, got []any) {
	if len(want) != len(got) {
		c.differ(at, "%d elements recorded, got %d%s", len(want), len(got), onlyIn(want, got))
		return
	}
	w, g := bag(want), bag(got)
	for i := range w {
		c.walk(below(at, place{list: true, index: w[i].index, element: w[i].value}), w[i].value, g[i].value)
	}
}

type item struct {
	key   string
	index int
	value any
}

func bag(list []any) []item {
	out := make([]item, len(list))
	for i, v := range list {
		out[i] = item{bagKey(v), i, v}
	}
	slices.SortStableFunc(out, func(a, b item) int { return strings.Compare(a.key, b.key) })
	return out
}

func bagKey(v any) string {
	o, ok := v.(map[string]any)
	if !ok {
		return normalise(scalar(v))
	}
	var b strings.Builder
	for _, k := range sortKeys {
		if f, ok := o[k]; ok {
			b.WriteString(k + "=" + padded(normalise(scalar(f))) + "\x00")
		}
	}
	if f, ok := o["upid"]; ok {
		b.WriteString(normalise(scalar(f)))
	} else if f, ok := o["t"]; ok {
		b.WriteString(normalise(scalar(f)))
	}
	return b.String()
}

// padded makes numbers sort as numbers.
func padded(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return fmt.Sprintf("%020d", n)
	}
	return s
}

// onlyIn names a few elements of a list that the other lacks.
func onlyIn(want, got []any) string {
	keys := func(list []any) map[string]bool {
		out := map[string]bool{}
		for _, v := range list {
			out[bagKey(v)] = true
		}
		return out
	}
	w, g := keys(want), keys(got)
	missing := slices.DeleteFunc(slices.Sorted(maps.Keys(w)), func(k string) bool { return g[k] })
	extra := slices.DeleteFunc(slices.Sorted(maps.Keys(g)), func(k string) bool { return w[k] })
	clean := func(list []string) string {
		return strings.ReplaceAll(strings.Join(list[:min(3, len(list))], " | "), "\x00", " ")
	}
	return fmt.Sprintf(" (missing: %s; more: %s)", clean(missing), clean(extra))
}

func (c *comparison) scalars(at []place, want, got any) {
	w, g := scalar(want), scalar(got)
	if w == g || kind(want) == "number" && sameNumber(w, g) {
		return
	}
	key := ""
	if n := len(at); n > 0 && !at[n-1].list {
		key = at[n-1].key
	}
	switch {
	case key == "content" && sameList(w, g):
		return
	case kind(want) == "string" && (c.normal.cover(at) || key == "t" || key == "value" && c.pending) && normalise(w) == normalise(g):
		return
	}
	c.differ(at, "recorded %s, got %s", short(want), short(got))
}

func sameNumber(a, b string) bool {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err1 == nil && err2 == nil && x == y
}

func sameList(a, b string) bool {
	x, y := strings.Split(a, ","), strings.Split(b, ",")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

func short(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	if len(b) > 120 {
		return string(b[:117]) + "..."
	}
	return string(b)
}
