package server

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// envelope is what the guard needs of a JSON-RPC message.
type envelope struct {
	id     json.RawMessage
	method bool // has a method: a request or a notification
	name   string
}

// readEnvelope reads the top-level keys of one message in one pass (a few hundred nanoseconds; it is on the path of every call). What is
// no JSON object passes: mcp-go answers it with -32700. Keys must be spelled exactly and appear once: mcp-go takes "METHOD" for
// "method" and the last of two (the class of CVE-2026-27896), so that a filter in front of it could see another message than it does.
func readEnvelope(line []byte) (envelope, error) {
	var env envelope
	var bad error
	seen := 0
	s := scanner{b: line}
	if !s.take('{') || s.peek() == '}' {
		return env, nil
	}
	for {
		key, ok := s.str()
		if !ok || !s.take(':') {
			return env, nil
		}
		value, ok := s.value()
		if !ok {
			return env, nil
		}
		bit := keyBit(key)
		switch {
		case bad != nil:
		case bit == 0:
			bad = fmt.Errorf("invalid request: unknown top-level key %.40q", key)
		case seen&bit != 0:
			bad = fmt.Errorf("invalid request: top-level key %q is given twice", key)
		}
		seen |= bit
		if bit == bitID && !bytes.Equal(value, []byte("null")) {
			env.id = value
		}
		if bit == bitMethod {
			env.method, env.name = true, methodName(value)
		}
		if !s.take(',') {
			return env, bad
		}
	}
}

// methodName is the text of a method without its quotes, for the few that the doors treat apart: none of theirs needs an escape. It does
// not allocate for any other.
func methodName(value []byte) string {
	if string(value) == `"`+listenMethod+`"` {
		return listenMethod
	}
	return ""
}

// invalidRequest is the line that answers a message which readEnvelope refused.
func invalidRequest(id json.RawMessage, err error) []byte {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	msg, _ := json.Marshal(err.Error()) // a string always encodes
	return []byte(`{"jsonrpc":"2.0","id":` + string(id) + `,"error":{"code":-32600,"message":` + string(msg) + `}}` + "\n")
}

// The known keys by bit.
const (
	bitVersion = 1 << iota
	bitID
	bitMethod
	bitParams
	bitResult
	bitError
)

// keyBit is 0 for a key that JSON-RPC does not know. An escaped spelling of a known key counts as unknown: no client writes one.
func keyBit(key []byte) int {
	switch string(key) {
	case "jsonrpc":
		return bitVersion
	case "id":
		return bitID
	case "method":
		return bitMethod
	case "params":
		return bitParams
	case "result":
		return bitResult
	case "error":
		return bitError
	}
	return 0
}

// scanner walks JSON text without decoding it. On text that is no JSON it stops early or finds nonsense, which is why nothing but
// refusals may rest on it.
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
