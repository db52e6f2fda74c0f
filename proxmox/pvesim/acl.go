package pvesim

import (
	"regexp"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

func aclRoutes() []route {
	return append(daemon(put("/access/acl", mayModifyACL, updateACL)),
		get("/access/acl", anyone, listACL))
}

// listACL shows all entries to auditors and else those of paths whose permissions the caller may change.
func listACL(c *call) (any, error) {
	out := []Object{}
	audit := c.may("/access", "Sys.Audit")
	for _, e := range c.w.Access.ACL {
		if path := text(e["path"]); audit || c.may(path, modifiers(path)...) {
			out = append(out, e)
		}
	}
	return out, nil
}

// modifiers are the privileges any of which lets one change the permissions of a path (11/099).
func modifiers(path string) []string {
	privs := []string{"Permissions.Modify"}
	top, below, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	own := map[string]string{"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}[top]
	if below != "" && own != "" {
		privs = append(privs, own)
	}
	return privs
}

// mayModify wants the right to change the permissions of a path; "" is a path that is none.
func (c *call) mayModify(path string) error {
	if path == "" {
		path = "/access"
	}
	if privs := modifiers(path); !c.may(path, privs...) {
		return forbidden(path, privs...)
	}
	return nil
}

func mayModifyACL(c *call) error { return c.mayModify(normalPath(c.param("path"))) }

var (
	slashes  = lazy.Regexp(`/+`)
	aclShape = lazy.Regexp(`^[A-Za-z0-9.\-_/]+$`)
)

// normalPath is how a path of the ACL is stored, "" for what can be none (12/056).
func normalPath(p string) string {
	if p == "" {
		return ""
	}
	p = "/" + strings.Trim(slashes().ReplaceAllString(p, "/"), "/")
	if !aclShape().MatchString(p) {
		return ""
	}
	return p
}

// aclPathShape are the paths that an entry can be made for; one of any path can be taken away.
var aclPathShape = func() func() *regexp.Regexp {
	const id = `[A-Za-z0-9.\-_]+`
	return lazy.Regexp(`^(?:/|/access|/access/groups|/access/groups/` + id + `|/access/realm|/access/realm/` + id +
		`|/mapping|/mapping/` + id + `(?:/` + id + `)?|/nodes|/nodes/` + id + `|/pool|/pool/` + id + `(?:/` + id + `){0,2}` +
		`|/sdn|/sdn/controllers(?:/[A-Za-z0-9_\-]+)?|/sdn/dns(?:/[A-Za-z0-9]+)?|/sdn/fabrics(?:/[A-Za-z0-9_\-]+)?` +
		`|/sdn/ipams(?:/[A-Za-z0-9]+)?|/sdn/zones(?:/` + id + `(?:/` + id + `(?:/[1-9][0-9]{0,3})?)?)?` +
		`|/storage|/storage/` + id + `|/vms|/vms/[1-9][0-9]{2,})$`)
}()

// updateACL adds or takes away entries: each role for each of the users, groups and tokens.
func updateACL(c *call) (any, error) {
	if c.param("users") == "" && c.param("groups") == "" && c.param("tokens") == "" {
		const text = "either 'users', 'groups' or 'tokens' is required."
		return nil, badParams(map[string]string{"users": text, "groups": text, "tokens": text})
	}
	path := normalPath(c.param("path"))
	if path == "" || c.param("delete") != "1" && !aclPathShape().MatchString(path) {
		return nil, badParam("path", "invalid ACL path '"+c.param("path")+"'")
	}
	change := aclChange{path: path, add: c.param("delete") != "1", propagate: !c.given("propagate") || truth(c.params["propagate"])}
	entries, err := change.entries(c)
	if err != nil {
		return nil, locked("ACL update failed", err)
	}
	c.w.dropACLAt(path, entries)
	if change.add {
		for _, e := range entries {
			c.w.AddACL(path, e.kind, e.ugid, e.role, e.propagate)
		}
	}
	return nil, nil
}

// aclChange is what a request wants of the ACL of a path.
type aclChange struct {
	path           string
	add, propagate bool
}

// entries are those that the request names, when the caller may give or take them and all that they name is there.
func (a aclChange) entries(c *call) ([]aclEntry, error) {
	var list []aclEntry
	for _, role := range c.list("roles") {
		if c.w.Access.role(role) == nil {
			return nil, noRole(role)
		}
		if err := a.mayHandOut(c, role); err != nil {
			return nil, err
		}
		for _, kind := range []string{"group", "user", "token"} {
			for _, ugid := range c.list(kind + "s") {
				if err := c.w.Access.exists(kind, ugid); err != nil {
					return nil, err
				}
				list = append(list, aclEntry{kind, ugid, role, a.propagate})
			}
		}
	}
	return list, nil
}

// mayHandOut lets those without Permissions.Modify give and take only what they have themselves, as it propagates.
func (a aclChange) mayHandOut(c *call, role string) error {
	mine := c.acl.privs(c.id, a.path)
	if has(mine, "Permissions.Modify") {
		return nil
	}
	verb := "add"
	if !a.add {
		verb = "remove"
	}
	for _, p := range c.acl.roles[role] {
		propagates, mayUse := mine[p]
		switch {
		case !mayUse:
			return badParam("role", "Cannot "+verb+" role '"+role+"' - requires 'Permissions.Modify' or superset of privileges.")
		case a.propagate && !propagates:
			return badParam("role", "Cannot "+verb+" role '"+role+
				"' with propagation - requires 'Permissions.Modify' or propagated superset of privileges.")
		}
	}
	if role == noAccess {
		return badParam("role", "Cannot "+verb+" role '"+role+"' - requires 'Permissions.Modify'")
	}
	return nil
}

// exists tells whether what an entry is for is there, in the words of the ACL's update (12/057 to 12/061).
func (a *Access) exists(kind, ugid string) error {
	switch kind {
	case "group":
		if a.group(ugid) == nil {
			return noGroup(ugid)
		}
	case "user":
		if a.user(ugid) == nil {
			return fail("user '%s' does not exist", ugid)
		}
	default:
		user, id, _ := strings.Cut(ugid, "!")
		u := a.user(user)
		if u == nil {
			return noUser(user)
		}
		if u.token(id) == nil {
			return noToken(user, id)
		}
	}
	return nil
}

// dropACL takes away the entries that fit.
func (w *World) dropACL(fits func(aclEntry) bool) {
	w.Access.ACL = slices.DeleteFunc(slices.Clone(w.Access.ACL), func(o Object) bool { return fits(entryOf(o)) })
	w.accessChanged()
}

// dropACLAt takes away the entries of a path that are like those given, whether they propagate or not.
func (w *World) dropACLAt(path string, like []aclEntry) {
	w.Access.ACL = slices.DeleteFunc(slices.Clone(w.Access.ACL), func(o Object) bool {
		e := entryOf(o)
		return o["path"] == path && slices.ContainsFunc(like, func(l aclEntry) bool {
			return l.kind == e.kind && l.ugid == e.ugid && l.role == e.role
		})
	})
	w.accessChanged()
}

// dropPathACL takes away all entries of a path, as when a guest or a pool goes.
func (w *World) dropPathACL(path string) {
	w.Access.ACL = slices.DeleteFunc(slices.Clone(w.Access.ACL), func(o Object) bool { return o["path"] == path })
	w.accessChanged()
}

func entryOf(o Object) aclEntry {
	return aclEntry{text(o["type"]), text(o["ugid"]), text(o["roleid"]), truth(o["propagate"])}
}
