package tools

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// Toolset bounds which tools are offered: those of Families and those in Tools, or all where both are empty, without those in Exclude.
type Toolset struct{ Families, Tools, Exclude []string }

// planTools come with every writing tool that is chosen: without them what it plans could not be looked at, applied or taken back.
var planTools = []string{"list_plans", "get_plan", "apply_plan", "cancel_plan", "undo_change"}

// Has says whether a tool is in the set.
func (t Toolset) Has(s Spec) bool {
	if slices.Contains(t.Exclude, s.Name) {
		return false
	}
	return len(t.Families)+len(t.Tools) == 0 || slices.Contains(t.Families, s.Family) || slices.Contains(t.Tools, s.Name) ||
		slices.Contains(planTools, s.Name) && t.writes()
}

// writes says whether a tool that changes something is chosen.
func (t Toolset) writes() bool {
	return slices.ContainsFunc(All(), func(s Spec) bool {
		return s.Tier > R0 && (slices.Contains(t.Families, s.Family) || slices.Contains(t.Tools, s.Name)) && !slices.Contains(t.Exclude, s.Name)
	})
}

// WritingFamilies are the families that have a tool which changes something.
func WritingFamilies() []string {
	return slices.DeleteFunc(Families(), func(f string) bool { return !Toolset{Families: []string{f}}.writes() })
}

// Of are the tools of the set, in their order.
func (t Toolset) Of(all []Spec) []Spec {
	if len(t.Families)+len(t.Tools)+len(t.Exclude) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Spec) bool { return !t.Has(s) })
}

// Check refuses names that no tool and no family has, with the nearest or all that there are.
func (t Toolset) Check() error {
	if len(t.Families)+len(t.Tools)+len(t.Exclude) == 0 {
		return nil
	}
	if err := known("families", t.Families, Families()); err != nil {
		return err
	}
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	if err := known("tools", t.Tools, names); err != nil {
		return err
	}
	return known("exclude", t.Exclude, names)
}

func known(field string, given, names []string) error {
	for _, g := range given {
		if slices.Contains(names, g) {
			continue
		}
		e := fault.BadField(field, fmt.Sprintf("%.40q is none; valid: %s", g, strings.Join(names, ", ")), names[0])
		if n := near.Word(g, names); n != "" {
			e = e.WithHint("did you mean %s?", n)
		}
		return e
	}
	return nil
}

// Families are those of the tools, once each, in the order of the tools.
func Families() []string {
	var out []string
	for _, s := range All() {
		if !slices.Contains(out, s.Family) {
			out = append(out, s.Family)
		}
	}
	return out
}

// TierOf is the tier of a call: that of its action where it names one, else the lowest of the tool.
func (s Spec) TierOf(action string) Tier {
	for _, a := range s.Acts {
		if a.Name == action {
			return a.Tier
		}
	}
	return s.Tier
}
