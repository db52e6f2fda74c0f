package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var (
	aclUsers  = []string{"u1@pve", "u2@pve"}
	aclTokens = []string{"u1@pve!full", "u1@pve!sep", "root@pam!sep"}
	aclGroups = []string{"g1", "g2"}
	aclRoles  = []string{"RoleA", "RoleB", noAccess}
	aclPaths  = []string{"/", "/vms", "/vms/1000", "/vms/1001", "/pool", "/pool/p", "/pool/p/sub", "/storage", "/storage/local", "/nodes/node01"}
)

func aclWorld() *World {
	w := GenerateWorld(GenOptions{Seed: 1, Guests: 2, Nodes: 1, Now: time.Unix(1_800_000_000, 0)})
	w.Pools = []*Pool{{ID: "p"}, {ID: "p/sub"}}
	w.Access.ACL, w.Access.Groups = nil, nil
	for _, g := range w.Guests() {
		g.Pool = ""
	}
	for _, u := range aclUsers {
		w.AddUser(u, "")
	}
	for _, name := range aclTokens {
		user, id, _ := strings.Cut(name, "!")
		w.AddToken(user, id, "s", id == "sep")
	}
	for _, g := range aclGroups {
		w.Access.Groups = append(w.Access.Groups, &Group{ID: g})
	}
	w.Access.Roles = append(w.Access.Roles, Object{"roleid": "RoleA", "privs": "VM.Audit,VM.Clone"}, Object{"roleid": "RoleB", "privs": "VM.Audit,Pool.Audit"})
	return w
}

// TestACLProperty: after any changes by the API, the rights of everybody everywhere are those that the rules give when they
// are applied anew to what the API shows.
func TestACLProperty(t *testing.T) {
	logChecks(t)
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := New(aclWorld(), WithoutDelays())
		for range rapid.IntRange(1, 15).Draw(t, "changes") {
			changeRights(t, s)
			for _, name := range append(slices.Clone(aclUsers), aclTokens...) {
				for _, path := range aclPaths {
					want, got := expected(s.world, name, path), shownRights(t, s, name, path)
					if d := cmp.Diff(want, got); d != "" {
						t.Fatalf("%s at %s:\n%s", name, path, d)
					}
				}
			}
		}
	})
}

func oneOf(t *rapid.T, name string, list []string) string {
	return rapid.SampledFrom(list).Draw(t, name)
}

// changeRights sends one random write.
func changeRights(t *rapid.T, s *Sim) {
	bit := func(name string) string { return strconv.Itoa(rapid.IntRange(0, 1).Draw(t, name)) }
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	default:
		kind := oneOf(t, "kind", []string{"users", "groups", "tokens"})
		who := oneOf(t, "who", map[string][]string{"users": aclUsers, "groups": aclGroups, "tokens": aclTokens}[kind])
		write10(t, s, "PUT", "/access/acl", "path="+oneOf(t, "path", aclPaths)+"&"+kind+"="+who+"&roles="+oneOf(t, "role", aclRoles)+
			"&propagate="+bit("propagate")+"&delete="+bit("delete"))
	case 0:
		write10(t, s, "PUT", "/access/users/"+oneOf(t, "user", aclUsers), "groups="+oneOf(t, "group", append(aclGroups, "g1,g2")))
	case 1:
		write10(t, s, "PUT", "/pools", "poolid="+oneOf(t, "pool", []string{"p", "p/sub"})+"&allow-move=1&delete="+bit("delete")+
			"&"+oneOf(t, "member", []string{"vms=1000", "vms=1001", "storage=local"}))
	}
}

// write10 sends a write as root@pam; what is already as it asks for may be refused.
func write10(t *rapid.T, s *Sim, method, path, query string) {
	now := s.now()
	x := asking(t.Context(), s, method, path, query, "Cookie", authCookie+"="+s.newTicket(rootUser, now), "CSRFPreventionToken", s.newCSRF(rootUser, now))
	if got := s.serve(x); got.status != 200 && !strings.Contains(string(got.body), "pool member") {
		t.Fatalf("%s %s: %d %s", path, query, got.status, got.body)
	}
}

// shownRights asks the API as the one whose rights are wanted.
func shownRights(t *rapid.T, s *Sim, name, path string) privileges {
	user, token, _ := strings.Cut(name, "!")
	id := identity{user: user, token: s.world.Access.user(user).token(token)}
	c := &call{sim: s, w: s.world, acl: s.acl, id: id, params: map[string]any{"path": path}}
	data, err := permissions(c)
	if err != nil {
		t.Fatal(err)
	}
	out := privileges{}
	for priv, v := range data.(Object)[path].(Object) {
		out[priv] = v == 1
	}
	return out
}

// expected are the rights by the rules: the entries of the nearest path that has any count, those of users before those of
// groups, NoAccess before all; pools add what does not propagate; a separated token has what it and its user have.
func expected(w *World, name, path string) privileges {
	user, _, isToken := strings.Cut(name, "!")
	if isToken && w.token(name).PrivSep {
		own := rightsOf(w, "token", name, path)
		if user == rootUser {
			return own
		}
		users := expected(w, user, path)
		maps.DeleteFunc(own, func(p string, _ bool) bool { _, ok := users[p]; return !ok })
		for p := range own {
			own[p] = own[p] && users[p]
		}
		return own
	}
	return rightsOf(w, "user", user, path)
}

func rightsOf(w *World, kind, name, path string) privileges {
	roles := nearest(w, kind, name, path, path)
	var pools []string
	for _, p := range w.Pools {
		if slices.ContainsFunc(w.Guests(), func(g *Guest) bool { return path == "/vms/"+strconv.Itoa(g.VMID) && g.Pool == p.ID }) {
			pools = append(pools, p.ID)
		}
		if id, ok := strings.CutPrefix(path, "/storage/"); ok && slices.Contains(p.Storages, id) {
			pools = append(pools, p.ID)
		}
	}
	if _, none := roles[noAccess]; none {
		return privileges{}
	}
	out := privileges{}
	for _, id := range pools {
		for role := range nearest(w, kind, name, "/pool/"+id, "/pool/"+id) {
			if role == noAccess {
				return privileges{}
			}
			for p := range grantedBy(w, role) {
				out[p] = false
			}
		}
	}
	for role, propagate := range roles {
		for p := range grantedBy(w, role) {
			out[p] = out[p] || propagate
		}
	}
	return out
}

func grantedBy(w *World, role string) map[string]bool {
	out := map[string]bool{}
	for _, p := range splitList(text(w.Access.role(role)["privs"])) {
		out[p] = true
	}
	return out
}

// nearest goes up from a path to the first with entries.
func nearest(w *World, kind, name, path, asked string) map[string]bool {
	mine, groups := map[string]bool{}, map[string]bool{}
	for _, o := range w.Access.ACL {
		e := entryOf(o)
		if o["path"] != path || path != asked && !e.propagate {
			continue
		}
		switch {
		case e.kind == kind && e.ugid == name:
			mine[e.role] = e.propagate
		case e.kind == "group" && kind == "user" && slices.Contains(w.Access.group(e.ugid).Members, name):
			groups[e.role] = groups[e.role] || e.propagate
		}
	}
	switch {
	case len(mine) > 0:
		return mine
	case len(groups) > 0:
		return groups
	case path == "/":
		return nil
	}
	up := path[:strings.LastIndexByte(path, '/')]
	if up == "" {
		up = "/"
	}
	return nearest(w, kind, name, up, asked)
}
