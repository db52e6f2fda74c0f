package pvesim

import (
	"slices"
	"strings"
)

func accessRoutes() []route {
	return []route{
		{method: "GET", pattern: "/access/domains", open: true, check: anyone, handle: listRealms},
		get("/access/domains/{realm}", nil, need("/access/realm", "Realm.Allocate", "Sys.Audit"), getRealm),
		get("/access/roles", nil, anyone, func(c *call) (any, error) { return c.w.Access.Roles, nil }),
		get("/access/roles/{roleid}", nil, anyone, getRole),
		get("/access/acl", nil, anyone, listACL),
		get("/access/permissions", params{"userid": str(), "path": str()}, anyone, permissions),
		get("/access/groups", nil, anyone, listGroups),
		get("/access/groups/{groupid}", nil, need("/access/groups", "Sys.Audit", "Group.Allocate"), getGroup),
		get("/access/tfa", nil, anyone, func(*call) (any, error) { return []Object{}, nil }),
		index("/access/openid", "subdir", "auth-url login"),
	}
}

func listRealms(c *call) (any, error) {
	out := []Object{}
	for _, r := range c.w.Access.Realms {
		out = append(out, without(r, "detail"))
	}
	return out, nil
}

func getRealm(c *call) (any, error) {
	for _, r := range c.w.Access.Realms {
		if r["realm"] == c.vars["realm"] {
			detail, _ := r["detail"].(Object)
			return without(detail, "plugin"), nil
		}
	}
	return nil, fail("domain '%s' does not exist", c.vars["realm"])
}

func getRole(c *call) (any, error) {
	privs, ok := c.acl.roles[c.vars["roleid"]]
	if !ok {
		return nil, fail("role '%s' does not exist", c.vars["roleid"])
	}
	out := Object{}
	for _, p := range privs {
		out[p] = 1
	}
	return out, nil
}

// listACL shows all entries to auditors and else those of paths whose permissions the caller may change.
func listACL(c *call) (any, error) {
	out := []Object{}
	audit := c.may("/access", "Sys.Audit", "Permissions.Modify")
	for _, e := range c.w.Access.ACL {
		if audit || c.may(text(e["path"]), "Permissions.Modify") {
			out = append(out, e)
		}
	}
	return out, nil
}

// topPaths are shown by /access/permissions beside the paths of the ACL and the members of pools (11/034).
var topPaths = []string{"/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/sdn/zones", "/storage", "/vms"}

func permissions(c *call) (any, error) {
	id, err := c.subject()
	if err != nil {
		return nil, err
	}
	paths := c.permissionPaths()
	if p := c.param("path"); p != "" {
		paths = []string{p}
	}
	out := Object{}
	for _, p := range paths {
		privs := Object{}
		for priv, propagate := range c.acl.privs(id, p) {
			privs[priv] = bit(propagate)
		}
		if len(privs) > 0 {
			out[p] = privs
		}
	}
	return out, nil
}

func (c *call) permissionPaths() []string {
	always := slices.Clone(topPaths)
	for p := range c.acl.pools {
		always = append(always, p)
	}
	return c.aclPaths(always...)
}

// subject is whose permissions are asked for: one's own, or another's for those with Sys.Audit on /access. An
// unknown user has none (12/067).
func (c *call) subject() (identity, error) {
	name := c.param("userid")
	if name == "" || name == c.id.name() {
		return c.id, nil
	}
	user, token, isToken := strings.Cut(name, "!")
	if user != c.id.user && !c.may("/access", "Sys.Audit") {
		return identity{}, forbidden("/access", "Sys.Audit")
	}
	id := identity{user: user}
	if u := c.w.Access.user(user); u != nil && isToken {
		id.token = u.token(token)
	}
	return id, nil
}

func listGroups(c *call) (any, error) {
	out := []fields{}
	all := c.may("/access/groups", "Sys.Audit", "Group.Allocate", "User.Modify")
	for _, g := range c.w.Access.Groups {
		if !all && !c.may("/access/groups/"+g.ID, "Sys.Audit", "Group.Allocate", "User.Modify") {
			continue
		}
		f := fields{{"groupid", g.ID}, {"users", strings.Join(g.Members, ",")}}
		if g.HasComment {
			f.add("comment", g.Comment)
		}
		out = append(out, f)
	}
	return out, nil
}

func getGroup(c *call) (any, error) {
	for _, g := range c.w.Access.Groups {
		if g.ID == c.vars["groupid"] {
			f := fields{{"members", append([]string{}, g.Members...)}}
			if g.HasComment {
				f.add("comment", g.Comment)
			}
			return f, nil
		}
	}
	return nil, fail("group '%s' does not exist", c.vars["groupid"])
}
