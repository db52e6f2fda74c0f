package pvesim

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// conflicting gives the first parameter that was sent with another value than it has in the path, "" when there is none.
// Those with the same value count once: go-proxmox sends the id of a new token both ways.
func (c *call) conflicting() string {
	for _, name := range slices.Sorted(maps.Keys(c.vars)) {
		v, sent := c.params[name]
		if !sent {
			continue
		}
		if _, list := v.([]any); list || text(v) != c.vars[name] {
			return name
		}
		delete(c.params, name)
	}
	return ""
}

// verify checks a request's parameters and those of its path, all of them (facts 30), and leaves the scalars among them
// as text.
func (r *route) verify(c *call) error {
	r.accepts.prepare(c.params)
	values := maps.Clone(c.params)
	if values == nil {
		values = map[string]any{}
	}
	for name, v := range c.vars {
		values[name] = v
	}
	bad := problems{}
	if r.accepts.check(values, "", bad); len(bad) > 0 {
		return badParams(bad)
	}
	for name, v := range c.params {
		switch v.(type) {
		case json.Number, bool, float64:
			c.params[name] = text(v)
		}
	}
	return nil
}

// prepare does what the real one does for forms, which know no arrays: a list becomes one text where a text with a list
// format is wanted, and a single value a list where a list is (facts 28). An empty value and 0 stay what they are.
func (o *object) prepare(given map[string]any) {
	for name, v := range given {
		s := o.find(name)
		if s == nil {
			continue
		}
		switch v := v.(type) {
		case []any:
			if s.kind == "string" && strings.HasSuffix(s.format, "-list") {
				given[name] = joinAll(v)
			}
		case string, json.Number:
			if t := text(v); s.kind == "array" && t != "" && t != "0" {
				given[name] = []any{v}
			}
		}
	}
}

func joinAll(list []any) string {
	var parts []string
	for _, e := range list {
		parts = append(parts, text(e))
	}
	return strings.Join(parts, ",")
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// parseForm decodes a query string or form body; a repeated key becomes a list (facts 28).
func parseForm(s string) map[string]any {
	out := map[string]any{}
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '&' || r == ';' }) {
		k, v, _ := strings.Cut(part, "=")
		key, val := unescape(k, true), unescape(v, true)
		switch old := out[key].(type) {
		case nil:
			out[key] = val
		case []any:
			out[key] = append(old, val)
		default:
			out[key] = []any{old, val}
		}
	}
	return out
}

// unescape undoes percent-encoding and leaves what is none as it is, as the daemon does.
func unescape(s string, plus bool) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '%' && i+2 < len(s)+0 && isHex(s[i+1]) && isHex(s[i+2]):
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err == nil {
				b.WriteByte(byte(n))
			}
			i += 2
		case s[i] == '+' && plus:
			b.WriteByte(' ')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
