package pvesim

import (
	"slices"
	"strings"
)

func groupRoutes() []route {
	allocate := need("/access/groups", "Group.Allocate")
	return append(daemon(
		post("/access/groups", allocate, createGroup),
		put("/access/groups/{groupid}", allocate, updateGroup),
		del("/access/groups/{groupid}", allocate, deleteGroup)),
		get("/access/groups", anyone, listGroups),
		get("/access/groups/{groupid}", need("/access/groups", "Sys.Audit", "Group.Allocate"), getGroup))
}

func listGroups(c *call) (any, error) {
	out := []fields{}
	for _, g := range c.w.Access.Groups {
		if !c.may("/access/groups/"+g.ID, "User.Modify", "Sys.Audit", "Group.Allocate") {
			continue
		}
		members := slices.Sorted(slices.Values(g.Members))
		f := fields{{"groupid", g.ID}, {"users", strings.Join(members, ",")}}
		if g.Comment != "" {
			f.add("comment", g.Comment)
		}
		out = append(out, f)
	}
	return out, nil
}

func noGroup(id string) error { return fail("group '%s' does not exist", id) }

func getGroup(c *call) (any, error) {
	g := c.w.Access.group(c.vars["groupid"])
	if g == nil {
		return nil, noGroup(c.vars["groupid"])
	}
	f := fields{{"members", append([]string{}, g.Members...)}}
	if g.Comment != "" {
		f.add("comment", g.Comment)
	}
	return f, nil
}

func createGroup(c *call) (any, error) {
	id := c.param("groupid")
	if c.w.Access.group(id) != nil {
		return nil, fail("create group failed: group '%s' already exists", id)
	}
	c.w.Access.Groups = append(slices.Clone(c.w.Access.Groups), &Group{ID: id, Comment: c.param("comment")})
	c.w.accessChanged()
	return nil, nil
}

func updateGroup(c *call) (any, error) {
	g := c.w.Access.group(c.vars["groupid"])
	if g == nil {
		return nil, locked("update group failed", noGroup(c.vars["groupid"]))
	}
	if c.given("comment") {
		g.Comment = c.param("comment")
	}
	return nil, nil
}

// deleteGroup takes a group away with its entries in the ACL.
func deleteGroup(c *call) (any, error) {
	id := c.vars["groupid"]
	if c.w.Access.group(id) == nil {
		return nil, locked("delete group failed", noGroup(id))
	}
	c.w.Access.Groups = slices.DeleteFunc(slices.Clone(c.w.Access.Groups), func(g *Group) bool { return g.ID == id })
	c.w.dropACL(func(e aclEntry) bool { return e.kind == "group" && e.ugid == id })
	return nil, nil
}
