package terraform

import "github.com/proxmox-mcp/proxmox-mcp/internal/clean"

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

// Named is a part of an object: its name, which is a word, and its value, of any type that Set takes.
type Named struct {
	Name  string
	Value any
}

// Set adds an attribute. Its value is a string, bool, int, int64, float64, []string, map[string]string, Ref, []Ref, []Ignored or
// []Named, [][]Named; anything else is written as the text that fmt gives it.
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

// comment is a text as a comment on one line: line breaks in it become blanks, so that no text of a cluster leaves it.
func comment(text string) string { return "# " + clean.Line(text, maxComment) }

// maxComment is how long a comment may be: a sentence.
const maxComment = 200
