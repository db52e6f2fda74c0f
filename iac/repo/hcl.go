package repo

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// mergeHCL brings what changed between base and theirs into ours, block by block and attribute by attribute. Everything that the owner
// added stays: comments, attributes, blocks. nil where ours cannot be parsed.
func mergeHCL(p string, base, ours, theirs []byte) ([]byte, []Conflict) {
	var files [3]*hclwrite.File
	for i, src := range [][]byte{base, ours, theirs} {
		f, diags := hclwrite.ParseConfig(src, p, hcl.InitialPos)
		if diags.HasErrors() {
			return nil, []Conflict{{Where: p, Why: "it cannot be parsed: " + diags.Error()}}
		}
		files[i] = f
	}
	m := &hclMerge{}
	m.body("", files[0].Body(), files[1].Body(), files[2].Body())
	if !m.changed {
		return ours, m.conflicts
	}
	out := hclwrite.Format(files[1].Bytes())
	if _, diags := hclwrite.ParseConfig(out, p, hcl.InitialPos); diags.HasErrors() {
		return nil, []Conflict{{Where: p, Why: "what would come out cannot be parsed: " + diags.Error()}}
	}
	return out, m.conflicts
}

type hclMerge struct {
	changed   bool
	conflicts []Conflict
}

func (m *hclMerge) conflict(where, yours, generated, why string) {
	m.conflicts = append(m.conflicts, Conflict{Where: where, Yours: yours, Generated: generated, Why: why})
}

// body merges into ours; base and theirs are only read.
func (m *hclMerge) body(at string, base, ours, theirs *hclwrite.Body) {
	m.attributes(at, base, ours, theirs)
	m.blocks(at, base, ours, theirs)
}

func (m *hclMerge) attributes(at string, base, ours, theirs *hclwrite.Body) {
	was, mine, now := base.Attributes(), ours.Attributes(), theirs.Attributes()
	names := slices.Sorted(maps.Keys(was))
	for n := range now {
		if was[n] == nil {
			names = append(names, n)
		}
	}
	slices.Sort(names[len(was):])
	for _, n := range names {
		b, o, t := exprText(was[n]), exprText(mine[n]), exprText(now[n])
		switch {
		case t == b, o == t: // nothing new, or the same by hand
		case o != b:
			m.conflict(path2(at, n), o, t, "both changed")
		case t == "":
			ours.RemoveAttribute(n)
			m.changed = true
		default:
			ours.SetAttributeRaw(n, now[n].Expr().BuildTokens(nil))
			m.changed = true
		}
	}
}

func (m *hclMerge) blocks(at string, base, ours, theirs *hclwrite.Body) {
	was, mine, now := keyed(base), keyed(ours), keyed(theirs)
	for _, k := range was.order {
		b, o, t := was.by[k], mine.by[k], now.by[k]
		switch {
		case o == nil && t != nil && blockText(b) != blockText(t):
			m.conflict(path2(at, k), "", "changed", "you removed it")
		case o == nil:
		case t != nil:
			m.body(path2(at, k), b.Body(), o.Body(), t.Body())
		case blockText(b) == blockText(o):
			ours.RemoveBlock(o)
			m.changed = true
		default:
			m.conflict(path2(at, k), "edited", "", "it is no longer generated, and you edited it: remove it by hand when it is no longer wanted")
		}
	}
	for _, k := range now.order {
		if was.by[k] != nil {
			continue
		}
		if o := mine.by[k]; o != nil {
			m.body(path2(at, k), hclwrite.NewEmptyFile().Body(), o.Body(), now.by[k].Body())
			continue
		}
		if len(ours.Attributes())+len(ours.Blocks()) > 0 {
			ours.AppendNewline()
		}
		ours.AppendUnstructuredTokens(now.by[k].BuildTokens(nil))
		m.changed = true
	}
}

// identity are the attributes that tell blocks of one type apart where labels do not; others go by their place.
var identity = map[string]string{"import": "to", "removed": "from", "moved": "from", "disk": "interface", "mount_point": "path"}

// keyedBlocks are the blocks of a body by type, labels and what tells them apart, in their order.
type keyedBlocks struct {
	order []string
	by    map[string]*hclwrite.Block
}

func keyed(b *hclwrite.Body) keyedBlocks {
	k := keyedBlocks{by: map[string]*hclwrite.Block{}}
	for _, block := range b.Blocks() {
		key := strings.Join(append([]string{block.Type()}, block.Labels()...), ".")
		if v := exprText(block.Body().GetAttribute(identity[block.Type()])); v != "" {
			key += "(" + v + ")"
		}
		name := key
		for n := 1; k.by[name] != nil; n++ {
			name = fmt.Sprintf("%s[%d]", key, n)
		}
		k.order, k.by[name] = append(k.order, name), block
	}
	return k
}

func path2(at, name string) string {
	if at == "" {
		return strings.TrimPrefix(name, "resource.")
	}
	return at + "." + name
}

// exprText is an attribute's value without comments and spaces around its parts; "" for none.
func exprText(a *hclwrite.Attribute) string {
	if a == nil {
		return ""
	}
	return tokensText(a.Expr().BuildTokens(nil))
}

// blockText is a block in the same form, whatever comments stand in it.
func blockText(b *hclwrite.Block) string { return tokensText(b.BuildTokens(nil)) }

func tokensText(tokens hclwrite.Tokens) string {
	var b bytes.Buffer
	for _, t := range tokens {
		text := bytes.TrimSpace(t.Bytes)
		if isComment(text) || len(text) == 0 {
			continue
		}
		if b.Len() > 0 && t.SpacesBefore > 0 {
			b.WriteByte(' ')
		}
		b.Write(text)
	}
	return b.String()
}

func isComment(text []byte) bool {
	return bytes.HasPrefix(text, []byte("#")) || bytes.HasPrefix(text, []byte("//")) || bytes.HasPrefix(text, []byte("/*"))
}
