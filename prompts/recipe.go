package prompts

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// maxSteps bounds a recipe, as a batch of changes is bounded.
const maxSteps = 20

// Step is one call of a recipe. In the texts of its arguments $name is an argument, $2.field is a field of what step 2 answered (as its JSON has
// it; in a list, $2.0.vmid is of its first row), and $$ is a dollar sign.
type Step struct {
	Tool string         `yaml:"tool" json:"tool"`
	Args map[string]any `yaml:"args" json:"args,omitempty"`
	Why  string         `yaml:"why" json:"why,omitempty"`
}

// Recipe is several calls in order.
type Recipe struct {
	Name        string     `yaml:"-" json:"name"`
	Title       string     `yaml:"title" json:"title,omitempty"`
	Description string     `yaml:"description" json:"description"`
	Arguments   []Argument `yaml:"arguments" json:"arguments,omitempty"`
	Steps       []Step     `yaml:"steps" json:"steps"`
}

// parseRecipe reads a YAML file.
func parseRecipe(name string, file []byte) (*Recipe, error) {
	r := &Recipe{Name: name}
	if err := strict(file, r); err != nil {
		return nil, err
	}
	values, err := checkHead(name, r.Title, r.Description, r.Arguments)
	if err != nil {
		return nil, err
	}
	if len(r.Steps) == 0 || len(r.Steps) > maxSteps {
		return nil, fault.BadField("steps", fmt.Sprintf("a recipe has 1 to %d", maxSteps), "- tool: get_overview")
	}
	for k, st := range r.Steps {
		if err := st.check(k, values); err != nil {
			return nil, ofStep(k, err)
		}
	}
	p, err := r.Prompt()
	if err == nil {
		_, err = fill(p.Text, values)
	}
	return r, err
}

// ofStep says which step an error is about, counted from 0.
func ofStep(k int, err error) error {
	e := *fault.Of(err)
	e.Message = fmt.Sprintf("step %d: %s", k+1, e.Message)
	return &e
}

// check finds unknown tools and inputs, and references to what is not there.
func (st *Step) check(k int, values map[string]string) error {
	spec, err := tools.Find(st.Tool)
	if err != nil {
		return err
	}
	inputs := map[string]bool{}
	for _, in := range spec.Inputs(tools.Caller{MultiCluster: true, Level: tools.R4}) {
		inputs[in.Name] = true
	}
	for name := range st.Args {
		if !inputs[name] {
			return fault.BadField(name, spec.Name+" has no such input", strings.Join(slices.Sorted(maps.Keys(inputs)), ", "))
		}
	}
	_, err = replaced(st.Args, func(ref string) (any, error) {
		if n, _, ok := stepOf(ref); ok {
			if n < 1 || n > k {
				return nil, fault.New(fault.Invalid, "$%s names no step before this one", ref)
			}
			return "x", nil
		}
		if _, ok := values[ref]; !ok {
			return nil, fault.New(fault.Invalid, "$%s names no argument ($$ is a dollar sign)", ref)
		}
		return "x", nil
	})
	return err
}

// stepOf reads "2.vmid": the step and the path in its answer.
func stepOf(ref string) (n int, path []string, ok bool) {
	head, rest, found := strings.Cut(ref, ".")
	n, err := strconv.Atoi(head)
	return n, strings.Split(rest, "."), found && err == nil
}

// replaced copies a value with the references in its texts replaced. A text that is one reference alone becomes the value itself, a number for
// instance; "" for an argument without value is left out of a map, as if it had not been given.
func replaced(v any, value func(ref string) (any, error)) (any, error) {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			r, err := replaced(e, value)
			if err != nil {
				return nil, err
			}
			if r != "" {
				out[k] = r
			}
		}
		return out, nil
	case []any:
		out := make([]any, 0, len(x))
		for _, e := range x {
			r, err := replaced(e, value)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		return out, nil
	case string:
		return replacedText(x, value)
	}
	return v, nil
}

func replacedText(text string, value func(ref string) (any, error)) (any, error) {
	var b strings.Builder
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if next, ok := strings.CutPrefix(after, "$"); ok {
			b.WriteByte('$')
			rest = next
			continue
		}
		ref := reference(after)
		if ref == "" {
			return nil, fault.New(fault.Invalid, "$ without a name: write $$ for a dollar sign")
		}
		v, err := value(ref)
		if err != nil {
			return nil, err
		}
		if text == "$"+ref {
			return v, nil
		}
		s, err := asText(v)
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
		rest = after[len(ref):]
	}
}

// reference is the name or path at the start of a text; a point at its end is a full stop.
func reference(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	})
	if end < 0 {
		end = len(s)
	}
	return strings.TrimRight(s[:end], ".-")
}

func asText(v any) (string, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case json.Number:
		return x.String(), nil
	case bool:
		return strconv.FormatBool(x), nil
	}
	return "", fault.New(fault.Invalid, "a list or object cannot be a part of a text")
}

// Prompt is the recipe as a prompt: the calls in order, for a model to make.
func (r *Recipe) Prompt() (*Prompt, error) {
	p := &Prompt{Name: r.Name, Title: r.Title, Description: r.Description, Arguments: r.Arguments, Own: true}
	var b strings.Builder
	b.WriteString(r.Description + "\n\nMake these calls in this order; $1.vmid stands for the field vmid of what call 1 answered.\n")
	for k, st := range r.Steps {
		args, err := replaced(st.Args, func(ref string) (any, error) {
			if _, _, ok := stepOf(ref); ok {
				return "$" + ref, nil
			}
			return "{{" + ref + "}}", nil
		})
		if err != nil {
			return nil, err
		}
		raw, err := encoded(args)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%d. `%s %s`", k+1, st.Tool, raw)
		if st.Why != "" {
			b.WriteString(" " + st.Why)
		}
		b.WriteByte('\n')
		if !slices.Contains(p.Tools, st.Tool) {
			p.Tools = append(p.Tools, st.Tool)
		}
	}
	b.WriteString("Stop at the first one that fails or waits, and say what was done until then. Report what was observed.")
	p.Text = b.String()
	return p, nil
}

// encoded is a value as JSON for readers: < and > stay what they are.
func encoded(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSpace(b.String()), err
}
