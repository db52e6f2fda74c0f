package replay

import (
	"fmt"
	"strconv"
	"strings"
)

// step is one part of a JSON path: a key, or an element of a list by index, by any, or by a field's value.
type step struct {
	key          string
	list, any    bool
	index        int
	field, value string
}

// parsePath reads $.data[0].x, $.data[vmid=200].x and $.data[*].x.
func parsePath(s string) []step {
	var out []step
	s = strings.TrimPrefix(s, "$")
	for s != "" {
		if s[0] == '[' {
			end := strings.IndexByte(s, ']')
			if end < 0 {
				return out
			}
			out = append(out, listStep(s[1:end]))
			s = s[end+1:]
			continue
		}
		s = strings.TrimPrefix(s, ".")
		end := strings.IndexAny(s, ".[")
		if end < 0 {
			end = len(s)
		}
		out = append(out, step{key: s[:end]})
		s = s[end:]
	}
	return out
}

func listStep(s string) step {
	if s == "*" {
		return step{list: true, any: true}
	}
	if f, v, ok := strings.Cut(s, "="); ok {
		return step{list: true, field: f, value: v, index: -1}
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return step{key: s}
	}
	return step{list: true, index: n}
}

// lookup follows a path in a decoded value.
func lookup(v any, path string) (any, bool) {
	for _, st := range parsePath(path) {
		next, ok := st.in(v)
		if !ok {
			return nil, false
		}
		v = next
	}
	return v, true
}

func (st step) in(v any) (any, bool) {
	if !st.list {
		o, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		e, ok := o[st.key]
		return e, ok
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	for i, e := range list {
		if st.matches(place{index: i, element: e}) {
			return e, true
		}
	}
	return nil, false
}

// place is where a comparison is: a key of an object, or an element of a recorded list.
type place struct {
	key     string
	list    bool
	index   int
	element any
}

func (st step) matches(p place) bool {
	switch {
	case !st.list:
		return !p.list && st.key == p.key
	case st.any:
		return true
	case st.field != "":
		o, ok := p.element.(map[string]any)
		return ok && scalar(o[st.field]) == st.value
	}
	return st.index == p.index
}

// marks are the paths that relax a comparison.
type marks [][]step

func parseMarks(list []string) marks {
	var out marks
	for _, s := range list {
		if !strings.HasPrefix(s, "@") {
			out = append(out, parsePath(s))
		}
	}
	return out
}

// cover is whether a mark stands on the place or above it.
func (m marks) cover(at []place) bool {
	for _, path := range m {
		if len(path) <= len(at) && prefix(path, at) {
			return true
		}
	}
	return false
}

func prefix(path []step, at []place) bool {
	for i, st := range path {
		if st.list != at[i].list || !st.matches(at[i]) {
			return false
		}
	}
	return true
}

// show writes a place as a JSON path.
func show(at []place) string {
	var b strings.Builder
	b.WriteString("$")
	for _, p := range at {
		if p.list {
			fmt.Fprintf(&b, "[%d]", p.index)
		} else {
			b.WriteString("." + p.key)
		}
	}
	return b.String()
}
