package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// splice replaces a part of a text.
type splice struct {
	at, end int
	text    string
}

// errForeign is an entry of the wanted name that starts something else.
var errForeign = errors.New("the entry starts another program")

// errShape is a file whose part for servers is not what the client documents.
var errShape = errors.New("its part for servers has another form than expected")

// putJSON adds the entry of s to the object at keys, or sets the fields of the one that is there; it gives nothing where all is so already.
func putJSON(src []byte, keys []string, sv Server, fields []field) ([]splice, error) {
	at, entry, missing, err := findJSON(src, keys, sv.Name)
	if err != nil {
		return nil, err
	}
	ed := newEditor(src)
	if entry == nil {
		return ed.insert(at, missing, fields), nil
	}
	if !sv.ours(entryOf(src, entry)) {
		return nil, errForeign
	}
	var out []splice
	for _, f := range fields {
		m, _ := entry.member(f.key)
		switch {
		case m == nil:
			out = append(out, ed.insert(entry, []string{f.key}, f.value)...)
		case !sameJSON(src[m.value.at:m.value.end], f.value):
			out = append(out, splice{m.value.at, m.value.end, literal(f.value)})
		}
	}
	return out, nil
}

// findJSON walks to the entry. Where it is not there, at is the deepest object on the way, and missing are the keys below it.
func findJSON(src []byte, keys []string, name string) (at, entry *node, missing []string, err error) {
	root, _, err := scanJSON(src)
	if err != nil {
		return nil, nil, nil, err
	}
	at = &root
	path := append(append([]string{}, keys...), name)
	for k, key := range path {
		if at.kind != '{' {
			return nil, nil, nil, errShape
		}
		m, times := at.member(key)
		if times > 1 {
			return nil, nil, nil, errShape
		}
		if m == nil {
			return at, nil, path[k:], nil
		}
		at = &m.value
	}
	if at.kind != '{' {
		return nil, nil, nil, errShape
	}
	return at, at, nil, nil
}

// removeJSON takes the entry out.
func removeJSON(src []byte, keys []string, sv Server) ([]splice, error) {
	_, entry, _, err := findJSON(src, keys, sv.Name)
	if err != nil || entry == nil {
		return nil, err
	}
	if !sv.ours(entryOf(src, entry)) {
		return nil, errForeign
	}
	parent, _, _, err := findJSON(src, keys[:len(keys)-1], keys[len(keys)-1])
	if err != nil {
		return nil, err
	}
	for k := range parent.members {
		if parent.members[k].value.at == entry.at {
			return cutMember(src, parent, k), nil
		}
	}
	return nil, errShape
}

// cutMember removes member k with its comma and the line that it leaves empty; a comment before it belongs to whoever wrote it.
func cutMember(src []byte, parent *node, k int) []splice {
	m := parent.members[k]
	from := m.keyAt
	for from > 0 && strings.IndexByte(" \t\r\n", src[from-1]) >= 0 {
		from--
	}
	end := m.tail
	if line := bytes.LastIndexByte(src[:from], '\n') + 1; bytes.Contains(src[line:from], []byte("//")) && bytes.IndexByte(src[from:m.keyAt], '\n') >= 0 {
		// The line's end also ends the comment: the member's own lines go instead.
		from = from + bytes.IndexByte(src[from:], '\n') + 1
		if n := bytes.IndexByte(src[end:], '\n'); n >= 0 && len(bytes.TrimSpace(src[end:end+n])) == 0 {
			end += n + 1
		}
	}
	out := []splice{{at: from, end: end}}
	if k > 0 && k == len(parent.members)-1 && !parent.comma {
		before := parent.members[k-1]
		out = append([]splice{{at: before.tail - 1, end: before.tail}}, out...)
	}
	return out
}

// entryOf is what an entry starts; a form that is not understood starts nothing of ours.
func entryOf(src []byte, entry *node) (command string, args []string) {
	_, plain, err := scanJSON(src[entry.at:entry.end])
	if err != nil {
		return "", nil
	}
	var e struct {
		Command string   `json:"command"`
		Args    []string `json:"args"`
	}
	if json.Unmarshal(plain, &e) != nil {
		return "", nil
	}
	return e.Command, e.Args
}

