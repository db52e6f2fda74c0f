package app

import (
	"slices"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestRecipeNoSurplus: what the recipe of a tier grants is never called surplus at that tier, and new guests get what creating them takes.
func TestRecipeNoSurplus(t *testing.T) {
	t.Parallel()
	for level := tools.R0; level <= tools.R4; level++ {
		r, given := recipeFor(level), map[string]bool{}
		for _, p := range r.Privileges {
			given[p] = true
		}
		if s := tools.Surplus(inventory.Rights{"/": given}, tools.Listed(level)); len(s) > 0 {
			t.Errorf("%s: the recipe grants %v, which no tool of it needs", level, s)
		}
		for _, p := range []string{"SDN.Use", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Config.HWType", "VM.Config.CPU", "VM.Config.Disk"} {
			if slices.Contains(r.Privileges, p) != (level > tools.R0) {
				t.Errorf("%s: %s in the recipe: %v", level, p, level == tools.R0)
			}
		}
	}
}
