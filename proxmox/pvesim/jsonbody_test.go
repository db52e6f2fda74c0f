package pvesim

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestJSONFault: the first is 01/066; the others follow the parser's rules.
func TestJSONFault(t *testing.T) {
	for body, want := range map[string]string{
		`{bad json`:                        `'"' expected, at character offset 1 (before "bad json")`,
		`{"a":1} x`:                        `garbage after JSON object, at character offset 8 (before "x")`,
		`{"a":1,}`:                         `'"' expected, at character offset 7 (before "}")`,
		`{"ü" 1}`:                          `':' expected, at character offset 5 (before "1}")`,
		`{"a":[1 2]}`:                      `, or ] expected while parsing array, at character offset 8 (before "2]}")`,
		`{"a":1 "b":2}`:                    `, or } expected while parsing object/hash, at character offset 7 (before ""b":2}")`,
		`{"a":"`:                           `unexpected end of string while parsing JSON string, at character offset 6 (before "(end of string)")`,
		`{"a":tru}`:                        `'true' expected, at character offset 5 (before "tru}")`,
		`{"a":`:                            `malformed JSON string, neither tag, array, object, number, string or atom, at character offset 5 (before "(end of string)")`,
		"{\"a\":'0123456789\n0123456789'}": `malformed JSON string, neither tag, array, object, number, string or atom, at character offset 5 (before "'0123456789\n0123456...")`,
		`{"a":01}`:                         `malformed number (leading zero must not be followed by another digit), at character offset 7 (before "}")`,
		` {"a":[{},[],"\u00fc\n",-1.5e+3,null,true]} `: "",
	} {
		if got := jsonFault(body); got != want {
			t.Errorf("%s: %s\nwant %s", body, got, want)
		}
	}
	for body, want := range map[string]string{"[1]": "Not a HASH reference at ", "null": "Can't use an undefined value as", `"a"`: `Can't use string ("a") as a HASH ref`} {
		if _, err := parseJSONBody(body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzJSONFault: what has no fault is JSON for Go's parser too.
func FuzzJSONFault(f *testing.F) {
	f.Add(`{"a":[1,"\u00fc",null]}`)
	f.Fuzz(func(t *testing.T, body string) {
		if jsonFault(body) == "" && !json.Valid([]byte(body)) {
			t.Errorf("%q is taken", body)
		}
	})
}
