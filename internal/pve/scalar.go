package pve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The scalars below decode what Proxmox VE sends for one and the same field in different versions and places: 1, "1", 1.0,
// true (facts: pve-api.md 25-26, faults.md F34). An absent or null value leaves them untouched, so pointers tell absent from 0.

// Int is an integer that also decodes from a numeric string, a float with an integral value or a boolean.
type Int int64

// Float is a number that also decodes from a numeric string. NaN and infinities are refused: they are never a measurement.
type Float float64

// Bool is a boolean that also decodes from 0/1, 0.0/1.0, "0"/"1", "true"/"false", "yes"/"no", "on"/"off".
type Bool bool

// Text is a string that also decodes from a number or a boolean (a guest named 123 arrives as a number in some versions).
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (v *Int) UnmarshalJSON(b []byte) error {
	if n, ok := plainInt(b); ok {
		*v = Int(n)
		return nil
	}
	f, null, err := scalarNumber(b)
	if err != nil || null {
		return err
	}
	if n, err := strconv.ParseInt(unquoted(b), 10, 64); err == nil {
		*v = Int(n)
		return nil
	}
	// 2^63 is the first float64 that no int64 can hold.
	if f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
		return fmt.Errorf("%.40s is not an integer", b)
	}
	*v = Int(f)
	return nil
}

// plainInt reads the common form, up to 18 digits, without a detour through floats.
func plainInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Float) UnmarshalJSON(b []byte) error {
	f, null, err := scalarNumber(b)
	if err != nil || null {
		return err
	}
	*v = Float(f)
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Bool) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	switch strings.ToLower(unquoted(b)) {
	case "1", "1.0", "true", "yes", "on":
		*v = true
	case "0", "0.0", "false", "no", "off", "":
		*v = false
	default:
		return fmt.Errorf("%.40s is not a boolean", b)
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Text) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		return nil
	case plainText(b):
		*v = Text(b[1 : len(b)-1])
		return nil
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*v = Text(s)
		return nil
	case len(b) > 0 && (b[0] == '{' || b[0] == '['):
		return fmt.Errorf("%.40s is not a string", b)
	}
	*v = Text(b)
	return nil
}

// plainText says that b is a JSON string that stands for itself: printable ASCII without escapes.
func plainText(b []byte) bool {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return false
	}
	for _, c := range b[1 : len(b)-1] {
		if c < 0x20 || c > 0x7e || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

func unquoted(b []byte) string {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		return strings.TrimSpace(string(b[1 : len(b)-1]))
	}
	return string(b)
}

func scalarNumber(b []byte) (f float64, null bool, err error) {
	switch s := unquoted(b); s {
	case "null", "":
		return 0, true, nil
	case "true":
		return 1, false, nil
	case "false":
		return 0, false, nil
	default:
		f, err = strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, false, fmt.Errorf("%.40s is not a number", b)
		}
		return f, false, nil
	}
}

// Ptr returns a pointer to v: handy for optional scalars in literals.
func Ptr[T any](v T) *T { return &v }

// DecodeRows decodes a JSON list element by element, so that one odd row never hides the others (F34). The errors name the
// index of each row that was left out; a body that is no list at all is returned as the final error.
func DecodeRows[T any](raw json.RawMessage) (rows []T, odd []error, err error) {
	// One pass where all rows are well-formed, as they nearly always are: cluster/resources of 10,000 guests is 3.6 MB.
	if err := json.Unmarshal(raw, &rows); err == nil && rows != nil {
		return rows, nil, nil
	}
	var elems []json.RawMessage
	if err := json.Unmarshal(raw, &elems); err != nil {
		return nil, nil, fmt.Errorf("expected a list: %w", err)
	}
	if elems == nil {
		return nil, nil, ErrNullList
	}
	rows = make([]T, 0, len(elems))
	for i, e := range elems {
		var row T
		if err := json.Unmarshal(e, &row); err != nil {
			odd = append(odd, fmt.Errorf("row %d: %w", i, err))
			continue
		}
		rows = append(rows, row)
	}
	return rows, odd, nil
}

// ErrNullList says that a list was expected and null was found: Proxmox VE answers 200 with data:null after a login went
// stale (faults.md F54), which must not be read as "nothing exists".
var ErrNullList = fmt.Errorf("expected a list, found null")
