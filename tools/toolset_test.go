package tools

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestToolset: families and tools add up, what is left out is left out, and a writing tool brings what its plans take.
func TestToolset(t *testing.T) {
	for name, c := range map[string]struct {
		set  Toolset
		want []string // nil: all
	}{
		"all":           {Toolset{}, nil},
		"family":        {Toolset{Families: []string{"node"}}, []string{"list_nodes", "get_node", "read_log"}},
		"tools":         {Toolset{Tools: []string{"list_nodes", "get_overview"}}, []string{"get_overview", "list_nodes"}},
		"both":          {Toolset{Families: []string{"access"}, Tools: []string{"get_overview"}, Exclude: []string{"check_access"}}, []string{"get_overview"}},
		"a writing one": {Toolset{Tools: []string{"manage_tags"}}, []string{"manage_tags", "list_plans", "get_plan", "apply_plan", "cancel_plan", "undo_change"}},
		"without plans": {Toolset{Tools: []string{"manage_tags"}, Exclude: planTools}, []string{"manage_tags"}},
		"nothing":       {Toolset{Tools: []string{"list_nodes"}, Exclude: []string{"list_nodes"}}, []string{}},
	} {
		if err := c.set.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := []string{}
		for _, s := range c.set.Of(All()) {
			got = append(got, s.Name)
		}
		if c.want == nil {
			for _, s := range All() {
				c.want = append(c.want, s.Name)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestToolsetRefused: an unknown name is told with the nearest one and all that there are.
func TestToolsetRefused(t *testing.T) {
	for field, set := range map[string]Toolset{"families": {Families: []string{"guets"}}, "tools": {Tools: []string{"get_gest"}}, "exclude": {Exclude: []string{"get_gest"}}} {
		e := fault.Of(set.Check())
		if e.Field != field || !strings.Contains(e.Message, "valid: ") || !strings.Contains(e.Hint, "guest") {
			t.Errorf("%s: %+v", field, e)
		}
	}
}
