package tools

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// An input struct is described by its tags: json (name), desc, enum (comma list), min, max, default, req:"true" (required),
// example (shown in errors), rule (the rule in words), multi:"true" (only where several clusters are configured).

type field struct {
	name, desc, rule, example string
	enum                      []string
	min, max                  *int64
	required, multi           bool
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
		out = append(out, field{
			name: f.Tag.Get("json"), desc: f.Tag.Get("desc"), rule: f.Tag.Get("rule"), example: f.Tag.Get("example"),
			enum: split(f.Tag.Get("enum")), min: number(f.Tag.Get("min")), max: number(f.Tag.Get("max")),
			required: f.Tag.Get("req") == "true", multi: f.Tag.Get("multi") == "true", index: f.Index, typ: f.Type,
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

// property is one input in the JSON schema; the order of its members is fixed by the struct.
type property struct {
	Type        string    `json:"type"`
	Enum        []string  `json:"enum,omitempty"`
	Minimum     *int64    `json:"minimum,omitempty"`
	Maximum     *int64    `json:"maximum,omitempty"`
	Items       *property `json:"items,omitempty"`
	Description string    `json:"description,omitempty"`
}

// InputSchema is the JSON schema of the tool's input as the given caller sees it: flat, closed, in the order of the struct.
func (s Spec) InputSchema(c Caller) json.RawMessage {
	var props, required []string
	for _, f := range s.fields() {
		if f.multi && !c.MultiCluster {
			continue
		}
		body, err := json.Marshal(f.property())
		if err != nil {
			continue // a struct of strings and numbers always encodes
		}
		props = append(props, strconv.Quote(f.name)+":"+string(body))
		if f.required {
			required = append(required, strconv.Quote(f.name))
		}
	}
	out := `{"type":"object","properties":{` + strings.Join(props, ",") + `}`
	if len(required) > 0 {
		out += `,"required":[` + strings.Join(required, ",") + `]`
	}
	return json.RawMessage(out + `,"additionalProperties":false}`)
}

func (f field) property() property {
	p := property{Type: jsonType(f.typ), Enum: f.enum, Minimum: f.min, Maximum: f.max, Description: f.desc}
	if f.typ.Kind() == reflect.Slice {
		p.Items = &property{Type: jsonType(f.typ.Elem())}
	}
	return p
}

func jsonType(t reflect.Type) string {
	switch t.Kind() {
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
	Required         bool
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
		out = append(out, Input{Name: f.name, Type: jsonType(f.typ), Desc: f.desc, Enum: f.enum, Required: f.required})
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
