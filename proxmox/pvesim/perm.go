package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// privileges maps a privilege to whether it propagates below its path (facts 77).
type privileges map[string]bool

// identity is who makes a request.
type identity struct {
	user  string // user@realm
	token *Token // nil for a ticket
}

// name is user@realm or user@realm!token.
func (id identity) name() string {
	if id.token != nil {
		return id.user + "!" + id.token.ID
	}
	return id.user
}

// acls is the access configuration compiled for look-ups; Update throws it away.
type acls struct {
	byPath map[string][]aclEntry
	roles  map[string][]string
	groups map[string][]string // user -> groups
	pools  map[string]string   // /vms/100, /storage/local -> pool
	every  privileges
	mu     sync.Mutex // guards memo: readers share one compiled table
	memo   map[string]privileges
}

type aclEntry struct {
	kind, ugid, role string
	propagate        bool
}

func compileACL(w *World) *acls {
	a := &acls{byPath: map[string][]aclEntry{}, roles: map[string][]string{}, groups: map[string][]string{},
		pools: map[string]string{}, memo: map[string]privileges{}}
	for _, o := range w.Access.ACL {
		p := text(o["path"])
		a.byPath[p] = append(a.byPath[p], aclEntry{text(o["type"]), text(o["ugid"]), text(o["roleid"]), truth(o["propagate"])})
	}
	for _, r := range w.Access.Roles {
		a.roles[text(r["roleid"])] = splitList(text(r["privs"]))
	}
	a.every = a.all()
	for _, g := range w.Access.Groups {
		for _, m := range g.Members {
			a.groups[m] = append(a.groups[m], g.ID)
		}
	}
	for _, g := range w.guests {
		if g.Pool != "" {
			a.pools["/vms/"+strconv.Itoa(g.VMID)] = g.Pool
		}
	}
	for _, p := range w.Pools {
		for _, s := range p.Storages {
			a.pools["/storage/"+s] = p.ID
		}
	}
	return a
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\x00' })
}

// rolesAt walks from / down to path. At each level entries of the token or user beat those of groups, and any
// entry replaces what was inherited; entries that do not propagate count only on the path itself.
func (a *acls) rolesAt(path, name string, groups []string, kind string) map[string]bool {
	roles := map[string]bool{}
	for _, level := range levels(path) {
		entries := a.byPath[level]
		if len(entries) == 0 {
			continue
		}
		found := pick(entries, level == path, func(e aclEntry) bool { return e.kind == kind && e.ugid == name })
		if len(found) == 0 && kind == "user" {
			found = pick(entries, level == path, func(e aclEntry) bool { return e.kind == "group" && slices.Contains(groups, e.ugid) })
		}
		if len(found) > 0 {
			roles = found
		}
	}
	if _, no := roles["NoAccess"]; no {
		return map[string]bool{"NoAccess": true}
	}
	return roles
}

func pick(entries []aclEntry, final bool, match func(aclEntry) bool) map[string]bool {
	out := map[string]bool{}
	for _, e := range entries {
		if match(e) && (final || e.propagate) {
			out[e.role] = e.propagate
		}
	}
	return out
}

func levels(path string) []string {
	list := []string{"/"}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			list = append(list, path[:i])
		}
	}
	if path != "/" {
		list = append(list, path)
	}
	return list
}

// privs gives what an identity may do at a path: roles of the path and its parents, those of the pool that holds
// the object (which do not propagate), and for a privilege separated token what both it and its user have.
func (a *acls) privs(id identity, path string) privileges {
	if id.user == rootUser && (id.token == nil || !id.token.PrivSep) {
		return a.every
	}
	key := id.name() + " " + path
	a.mu.Lock()
	p, ok := a.memo[key]
	a.mu.Unlock()
	if ok {
		return p
	}
	if id.token != nil && id.token.PrivSep {
		own := a.collect(path, id.name(), "token")
		user := a.privs(identity{user: id.user}, path)
		p = maps.Clone(own)
		maps.DeleteFunc(p, func(priv string, _ bool) bool { _, ok := user[priv]; return !ok })
	} else {
		p = a.collect(path, id.user, "user")
	}
	a.mu.Lock()
	a.memo[key] = p
	a.mu.Unlock()
	return p
}

func (a *acls) collect(path, name, kind string) privileges {
	groups := a.groups[name]
	roles := a.rolesAt(path, name, groups, kind)
	if pool, ok := a.pools[path]; ok && !has(roles, "NoAccess") {
		fromPool := a.rolesAt("/pool/"+pool, name, groups, kind)
		if has(fromPool, "NoAccess") {
			roles = fromPool
		}
		for r := range fromPool {
			if !has(roles, r) {
				roles[r] = false
			}
		}
	}
	out := privileges{}
	for role, propagate := range roles {
		for _, p := range a.roles[role] {
			out[p] = out[p] || propagate
		}
	}
	return out
}

func has[V any](m map[string]V, key string) bool { _, ok := m[key]; return ok }

// all is every privilege that there is: what root@pam has everywhere.
func (a *acls) all() privileges {
	out := privileges{}
	for _, p := range a.roles["Administrator"] {
		out[p] = true
	}
	return out
}

// may is whether the caller has any of the privileges at path.
func (c *call) may(path string, any ...string) bool {
	p := c.acl.privs(c.id, path)
	return slices.ContainsFunc(any, func(priv string) bool { return has(p, priv) })
}

// anyone is the check of methods that every logged-in user may call.
func anyone(*call) error { return nil }

// need builds a check for any of the privileges at a path whose {name} parts are those of the request.
func need(path string, any ...string) check {
	return func(c *call) error {
		p := c.expand(path)
		if !c.may(p, any...) {
			return forbidden(p, any...)
		}
		return nil
	}
}

// expand puts the request's path parameters into a pattern.
func (c *call) expand(pattern string) string {
	for k, v := range c.vars {
		pattern = strings.ReplaceAll(pattern, "{"+k+"}", v)
	}
	return pattern
}
