package iac

import (
	"fmt"
	"strings"
	"unicode"
)

// YAML writes block YAML line by line, so that what is generated reads as if a person had written it: fixed order, two spaces, no anchors.
type YAML struct {
	b      strings.Builder
	indent int
}

// NewYAML begins a document with a comment of one or more lines.
func NewYAML(comment ...string) *YAML {
	y := &YAML{}
	for _, c := range comment {
		y.b.WriteString("# " + c + "\n")
	}
	y.b.WriteString("---\n")
	return y
}

// Line writes a line as it is, at the current depth.
func (y *YAML) Line(format string, args ...any) {
	y.b.WriteString(strings.Repeat("  ", y.indent) + fmt.Sprintf(format, args...) + "\n")
}

// In writes a line and what body writes below it, one level deeper.
func (y *YAML) In(line string, body func()) {
	y.Line("%s", line)
	y.indent++
	body()
	y.indent--
}

// Bytes is the document.
func (y *YAML) Bytes() []byte { return []byte(y.b.String()) }

// Quoted is any text as one double-quoted scalar of one line.
func Quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r > 0xffff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		case !unicode.IsPrint(r) || r == '\u00a0' || r == unicode.ReplacementChar:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
