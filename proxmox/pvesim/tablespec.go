package pvesim

import (
	"errors"
	"strconv"
	"strings"
	"sync"
)

// tableTypes are the words for types.
var tableTypes = sync.OnceValue(func() map[string]string {
	return map[string]string{"str": "string", "int": "integer", "num": "number", "bool": "boolean",
		"array": "array", "object": "object", "any": ""}
})

// readSpec reads the words after a name.
func (t *tableSet) readSpec(s *schema, words []string) error {
	for i, w := range words {
		if w == "[" {
			s.items = &schema{kind: "string"}
			if words[len(words)-1] != "]" {
				return errors.New("[ without ]")
			}
			return t.readSpec(s.items, words[i+1:len(words)-1])
		}
		if err := t.readWord(s, w); err != nil {
			return err
		}
	}
	return nil
}

func (t *tableSet) readWord(s *schema, w string) error {
	if kind, ok := tableTypes()[w]; ok {
		s.kind = kind
		return nil
	}
	name := w[1:]
	switch w[0] {
	case ':':
		s.format = name
		return nil
	case '~':
		if s.pattern = t.patterns[name]; s.pattern == nil {
			return errors.New("no such pattern")
		}
		return nil
	case '<':
		s.requires = name
		return nil
	case '=':
		s.kind = ""
		s.alias, s.aliasName, _ = strings.Cut(name, "/")
		return nil
	case '#':
		return readLengths(s, name)
	case '|':
		return t.readNamedEnum(s, name)
	}
	if strings.ContainsAny(w, "|{") {
		s.enum = expandEnum(w)
		return nil
	}
	return readBounds(s, w)
}

func (t *tableSet) readNamedEnum(s *schema, name string) error {
	if value, ok := strings.CutPrefix(name, "="); ok {
		s.enum = []string{value}
		return nil
	}
	if s.enum = t.enums[name]; s.enum == nil {
		return errors.New("no such enum")
	}
	return nil
}

// expandEnum splits values at | and writes out x{0..3}.
func expandEnum(text string) []string {
	var out []string
	for v := range strings.SplitSeq(text, "|") {
		base, limit, ok := strings.Cut(strings.TrimSuffix(v, "}"), "{0..")
		last, err := strconv.Atoi(limit)
		if !ok || err != nil {
			out = append(out, v)
			continue
		}
		for n := range last + 1 {
			out = append(out, base+strconv.Itoa(n))
		}
	}
	return out
}

func readBounds(s *schema, w string) error {
	low, high, ok := strings.Cut(w, "..")
	if !ok {
		return errors.New("unknown word " + w)
	}
	var err error
	if s.min, err = readNumber(low); err != nil {
		return err
	}
	s.max, err = readNumber(high)
	return err
}

func readNumber(text string) (*float64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	return &n, err
}

func readLengths(s *schema, w string) error {
	var bounds schema
	if err := readBounds(&bounds, w); err != nil {
		return err
	}
	s.minLen, s.maxLen = length(bounds.min), length(bounds.max)
	return nil
}

func length(n *float64) *int {
	if n == nil {
		return nil
	}
	i := int(*n)
	return &i
}
