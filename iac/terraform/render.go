package terraform

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Render writes a body as a file that terraform fmt leaves as it is. The layout is written here and not by hclwrite.Format, which reads
// all of it again and takes ten times as long; a test holds both against each other.
func (b *Body) Render() []byte {
	p := &printer{}
	if b.head != "" {
		p.buf.WriteString(comment(b.head) + "\n\n")
	}
	p.body(b, 0)
	return p.buf.Bytes()
}

// printer lays out HCL.
type printer struct{ buf bytes.Buffer }

func (p *printer) indent(depth int) {
	for range depth {
		p.buf.WriteString("  ")
	}
}

func (p *printer) body(b *Body, depth int) {
	for n, i := range b.items {
		if n > 0 && (i.body != nil || b.items[n-1].body != nil) && !glued(b.items[n-1]) {
			p.buf.WriteByte('\n')
		}
		switch {
		case i.body != nil:
			p.block(i, depth)
		case i.value != nil:
			p.attribute(i.name, width(b.items, n), i.value, depth)
		default:
			p.indent(depth)
			p.buf.WriteString(i.name + "\n")
		}
	}
}

// glued says that what follows belongs to an item: nothing stands between a comment and its block.
func glued(i item) bool { return i.body == nil && i.value == nil }

func (p *printer) block(i item, depth int) {
	p.indent(depth)
	p.buf.WriteString(i.name)
	for _, l := range i.labels {
		p.buf.WriteString(" " + quoted(l))
	}
	p.buf.WriteString(" {\n")
	p.body(i.body, depth+1)
	p.indent(depth)
	p.buf.WriteString("}\n")
}

// width is the longest name of the attributes around the nth item that stand on consecutive lines: their equals signs are in one column. One
// that takes several lines stands alone.
func width(items []item, n int) int {
	if tall(items[n].value) {
		return 0
	}
	w := 0
	for from := n; from >= 0 && flat(items[from]); from-- {
		w = max(w, len(items[from].name))
	}
	for to := n; to < len(items) && flat(items[to]); to++ {
		w = max(w, len(items[to].name))
	}
	return w
}

func flat(i item) bool { return i.body == nil && i.value != nil && !tall(i.value) }

// tall says that a value takes several lines.
func tall(v any) bool {
	switch v := v.(type) {
	case []Ignored:
		return true
	case []Named:
		return len(v) > 0
	case [][]Named:
		return len(v) > 0
	case map[string]string:
		return len(v) > 0
	}
	return false
}

func (p *printer) attribute(name string, width int, v any, depth int) {
	p.indent(depth)
	p.buf.WriteString(name)
	for range width - len(name) {
		p.buf.WriteByte(' ')
	}
	p.buf.WriteString(" = ")
	p.value(v, depth)
	p.buf.WriteByte('\n')
}

func (p *printer) value(v any, depth int) {
	switch v := v.(type) {
	case string:
		p.buf.WriteString(quoted(v))
	case bool:
		p.buf.WriteString(strconv.FormatBool(v))
	case int:
		p.buf.WriteString(strconv.Itoa(v))
	case int64:
		p.buf.WriteString(strconv.FormatInt(v, 10))
	case float64:
		p.buf.WriteString(strconv.FormatFloat(v, 'f', -1, 64))
	case Ref:
		p.buf.WriteString(string(v))
	case []string:
		list(p, v, quoted)
	case []Ref:
		list(p, v, func(r Ref) string { return string(r) })
	case []Ignored:
		p.ignored(v, depth)
	case []Named:
		p.named(v, depth)
	case [][]Named:
		p.rows(v, depth)
	case map[string]string:
		p.named(sorted(v), depth)
	default:
		p.buf.WriteString(quoted(fmt.Sprint(v)))
	}
}

func list[T any](p *printer, all []T, text func(T) string) {
	p.buf.WriteByte('[')
	for i, v := range all {
		if i > 0 {
			p.buf.WriteString(", ")
		}
		p.buf.WriteString(text(v))
	}
	p.buf.WriteByte(']')
}

// ignored writes one path and its reason per line.
func (p *printer) ignored(all []Ignored, depth int) {
	w := 0
	for _, i := range all {
		w = max(w, len(i.Path))
	}
	p.buf.WriteString("[\n")
	for _, i := range all {
		p.indent(depth + 1)
		p.buf.WriteString(string(i.Path) + ",")
		for range w - len(i.Path) {
			p.buf.WriteByte(' ')
		}
		p.buf.WriteString(" " + comment(i.Why) + "\n")
	}
	p.indent(depth)
	p.buf.WriteByte(']')
}

// named writes an object with one part per line.
func (p *printer) named(all []Named, depth int) {
	if len(all) == 0 {
		p.buf.WriteString("{}")
		return
	}
	items := make([]item, len(all))
	for i, n := range all {
		items[i] = item{name: n.Name, value: n.Value}
	}
	p.buf.WriteString("{\n")
	p.body(&Body{items: items}, depth+1)
	p.indent(depth)
	p.buf.WriteByte('}')
}

// rows writes objects, one below the other.
func (p *printer) rows(all [][]Named, depth int) {
	p.buf.WriteString("[\n")
	for _, r := range all {
		p.indent(depth + 1)
		p.named(r, depth+1)
		p.buf.WriteString(",\n")
	}
	p.indent(depth)
	p.buf.WriteByte(']')
}

// sorted are the parts of a map by name; a name that is no word is quoted.
func sorted(m map[string]string) []Named {
	out := make([]Named, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		name := k
		if !hclsyntax.ValidIdentifier(k) {
			name = quoted(k)
		}
		out = append(out, Named{name, m[k]})
	}
	return out
}

// String is any text as a string of HCL.
func String(s string) string { return quoted(s) }

// quoted is a text as a string of HCL: what it could mean there is escaped by hclwrite.
func quoted(s string) string {
	if harmless(s) {
		return `"` + s + `"`
	}
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// harmless says that a text holds nothing but letters, digits and signs that mean nothing in a string of HCL.
func harmless(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '$' || c == '%' {
			return false
		}
	}
	return true
}
