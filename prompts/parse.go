package prompts

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

const (
	maxTitle       = 100
	maxDescription = 400
	maxArguments   = 12
)

// parsePrompt reads a Markdown file with front matter.
func parsePrompt(name string, file []byte) (*Prompt, error) {
	file = bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n"))
	rest, ok := bytes.CutPrefix(file, []byte("---\n"))
	head, body, ended := bytes.Cut(rest, []byte("\n---\n"))
	if !ok || !ended {
		return nil, fault.New(fault.Invalid, "it does not begin with front matter: a line ---, title and description, a line ---")
	}
	p := &Prompt{Name: name, Text: strings.TrimSpace(clean.Block(string(body), maxFile))}
	if err := strict(head, p); err != nil {
		return nil, err
	}
	values, err := checkHead(name, p.Title, p.Description, p.Arguments)
	if err != nil {
		return nil, err
	}
	if p.Text == "" {
		return nil, fault.New(fault.Invalid, "there is no text after the front matter")
	}
	for _, t := range p.Tools {
		if _, err := tools.Find(t); err != nil {
			return nil, err
		}
	}
	_, err = fill(p.Text, values)
	return p, err
}

// strict decodes YAML; what is unknown is an error, of one line.
func strict(raw []byte, into any) error {
	if err := yaml.UnmarshalWithOptions(raw, into, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		text := err.Error()
		if e, ok := errors.AsType[yaml.Error](err); ok {
			text = e.GetMessage()
			if t := e.GetToken(); t != nil && t.Position != nil {
				text = fmt.Sprintf("line %d: %s", t.Position.Line, text)
			}
		}
		return fault.New(fault.Invalid, "%s", clean.Line(text, 200))
	}
	return nil
}

// checkHead checks what prompts and recipes have in common, and gives the arguments, each with a value.
func checkHead(name, title, description string, args []Argument) (map[string]string, error) {
	switch {
	case !goodName(name):
		return nil, fault.New(fault.Invalid, "its name must be small letters, digits, - and _, beginning with a letter, at most 64")
	case description == "" || clean.Line(description, maxDescription) != description:
		return nil, fault.BadField("description", fmt.Sprintf("is required: one line of at most %d characters", maxDescription), "What it finds out")
	case clean.Line(title, maxTitle) != title:
		return nil, fault.BadField("title", fmt.Sprintf("must be one line of at most %d characters", maxTitle), "")
	case len(args) > maxArguments:
		return nil, fault.BadField("arguments", fmt.Sprintf("at most %d", maxArguments), "")
	}
	values := map[string]string{}
	for _, a := range args {
		_, twice := values[a.Name]
		switch {
		case !goodName(a.Name) || twice:
			return nil, fault.BadField("arguments", "each has a name of its own, of small letters, digits, - and _", "guest")
		case a.Complete != "" && !a.Complete.Known():
			return nil, fault.BadField("complete", "must be cluster, guest, vmid, node, storage, tag, pool or task", "guest")
		case a.Time && tools.CheckTime(a.Name, a.Default) != nil:
			return nil, tools.CheckTime("default", a.Default)
		case clean.Line(a.Description, maxDescription) != a.Description:
			return nil, fault.BadField("description", "must be one line", "")
		}
		values[a.Name] = "x"
	}
	return values, nil
}

// goodName is the grammar of names: of a file without its end, of an argument.
func goodName(s string) bool {
	for i, r := range s {
		if (r < 'a' || r > 'z') && (i == 0 || (r < '0' || r > '9') && r != '-' && r != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
