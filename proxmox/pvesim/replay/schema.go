package replay

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// schema knows the methods of an API by path.
type schema struct{ methods map[string]bool }

type schemaNode struct {
	Path     string                     `json:"path"`
	Children []schemaNode               `json:"children"`
	Info     map[string]json.RawMessage `json:"info"`
}

func loadSchema(name string) (*schema, error) {
	raw, err := os.ReadFile(name) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, err
	}
	var roots []schemaNode
	if err := json.Unmarshal(raw, &roots); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &schema{methods: map[string]bool{}}
	for _, n := range roots {
		s.add(n)
	}
	return s, nil
}

func (s *schema) add(n schemaNode) {
	for m := range n.Info {
		s.methods[m+" "+template(n.Path)] = true
	}
	for _, c := range n.Children {
		s.add(c)
	}
}

// template makes all parameters of a path look alike.
func template(path string) string {
	segs := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range segs {
		if strings.HasPrefix(s, "{") {
			segs[i] = "{}"
		}
	}
	return "/" + strings.Join(segs, "/")
}

// note is "" for a method at a path that the schema has, else what is odd.
func (s *schema) note(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	segs := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if s.match(method, "", segs) {
		return ""
	}
	return fmt.Sprintf("%s %s is not in the schema", method, path)
}

// match tries each segment as it is and as a parameter; the rest of a volume's path may have slashes.
func (s *schema) match(method, head string, segs []string) bool {
	if len(segs) == 0 {
		return s.methods[method+" "+head] || head == "" && s.methods[method+" /"]
	}
	if strings.HasSuffix(head, "/content") && s.methods[method+" "+head+"/{}"] {
		return true
	}
	return s.match(method, head+"/"+segs[0], segs[1:]) || s.match(method, head+"/{}", segs[1:])
}
