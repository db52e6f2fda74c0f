package pvesim

import (
	"fmt"
	"regexp"
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
