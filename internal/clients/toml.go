package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// errTOML is a text that is not TOML, as far as this reader follows it: tables, keys, and where values end.
var errTOML = errors.New("it is not valid TOML")

// item is a line of a TOML text that names something: the head of a table, or a key with its value.
type item struct {
	path     []string // from the root
	head     bool     // [table] or [[list of tables]]
	list     bool
	at, end  int // with the end of the line
	from, to int // of the value
}

type tomlScanner struct {
	src   []byte
	at    int
	table []string
	items []item
}

func scanTOML(src []byte) ([]item, error) {
	s := &tomlScanner{src: src}
	for s.at < len(src) {
		if err := s.line(); err != nil {
			return nil, err
		}
	}
	return s.items, nil
}

func (s *tomlScanner) peek() byte {
	if s.at >= len(s.src) {
		return '\n'
	}
	return s.src[s.at]
}

func (s *tomlScanner) blanks() {
	for s.peek() == ' ' || s.peek() == '\t' || s.peek() == '\r' {
		s.at++
	}
}

// rest skips what may follow on a line: white space and a comment.
func (s *tomlScanner) rest() error {
	if s.blanks(); s.peek() == '#' {
		for s.peek() != '\n' {
			s.at++
		}
	}
	if s.peek() != '\n' {
		return errTOML
	}
	s.at++
	return nil
}

func (s *tomlScanner) line() (err error) {
	it := item{at: s.at}
	s.blanks()
	switch s.peek() {
	case '\n', '#':
		return s.rest()
	case '[':
		it.head, it.list = true, bytes.HasPrefix(s.src[s.at:], []byte("[["))
		shut := map[bool]string{true: "]]", false: "]"}[it.list]
		s.at += len(shut)
		if it.path, err = s.key(); err != nil {
			return err
		}
		if !bytes.HasPrefix(s.src[s.at:], []byte(shut)) {
			return errTOML
		}
		s.at += len(shut)
		s.table = it.path
	default:
		key, err := s.key()
		if err != nil {
			return err
		}
		if s.peek() != '=' {
			return errTOML
		}
		s.at++
		s.blanks()
		it.path, it.from = slices.Concat(s.table, key), s.at
		if err := s.value(); err != nil {
			return err
		}
		it.to = s.at
	}
	if err := s.rest(); err != nil {
		return err
	}
	it.end = min(s.at, len(s.src))
	s.items = append(s.items, it)
	return nil
}

// key reads a dotted key.
func (s *tomlScanner) key() (path []string, err error) {
	for {
		s.blanks()
		from := s.at
		switch s.peek() {
		case '"', '\'':
			quote := s.peek()
			if err := s.text(); err != nil {
				return nil, err
			}
			word := string(s.src[from+1 : s.at-1])
			if quote == '"' && json.Unmarshal(s.src[from:s.at], &word) != nil {
				return nil, errTOML
			}
			path = append(path, word)
		default:
			for strings.IndexByte(" \t\r\n.=[]#\"'", s.peek()) < 0 {
				s.at++
			}
			if s.at == from {
				return nil, errTOML
			}
			path = append(path, string(s.src[from:s.at]))
		}
		if s.blanks(); s.peek() != '.' {
			return path, nil
		}
		s.at++
	}
}

// text skips a string of any of the four kinds.
func (s *tomlScanner) text() error {
	quote := s.src[s.at : s.at+1]
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(s.src[s.at:], triple) {
		quote = triple
	}
	for s.at += len(quote); s.at < len(s.src); s.at++ {
		switch {
		case bytes.HasPrefix(s.src[s.at:], quote):
			s.at += len(quote)
			for len(quote) == 3 && s.peek() == quote[0] && s.at < len(s.src) { // up to two quotes may stand before the end
				s.at++
			}
			return nil
		case s.src[s.at] == '\\' && quote[0] == '"':
			s.at++
		case s.src[s.at] == '\n' && len(quote) == 1:
			return errTOML
		}
	}
	return errTOML
}

// value skips a value: to the end of its line, or further where brackets are open.
func (s *tomlScanner) value() error {
	depth, last := 0, s.at
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '"' || c == '\'':
			if err := s.text(); err != nil {
				return err
			}
			last = s.at
			continue
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == '#' && depth > 0:
			for s.peek() != '\n' {
				s.at++
			}
			continue
		case depth == 0 && (c == '\n' || c == '#'):
			s.at = last
			return nil
		}
		s.at++
		if strings.IndexByte(" \t\r\n", s.src[s.at-1]) < 0 {
			last = s.at
		}
	}
	if depth != 0 {
		return errTOML
	}
	s.at = last
	return nil
}

