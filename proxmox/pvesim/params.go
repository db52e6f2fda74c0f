package pvesim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// param is the schema of one parameter, as far as its verification shows in answers.
type param struct {
	kind     string // string, integer, number, boolean
	required bool
	enum     []string
	min, max *int64
	maxLen   int
	format   func(string) error
}

// params are the parameters of a method by name; those of its path stand for themselves.
type params map[string]param

func str() param                  { return param{kind: "string"} }
func boolean() param              { return param{kind: "boolean"} }
func integers(least int64) param  { return param{kind: "integer", min: &least} }
func enum(values ...string) param { return param{kind: "string", enum: values} }

func required(p param) param {
	p.required = true
	return p
}

func formatted(f func(string) error) param { return param{kind: "string", format: f} }

// Bounds of a vmid in the schema.
var minVMID, maxVMID = int64(100), int64(999999999)

func vmidParam() param { return param{kind: "integer", min: &minVMID, max: &maxVMID} }

// pathParams are the schemas of what stands in a path.
var pathParams = params{
	"vmid": vmidParam(), "userid": formatted(formatUser),
}

var userShape = lazy.Regexp(`^[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+$`)

func formatUser(s string) error {
	if !userShape().MatchString(s) {
		return fmt.Errorf("value '%s' does not look like a valid user name", s)
	}
	return nil
}

// duplicate gives a parameter that is in the path and was sent as well; "" when there is none.
func (c *call) duplicate() string {
	for name := range c.vars {
		if has(c.params, name) {
			return name
		}
	}
	return ""
}

// verify checks a request's parameters and those of its path, all of them (facts 30), and leaves the scalars among them
// as text.
func (r *route) verify(c *call) error {
	if r.accepts == nil {
		if bad := r.params.verify(c.params, c.vars); len(bad) > 0 {
			return badParams(bad)
		}
		return nil
	}
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

// verify checks a request's parameters and gives the text for each that is wrong; all are checked (facts 30).
func (p params) verify(given map[string]any, vars map[string]string) map[string]string {
	bad := map[string]string{}
	for name, v := range given {
		schema, ok := p[name]
		if !ok {
			bad[name] = "property is not defined in schema and the schema does not allow additional properties"
			continue
		}
		if msg := schema.check(v); msg != "" {
			bad[name] = msg
		}
	}
	for name, schema := range p {
		if _, ok := given[name]; !ok && schema.required {
			bad[name] = "property is missing and it is not optional"
		}
	}
	for name, v := range vars {
		if schema, ok := pathParams[name]; ok {
			if msg := schema.check(v); msg != "" {
				bad[name] = msg
			}
		}
	}
	return bad
}

func (p param) check(v any) string {
	if list, ok := v.([]any); ok {
		for _, e := range list {
			if msg := p.check(e); msg != "" {
				return msg
			}
		}
		return ""
	}
	s := text(v)
	if msg := p.checkType(s); msg != "" {
		return msg
	}
	if p.enum != nil && !contains(p.enum, s) {
		return fmt.Sprintf("value '%s' does not have a value in the enumeration '%s'", s, strings.Join(p.enum, ", "))
	}
	if p.maxLen > 0 && len([]rune(s)) > p.maxLen {
		return fmt.Sprintf("value may only be %d characters long", p.maxLen)
	}
	if p.format != nil {
		if err := p.format(s); err != nil {
			return "invalid format - " + err.Error() + "\n"
		}
	}
	return ""
}

var integerShape = lazy.Regexp(`^[+-]?\d+$`)

func (p param) checkType(s string) string {
	switch p.kind {
	case "boolean":
		if s != "0" && s != "1" {
			return fmt.Sprintf("type check ('boolean') failed - got '%s'", s)
		}
	case "integer":
		if !integerShape().MatchString(s) {
			return fmt.Sprintf("type check ('integer') failed - got '%s'", s)
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if p.min != nil && (err == nil && n < *p.min || err != nil && s[0] == '-') {
			return fmt.Sprintf("value must have a minimum value of %d", *p.min)
		}
		if p.max != nil && (err != nil || n > *p.max) {
			return fmt.Sprintf("value must have a maximum value of %d", *p.max)
		}
	}
	return ""
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
