package rawjson

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzMembers: of what is JSON, exactly the members of objects are found, with the values that a decoder finds.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{`{}`, ` { } `, `{"a":1}`, `{"a":"b\"c}","d":[{"e":[]},2] , "f" : null }`, `[]`, `"a"`, `null`, `{"a":1}{}`, `{"a":`, "{\"\\u0061\":\"\x00\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := map[string]json.RawMessage{}
		whole := Members(text, func(key, value []byte) bool {
			var k string
			if json.Unmarshal([]byte(`"`+string(key)+`"`), &k) == nil {
				got[k] = value
			}
			return true
		})
		if !json.Valid(text) {
			return
		}
		if object := bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")); object != whole {
			t.Fatalf("%q: whole is %v", text, whole)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil {
			return
		}
		if len(got) != len(want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		for k, v := range want {
			if !bytes.Equal(bytes.TrimSpace(v), got[k]) {
				t.Errorf("%q: %q is %q, want %q", text, k, got[k], v)
			}
		}
	})
}
