package tools

import (
	"cmp"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// An input struct is described by its tags: json (name), desc, help (in place of desc for people), enum (comma list), min, max, default, req:"true" (required),
// example (shown in errors), rule (the rule in words), multi:"true" (only where several clusters are configured), lines:"true" (a list
// whose entries hold commas), bytes (how long a text may be). A list of structs is one of objects, a json.RawMessage any object.
// example (shown in errors), rule (the rule in words), multi:"true" (only where several clusters are configured), quiet:"true" (its limits are told where they are
// broken, not beforehand), lines:"true" (a list
// whose entries hold commas). A list of structs is one of objects, a json.RawMessage any object.

type field struct {
	name, desc, rule, example string
	help                      string // what people read where a model needs no words
	enum                      []string
	min, max                  *int64
	bytes                     int // how long a text may be, 0 = 4096
	required, multi, lines    bool
	quiet                     bool
	index                     []int
	typ                       reflect.Type
}

// fieldsOf lists the inputs of a struct type in order, embedded structs last as they are declared.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || f.Tag.Get("json") == "" {
			continue
		}
		long, err := strconv.Atoi(cmp.Or(f.Tag.Get("bytes"), "0"))
		if err != nil {
			long = 0
		}
		out = append(out, field{
			bytes: long,
			name:  f.Tag.Get("json"), desc: f.Tag.Get("desc"), help: f.Tag.Get("help"), rule: f.Tag.Get("rule"), example: f.Tag.Get("example"),
			enum: split(f.Tag.Get("enum")), min: number(f.Tag.Get("min")), max: number(f.Tag.Get("max")),
			required: f.Tag.Get("req") == "true", multi: f.Tag.Get("multi") == "true", lines: f.Tag.Get("lines") == "true", quiet: f.Tag.Get("quiet") == "true", index: f.Index, typ: f.Type,
		})
	}
	return out
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func number(s string) *int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// InputSchema is the JSON schema of the tool's input as the given caller sees it: flat, closed, in the order of the struct. It was
// generated from the struct (schemas.go), so that a server's start pays for no reflection.
func (s Spec) InputSchema(c Caller) json.RawMessage {
	if c.MultiCluster {
		return s.acts(schemas[s.Name].multi, c.Level)
	}
	return s.acts(schemas[s.Name].single, c.Level)
}

// OutputSchema is that of the structured result, nil where text alone is the answer.
func (s Spec) OutputSchema() json.RawMessage {
	if s.Handle == nil {
		return nil
	}
	return json.RawMessage(schemas[s.Name].output)
}

// schema is what was generated for one tool: its input where one cluster is configured and where there are several, and its output.
type schema struct{ single, multi, output string }

// rawObject is an input that another tool decodes.
var rawObject = reflect.TypeFor[json.RawMessage]()

func jsonType(t reflect.Type) string {
	if t == rawObject || t.Kind() == reflect.Struct {
		return "object"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "array"
	default:
		return "string"
	}
}

// bad is the error for a value of this field: it names the field, the rule and an example.
func (f field) bad(rule string) *fault.Error {
	if rule == "" {
		rule = f.rule
	}
	return fault.BadField(f.name, rule, f.example)
}

// Input describes one input for doors that have no JSON schema.
type Input struct {
	Name, Type, Desc string
	Enum             []string
	Required, Lines  bool
}

// Help is the input's description with its values.
func (i Input) Help() string {
	if len(i.Enum) > 0 {
		return strings.TrimPrefix(i.Desc+" ("+strings.Join(i.Enum, ", ")+")", " ")
	}
	return i.Desc
}

// Inputs lists the inputs as the given caller sees them.
func (s Spec) Inputs(c Caller) []Input {
	var out []Input
	for _, f := range s.fields() {
		if f.multi && !c.MultiCluster {
			continue
		}
		out = append(out, Input{Name: f.name, Type: jsonType(f.typ), Desc: cmp.Or(f.help, f.desc), Enum: f.enum, Required: f.required, Lines: f.lines})
	}
	return out
}

// Required says whether the input of that name must be given.
func (s Spec) Required(name string) bool {
	for _, f := range s.fields() {
		if f.name == name {
			return f.required
		}
	}
	return false
}
