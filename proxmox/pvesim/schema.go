package pvesim

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// schema is what one value has to be like: the part of the API's JSON schema that shows in answers. It comes from the
// tables of this package or from a schema file; see Schema.
type schema struct {
	kind             string // string, integer, number, boolean, array, object; "" is not checked
	optional         bool
	enum             []string
	min, max         *float64
	minLen, maxLen   *int
	pattern          *pattern
	format           string  // name of a format
	inner            *object // schema of a property string that has no name
	items            *schema // of an array
	properties       *object // of an object
	requires         string  // name of another property that must be there too
	defaultKey       bool    // in a property string: the value that stands without its key
	alias, aliasName string  // in a property string: another name of alias; the name itself becomes the value of aliasName
}

// pattern is a regular expression as the API has it, compiled at first use.
type pattern struct {
	text  string
	match func() *regexp.Regexp
}

// perlGroup is how Perl shows a compiled expression inside another one: (?^i:...) instead of (?i:...).
var perlGroup = lazy.Regexp(`\(\?\^([a-z]*):`)

// newPattern takes an expression in Perl's notation. As in the real check (m/^$pattern$/) the anchors belong to the
// first and the last alternative only, and a line end may follow.
func newPattern(text string) *pattern {
	return &pattern{text, sync.OnceValue(func() *regexp.Regexp {
		expr := perlGroup().ReplaceAllStringFunc(text, func(s string) string {
			flags := strings.ReplaceAll(strings.Trim(s, "(?^:"), "u", "")
			return "(?" + flags + ":"
		})
		// Go repeats a thousand times at most; the one longer run is as good without its end
		expr = strings.NewReplacer(`\0`, `\x00`, "{0,4096}", "*").Replace(expr)
		re, err := regexp.Compile("^" + expr + `\n?$`)
		if err != nil {
			return nil
		}
		return re
	})}
}

func (p *pattern) fits(s string) bool {
	re := p.match()
	return re == nil || re.MatchString(s)
}

// object is a set of named schemas: the parameters of a method, or the keys of a property string.
type object struct {
	properties map[string]*schema
	numbered   map[string]series // by the name before the number: net of net[0..31]
	required   []string          // names that are not optional
	open       bool              // additional properties are allowed
	name       string            // of a declared property string
	variants   *variants
}

// series are numbered options that share a schema.
type series struct {
	schema *schema
	count  int // net0 to net<count-1>
}

// problems are the texts for what is wrong, by the path of the value.
type problems map[string]string

// add notes a problem. The real one joins several at one place with a backslash and an n (its source says '\n').
func (p problems) add(path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if old := p[path]; old != "" {
		text = old + `\n` + text
	}
	p[path] = text
}

// find gives the schema of a name, also of one of a series; nil when there is none.
func (o *object) find(name string) *schema {
	if s := o.properties[name]; s != nil {
		return s
	}
	base := strings.TrimRight(name, "0123456789")
	series, ok := o.numbered[base]
	digits := name[len(base):]
	if !ok || digits == "" || len(digits) > 1 && digits[0] == '0' {
		return nil
	}
	if n, err := strconv.Atoi(digits); err != nil || n >= series.count {
		return nil
	}
	return series.schema
}

const (
	textMissing = "property is missing and it is not optional"
	textUnknown = "property is not defined in schema and the schema does not allow additional properties"
)

// check checks all values of an object; path is "" for the parameters of a request.
func (o *object) check(values map[string]any, path string, bad problems) {
	o.checkMissing(values, path, bad)
	variant, inside := o.variants.check(values, path, bad)
	for name, v := range values {
		here, s := below(path, name), o.find(name)
		if s == nil && variant != nil {
			here, s = below(inside, name), variant.find(name)
		}
		switch {
		case s != nil:
			s.check(v, here, bad)
			if s.requires != "" && values[s.requires] == nil {
				bad.add(below(path, s.requires), "missing property required by '%s'", here)
			}
		case !o.open && (o.variants == nil || name != o.variants.property):
			bad.add(here, textUnknown)
		}
	}
}

func (o *object) checkMissing(values map[string]any, path string, bad problems) {
	for _, name := range o.required {
		if values[name] == nil {
			bad.add(below(path, name), textMissing)
		}
	}
}

// variants are further properties that depend on the value of one, as those of HA rules do on their type.
type variants struct {
	property string
	names    []string
	by       map[string]*object
}

