package pvesim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Lines of the HTTP server's source that its Perl messages name (01/066, 01/067).
const (
	lineDecode = 934
	lineParams = 978
)

// parseJSONBody decodes a JSON body. The real one answers its parser's Perl messages as text (01/066 to 01/068).
func parseJSONBody(body string) (map[string]any, error) {
	if fault := jsonFault(body); fault != "" {
		return nil, perlError(fault, lineDecode)
	}
	var v any
	if err := decodeJSON(strings.NewReader(body), &v); err != nil {
		return nil, perlError(err.Error(), lineDecode)
	}
	switch v := v.(type) {
	case Object:
		for k, e := range v {
			if n, ok := e.(json.Number); ok {
				v[k] = perlNumber(n)
			}
		}
		return v, nil
	case nil:
		return nil, perlError("Can't use an undefined value as a HASH reference", lineParams)
	case string, json.Number:
		return nil, perlError(fmt.Sprintf(`Can't use string ("%s") as a HASH ref while "strict refs" in use`, text(v)), lineParams)
	}
	return nil, perlError("Not a HASH reference", lineParams)
}

// perlNumber writes a number as Perl has it after reading: 1.0 is 1.
func perlNumber(n json.Number) json.Number {
	if !strings.ContainsAny(n.String(), ".eE") {
		return n
	}
	f, err := n.Float64()
	if err != nil {
		return n
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}

// jsonFault is "" for a JSON text, else what the real parser says of it, with the place.
func jsonFault(body string) string {
	s := &jsonScanner{text: body}
	if s.space(); s.value(0) {
		if s.space(); s.at < len(body) {
			s.fault = "garbage after JSON object"
		}
	}
	if s.fault == "" {
		return ""
	}
	rest := "(end of string)"
	if s.at < len(body) {
		rest = perlShown(body[s.at:])
	}
	return fmt.Sprintf("%s, at character offset %d (before \"%s\")", s.fault, len([]rune(body[:s.at])), rest)
}

// shownLength is how much of the rest of a text a message shows.
const shownLength = 20

// perlShown cuts a text short and escapes what is not printed.
func perlShown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= shownLength {
			return b.String() + "..."
		}
		if i := strings.IndexRune("\n\r\t\f\a\\", r); i >= 0 {
			b.WriteString([]string{`\n`, `\r`, `\t`, `\f`, `\a`, `\\`}[i])
		} else if r < ' ' || r > '~' {
			fmt.Fprintf(&b, `\x{%x}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// jsonScanner goes through a JSON text up to its first fault; at then is its place.
type jsonScanner struct {
	text  string
	at    int
	fault string
}

// jsonDepth is how deep values may be nested.
const jsonDepth = 512

func (s *jsonScanner) fail(fault string) bool {
	s.fault = fault
	return false
}

// next is the byte at the current place, 0 at the end.
func (s *jsonScanner) next() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *jsonScanner) space() {
	for s.at < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.at]) >= 0 {
		s.at++
	}
}

func (s *jsonScanner) value(depth int) bool {
	if depth > jsonDepth {
		return s.fail("json text or perl structure exceeds maximum nesting level (max_depth set too low?)")
	}
	switch c := s.next(); {
	case c == '"':
		return s.string()
	case c == '[':
		return s.list(']', ", or ] expected while parsing array", func() bool { return s.value(depth + 1) })
	case c == '{':
		return s.list('}', ", or } expected while parsing object/hash", func() bool { return s.member(depth + 1) })
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if s.next() == word[0] {
			return s.word(word)
		}
	}
	return s.fail("malformed JSON string, neither tag, array, object, number, string or atom")
}

func (s *jsonScanner) word(word string) bool {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return s.fail("'" + word + "' expected")
	}
	s.at += len(word)
	return true
}

// list is what stands between brackets, parted by commas.
func (s *jsonScanner) list(end byte, expected string, element func() bool) bool {
	s.at++
	if s.space(); s.next() == end {
		s.at++
		return true
	}
	for {
		if s.space(); !element() {
			return false
		}
		switch s.space(); s.next() {
		case end:
			s.at++
			return true
		case ',':
			s.at++
		default:
			return s.fail(expected)
		}
	}
}

func (s *jsonScanner) member(depth int) bool {
	if s.next() != '"' {
		return s.fail("'\"' expected")
	}
	if !s.string() {
		return false
	}
	if s.space(); s.next() != ':' {
		return s.fail("':' expected")
	}
	s.at++
	s.space()
	return s.value(depth)
}

func (s *jsonScanner) string() bool {
	for s.at++; ; s.at++ {
		switch c := s.next(); {
		case c == '"':
			s.at++
			return true
		case c == '\\':
			if !s.escape() {
				return false
			}
		case s.at >= len(s.text):
			return s.fail("unexpected end of string while parsing JSON string")
		case c < ' ':
			return s.fail("invalid character 0x" + fmt.Sprintf("%02X", c) + " encountered while parsing JSON string")
		}
	}
}

// escape is what follows a backslash; it ends at its last character.
func (s *jsonScanner) escape() bool {
	rest := s.text[s.at+1:]
	if rest == "" || strings.IndexByte(`"\/bfnrtu`, rest[0]) < 0 {
		return s.fail("illegal backslash escape sequence in string")
	}
	s.at++
	if rest[0] != 'u' {
		return true
	}
	for i := 1; i <= 4; i++ {
		if i >= len(rest) || !isHex(rest[i]) {
			return s.fail("exactly four hexadecimal digits expected")
		}
	}
	s.at += 4
	return true
}

func (s *jsonScanner) digits() bool {
	from := s.at
	for c := s.next(); c >= '0' && c <= '9'; c = s.next() {
		s.at++
	}
	return s.at > from
}

func (s *jsonScanner) number() bool {
	if s.next() == '-' {
		s.at++
	}
	if s.next() == '0' {
		if s.at++; s.digits() {
			return s.fail("malformed number (leading zero must not be followed by another digit)")
		}
	} else if !s.digits() {
		return s.fail("malformed number (no digits after initial minus)")
	}
	if s.next() == '.' {
		if s.at++; !s.digits() {
			return s.fail("malformed number (no digits after decimal point)")
		}
	}
	if c := s.next(); c == 'e' || c == 'E' {
		if s.at++; s.next() == '-' || s.next() == '+' {
			s.at++
		}
		if !s.digits() {
			return s.fail("malformed number (no digits after exp sign)")
		}
	}
	return true
}
