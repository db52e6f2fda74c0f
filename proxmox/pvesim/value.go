package pvesim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Object is one JSON object as the API has it. Numbers of loaded worlds are json.Number, so that 1, 1.0 and "1"
// stay what they were; generated worlds also use int, int64 and float64.
type Object = map[string]any

// field is one key of an ordered object.
type field struct {
	key string
	val any
}

// fields is an object that is built for one answer: cheaper than a map, keys in a fixed order.
type fields []field

// rows is a list of objects that is encoded while it is made, for lists of thousands.
type rows struct {
	buf []byte
}

func (r *rows) add(f fields) {
	if len(r.buf) > 0 {
		r.buf = append(r.buf, ',')
	}
	r.buf = appendFields(r.buf, f)
}

func (f *fields) add(key string, val any) { *f = append(*f, field{key, val}) }

// decodeJSON reads one JSON value and keeps its numbers as they were written.
func decodeJSON(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	return d.Decode(into)
}

// clone copies an object one level deep, which is enough because values are replaced and never edited in place.
func clone(o Object) Object {
	if o == nil {
		return Object{}
	}
	return maps.Clone(o)
}

// without copies o and leaves out keys.
func without(o Object, keys ...string) Object {
	c := clone(o)
	for _, k := range keys {
		delete(c, k)
	}
	return c
}

// text gives a scalar as the string that the API would show, and "" for nil.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "1"
		}
		return "0"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprint(v)
}

// number gives a scalar as a float, 0 when it is none.
func number(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case float64:
		return v
	}
	f, err := strconv.ParseFloat(text(v), 64)
	if err != nil {
		return 0
	}
	return f
}

// integer gives a scalar as an integer, 0 when it is none.
func integer(v any) int64 {
	if n, err := strconv.ParseInt(text(v), 10, 64); err == nil {
		return n
	}
	return int64(number(v))
}

// truth is the API's idea of a boolean: 1 is true, all else is not.
func truth(v any) bool { return text(v) == "1" }

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// encode writes v as compact JSON without escaping HTML, as the real daemon does.
func encode(v any) []byte { return appendJSON(make([]byte, 0, 512), v) }

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case json.Number:
		return append(b, v...)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendFloat(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case json.RawMessage:
		return append(b, v...)
	case fields:
		return appendFields(b, v)
	case *rows:
		return append(append(append(b, '['), v.buf...), ']')
	case Object:
		return appendObject(b, v)
	}
	return appendList(b, v)
}

func appendFloat(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', 15, 64)
}

func appendFields(b []byte, v fields) []byte {
	b = append(b, '{')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, f.key)
		b = append(b, ':')
		b = appendJSON(b, f.val)
	}
	return append(b, '}')
}

func appendObject(b []byte, v Object) []byte {
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, k)
		b = append(b, ':')
		b = appendJSON(b, v[k])
	}
	return append(b, '}')
}

func appendList(b []byte, v any) []byte {
	switch v := v.(type) {
	case []any:
		return appendItems(b, v)
	case []Object:
		return appendItems(b, v)
	case []fields:
		return appendItems(b, v)
	case []string:
		return appendItems(b, v)
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return append(b, "null"...)
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

func appendItems[T any](b []byte, items []T) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, item)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		b = appendEscape(append(b, s[start:i]...), c)
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	if i := strings.IndexByte("\"\\\b\f\n\r\t", c); i >= 0 {
		return append(b, '\\', "\"\\bfnrt"[i])
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
