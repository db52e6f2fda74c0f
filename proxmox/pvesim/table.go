package pvesim

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The tables say in a notation of our own what parameters the methods of the API take. A file is a list of blocks: a
// line at the margin opens one, indented lines hold its items, parted by a semicolon between blanks. # begins a
// comment.
//
//	pattern NAME EXPRESSION    a regular expression, to the end of the line
//	enum NAME a|b|c            values; x{0..3} stands for x0|x1|x2|x3; a second line adds to the first
//	format NAME                a property string, whose keys follow
//	params NAME                parameters that several methods share
//	PUT /path/{vmid}           a method; the parameters of its path are implied
//
// An item is a name, with ? when it is optional and ! when it is the default key of a property string, and with
// [0..31] when it is a series of numbered options. What follows says what its value is like:
//
//	str int num bool array any   the type; str is the default
//	1..64  ..5  0..              bounds
//	#..40                        bounds of the length
//	a|b|c  |NAME                 an enumeration, or a declared one (a single value is written |=value)
//	:NAME                        a format, also a declared property string
//	~NAME                        a pattern
//	<NAME                        needs another parameter
//	=NAME  =NAME/OTHER           an alias; OTHER then holds the name that was used
//	[ ... ]                      what the elements of an array are like
//
// +NAME takes in all items of params NAME, -NAME leaves one out again. "when type=x NAME" takes them in where the
// parameter type is x.
//
//go:embed tables
var tableFiles embed.FS

// tableSet is what the tables hold.
type tableSet struct {
	methods  map[string]*object // by "PUT /path/{vmid}"
	formats  map[string]*object
	groups   map[string]*object
	enums    map[string][]string
	patterns map[string]*pattern
	open     *object // the block that is being read
	failed   []error // lines that are no table; a test sees that there are none
}

// tables are read once per process, when they are first used.
var tables = sync.OnceValue(func() *tableSet {
	t := newTableSet()
	names, _ := fs.Glob(tableFiles, "tables/*.txt")
	slices.Sort(names) // 0-*.txt declare what the others use
	for _, name := range names {
		data, _ := tableFiles.ReadFile(name)
		t.failed = append(t.failed, t.read(name, string(data))...)
	}
	return t
})

func newTableSet() *tableSet {
	return &tableSet{methods: map[string]*object{}, formats: map[string]*object{}, groups: map[string]*object{},
		enums: map[string][]string{}, patterns: map[string]*pattern{}}
}

func newObject() *object {
	return &object{properties: map[string]*schema{}, numbered: map[string]series{}}
}

// read adds the blocks of a file and gives an error for each line that it does not understand.
func (t *tableSet) read(name, content string) (failed []error) {
	for i, line := range strings.Split(content, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var err error
		if strings.TrimLeft(line, " \t") != line {
			err = t.readItems(line)
		} else {
			err = t.readHead(line)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s:%d: %w", name, i+1, err))
		}
	}
	return failed
}

// readHead opens a block.
func (t *tableSet) readHead(line string) error {
	kind, rest, _ := strings.Cut(line, " ")
	name, value, _ := strings.Cut(rest, " ")
	o := newObject()
	switch kind {
	case "pattern":
		t.patterns[name] = newPattern(value)
		return nil
	case "enum":
		t.enums[name] = append(t.enums[name], expandEnum(value)...)
		return nil
	case "format":
		o.name, t.formats[name] = name, o
	case "params":
		t.groups[name] = o
	case "GET", "POST", "PUT", "DELETE":
		t.methods[line] = o
		t.impliedParams(o, name)
	default:
		return errors.New("no block begins with " + kind)
	}
	t.open = o
	return nil
}

// impliedParams adds the parameters of a path, as params path declares them: text where it does not.
func (t *tableSet) impliedParams(o *object, path string) {
	for seg := range strings.SplitSeq(path, "/") {
		if !strings.HasPrefix(seg, "{") {
			continue
		}
		name, s := strings.Trim(seg, "{}"), &schema{kind: "string"}
		if g := t.groups["path"]; g != nil && g.properties[name] != nil {
			s = g.properties[name]
		}
		o.set(name, s)
	}
}

func (t *tableSet) readItems(line string) error {
	for item := range strings.SplitSeq(line, " ; ") {
		if err := t.readItem(strings.Fields(item)); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(item), err)
		}
	}
	return nil
}

func (t *tableSet) readItem(words []string) error {
	if t.open == nil || len(words) == 0 {
		return errors.New("an item outside of a block")
	}
	switch name := words[0]; name[0] {
	case '+':
		g := t.groups[name[1:]]
		if g == nil {
			return errors.New("no such params")
		}
		t.open.include(g)
		return nil
	case '-':
		return t.open.leaveOut(name[1:])
	}
	if words[0] == "when" {
		return t.readVariant(words[1:])
	}
	s := &schema{kind: "string"}
	name := strings.TrimRight(words[0], "?!")
	flags := words[0][len(name):]
	s.optional, s.defaultKey = strings.Contains(flags, "?"), strings.Contains(flags, "!")
	if err := t.readSpec(s, words[1:]); err != nil {
		return err
	}
	if base, limit, ok := strings.Cut(strings.TrimSuffix(name, "]"), "[0.."); ok {
		n, err := strconv.Atoi(limit)
		t.open.numbered[base] = series{s, n + 1}
		return err
	}
	t.open.set(name, s)
	return nil
}

// readVariant reads type=x NAME.
func (t *tableSet) readVariant(words []string) error {
	if len(words) != 2 || t.groups[words[1]] == nil {
		return errors.New("when needs a value and params")
	}
	property, value, _ := strings.Cut(words[0], "=")
	if t.open.variants == nil {
		t.open.variants = &variants{property: property, by: map[string]*object{}}
	}
	t.open.variants.names = append(t.open.variants.names, value)
	t.open.variants.by[value] = t.groups[words[1]]
	return nil
}

// set puts a property in place, also of one that a group brought.
func (o *object) set(name string, s *schema) {
	o.properties[name] = s
	o.required = slices.DeleteFunc(o.required, func(n string) bool { return n == name })
	if !s.optional && s.alias == "" {
		o.required = append(o.required, name)
		slices.Sort(o.required)
	}
}

func (o *object) include(g *object) {
	for name, s := range g.properties {
		o.set(name, s)
	}
	maps.Copy(o.numbered, g.numbered)
}

func (o *object) leaveOut(name string) error {
	_, single := o.properties[name]
	_, many := o.numbered[name]
	if !single && !many {
		return errors.New("nothing to leave out")
	}
	delete(o.properties, name)
	delete(o.numbered, name)
	o.required = slices.DeleteFunc(o.required, func(n string) bool { return n == name })
	return nil
}
