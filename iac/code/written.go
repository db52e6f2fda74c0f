package code

import (
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// Written knows what of a cluster is in its Terraform code.
type Written struct {
	objects []iac.Coverage
	absent  []iac.Absence
}

// Has says whether what a difference is about is written; sure is false where that cannot be told.
func (w *Written) Has(d *iac.Difference) (in, sure bool) {
	if slices.ContainsFunc(w.absent, func(a iac.Absence) bool { return a.Kind == d.Kind }) {
		return false, true
	}
	for i := range w.objects {
		c := &w.objects[i]
		if id, _, _ := strings.Cut(c.ID, "#"); c.Kind != d.Kind || id != d.ID {
			continue
		}
		switch {
		case c.Status == iac.Written && d.Field == "":
			return true, true
		case c.Status == iac.Written:
			if in, sure = writes(c, d.Field); in {
				return true, true
			}
		default:
			sure = true
		}
	}
	return false, sure
}

// apart are fields of a difference that are no keys of a configuration, and stand in the code by themselves.
var apart = []string{"node", "pool", "status"}

// writes says whether a key, or a part of its property string, is in the code of an object.
func writes(c *iac.Coverage, field string) (in, sure bool) {
	whole, _, _ := strings.Cut(field, ".")
	for _, name := range []string{field, whole} {
		if k := slices.IndexFunc(c.Keys, func(k iac.KeyCoverage) bool { return k.Key == name }); k >= 0 {
			how := c.Keys[k].How
			return how != iac.Unrepresented && how != iac.Internal, true
		}
	}
	in = slices.Contains(apart, field)
	return in, in
}
