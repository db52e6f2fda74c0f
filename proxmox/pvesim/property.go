package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Property strings are values such as "virtio=BC:24:11:00:00:01,bridge=vmbr0": keys with values in one text, whose
// schema is an object. What the areas use of it:
//
//	o := propertyOf("qemu", "net0")              // nil when the option is no property string
//	nic, err := parseProperty(o, "net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0")
//	nic["model"], nic["macaddr"], nic["bridge"]  // aliases are resolved, booleans are "0" or "1"
//	nic["firewall"] = "1"
//	text := printProperty(o, nic)                // virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1
//	typed("lxc", "memory", "512")                // json.Number: how GET config shows an option
//
// Of a configuration the real one rewrites drives, mount points and network devices; ipconfig0, startup, boot, cpu and
// the like stay as they were sent.
//
// Named formats are found with propertyFormat("pve-qm-ide").

// props are the values of a property string by key.
type props = map[string]string

// formatError is a property string with wrong values. Its text is what the real exception says as a string: the
// message and a line for each value (03/032).
type formatError struct{ problems problems }

func (e *formatError) Error() string {
	var b strings.Builder
	b.WriteString("format error\n")
	for _, path := range slices.Sorted(maps.Keys(e.problems)) {
		b.WriteString(path + ": " + e.problems[path] + "\n")
	}
	return b.String()
}

// lineError is an error whose text ends in a line end, as that of Perl's die does.
type lineError string

func (e lineError) Error() string { return string(e) + "\n" }

// propertyFormat gives a declared property string by its name, nil when there is none.
func propertyFormat(name string) *object { return tables().formats[name] }

// propertyOf gives the property string that an option of a guest is, nil when it is none. Kind is "qemu" or "lxc".
func propertyOf(kind, key string) *object {
	if s := option(kind, key); s != nil {
		return s.object()
	}
	return nil
}

// option is the schema of an option of a guest, nil when there is no such option.
func option(kind, key string) *schema {
	o := tables().methods["PUT /nodes/{node}/"+kind+"/{vmid}/config"]
	if o == nil {
		return nil
	}
	return o.find(key)
}

// object is the schema's property string, nil when it has none.
func (s *schema) object() *object {
	if s.inner != nil {
		return s.inner
	}
	return propertyFormat(s.format)
}

// typed gives an option of a guest the JSON type that GET config shows it with: numbers for integers and
// booleans, strings for all others. So the memory of a VM, which is a property string, is a string (facts 26), and so
// is cpulimit (04/047).
func typed(kind, key, value string) any {
	s := option(kind, key)
	if key == "snaptime" { // of snapshots, and no option (08/003)
		s = &schema{kind: "integer"}
	}
	if s == nil {
		return value
	}
	return s.typed(value)
}

// parseProperty takes a property string apart and checks it. The path names the value in errors, as "net0" does in
// "net0.tag: value must have ...". Every error text ends in a line end.
func parseProperty(o *object, path, value string) (props, error) { return parseObject(o, value, path) }

func parseObject(o *object, value, path string) (props, error) {
	p := props{}
	for part := range strings.SplitSeq(value, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		if err := o.take(p, part); err != nil {
			return nil, err
		}
	}
	values := make(map[string]any, len(p))
	for k, v := range p {
		values[k] = v
	}
	bad := problems{}
	o.check(values, path, bad)
	if len(bad) > 0 {
		return nil, &formatError{bad}
	}
	if validate := validators()[o.name]; validate != nil {
		return p, validate(p)
	}
	return p, nil
}

// take adds one part of a property string: key=value, or a value for the default key.
func (o *object) take(p props, part string) error {
	key, value, pair := strings.Cut(part, "=")
	if !pair {
		return o.takeDefault(p, part)
	}
	if key == "" || value == "" {
		return lineError("missing key in comma-separated list property")
	}
	if _, ok := p[key]; ok {
		return lineError("duplicate key in comma-separated list property: " + key)
	}
	s := o.properties[key]
	if s != nil && s.alias != "" {
		if s.aliasName != "" {
			if _, ok := p[s.aliasName]; ok {
				return lineError("key alias '" + s.aliasName + "' is already defined")
			}
			p[s.aliasName] = key
		}
		key = s.alias
		s = o.properties[key]
	}
	if s != nil && s.kind == "boolean" {
		value = parseBoolean(value)
	}
	p[key] = value
	return nil
}

// takeDefault adds a value without a key. Words for booleans are not understood there (source).
func (o *object) takeDefault(p props, value string) error {
	key := o.defaultKey()
	if key == "" {
		return lineError("value without key, but schema does not define a default key")
	}
	if p[key] != "" {
		return lineError("duplicate key in comma-separated list property: " + key)
	}
	p[key] = value
	return nil
}

func (o *object) defaultKey() string {
	for name, s := range o.properties {
		if s.defaultKey {
			return name
		}
	}
	return ""
}

// parseBoolean turns the words for a boolean that property strings know into 0 and 1 and leaves others alone.
func parseBoolean(s string) string {
	switch strings.ToLower(s) {
	case "1", "on", "yes", "true":
		return "1"
	case "0", "off", "no", "false":
		return "0"
	}
	return s
}

// printProperty writes a property string in the real order: the default key without its name, then the keys that must
// be there, then the others, each by name. A model and its address become model=address. Sizes in bytes get their
// largest exact unit.
func printProperty(o *object, p props) string {
	var parts []string
	done := map[string]bool{}
	combined := o.combined()
	add := func(key string, byDefault bool) {
		v, ok := p[key]
		if !ok || done[key] {
			return
		}
		done[key] = true
		if s := o.properties[key]; s != nil && s.format == "disk-size" {
			v = exactSize(v)
		}
		other := combined[key]
		if w, ok := p[other]; ok && other != "" {
			done[other] = true
			parts = append(parts, v+"="+w)
		} else if byDefault {
			parts = append(parts, v)
		} else {
			parts = append(parts, key+"="+v)
		}
	}
	add(o.defaultKey(), true)
	for _, key := range o.required {
		add(key, false)
	}
	for _, key := range slices.Sorted(maps.Keys(p)) {
		add(key, false)
	}
	return strings.Join(parts, ",")
}

// combined gives the keys whose value stands before that of another key: model before macaddr.
func (o *object) combined() map[string]string {
	out := map[string]string{}
	for _, s := range o.properties {
		if s.aliasName != "" {
			out[s.aliasName] = s.alias
		}
	}
	return out
}

// exactSize writes a number of bytes in the largest unit that is exact, and a size with a unit as it is.
func exactSize(size string) string {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return size
	}
	return printSize(n)
}
