package terraform

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
)

// Body is what stands between the braces of a block: attributes and blocks, in the order in which they were added.
type Body struct {
	head  string // a comment at the top of a file
	items []item
}

// item is an attribute (value), a block (body) or a comment.
type item struct {
	name   string
	labels []string
	value  any
	body   *Body
}

// Ref is a reference such as proxmox_virtual_environment_pool.prod.id, or a path for ignore_changes such as disk[0].size.
type Ref string

// Ignored is a path that Terraform must not compare, with the reason, which is written behind it.
type Ignored struct {
	Path Ref
	Why  string
}

// Set adds an attribute. Its value is a string, bool, int, int64, float64, []string, map[string]string, Ref, []Ref, []Ignored or
// []Named; anything else is written as the text that fmt gives it.
func (b *Body) Set(name string, value any) { b.items = append(b.items, item{name: name, value: value}) }

// Block adds a block and gives its body.
func (b *Body) Block(name string, labels ...string) *Body {
	inner := &Body{}
	b.items = append(b.items, item{name: name, labels: labels, body: inner})
	return inner
}

// Count is how many blocks of a name it has.
func (b *Body) Count(name string) int {
	n := 0
	for _, i := range b.items {
		if i.body != nil && i.name == name {
			n++
		}
	}
	return n
}

// Empty says whether nothing was added.
func (b *Body) Empty() bool { return len(b.items) == 0 }

// Comment adds a line of comment.
func (b *Body) Comment(text string) {
	b.items = append(b.items, item{name: comment(text)})
}

// attributes counts those of the body and of all blocks in it.
func (b *Body) attributes() int {
	n := 0
	for _, i := range b.items {
		switch {
		case i.body != nil:
			n += i.body.attributes()
		case i.value != nil:
			n++
		}
	}
	return n
}

// Render writes bodies as a file that terraform fmt leaves as it is.
func (b *Body) Render() []byte {
	f := hclwrite.NewEmptyFile()
	if b.head != "" {
		f.Body().AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(comment(b.head) + "\n\n")}})
	}
	b.write(f.Body())
	return hclwrite.Format(f.Bytes())
}

func (b *Body) write(to *hclwrite.Body) {
	for n, i := range b.items {
		if n > 0 && (i.body != nil || b.items[n-1].body != nil) && !glued(b.items[n-1]) {
			to.AppendNewline()
		}
		switch {
		case i.body != nil:
			i.body.write(to.AppendNewBlock(i.name, i.labels).Body())
		case i.value != nil:
			to.SetAttributeRaw(i.name, tokens(i.value))
		default:
			to.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(i.name + "\n")}})
		}
	}
}

// glued says that what follows belongs to an item: nothing stands between a comment and its block.
func glued(i item) bool { return i.body == nil && i.value == nil }

func tokens(v any) hclwrite.Tokens {
	switch v := v.(type) {
	case Ref:
		return refTokens(v)
	case []Ref:
		all := make([]hclwrite.Tokens, len(v))
		for i, r := range v {
			all[i] = refTokens(r)
		}
		return hclwrite.TokensForTuple(all)
	case []Ignored:
		return ignoredTokens(v)
	case []Named:
		return namedTokens(v)
	}
	return hclwrite.TokensForValue(value(v))
}

func value(v any) cty.Value {
	switch v := v.(type) {
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	case int:
		return cty.NumberIntVal(int64(v))
	case int64:
		return cty.NumberIntVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case []string:
		list := make([]cty.Value, len(v))
		for i := range v {
			list[i] = cty.StringVal(v[i])
		}
		return cty.TupleVal(list)
	case map[string]string:
		m := make(map[string]cty.Value, len(v))
		for k := range v {
			m[k] = cty.StringVal(v[k])
		}
		return cty.ObjectVal(m)
	}
	return cty.StringVal(fmt.Sprint(v))
}

// ignoredTokens writes a list with one path and its reason per line.
func ignoredTokens(list []Ignored) hclwrite.Tokens {
	out := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte("[")}, newline()}
	for _, i := range list {
		out = append(out, refTokens(i.Path)...)
		out = append(out, &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte(",")},
			&hclwrite.Token{Type: hclsyntax.TokenComment, Bytes: []byte(comment(i.Why) + "\n")})
	}
	return append(out, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte("]")})
}

// Named is a part of an object: its name, which is a word, and its value, of any type that Set takes.
type Named struct {
	Name  string
	Value any
}

// namedTokens writes an object with one part per line.
func namedTokens(list []Named) hclwrite.Tokens {
	out := hclwrite.Tokens{{Type: hclsyntax.TokenOBrace, Bytes: []byte("{")}, newline()}
	for _, n := range list {
		out = append(out, &hclwrite.Token{Type: hclsyntax.TokenIdent, Bytes: []byte(n.Name)}, &hclwrite.Token{Type: hclsyntax.TokenEqual, Bytes: []byte("=")})
		out = append(append(out, tokens(n.Value)...), newline())
	}
	return append(out, &hclwrite.Token{Type: hclsyntax.TokenCBrace, Bytes: []byte("}")})
}

func newline() *hclwrite.Token {
	return &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte("\n")}
}

// comment is a text as a comment on one line: line breaks in it become blanks, so that no text of a cluster leaves it.
func comment(text string) string { return "# " + clean.Line(text, maxComment) }

// maxComment is how long a comment may be: a sentence.
const maxComment = 200

// refTokens writes a reference that this package made: words, dots and numbers in brackets.
func refTokens(r Ref) hclwrite.Tokens {
	return hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte(r)}}
}
