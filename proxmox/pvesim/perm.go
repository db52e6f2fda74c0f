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

// acls is the access configuration compiled for look-ups. It is made anew when World.accessChanged was called since
// (see Sim.refresh). The pools of guests are looked up in the world, so guests may come, go and change pools.
type acls struct {
	w       *World
	version int
	byPath  map[string][]aclEntry
	roles   map[string][]string
	groups  map[string][]string // user -> groups, sorted
	pools   map[string][]string // storage -> pools
	every   privileges
	mu      sync.Mutex // guards memo: readers share one compiled table
	memo    map[memoKey]privileges
}

// memoKey is what privileges depend on while the access configuration stays as it is. pool is the pool of the guest
// that the path names.
type memoKey struct{ name, path, pool string }

type aclEntry struct {
	kind, ugid, role string
	propagate        bool
}

// accessChanged notes that users, groups, roles, ACL or pools are not what they were.
func (w *World) accessChanged() { w.accessVersion++ }

// refresh makes what requests read side by side fit the world; the caller holds the lock.
func (s *Sim) refresh() {
	s.world.sortGuests()
	if s.acl == nil || s.acl.version != s.world.accessVersion {
		s.acl = compileACL(s.world)
	}
}

func compileACL(w *World) *acls {
	a := &acls{w: w, version: w.accessVersion, byPath: map[string][]aclEntry{}, roles: map[string][]string{},
		groups: map[string][]string{}, pools: map[string][]string{}, memo: map[memoKey]privileges{}}
	for _, o := range w.Access.ACL {
		p := text(o["path"])
		a.byPath[p] = append(a.byPath[p], entryOf(o))
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
	for _, list := range a.groups {
		slices.Sort(list)
	}
	for _, p := range w.Pools {
		for _, s := range p.Storages {
			a.pools[s] = append(a.pools[s], p.ID)
		}
	}
	return a
}

// guestPool is the pool of the guest that a path such as /vms/100 names, "" when there is none.
func (a *acls) guestPool(path string) string {
	id, ok := strings.CutPrefix(path, "/vms/")
	if !ok {
		return ""
	}
	vmid, err := strconv.Atoi(id)
	if err != nil {
		return ""
	}
	if g := a.w.Guest(vmid); g != nil {
		return g.Pool
	}
	return ""
}

// poolsOf are the pools that hold what a path names: a guest is in one at most, a storage can be in several.
func (a *acls) poolsOf(path, guestPool string) []string {
	if guestPool != "" {
		return []string{guestPool}
	}
	if id, ok := strings.CutPrefix(path, "/storage/"); ok {
		return a.pools[id]
	}
	return nil
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
	if propagate, no := roles[noAccess]; no {
		return map[string]bool{noAccess: propagate}
	}
	return roles
}

func pick(entries []aclEntry, final bool, match func(aclEntry) bool) map[string]bool {
	out := map[string]bool{}
	for _, e := range entries {
		if match(e) && (final || e.propagate) {
			out[e.role] = out[e.role] || e.propagate
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

// privs gives what an identity may do at a path: roles of the path and its parents, those of the pools that hold the
// object (which do not propagate), and for a privilege separated token what both it and its user have.
func (a *acls) privs(id identity, path string) privileges {
	if id.user == rootUser && (id.token == nil || !id.token.PrivSep) {
		return a.every
	}
	if id.token != nil && !id.token.PrivSep {
		return a.privs(identity{user: id.user}, path)
	}
	key := memoKey{id.name(), path, a.guestPool(path)}
	a.mu.Lock()
	p, ok := a.memo[key]
	a.mu.Unlock()
	if ok {
		return p
	}
	if id.token == nil {
		p = a.collect(key, "user")
	} else {
		p = a.collect(key, "token")
		p.limit(a.privs(identity{user: id.user}, path))
	}
	a.mu.Lock()
	a.memo[key] = p
	a.mu.Unlock()
	return p
}

// limit leaves what is in most as well; a privilege propagates only if it does in both (11/149).
func (p privileges) limit(most privileges) {
	for priv, propagate := range p {
		if m, ok := most[priv]; ok {
			p[priv] = propagate && m
		} else {
			delete(p, priv)
		}
	}
}

func (a *acls) collect(key memoKey, kind string) privileges {
	groups := a.groups[key.name]
	roles := a.rolesAt(key.path, key.name, groups, kind)
	if fromPools := a.poolRoles(key, groups, kind); len(fromPools) > 0 && !has(roles, noAccess) {
		roles = beside(roles, fromPools)
	}
	out := privileges{}
	for role, propagate := range roles {
		for _, p := range a.roles[role] {
			out[p] = out[p] || propagate
		}
	}
	return out
}

// beside adds roles that come from pools: they never propagate, and NoAccess among them takes all others away.
func beside(roles, fromPools map[string]bool) map[string]bool {
	if has(fromPools, noAccess) {
		return map[string]bool{noAccess: false}
	}
	for r := range fromPools {
		if !has(roles, r) {
			roles[r] = false
		}
	}
	return roles
}

// noAccess is the role that takes all others away.
const noAccess = "NoAccess"

func (a *acls) poolRoles(key memoKey, groups []string, kind string) map[string]bool {
	roles := map[string]bool{}
	for _, pool := range a.poolsOf(key.path, key.pool) {
		maps.Copy(roles, a.rolesAt("/pool/"+pool, key.name, groups, kind))
	}
	return roles
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
