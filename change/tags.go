package change

import (
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// Tags adds tags to a guest, removes some, or replaces all.
type Tags struct {
	Verb string // add, remove, set
	Tags []string
}

// Name implements Action.
func (t Tags) Name() string { return "guest.tags" }

// Title implements Action.
func (t Tags) Title() string { return t.Verb + " tags " + strings.Join(t.Tags, ", ") }

// Needs implements Action.
func (t Tags) Needs() Needs { return Needs{} }

// tagForm is a tag as Proxmox VE takes it (schema: pve-tag-list).
var tagForm = lazy.Regexp(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,123}$`)

// Steps implements Action. Tags that differ in case alone are one (schema: tag-style).
func (t Tags) Steps(l *Live) ([]Step, error) {
	if len(t.Tags) == 0 && t.Verb != "set" {
		return nil, fault.BadField("tags", "at least one is needed", "web")
	}
	for _, tag := range t.Tags {
		if !tagForm().MatchString(tag) {
			return nil, fault.BadField("tags", "letters, digits, _ . + and -", "web")
		}
	}
	named := func(tag string) bool {
		return slices.ContainsFunc(t.Tags, func(x string) bool { return strings.EqualFold(x, tag) })
	}
	next := slices.Clone(t.Tags)
	switch t.Verb {
	case "add":
		next = append(slices.DeleteFunc(slices.Clone(l.Tags), named), t.Tags...)
	case "remove":
		next = slices.DeleteFunc(slices.Clone(l.Tags), named)
	case "set":
	default:
		return nil, fault.BadField("action", "it must be one of add, remove, set", "add")
	}
	slices.Sort(next)
	next = slices.Compact(next)
	c := Configure{Set: map[string]string{"tags": strings.Join(next, ";")}}
	if len(next) == 0 { // an empty value would leave a blank (pve-api.md 57)
		c = Configure{Delete: []string{"tags"}}
	}
	steps, err := c.Steps(l)
	for k := range steps {
		steps[k].Action = t.Name()
	}
	return steps, err
}
