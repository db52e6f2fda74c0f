package pvesim

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// as makes a request in the name of a user, with a ticket. Parameters are key=value pairs, in the body or the query.
func (r *rig) as(user, method, path string, params ...string) reply {
	r.t.Helper()
	form := url.Values{}
	for _, p := range params {
		k, v, _ := strings.Cut(p, "=")
		form.Add(k, v)
	}
	now := r.sim.now()
	header := []string{"Cookie", authCookie + "=" + url.QueryEscape(r.sim.newTicket(user, now)), "CSRFPreventionToken", r.sim.newCSRF(user, now)}
	token := r.token
	r.token = ""
	defer func() { r.token = token }()
	return r.form(method, path, form.Encode(), header...)
}

// staffWorld has a user of each kind of power over users, roles and permissions.
func staffWorld() *World {
	w := permissionWorld()
	w.Access.Groups = append(w.Access.Groups, &Group{ID: "staff", Members: []string{"joe@pve"}})
	for _, u := range []string{"hr@pve", "boss@pve", "joe@pve", "rude@pve"} {
		w.AddUser(u, "oldpassword")
	}
	w.AddACL("/access/groups/staff", "user", "hr@pve", "PVEUserAdmin", true)
	w.AddACL("/access/realm/pve", "user", "hr@pve", "PVEUserAdmin", true)
	w.AddACL("/vms", "user", "boss@pve", "PVEVMAdmin", true)
	w.AddACL("/pool/dev", "user", "boss@pve", "PVEPoolAdmin", true)
	return w
}

func TestAccessRights(t *testing.T) {
	t.Parallel()
	r := newRig(t, staffWorld(), WithoutDelays())
	defer r.stop()
	const refused = "403 Permission check failed"
	for _, s := range []struct{ user, method, path, params, want string }{
		// users: the realm's right and a group's
		{"hr@pve", "POST", "/access/users", "userid=new@pve groups=staff password=12345678", "200 OK"},
		{"hr@pve", "POST", "/access/users", "userid=x@pve", refused + " (/access/groups, User.Modify)"},
		{"hr@pve", "POST", "/access/users", "userid=x@pve groups=staff,ops", refused + " (/access/groups/ops, User.Modify)"},
		{"hr@pve", "POST", "/access/users", "userid=x@pam groups=staff", refused + " (/access/realm/pam, Realm.AllocateUser)"},
		{"hr@pve", "POST", "/access/users", "userid=xx", "500 user name 'xx' is too short"},
		{"hr@pve", "PUT", "/access/users/new@pve", "comment=c", "200 OK"},
		{"hr@pve", "PUT", "/access/users/new@pve", "groups=ops", refused + " (/access/groups/ops, User.Modify)"},
		{"hr@pve", "PUT", "/access/users/rude@pve", "comment=c", refused},
		{"hr@pve", "PUT", "/access/users/nosuch@pve", "comment=c", "500 no such user ('nosuch@pve')"},
		{rootUser, "PUT", "/access/users/nosuch@pve", "comment=c", "500 update user failed: no such user ('nosuch@pve')"},
		{"hr@pve", "DELETE", "/access/users/ops@pve", "", refused},
		{"hr@pve", "GET", "/access/users/hr@pve", "", refused},
		{"hr@pve", "GET", "/access/users/joe@pve", "", "200 OK"},
		// tokens: one's own, or those of whom one manages
		{"joe@pve", "POST", "/access/users/joe@pve/token/tt", "privsep=0", "200 OK"},
		{"hr@pve", "PUT", "/access/users/joe@pve/token/tt", "comment=c", "200 OK"},
		{"rude@pve", "POST", "/access/users/joe@pve/token/uu", "", refused},
		{"boss@pve", "GET", "/access/users/nosuch@pve/token", "", refused},
		// passwords: with confirmation, not those of pam
		{"joe@pve", "PUT", "/access/password", "userid=joe@pve password=newpassword", "400 Parameter verification failed."},
		{"joe@pve", "PUT", "/access/password", "userid=joe@pve password=newpassword confirmation-password=wrongone", "500 invalid credentials"},
		{"joe@pve", "PUT", "/access/password", "userid=joe@pve password=newpassword confirmation-password=oldpassword", "200 OK"},
		{"hr@pve", "PUT", "/access/password", "userid=joe@pve password=newpassword confirmation-password=oldpassword", "200 OK"},
		{"hr@pve", "PUT", "/access/password", "userid=rude@pve password=newpassword confirmation-password=oldpassword", refused},
		// groups, roles and realms
		{"hr@pve", "POST", "/access/groups", "groupid=g", refused + " (/access/groups, Group.Allocate)"},
		{"hr@pve", "POST", "/access/roles", "roleid=r", refused + " (/access, Sys.Modify)"},
		{"hr@pve", "DELETE", "/access/domains/pve", "", refused + " (/access/realm, Realm.Allocate)"},
		// permissions: who may allocate an object gives away what he has there, as it propagates
		{"boss@pve", "PUT", "/access/acl", "path=/vms/1000 users=joe@pve roles=PVEVMUser", "200 OK"},
		{"boss@pve", "PUT", "/access/acl", "path=/vms/1000 users=joe@pve roles=PVEAuditor", "500 ACL update failed: 400 Parameter verification failed."},
		{"boss@pve", "PUT", "/access/acl", "path=/vms/1000 users=joe@pve roles=NoAccess", "500 ACL update failed: 400 Parameter verification failed."},
		{"boss@pve", "PUT", "/access/acl", "path=/vms users=joe@pve roles=PVEVMUser", refused + " (/vms, Permissions.Modify)"},
		{"boss@pve", "PUT", "/access/acl", "path=/ users=joe@pve roles=PVEVMUser", refused + " (/, Permissions.Modify)"},
		{"boss@pve", "PUT", "/access/acl", "path=// users=joe@pve roles=PVEVMUser", refused + " (/, Permissions.Modify)"},
		{"boss@pve", "PUT", "/access/acl", "path=%% users=joe@pve roles=PVEVMUser", refused + " (/access, Permissions.Modify)"},
		{"joe@pve", "PUT", "/access/acl", "path=/vms/1000 users=rude@pve roles=PVEVMUser", refused + " (/vms/1000, Permissions.Modify|VM.Allocate)"},
		// pools: their members need the right on permissions as well
		{"boss@pve", "PUT", "/pools", "poolid=dev vms=1002", "200 OK"},
		{"boss@pve", "PUT", "/pools", "poolid=dev storage=local", "500 update pools failed: 403 Permission check failed (/storage/local, Permissions.Modify|Datastore.Allocate)"},
		{"boss@pve", "POST", "/pools", "poolid=dev/sub", "200 OK"},
		{"boss@pve", "POST", "/pools", "poolid=other", refused + " (/pool/other, Pool.Allocate)"},
		{"boss@pve", "GET", "/access/permissions", "userid=joe@pve", refused + " (/access, Sys.Audit)"},
		{"boss@pve", "GET", "/access/permissions", "userid=boss@pve!nosuch", "200 OK"},
	} {
		if got := r.as(s.user, s.method, s.path, strings.Fields(s.params)...); got.status != s.want {
			t.Errorf("%s %s %s %s: %s, want %s", s.user, s.method, s.path, s.params, got.status, s.want)
		}
	}
	if got := r.as("boss@pve", "PUT", "/access/acl", "path=/vms/1000", "users=joe@pve", "roles=PVEAuditor").body; !strings.Contains(got, `role: Cannot add role 'PVEAuditor' - requires 'Permissions.Modify' or superset of privileges.`) {
		t.Errorf("the reason is missing: %s", got)
	}
}

