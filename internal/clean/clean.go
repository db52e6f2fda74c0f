// Package clean makes text that came from guests and tasks safe to show: names, notes, tags, logs and agent output are data
// written by others. Control, bidi and invisible characters go, and length is capped (facts: faults.md F51, security.md S14).
package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as one line of at most limit characters (runes): line breaks and tabs become blanks, unsafe characters go, and a
// cut shows as "…". A limit below 1 leaves nothing.
func Line(s string, limit int) string { return cut(strip(s, false), limit) }

// Block is Line that keeps line breaks.
func Block(s string, limit int) string { return cut(strip(s, true), limit) }

func strip(s string, keepNewlines bool) string {
	if !plain(s) {
		s = safe(s, keepNewlines)
	}
	if s == "" || s[len(s)-1] > ' ' {
		return s
	}
	return strings.TrimRight(s, " \n")
}

func safe(s string, keepNewlines bool) string {
	var b strings.Builder
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == esc {
			s = s[escapeLen(s):]
			continue
		}
		if r == '\r' && strings.HasPrefix(s[n:], "\n") {
			s = s[n:]
			continue
		}
		s = s[n:]
		switch {
		case breaks(r) && keepNewlines:
			b.WriteByte('\n')
		case breaks(r), r == '\t', r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError && n == 1, hidden(r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain says that s is printable ASCII: nearly all names are, and need no copy.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// breaks are the characters that end a line somewhere: words on both sides of them must not grow together.
func breaks(r rune) bool {
	return r == '\n' || r == '\v' || r == '\f' || r == 0x85 || r == 0x2028 || r == 0x2029
}

const esc = 0x1b

// escapeLen is the length of the terminal escape sequence at the start of s, at least 1: a control sequence (ESC [ ... letter), a
// string (ESC ] ... BEL or ESC \) or a short one. A sequence that does not end takes its introducer with it, never the text that
// follows: else one stray character in a log would hide all that comes after it.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case '[':
		return sequenceLen(s, 2, 0x20, 0x40)
	case ']', 'P', 'X', '^', '_':
		return stringLen(s)
	}
	return sequenceLen(s, 1, 0x20, 0x30)
}

// sequenceLen is the length of a sequence: from at on, bytes from lowest up to first, which begins the range of the byte that ends it.
func sequenceLen(s string, at int, lowest, first byte) int {
	for i := at; i < len(s) && s[i] >= lowest && s[i] <= 0x7e; i++ {
		if s[i] >= first {
			return i + 1
		}
	}
	return at
}

func stringLen(s string) int {
	for i := 2; i < len(s) && s[i] != '\n'; i++ {
		switch {
		case s[i] == '\a':
			return i + 1
		case s[i] == esc && i+1 < len(s) && s[i+1] == '\\':
			return i + 2
		case s[i] == esc:
			return 2
		}
	}
	return 2
}

// hidden are characters that a reader does not see but a model or terminal obeys: controls, format characters (bidi overrides,
// zero-width, the tag block U+E0000), private use, variation selectors, fillers, and code points that are ignored by default.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, ignorable)
}

// ignorable are Unicode's default ignorable code points that are neither Cf nor Co.
var ignorable = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, {Lo: 0x115f, Hi: 0x1160, Stride: 1}, {Lo: 0x17b4, Hi: 0x17b5, Stride: 1},
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, {Lo: 0x2065, Hi: 0x2065, Stride: 1}, {Lo: 0x3164, Hi: 0x3164, Stride: 1},
		{Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, {Lo: 0xffa0, Hi: 0xffa0, Stride: 1}, {Lo: 0xfff0, Hi: 0xfff8, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}},
}

// cut shortens s to at most limit runes, the last of them "…".
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	if limit < 1 {
		return ""
	}
	n, last := 0, 0
	for i := range s {
		n++
		if n == limit {
			last = i // where the last rune that fits begins
		}
		if n > limit {
			return s[:last] + "…"
		}
	}
	return s
}
