package app

import (
	"maps"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestNothingSentUnallowed calls every tool with each of its examples and actions, at each level: what is above the level is not listed, not
// done when it is called all the same, and a server that may only read sends no request that is not a GET (S01, S35).
func TestNothingSentUnallowed(t *testing.T) {
	h := newHousehold(t)
	h.serve(cli.ServeOptions{})
	list := h.ask("tools/list", map[string]any{})
	calls := 0
	for _, s := range tools.All() {
		if listed := strings.Contains(list, `"name":"`+s.Name+`"`); listed != s.Shown(tools.Caller{}) {
			t.Errorf("%s (%s): listed %v by a server that only reads", s.Name, s.Tier, listed)
		}
		for _, args := range variants(s) {
			calls++
			said := h.call(s.Name, args)
			if s.Tier > tools.R0 && strings.Contains(said, "done") && !strings.Contains(said, `"isError":true`) {
				t.Errorf("%s %v: %s", s.Name, args, said)
			}
		}
	}
	if w := h.writes(); len(w) > 0 || calls < 60 {
		t.Errorf("%d calls sent %v", calls, w)
	}
}

// TestLevels: at each level the list has the tools of that level and no others.
func TestLevels(t *testing.T) {
	for level := tools.R1; level <= tools.R4; level++ {
		h := newHousehold(t)
		h.allow(change.Grant{Tier: level})
		h.serve(cli.ServeOptions{})
		list := h.ask("tools/list", map[string]any{})
		for _, s := range tools.All() {
			if listed := strings.Contains(list, `"name":"`+s.Name+`"`); listed != s.Shown(tools.Caller{Level: level}) {
				t.Errorf("%s: %s is listed: %v", level, s.Name, listed)
			}
		}
	}
}

// variants are the examples of a tool, with every action, without dry_run, and on guests that a query selects.
func variants(s tools.Spec) []map[string]any {
	var out []map[string]any
	for _, e := range s.Examples {
		plain := maps.Clone(e.Args)
		delete(plain, "dry_run")
		out = append(out, plain)
		for _, a := range s.Acts {
			one := maps.Clone(plain)
			one["action"] = a.Name
			many := maps.Clone(one)
			delete(many, "guest")
			many["query"] = "state:running"
			out = append(out, one, many)
		}
	}
	return out
}
