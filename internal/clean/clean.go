// Package clean makes text that came from guests and tasks safe to show: names, notes, tags, logs and agent output are data
// written by others. Control, bidi and invisible characters go, and length is capped (facts: faults.md F51, security.md S14).
package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as one line of at most max characters: newlines and tabs become blanks, unsafe characters go, and a cut shows as "…".
func Line(s string, max int) string { return cut(strip(s, false), max) }

// Block is Line that keeps line breaks.
func Block(s string, max int) string { return cut(strip(s, true), max) }

func strip(s string, keepNewlines bool) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for rest := s; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		if r == 0x1b {
			rest = rest[escapeLen(rest):]
			continue
		}
		rest = rest[n:]
		switch {
		case r == '\n' && keepNewlines:
			b.WriteByte('\n')
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError && n == 1, hidden(r):
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " \n")
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

// escapeLen is the length of the terminal escape sequence at the start of s: CSI (ESC [ ... letter), OSC (ESC ] ... BEL or ST),
// or ESC and one more character.
func escapeLen(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']':
		if i := strings.IndexAny(s, "\a\x9c"); i > 0 {
			return i + 1
		}
		if i := strings.Index(s, "\x1b\\"); i > 0 {
			return i + 2
		}
		return len(s)
	}
	_, n := utf8.DecodeRuneInString(s[1:])
	return 1 + n
}

// hidden are characters that a reader does not see but a model or terminal obeys: controls, format characters (bidi overrides,
// zero-width, the tag block U+E0000), private use, variation selectors, line and paragraph separators.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || r == 0x2028 || r == 0x2029 ||
		(r >= 0xfe00 && r <= 0xfe0f) || (r >= 0xe0000 && r <= 0xe01ef) || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0
}

func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	n := 0
	for i := range s {
		if n == max-1 && utf8.RuneCountInString(s[i:]) > 1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