func sameJSON(text []byte, v any) bool {
	_, plain, err := scanJSON(text)
	if err != nil {
		return false
	}
	var got, want bytes.Buffer
	if json.Compact(&got, plain) != nil || json.Compact(&want, []byte(plainJSON(v))) != nil {
		return false
	}
	return got.String() == want.String()
}

// editor writes members the way the text is written.
type editor struct {
	src  []byte
	unit string // one step of indentation
}

func newEditor(src []byte) editor {
	unit := "  "
	for line := range bytes.Lines(src) {
		body := bytes.TrimLeft(line, " \t")
		if lead := line[:len(line)-len(body)]; len(lead) > 0 && bytes.HasPrefix(body, []byte(`"`)) {
			unit = string(lead)
			break
		}
	}
	return editor{src, unit}
}

// lead is the white space before the first word of the line at a place.
func (e editor) lead(at int) string {
	line := e.src[bytes.LastIndexByte(e.src[:at], '\n')+1 : at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// insert adds a member behind the last one of an object: keys are nested objects that lead to the value, fields or a plain one.
func (e editor) insert(obj *node, keys []string, value any) []splice {
	oneLine := len(obj.members) > 0 && bytes.IndexByte(e.src[obj.at:obj.end], '\n') < 0
	pad := e.lead(obj.at) + e.unit
	if n := len(obj.members); n > 0 && !oneLine {
		pad = e.lead(obj.members[n-1].keyAt)
	}
	if oneLine {
		last := obj.members[len(obj.members)-1]
		text := ", " + e.member(keys, value, "", true)
		if obj.comma {
			text = " " + e.member(keys, value, "", true)
		}
		return []splice{{last.tail, last.tail, text}}
	}
	text := "\n" + pad + e.member(keys, value, pad, false)
	if len(obj.members) == 0 {
		from := obj.end - 1
		for strings.IndexByte(" \t\r\n", e.src[from-1]) >= 0 {
			from--
		}
		return []splice{{from, obj.end - 1, text + "\n" + e.lead(obj.at)}}
	}
	last := obj.members[len(obj.members)-1]
	behind := e.lineTail(last.tail, obj.end-1)
	if obj.comma {
		return []splice{{behind, behind, text + ","}}
	}
	if behind == last.tail {
		return []splice{{behind, behind, "," + text}}
	}
	return []splice{{last.tail, last.tail, ","}, {behind, behind, text}}
}

// lineTail is the end of a comment that follows on the same line, else the place itself.
func (e editor) lineTail(at, limit int) int {
	line := e.src[at:limit]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	if body := bytes.TrimLeft(line, " \t"); bytes.HasPrefix(body, []byte("//")) || bytes.HasPrefix(body, []byte("/*")) && bytes.HasSuffix(bytes.TrimRight(body, " \t\r"), []byte("*/")) {
		return at + len(bytes.TrimRight(line, " \t\r"))
	}
	return at
}

func (e editor) member(keys []string, value any, pad string, oneLine bool) string {
	head := plainJSON(keys[0]) + ": "
	if len(keys) > 1 {
		if oneLine {
			return head + "{" + e.member(keys[1:], value, "", true) + "}"
		}
		return head + "{\n" + pad + e.unit + e.member(keys[1:], value, pad+e.unit, false) + "\n" + pad + "}"
	}
	fields, ok := value.([]field)
	if !ok {
		return head + literal(value)
	}
	var parts []string
	for _, f := range fields {
		parts = append(parts, plainJSON(f.key)+": "+literal(f.value))
	}
	if oneLine {
		return head + "{" + strings.Join(parts, ", ") + "}"
	}
	inner := "\n" + pad + e.unit
	return head + "{" + inner + strings.Join(parts, ","+inner) + "\n" + pad + "}"
}
