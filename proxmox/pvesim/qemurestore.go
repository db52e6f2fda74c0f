package pvesim

import (
	"maps"
	"slices"
)

// restoreQemu makes a VM from a backup.
func (c *call) restoreQemu(r *qemuRequest) (any, error) {
	if keys := slices.Sorted(maps.Keys(r.drives)); len(keys) > 0 { // 09/066
		return nil, badParam(keys[0], "option conflicts with option 'archive'")
	}
	if g := c.w.Guest(r.vmid); g != nil && !r.force {
		return nil, fail("%s%s %d already exists on node '%s'", r.verb(), guestWord(g), r.vmid, g.Node)
	}
	return nil, fail("volume '%s' does not exist", r.archive)
}
