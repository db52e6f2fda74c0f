package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

func accessRoutes() []route {
	return slices.Concat(userWriteRoutes(), tokenRoutes(), groupRoutes(), roleRoutes(), aclRoutes(), realmRoutes(), []route{
		get("/access/permissions", anyone, permissions),
		index("/access/openid", "subdir", "auth-url login"),
	})
}

// topPaths are shown by /access/permissions beside those of the ACL, their parents, and the members of pools (11/034).
var topPaths = []string{"/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"}

// permissions answers with an object for a path that is asked for, empty or not; without one only what is not empty shows.
func permissions(c *call) (any, error) {
	id, known, err := c.subject()
	if err != nil {
		return nil, err
	}
	if p := c.param("path"); p != "" {
		return Object{p: c.privilegesOf(id, known, p)}, nil
	}
	out := Object{}
	for _, p := range c.permissionPaths() {
		if privs := c.privilegesOf(id, known, p); len(privs) > 0 {
			out[p] = privs
		}
	}
	return out, nil
}

func (c *call) privilegesOf(id identity, known bool, path string) Object {
	privs := Object{}
	if !known {
		return privs
	}
	for priv, propagate := range c.acl.privs(id, path) {
		privs[priv] = bit(propagate)
	}
	return privs
}

func (c *call) permissionPaths() []string {
	always := slices.Clone(topPaths)
	for p := range c.acl.byPath {
		always = append(always, levels(p)...)
	}
	for _, g := range c.w.guests {
		if g.Pool != "" {
			always = append(always, "/vms/"+strconv.Itoa(g.VMID))
		}
	}
	for s := range c.acl.pools {
		always = append(always, "/storage/"+s)
	}
	return c.aclPaths(always...)
}

// subject is whose permissions are asked for: one's own or those of one's token, or another's for those with Sys.Audit
// on /access. An unknown user or token has none (12/067).
func (c *call) subject() (id identity, known bool, err error) {
	name := c.param("userid")
	if name == "" || name == c.id.name() {
		return c.id, true, nil
	}
	user, token, isToken := strings.Cut(name, "!")
	if !(isToken && user == c.id.name()) && !c.may("/access", "Sys.Audit") {
		return identity{}, false, forbidden("/access", "Sys.Audit")
	}
	u := c.w.Access.user(user)
	if u == nil || !isToken {
		return identity{user: user}, u != nil, nil
	}
	t := u.token(token)
	return identity{user: user, token: t}, t != nil, nil
}

// list is a parameter that is a list: several values, or one string with separators in it (facts 28).
func (c *call) list(name string) []string {
	many, ok := c.params[name].([]any)
	if !ok {
		return splitList(c.param(name))
	}
	var out []string
	for _, v := range many {
		out = append(out, splitList(text(v))...)
	}
	return out
}
