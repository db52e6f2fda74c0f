package pvesim

import (
	"slices"
	"strings"
)

func roleRoutes() []route {
	modify := need("/access", "Sys.Modify")
	return append(daemon(
		post("/access/roles", modify, createRole),
		put("/access/roles/{roleid}", modify, updateRole),
		del("/access/roles/{roleid}", modify, deleteRole)),
		get("/access/roles", anyone, func(c *call) (any, error) { return c.w.Access.Roles, nil }),
		get("/access/roles/{roleid}", anyone, getRole))
}

func noRole(id string) error { return fail("role '%s' does not exist", id) }

func getRole(c *call) (any, error) {
	privs, ok := c.acl.roles[c.vars["roleid"]]
	if !ok {
		return nil, noRole(c.vars["roleid"])
	}
	out := Object{}
	for _, p := range privs {
		out[p] = 1
	}
	return out, nil
}

// createRole keeps the names that begin with PVE to the system (12/045).
func createRole(c *call) (any, error) {
	id := c.param("roleid")
	if len(id) >= 3 && strings.EqualFold(id[:3], "PVE") {
		return nil, badParam("roleid", "cannot use role ID starting with the (case-insensitive) 'PVE' namespace")
	}
	if c.w.Access.role(id) != nil {
		return nil, fail("create role failed: role '%s' already exists", id)
	}
	c.setRole(id, nil)
	return nil, nil
}

// updateRole replaces the privileges, or adds to them with append.
func updateRole(c *call) (any, error) {
	id := c.vars["roleid"]
	if c.isSpecialRole(id) {
		return nil, fail("auto-generated role '%s' cannot be modified", id)
	}
	old := c.w.Access.role(id)
	if old == nil {
		return nil, locked("update role failed", noRole(id))
	}
	var keep []string
	if c.param("append") == "1" {
		keep = splitList(text(old["privs"]))
	}
	c.setRole(id, keep)
	return nil, nil
}

// deleteRole takes a role away, and with it its entries in the ACL (12/070, 12/071).
func deleteRole(c *call) (any, error) {
	id := c.vars["roleid"]
	switch {
	case c.isSpecialRole(id):
		return nil, fail("auto-generated role '%s' cannot be deleted", id)
	case c.w.Access.role(id) == nil:
		return nil, locked("delete role failed", noRole(id))
	}
	c.w.Access.Roles = slices.DeleteFunc(slices.Clone(c.w.Access.Roles), func(r Object) bool { return r["roleid"] == id })
	c.w.dropACL(func(e aclEntry) bool { return e.role == id })
	return nil, nil
}

func (c *call) isSpecialRole(id string) bool { return truth(c.w.Access.role(id)["special"]) }

// setRole stores a role with the privileges of the request beside those to keep.
func (c *call) setRole(id string, keep []string) {
	privs := slices.Concat(keep, c.list("privs"))
	slices.Sort(privs)
	role := Object{"roleid": id, "privs": strings.Join(slices.Compact(privs), ","), "special": 0}
	a := c.w.Access
	a.Roles = append(slices.DeleteFunc(slices.Clone(a.Roles), func(r Object) bool { return r["roleid"] == id }), role)
	c.w.accessChanged()
}
