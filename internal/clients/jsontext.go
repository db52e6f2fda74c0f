package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// node is a value in a text of JSON with comments and trailing commas, by where it stands.
type node struct {
	kind    byte // '{', '[', '"', or 0 for a number or word
	at, end int
	members []member // of an object
	comma   bool     // the last member or element has a comma behind it
}

type member struct {
	key   string
	keyAt int
	value node
	tail  int // behind its comma, or behind the value where there is none
}

func (n *node) member(key string) (found *member, times int) {
	for k := range n.members {
		if n.members[k].key == key {
			found = &n.members[k]
			times++
		}
	}
	return found, times
}

// errJSON is a text that is no JSON even with comments and trailing commas allowed.
var errJSON = errors.New("it is not valid JSON")

// maxDepth is far beyond what a settings file nests, and far below what a stack holds.
const maxDepth = 100

type jsonScanner struct {
	src   []byte
	at    int
	plain []byte // src with comments and trailing commas blanked: what encoding/json reads
}

// scanJSON finds the parts of a text; plain is the same text as strict JSON, every part at its place.
func scanJSON(src []byte) (root node, plain []byte, err error) {
	s := &jsonScanner{src: src, plain: bytes.Clone(src)}
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		s.blank(0, 3)
		s.at = 3
	}
	if err = s.space(); err == nil {
		root, err = s.value(0)
	}
	if err == nil {
		err = s.space()
	}
	if err == nil && (s.at != len(src) || !json.Valid(s.plain)) {
		err = errJSON
	}
	return root, s.plain, err
}

func (s *jsonScanner) blank(from, to int) {
	for k := from; k < to; k++ {
		if s.plain[k] != '\n' {
			s.plain[k] = ' '
		}
	}
}

// space skips white space and comments.
func (s *jsonScanner) space() error {
	for s.at < len(s.src) {
		rest := s.src[s.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			s.at++
		case bytes.HasPrefix(rest, []byte("//")):
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			s.blank(s.at, s.at+n)
			s.at += n
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				return errJSON
			}
			s.blank(s.at, s.at+n+4)
			s.at += n + 4
		default:
			return nil
		}
	}
	return nil
}

func (s *jsonScanner) value(depth int) (node, error) {
	if s.at >= len(s.src) || depth > maxDepth {
		return node{}, errJSON
	}
	switch c := s.src[s.at]; c {
	case '{', '[':
		return s.group(c, depth)
	case '"':
		n := node{kind: '"', at: s.at}
		err := s.text()
		n.end = s.at
		return n, err
	}
	n := node{at: s.at}
	for s.at < len(s.src) && strings.IndexByte(" \t\r\n,]}:/\"", s.src[s.at]) < 0 {
		s.at++
	}
	n.end = s.at
	if n.at == n.end {
		return n, errJSON
	}
	return n, nil
}

// text skips a string.
func (s *jsonScanner) text() error {
	for s.at++; s.at < len(s.src); s.at++ {
		switch s.src[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return nil
		}
	}
	return errJSON
}

// group reads an object or a list.
func (s *jsonScanner) group(open byte, depth int) (node, error) {
	n := node{kind: open, at: s.at}
	shut := byte('}')
	if open == '[' {
		shut = ']'
	}
	s.at++
	comma := -1
	for {
		if err := s.space(); err != nil {
			return n, err
		}
		if s.at >= len(s.src) {
			return n, errJSON
		}
		if s.src[s.at] == shut {
			if n.comma = comma >= 0; n.comma {
				s.blank(comma, comma+1)
			}
			s.at++
			n.end = s.at
			return n, nil
		}
		m, err := s.item(open, depth)
		if err != nil {
			return n, err
		}
		if comma = -1; s.at < len(s.src) && s.src[s.at] == ',' {
			comma = s.at
			s.at++
			m.tail = s.at
		} else if s.at >= len(s.src) || s.src[s.at] != shut {
			return n, errJSON
		}
		n.members = append(n.members, m)
	}
}

// item reads a member of an object or an element of a list, and the space behind it.
func (s *jsonScanner) item(open byte, depth int) (m member, err error) {
	m.keyAt = s.at
	if open == '{' {
		if s.src[s.at] != '"' {
			return m, errJSON
		}
		if err := s.text(); err != nil {
			return m, err
		}
		if err := json.Unmarshal(s.src[m.keyAt:s.at], &m.key); err != nil {
			return m, errJSON
		}
		if err := s.space(); err != nil {
			return m, err
		}
		if s.at >= len(s.src) || s.src[s.at] != ':' {
			return m, errJSON
		}
		s.at++
		if err := s.space(); err != nil {
			return m, err
		}
	}
	if m.value, err = s.value(depth + 1); err != nil {
		return m, err
	}
	m.tail = m.value.end
	return m, s.space()
}
