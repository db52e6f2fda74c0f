package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/rawjson"
)

// decodeInput reads a JSON object into the input struct: once, for all doors. Unknown and repeated keys are refused with the nearest
// known one; "5" is taken where 5 is meant, 100 where "100" is; a bad value names the field, the rule and an example.
func decodeInput(raw json.RawMessage, known []field, into reflect.Value) error {
	given, err := objectMembers(raw)
	if err != nil {
		return err
	}
	for _, m := range given {
		i := slices.IndexFunc(known, func(f field) bool { return f.name == m.key })
		if i < 0 {
			return unknownField(m.key, known)
		}
		if err := known[i].set(into.FieldByIndex(known[i].index), m.value); err != nil {
			return err
		}
	}
	for _, f := range known {
		if f.required && into.FieldByIndex(f.index).IsZero() {
			return f.bad("is required")
		}
	}
	return nil
}

type member struct {
	key   string
	value json.RawMessage
}

func objectMembers(raw json.RawMessage) ([]member, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var out []member
	var twice string
	whole := json.Valid(raw) && rawjson.Members(raw, func(text, value []byte) bool {
		key, ok := keyOf(text)
		if ok && slices.ContainsFunc(out, func(m member) bool { return m.key == key }) {
			twice, ok = key, false
		}
		out = append(out, member{key, value})
		return ok
	})
	switch {
	case twice != "":
		return nil, fault.BadField(twice, "is given twice", "once")
	case !whole:
		return nil, fault.BadField("arguments", "must be a JSON object", `{"query":"state:running"}`)
	}
	return out, nil
}

// keyOf is a key without its escapes.
func keyOf(text []byte) (key string, ok bool) {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text), true
	}
	err := json.Unmarshal([]byte(`"`+string(text)+`"`), &key)
	return key, err == nil
}

func unknownField(key string, known []field) error {
	var names, listed []string
	for _, f := range known {
		names = append(names, f.name)
		if !f.multi { // what only several clusters need is not in every schema
			listed = append(listed, f.name)
		}
	}
	e := fault.BadField(fmt.Sprintf("%.40q", key), "is not an input of this tool; it takes "+strings.Join(listed, ", "), "")
	if n := near.Word(key, names); n != "" {
		e.WithHint("did you mean %q?", n)
	}
	return e
}

func (f field) set(v reflect.Value, raw json.RawMessage) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	text, isString := unquote(raw)
	if v.Type() == rawObject {
		return f.setObject(v, text)
	}
	switch v.Kind() {
	case reflect.Pointer: // an input whose zero value means something else than its absence
		v.Set(reflect.New(v.Type().Elem()))
		return f.set(v.Elem(), raw)
	case reflect.Bool:
		return f.setBool(v, text)
	case reflect.Int, reflect.Int64:
		return f.setInt(v, text)
	case reflect.Slice:
		return f.setList(v, raw)
	default:
		if !isString && (raw[0] == '{' || raw[0] == '[') {
			return f.bad("must be a text")
		}
		return f.setString(v, text)
	}
}

func unquote(raw json.RawMessage) (string, bool) {
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	return string(raw), false
}

func (f field) setBool(v reflect.Value, text string) error {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "yes", "on":
		v.SetBool(true)
	case "false", "0", "no", "off", "":
		v.SetBool(false)
	default:
		return f.bad("must be true or false")
	}
	return nil
}

func (f field) setInt(v reflect.Value, text string) error {
	text = strings.TrimSuffix(strings.TrimSpace(text), ".0")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || (f.min != nil && n < *f.min) || (f.max != nil && n > *f.max) {
		return f.bad(f.intRule())
	}
	v.SetInt(n)
	return nil
}

func (f field) intRule() string {
	switch {
	case f.min != nil && f.max != nil:
		return fmt.Sprintf("must be a whole number from %d to %d", *f.min, *f.max)
	case f.min != nil:
		return fmt.Sprintf("must be a whole number of at least %d", *f.min)
	}
	return "must be a whole number"
}

func (f field) setString(v reflect.Value, text string) error {
	// 4 KiB is far above any query, name or id; it bounds what an error or a log line can repeat.
	if most := cmp.Or(f.bytes, 4096); len(text) > most {
		return f.bad(fmt.Sprintf("must be at most %d bytes", most))
	}
	if len(f.enum) > 0 && text != "" && !slices.Contains(f.enum, text) {
		lower := strings.ToLower(text)
		if !slices.Contains(f.enum, lower) {
			return f.bad("must be one of " + strings.Join(f.enum, ", "))
		}
		text = lower
	}
	v.SetString(text)
	return nil
}

// separator parts a list that is given as one text.
func (f field) separator() string {
	if f.lines {
		return "\n"
	}
	return ","
}

func (f field) setObject(v reflect.Value, text string) error {
	if text = strings.TrimSpace(text); !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)) {
		return f.bad("must be a JSON object")
	}
	v.SetBytes([]byte(text))
	return nil
}

// setObjects reads a list of objects, also where a client or a command line gives the list, or each of its objects, as a text.
func (f field) setObjects(v reflect.Value, raw json.RawMessage) error {
	text, _ := unquote(raw)
	var items []json.RawMessage
	if json.Unmarshal([]byte(text), &items) != nil {
		return f.bad("must be a list of objects")
	}
	known := fieldsOf(v.Type().Elem())
	for k, it := range items {
		one, _ := unquote(it)
		object := reflect.New(v.Type().Elem()).Elem()
		if err := decodeInput(json.RawMessage(one), known, object); err != nil {
			e := *fault.Of(err)
			e.Message = fmt.Sprintf("%s, entry %d: %s", f.name, k+1, e.Message)
			return &e
		}
		v.Set(reflect.Append(v, object))
	}
	return nil
}

func (f field) setList(v reflect.Value, raw json.RawMessage) error {
	if v.Type().Elem().Kind() == reflect.Struct {
		return f.setObjects(v, raw)
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		text, ok := unquote(raw)
		if !ok {
			return f.bad("must be a list of texts")
		}
		for part := range strings.SplitSeq(text, f.separator()) {
			v.Set(reflect.Append(v, reflect.ValueOf(strings.TrimSpace(part))))
		}
		return nil
	}
	for _, it := range items {
		text, _ := unquote(it)
		v.Set(reflect.Append(v, reflect.ValueOf(text)))
	}
	return nil
}
