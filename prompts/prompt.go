package prompts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Argument is what a prompt or a recipe is told.
type Argument struct {
	Name        string          `yaml:"name" json:"name"`
	Description string          `yaml:"description" json:"description,omitempty"`
	Required    bool            `yaml:"required" json:"required,omitempty"`
	Default     string          `yaml:"default" json:"default,omitempty"`
	Complete    tools.Completed `yaml:"complete" json:"complete,omitempty"` // what it is completed with, "" = Values
	Values      []string        `yaml:"values" json:"values,omitempty"`     // what it usually is; others are taken, too
	Time        bool            `yaml:"time" json:"time,omitempty"`         // it is a time that has passed, as tools take one: 7d, yesterday, a date
}

// Prompt is a text with places for arguments.
type Prompt struct {
	Name        string     `yaml:"-"`
	Title       string     `yaml:"title"`
	Description string     `yaml:"description"`
	Arguments   []Argument `yaml:"arguments"`
	Tools       []string   `yaml:"tools"` // those without which it leads nowhere
	Text        string     `yaml:"-"`
	Own         bool       `yaml:"-"` // written by the owner, in the folder
}

// maxValue bounds an argument's value, in characters.
const maxValue = 400

// Fill gives the text with the arguments in their places. {{name}} stands for a value, escaped so that it may stand within the quotes of a call;
// {{#name}}...{{/name}} is there only if name has a value. Errors are fault.Invalid and name the argument.
func (p *Prompt) Fill(args map[string]string) (string, error) {
	values, err := valuesOf(p.Arguments, args)
	if err != nil {
		return "", err
	}
	for name, v := range values {
		values[name] = quoted(v)
	}
	return fill(p.Text, values)
}

// valuesOf are the arguments with their defaults; what is missing or unknown is an error.
func valuesOf(declared []Argument, given map[string]string) (map[string]string, error) {
	values, names := map[string]string{}, []string{}
	for _, a := range declared {
		v := strings.TrimSpace(given[a.Name])
		if v == "" {
			v = a.Default
		}
		if v == "" && a.Required {
			return nil, fault.BadField(a.Name, strings.TrimSuffix("is required: "+a.Description, ": "), "")
		}
		if len([]rune(v)) > maxValue || clean.Line(v, maxValue) != v {
			return nil, fault.BadField(a.Name, fmt.Sprintf("must be one line of at most %d characters", maxValue), "")
		}
		if a.Time {
			if err := tools.CheckTime(a.Name, v); err != nil {
				return nil, err
			}
		}
		values[a.Name], names = v, append(names, a.Name)
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			e := fault.BadField(clean.Line(name, 60), "there is no such argument; there are: "+cmp.Or(strings.Join(names, ", "), "none"), "")
			if n := near.Word(name, names); n != "" {
				e.WithHint("did you mean %s?", n)
			}
			return nil, e
		}
	}
	return values, nil
}

// quoted makes a value safe within the quotes of a call in backticks.
func quoted(v string) string {
	text, err := encoded(strings.ReplaceAll(v, "`", "'"))
	if err != nil {
		return ""
	}
	return text[1 : len(text)-1]
}

// fill replaces the places of a text. Every name has to be among the values.
func fill(text string, values map[string]string) (string, error) {
	var b strings.Builder
	var open []string // sections that are open, outermost first
	shown := func() bool {
		return !slices.ContainsFunc(open, func(name string) bool { return values[name] == "" })
	}
	for {
		before, rest, found := strings.Cut(text, "{{")
		if shown() {
			b.WriteString(before)
		}
		if !found {
			break
		}
		place, after, ended := strings.Cut(rest, "}}")
		name := strings.TrimSpace(strings.TrimLeft(place, "#/"))
		if _, ok := values[name]; !ok || !ended {
			return "", fault.New(fault.Invalid, "{{%s}} names no argument", clean.Line(place, 40))
		}
		switch {
		case strings.HasPrefix(place, "#"):
			open = append(open, name)
		case strings.HasPrefix(place, "/"):
			if len(open) == 0 || open[len(open)-1] != name {
				return "", fault.New(fault.Invalid, "{{/%s}} ends what was not begun", name)
			}
			open = open[:len(open)-1]
		case shown():
			b.WriteString(values[name])
		}
		text = after
	}
	if len(open) > 0 {
		return "", fault.New(fault.Invalid, "{{#%s}} is not ended", open[len(open)-1])
	}
	return strings.TrimSpace(b.String()), nil
}