// TestTokenIsNotItsUser: what is allowed to users themselves is not allowed to their tokens.
func TestTokenIsNotItsUser(t *testing.T) {
	t.Parallel()
	r := newRig(t, staffWorld(), WithoutDelays())
	defer r.stop()
	r.token = "dev@pve!all=s"
	for path, want := range map[string]string{
		"/access/users/dev@pve/token":            "403 Permission check failed",
		"/access/permissions?userid=dev@pve":     "403 Permission check failed (/access, Sys.Audit)",
		"/access/permissions?userid=dev@pve!all": "200 OK",
	} {
		if got := r.get(path); got.status != want {
			t.Errorf("%s: %s, want %s", path, got.status, want)
		}
	}
	if got := r.get("/access/users"); len(got.rows()) != 0 {
		t.Errorf("a token sees the users %s", got.body)
	}
}

// TestLeavings: what is deleted takes along what hangs on it, and made anew it has none of that.
func TestLeavings(t *testing.T) {
	t.Parallel()
	r := newRig(t, staffWorld(), WithoutDelays())
	defer r.stop()
	root := func(method, path string, params ...string) {
		t.Helper()
		if got := r.as(rootUser, method, path, params...); got.code != 200 {
			t.Fatalf("%s %s: %s %s", method, path, got.status, got.body)
		}
	}
	left := func(what string) (list []string) {
		for _, o := range r.as(rootUser, "GET", "/access/acl").rows() {
			if e := strings.Join([]string{text(o["path"]), text(o["ugid"]), text(o["roleid"])}, " "); strings.Contains(e, what) {
				list = append(list, e)
			}
		}
		return list
	}
	root("POST", "/access/roles", "roleid=Mine", "privs=VM.Audit")
	root("PUT", "/access/acl", "path=/vms/1005", "roles=Mine", "users=joe@pve", "groups=staff", "tokens=dev@pve!sep")
	root("PUT", "/access/acl", "path=/pool/dev", "roles=PVEPoolUser", "groups=staff")
	for _, s := range []struct {
		method, path, gone string
		again              []string
	}{
		{"DELETE", "/access/users/dev@pve/token/sep", "dev@pve!sep", []string{"POST", "/access/users/dev@pve/token/sep"}},
		{"DELETE", "/access/users/dev@pve", "dev@pve", []string{"POST", "/access/users", "userid=dev@pve"}},
		{"DELETE", "/access/users/joe@pve", "joe@pve", []string{"POST", "/access/users", "userid=joe@pve"}},
		{"DELETE", "/access/groups/staff", "/vms/1005 staff", []string{"POST", "/access/groups", "groupid=staff"}},
		{"DELETE", "/access/roles/Mine", "Mine", []string{"POST", "/access/roles", "roleid=Mine"}},
	} {
		if len(left(s.gone)) == 0 && s.gone != "Mine" {
			t.Fatalf("%s is not there before", s.gone)
		}
		root(s.method, s.path)
		root(s.again[0], s.again[1], s.again[2:]...)
		if l := left(s.gone); len(l) > 0 {
			t.Errorf("after %s %s: %v", s.method, s.path, l)
		}
	}
	if u := r.as(rootUser, "GET", "/access/users/joe@pve").data.(map[string]any); len(u["groups"].([]any)) != 0 {
		t.Errorf("joe is still in %v", u["groups"])
	}
	if got := r.as(rootUser, "GET", "/access/users/dev@pve").data.(map[string]any)["tokens"]; got != nil {
		t.Errorf("dev still has %v", got)
	}
}

