package tools

import (
	"encoding"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestJSONNames: programs read answers by names of one form; a field that has none would show its name in Go.
func TestJSONNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	seen := map[reflect.Type]bool{}
	var walk func(tool string, typ reflect.Type)
	walk = func(tool string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			walk(tool, typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		own := reflect.PointerTo(typ)
		if seen[typ] || own.Implements(reflect.TypeFor[json.Marshaler]()) || own.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-" || !f.IsExported() && !f.Anonymous:
				continue
			case f.Anonymous && name == "":
			case !form.MatchString(name):
				t.Errorf("%s: %s.%s is %q in JSON", tool, typ, f.Name, name)
			}
			walk(tool, f.Type)
		}
	}
	for _, s := range All() {
		walk(s.Name, s.out)
	}
	if len(seen) < len(All()) {
		t.Errorf("%d types of %d tools were looked at", len(seen), len(All()))
	}
}
