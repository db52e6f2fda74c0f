package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// capabilityAreas are the keys of a login's cap and the privileges that each shows (01/002, 01/005).
var capabilityAreas = map[string]func(string) bool{
	"vms":     prefixOrPermissions("VM."),
	"storage": prefixOrPermissions("Datastore."),
	"access":  prefixOrPermissions("User.", "Group."),
	"nodes":   prefixOrPermissions("Sys."),
	"sdn":     prefixOrPermissions("SDN."),
	"mapping": prefixOrPermissions("Mapping."),
	"dc": func(p string) bool {
		return p == "Sys.Audit" || p == "Sys.Modify" || strings.HasPrefix(p, "SDN.")
	},
}

func prefixOrPermissions(prefixes ...string) func(string) bool {
	return func(p string) bool {
		return p == "Permissions.Modify" || slices.ContainsFunc(prefixes, func(pre string) bool { return strings.HasPrefix(p, pre) })
	}
}

// capabilities is what a login says a user may do anywhere in each area.
func (c *call) capabilities(user string) Object {
	out := Object{}
	for area := range capabilityAreas {
		out[area] = Object{}
	}
	id := identity{user: user}
	for _, path := range c.aclPaths("/", "/nodes", "/access/groups", "/vms", "/storage", "/sdn", "/mapping") {
		top, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if top == "" {
			top = "dc"
		}
		for p := range c.acl.privs(id, path) {
			addCapability(out, top, p)
		}
	}
	return out
}

func addCapability(out Object, top, priv string) {
	areas := []string{top}
	if top == "pool" {
		areas = []string{"vms", "storage"}
	}
	for _, area := range areas {
		if match := capabilityAreas[area]; match != nil && match(priv) {
			out[area].(Object)[priv] = 1
		}
	}
}

// aclPaths gives the given paths and all that an ACL names, each once.
func (c *call) aclPaths(always ...string) []string {
	seen := map[string]bool{}
	for _, p := range always {
		seen[p] = true
	}
	for p := range c.acl.byPath {
		seen[p] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