// TestPoolRights: a storage can be in several pools; NoAccess in one takes away what the others give, and what comes from
// a pool does not propagate.
func TestPoolRights(t *testing.T) {
	t.Parallel()
	w := staffWorld()
	w.Pools = []*Pool{{ID: "a", Storages: []string{"local"}}, {ID: "b", Storages: []string{"local"}}, {ID: "dev"}}
	w.AddACL("/pool/a", "user", "joe@pve", "PVEDatastoreUser", true)
	s := New(w)
	at := func() privileges { return s.acl.privs(identity{user: "joe@pve"}, "/storage/local") }
	want := privileges{"Datastore.AllocateSpace": false, "Datastore.Audit": false}
	if d := cmp.Diff(want, at()); d != "" {
		t.Error(d)
	}
	s.Update(func(w *World) { w.AddACL("/pool/b", "user", "joe@pve", noAccess, true) })
	if d := cmp.Diff(privileges{}, at()); d != "" {
		t.Error(d)
	}
	guest := func() bool { return has(s.acl.privs(identity{user: "dev@pve"}, "/vms/1000"), "VM.Audit") }
	if !guest() {
		t.Error("a guest of the pool cannot be seen")
	}
	s.mu.Lock()
	s.world.setPool(1000, "")
	s.mu.Unlock()
	if guest() {
		t.Error("a guest that left the pool can still be seen")
	}
}

// TestPathNamesAgree: the parameters of a path have the names that its route gives them, whichever area came first.
func TestPathNamesAgree(t *testing.T) {
	t.Parallel()
	table := newTable(nil)
	for _, p := range patterns() {
		method, pattern, _ := strings.Cut(p, " ")
		r, vars := table.find(method, strings.NewReplacer("{", "", "}", "").Replace(pattern))
		if r == nil {
			t.Errorf("%s is not found", p)
			continue
		}
		for name, v := range vars {
			if name != strings.TrimSuffix(v, "...") {
				t.Errorf("%s: %s is called %s", p, v, name)
			}
		}
	}
}

// TestDefaultRealm: one realm at most is the default.
func TestDefaultRealm(t *testing.T) {
	t.Parallel()
	r := newRig(t, staffWorld(), WithoutDelays())
	defer r.stop()
	for _, realm := range []string{"pve", "pam"} {
		if got := r.as(rootUser, "PUT", "/access/domains/"+realm, "default=1", "comment=mine"); got.code != 200 {
			t.Fatal(got.body)
		}
	}
	var got []string
	for _, o := range r.as(rootUser, "GET", "/access/domains").rows() {
		if o["default"] != nil {
			got = append(got, text(o["realm"]))
		}
	}
	if d := cmp.Diff([]string{"pam"}, got); d != "" {
		t.Error(d)
	}
	if got := r.as(rootUser, "PUT", "/access/domains/pve", "server1=x"); got.status != "500 update auth server failed: unexpected property 'server1'" {
		t.Error(got.status)
	}
	r.as(rootUser, "DELETE", "/access/domains/pam")
	detail := r.as(rootUser, "GET", "/access/domains/pam").data.(map[string]any)
	if detail["comment"] != builtinRealms()["pam"] || detail["default"] != nil {
		t.Errorf("pam after its deletion: %v", detail)
	}
}
