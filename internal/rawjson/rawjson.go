// Package rawjson walks the members of JSON objects without decoding them: what stands on the path of every call and is thrown away at
// once need not be decoded.
package rawjson

import "bytes"

// Members calls each with the members of the one object that text is, key and value as they stand there, and says whether each took them
// all and there was nothing else. Of text that is no JSON it stops early or finds nonsense: nothing but refusals may rest on that, or
// it is tried with json.Valid first.
func Members(text []byte, each func(key, value []byte) bool) bool {
	s := scanner{b: text}
	if !s.take('{') {
		return false
	}
	if s.peek() == '}' {
		s.i++
		return s.ended()
	}
	for {
		key, ok := s.str()
		if !ok || !s.take(':') {
			return false
		}
		value, ok := s.value()
		if !ok || !each(key, value) {
			return false
		}
		if !s.take(',') {
			return s.take('}') && s.ended()
		}
	}
}

type scanner struct {
	b []byte
	i int
}

func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) ended() bool {
	s.peek()
	return s.i >= len(s.b)
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.i++
	return true
}

// str is the text between the quotes of the string that comes next, escapes as they are.
func (s *scanner) str() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for start := s.i; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return s.b[start : s.i-1], true
		}
	}
	return nil, false
}

// value is the text of the value that comes next.
func (s *scanner) value() ([]byte, bool) {
	s.peek()
	start, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if _, ok := s.str(); !ok {
				return nil, false
			}
			if depth == 0 {
				return s.b[start:s.i], true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return bytes.TrimSpace(s.b[start:s.i]), s.i > start
			}
			if depth--; depth == 0 {
				s.i++
				return s.b[start:s.i], true
			}
		case ',':
			if depth == 0 {
				return bytes.TrimSpace(s.b[start:s.i]), s.i > start
			}
		}
		s.i++
	}
	return nil, false
}
