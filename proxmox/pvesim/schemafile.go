package pvesim

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Schema holds the parameters of the API's methods as a dump of the real schema has them; see LoadSchema. The formats
// that a dump only names are those of this package.
type Schema struct{ methods map[string]*object }

// WithSchema makes a schema say what parameters each method takes that is in it. Without one, or for methods that it
// lacks, the simulator's own tables do.
func WithSchema(s *Schema) Option { return func(sim *Sim) { sim.schema = s } }

// of gives the parameters of a method: those of the schema, or else of the tables. When neither has it, it takes those
// of its path alone.
func (s *Schema) of(method string) *object {
	if s != nil && s.methods[method] != nil {
		return s.methods[method]
	}
	if o := tables().methods[method]; o != nil {
		return o
	}
	o := newObject()
	tables().impliedParams(o, method)
	return o
}

// OpenSchema is LoadSchema of a file; without a name there is no schema, which is nil.
func OpenSchema(name string) (*Schema, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return LoadSchema(f)
}

// LoadSchema reads a dump of the API's methods: a list of nodes with path, children and info, which holds a method for
// GET, POST, PUT and DELETE each.
func LoadSchema(r io.Reader) (*Schema, error) {
	var roots []dumpNode
	if err := json.NewDecoder(r).Decode(&roots); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	s := &Schema{methods: map[string]*object{}}
	for _, n := range roots {
		if err := s.add(n); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// dumpNode is a directory of the dumped API.
type dumpNode struct {
	Path     string                `json:"path"`
	Children []dumpNode            `json:"children"`
	Info     map[string]dumpMethod `json:"info"`
}

type dumpMethod struct {
	Parameters dumpSchema `json:"parameters"`
}

// dumpSchema is the schema of a value in a dump. Numbers may be written as strings, and are sometimes.
type dumpSchema struct {
	Type         string                `json:"type"`
	Optional     flag                  `json:"optional"`
	DefaultKey   flag                  `json:"default_key"`
	Enum         []dumpText            `json:"enum"`
	Minimum      *dumpText             `json:"minimum"`
	Maximum      *dumpText             `json:"maximum"`
	MinLength    *dumpText             `json:"minLength"`
	MaxLength    *dumpText             `json:"maxLength"`
	Pattern      string                `json:"pattern"`
	Format       json.RawMessage       `json:"format"` // a name, or the schemas of a property string
	Items        *dumpSchema           `json:"items"`
	Properties   map[string]dumpSchema `json:"properties"`
	Requires     string                `json:"requires"`
	Alias        string                `json:"alias"`
	KeyAlias     string                `json:"keyAlias"`
	Additional   *flag                 `json:"additionalProperties"`
	AllOf        []dumpSchema          `json:"allOf"`
	OneOf        []dumpSchema          `json:"oneOf"`
	TypeProperty string                `json:"type-property"`
	Instance     string                `json:"instance-type"`
}

// dumpText is a scalar that may be written as a number or as a string.
type dumpText string

// UnmarshalJSON takes any scalar.
func (t *dumpText) UnmarshalJSON(b []byte) error {
	var v any
	if err := decodeJSON(strings.NewReader(string(b)), &v); err != nil {
		return err
	}
	*t = dumpText(text(v))
	return nil
}

// flag is a truth value, written as 0 or 1, as a string or as a boolean. An object counts as true.
type flag bool

// UnmarshalJSON takes anything.
func (f *flag) UnmarshalJSON(b []byte) error {
	*f = flag(!slices.Contains([]string{"0", `"0"`, `""`, "false", "null"}, string(b)))
	return nil
}

var (
	_ json.Unmarshaler = (*dumpText)(nil)
	_ json.Unmarshaler = (*flag)(nil)
)

func (s *Schema) add(n dumpNode) error {
	for method, m := range n.Info {
		name := method + " " + n.Path
		o, err := m.Parameters.object(tables().methods[name])
		if err != nil {
			return fmt.Errorf("schema of %s: %w", name, err)
		}
		s.methods[name] = o
	}
	for _, c := range n.Children {
		if err := s.add(c); err != nil {
			return err
		}
	}
	return nil
}

// object turns a set of properties into ours. The dump does not say how many numbered options there are: the tables do.
func (d *dumpSchema) object(known *object) (*object, error) {
	o := newObject()
	o.open = d.Additional != nil && bool(*d.Additional)
	for name, p := range d.Properties {
		s, err := p.schema()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if base, ok := strings.CutSuffix(name, "[n]"); ok {
			o.numbered[base] = series{s, seriesCount(known, base)}
			continue
		}
		o.set(name, s)
	}
	for _, part := range d.AllOf {
		more, err := part.object(known)
		if err != nil {
			return nil, err
		}
		o.include(more)
		if more.variants != nil {
			o.variants = more.variants
		}
	}
	return o, d.readVariants(o)
}

func (d *dumpSchema) readVariants(o *object) error {
	if len(d.OneOf) == 0 || d.TypeProperty == "" {
		return nil
	}
	o.variants = &variants{property: d.TypeProperty, by: map[string]*object{}}
	for _, one := range d.OneOf {
		v, err := one.object(nil)
		if err != nil {
			return err
		}
		o.variants.names = append(o.variants.names, one.Instance)
		o.variants.by[one.Instance] = v
	}
	return nil
}

// endless is the number of options in a series that no table knows.
const endless = 1 << 16

func seriesCount(known *object, base string) int {
	for _, name := range []string{"PUT /nodes/{node}/qemu/{vmid}/config", "PUT /nodes/{node}/lxc/{vmid}/config"} {
		if known != nil && known.numbered[base].count > 0 {
			break
		}
		known = tables().methods[name]
	}
	if known != nil && known.numbered[base].count > 0 {
		return known.numbered[base].count
	}
	return endless
}

func (d *dumpSchema) schema() (*schema, error) {
	s := &schema{kind: d.Type, optional: bool(d.Optional), defaultKey: bool(d.DefaultKey), requires: d.Requires, alias: d.Alias, aliasName: d.KeyAlias}
	for _, v := range d.Enum {
		s.enum = append(s.enum, string(v))
	}
	if d.Pattern != "" {
		s.pattern = newPattern(d.Pattern)
	}
	if err := d.limits(s); err != nil {
		return nil, err
	}
	var err error
	if d.Items != nil {
		if s.items, err = d.Items.schema(); err != nil {
			return nil, err
		}
	}
	if d.Type == "object" && d.Properties != nil {
		if s.properties, err = d.object(nil); err != nil {
			return nil, err
		}
	}
	return s, d.readFormat(s)
}

func (d *dumpSchema) readFormat(s *schema) error {
	if len(d.Format) == 0 || json.Unmarshal(d.Format, &s.format) == nil {
		return nil
	}
	inner := dumpSchema{}
	if err := json.Unmarshal(d.Format, &inner.Properties); err != nil {
		return err
	}
	var err error
	s.inner, err = inner.object(nil)
	return err
}

func (d *dumpSchema) limits(s *schema) error {
	for _, l := range []struct {
		from *dumpText
		set  func(float64)
	}{
		{d.Minimum, func(n float64) { s.min = &n }},
		{d.Maximum, func(n float64) { s.max = &n }},
		{d.MinLength, func(n float64) { s.minLen = length(&n) }},
		{d.MaxLength, func(n float64) { s.maxLen = length(&n) }},
	} {
		if l.from == nil {
			continue
		}
		n, err := strconv.ParseFloat(string(*l.from), 64)
		if err != nil {
			return err
		}
		l.set(n)
	}
	return nil
}