func under(path, top []string) bool {
	return len(path) >= len(top) && slices.Equal(path[:len(top)], top)
}

// findTOML gives the items of the entry's table and of those below it.
func findTOML(src []byte, keys []string, name string) (mine []item, err error) {
	items, err := scanTOML(src)
	if err != nil {
		return nil, err
	}
	entry := slices.Concat(keys, []string{name})
	in, heads := false, 0
	for _, it := range items {
		switch {
		case it.head && it.list && under(it.path, keys):
			return nil, errShape
		case it.head:
			if in = under(it.path, entry); in && len(it.path) == len(entry) {
				heads++
			}
		case !in && (slices.Equal(it.path, keys) || under(it.path, entry)):
			return nil, errShape // an inline table, or keys with dots
		}
		if in {
			mine = append(mine, it)
		}
	}
	if heads > 1 || heads == 0 && len(mine) > 0 {
		return nil, errShape
	}
	return mine, nil
}

func valueOf[T any](src []byte, mine []item, path []string) (v T) {
	for _, it := range mine {
		if !it.head && slices.Equal(it.path, path) {
			_ = json.Unmarshal(src[it.from:it.to], &v) // strings and lists of them look the same in JSON; others are not ours
		}
	}
	return v
}

func oursTOML(sv Server, src []byte, mine []item, entry []string) bool {
	return sv.ours(valueOf[string](src, mine, append(slices.Clone(entry), "command")), valueOf[[]string](src, mine, append(slices.Clone(entry), "args")))
}

// putTOML adds the table of the entry at the end, or sets its keys where it is there already.
func putTOML(src []byte, keys []string, sv Server, fields []field) ([]splice, error) {
	mine, err := findTOML(src, keys, sv.Name)
	if err != nil {
		return nil, err
	}
	entry := slices.Concat(keys, []string{sv.Name})
	if len(mine) == 0 {
		text := "[" + strings.Join(keys, ".") + "." + tomlKey(sv.Name) + "]\n"
		for _, f := range fields {
			text += f.key + " = " + literal(f.value) + "\n"
		}
		if len(bytes.TrimSpace(src)) > 0 {
			text = "\n" + text
		}
		if n := len(src); n > 0 && src[n-1] != '\n' {
			text = "\n" + text
		}
		return []splice{{len(src), len(src), text}}, nil
	}
	if !oursTOML(sv, src, mine, entry) {
		return nil, errForeign
	}
	var out []splice
	for _, f := range fields {
		k := slices.IndexFunc(mine, func(it item) bool { return !it.head && slices.Equal(it.path, append(slices.Clone(entry), f.key)) })
		switch {
		case k < 0:
			head := mine[slices.IndexFunc(mine, func(it item) bool { return it.head && len(it.path) == len(entry) })]
			text := f.key + " = " + literal(f.value) + "\n"
			if src[head.end-1] != '\n' {
				text = "\n" + text
			}
			out = append(out, splice{head.end, head.end, text})
		case !sameJSON(src[mine[k].from:mine[k].to], f.value):
			out = append(out, splice{mine[k].from, mine[k].to, literal(f.value)})
		}
	}
	return out, nil
}

// removeTOML takes the entry's tables out; comments before the next table stay with it.
func removeTOML(src []byte, keys []string, sv Server) ([]splice, error) {
	mine, err := findTOML(src, keys, sv.Name)
	if err != nil || len(mine) == 0 {
		return nil, err
	}
	if !oursTOML(sv, src, mine, slices.Concat(keys, []string{sv.Name})) {
		return nil, errForeign
	}
	var out []splice
	for k, it := range mine {
		at := it.at
		if k > 0 && !strings.Contains(string(src[out[len(out)-1].end:at]), "[") {
			out[len(out)-1].end = it.end // blank lines and comments inside the entry go with it
			continue
		}
		if at >= 2 && it.head && src[at-1] == '\n' && src[at-2] == '\n' {
			at-- // the empty line before it
		}
		out = append(out, splice{at: at, end: it.end})
	}
	return out, nil
}

func tomlKey(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" && name != "" {
		return name
	}
	return plainJSON(name)
}