// check finds the variant that the values are of, and the path that errors in it have (15/064).
func (v *variants) check(values map[string]any, path string, bad problems) (*object, string) {
	if v == nil {
		return nil, ""
	}
	if values[v.property] == nil {
		bad.add(below(path, v.property), textMissing)
		return nil, ""
	}
	chosen := &schema{kind: "string", enum: v.names}
	chosen.check(values[v.property], below(path, v.property), bad)
	kind := text(values[v.property])
	o, inside := v.by[kind], below(path, "oneOf["+kind+"]")
	if o != nil {
		o.checkMissing(values, inside, bad)
	}
	return o, inside
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// check checks one value that is there.
func (s *schema) check(v any, path string, bad problems) {
	if v == nil {
		return
	}
	if msg := s.checkType(v); msg != "" {
		bad.add(path, "%s", msg)
		return
	}
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if s.items != nil {
				s.items.check(e, fmt.Sprintf("%s[%d]", path, i), bad)
			}
		}
	case Object:
		if s.properties != nil {
			s.properties.check(v, path, bad)
		}
	case bool:
	default:
		if msg := s.checkText(text(v), path); msg != "" {
			bad.add(path, "%s", msg)
		}
	}
}

// checkType words a value of another JSON type as Perl's ref does: a JSON object is a HASH (04/032).
func (s *schema) checkType(v any) string {
	var ref string
	switch v.(type) {
	case []any:
		ref = "ARRAY"
	case Object:
		ref = "HASH"
	case bool:
		ref = "JSON::PP::Boolean"
	}
	switch s.kind {
	case "":
		return ""
	case "array", "object":
		if ref == "ARRAY" && s.kind == "array" || ref == "HASH" && s.kind == "object" {
			return ""
		}
		return fmt.Sprintf("type check ('%s') failed", s.kind)
	}
	if ref != "" {
		if s.kind == "boolean" && ref == "JSON::PP::Boolean" {
			return ""
		}
		return fmt.Sprintf("type check ('%s') failed - got %s", s.kind, ref)
	}
	if t := text(v); !s.scalar(t) {
		return fmt.Sprintf("type check ('%s') failed - got '%s'", s.kind, t)
	}
	return ""
}

var numberShape = lazy.Regexp(`^[+-]?(\d+\.\d+|\d+\.|\.\d+|\d+)([eE][+-]?\d+)?$`)

// scalar is whether a text is of the schema's type. Of booleans only 0 and 1 are (facts 25).
func (s *schema) scalar(t string) bool {
	switch s.kind {
	case "boolean":
		return t == "0" || t == "1"
	case "integer":
		return isInteger(t)
	case "number":
		return numberShape().MatchString(t)
	}
	return true
}

func isInteger(t string) bool {
	digits := strings.TrimLeft(t, "+-")
	return len(t)-len(digits) <= 1 && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// checkText checks a scalar in the real order: format, pattern, length, bounds, enumeration. The first that fails is
// told.
func (s *schema) checkText(t, path string) string {
	if err := s.checkFormat(t, path); err != nil {
		return "invalid format - " + err.Error()
	}
	if s.pattern != nil && !s.pattern.fits(t) {
		return "value does not match the regex pattern"
	}
	if s.maxLen != nil && len([]rune(t)) > *s.maxLen {
		return fmt.Sprintf("value may only be %d characters long", *s.maxLen)
	}
	if s.minLen != nil && len([]rune(t)) < *s.minLen {
		return fmt.Sprintf("value must be at least %d characters long", *s.minLen)
	}
	if msg := s.checkBounds(t); msg != "" {
		return msg
	}
	if s.enum != nil && !slices.Contains(s.enum, t) {
		return fmt.Sprintf("value '%s' does not have a value in the enumeration '%s'", t, strings.Join(s.enum, ", "))
	}
	return ""
}

// checkBounds applies to everything that looks like a number.
func (s *schema) checkBounds(t string) string {
	if s.min == nil && s.max == nil || !numberShape().MatchString(t) {
		return ""
	}
	n, _, err := big.ParseFloat(t, 10, 64, big.ToNearestEven)
	if err != nil {
		return ""
	}
	if s.max != nil && n.Cmp(big.NewFloat(*s.max)) > 0 {
		return "value must have a maximum value of " + plainNumber(*s.max)
	}
	if s.min != nil && n.Cmp(big.NewFloat(*s.min)) < 0 {
		return "value must have a minimum value of " + plainNumber(*s.min)
	}
	return ""
}

func plainNumber(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func (s *schema) checkFormat(t, path string) error {
	if s.inner != nil {
		_, err := parseObject(s.inner, t, path)
		return err
	}
	if s.format == "" {
		return nil
	}
	return checkFormat(s.format, t, path)
}

// typed gives a stored text the JSON type that the API shows it with: integers and booleans are numbers, all else is
// text, also a number such as cpulimit (04/047).
func (s *schema) typed(t string) any {
	if s.kind != "integer" && s.kind != "boolean" || !isInteger(t) {
		return t
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return t
	}
	return json.Number(strconv.FormatInt(n, 10))
}
