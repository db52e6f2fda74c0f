package pvesim

import "time"

// Access is who may do what.
type Access struct {
	Users []*User
	// Groups by id with comment and members.
	Groups []*Group
	// Roles are the entries of GET /access/roles: roleid, privs (a comma list), special.
	Roles []Object
	// ACL are the entries of GET /access/acl: path, type (user, group, token), ugid, roleid, propagate.
	ACL []Object
	// Realms are the entries of GET /access/domains; the key detail is the body of the realm's own GET.
	Realms []Object
}

// User is an account with its tokens. Expire is a Unix time, 0 = never.
type User struct {
	ID, Comment, Email, FirstName, LastName, Keys string
	Enabled                                       bool
	Expire                                        int64
	// Password is empty for an account that cannot log in by password.
	Password string
	Tokens   []*Token
	factors  []*factor // second factors, in the order in which they were added
}

// Token is an API token of a user. Secret is what follows the = in the header.
type Token struct {
	ID, Comment, Secret string
	PrivSep             bool
	Expire              int64
}

// Group is a group of users.
type Group struct {
	ID, Comment string
	Members     []string
}

type accessFile struct {
	Users  []Object `json:"users"`
	Groups []Object `json:"groups"`
	Roles  []Object `json:"roles"`
	ACL    []Object `json:"acl"`
	Realms []Object `json:"realms"`
}

func loadAccess(f accessFile) *Access {
	a := &Access{Roles: f.Roles, ACL: f.ACL, Realms: f.Realms}
	for _, o := range f.Users {
		a.Users = append(a.Users, loadUser(o))
	}
	for _, o := range f.Groups {
		g := &Group{ID: text(o["groupid"]), Comment: text(o["comment"])}
		if detail, ok := o["detail"].(Object); ok {
			members, _ := detail["members"].([]any)
			for _, m := range members {
				g.Members = append(g.Members, text(m))
			}
		}
		a.Groups = append(a.Groups, g)
	}
	return a
}

func loadUser(o Object) *User {
	u := &User{ID: text(o["userid"]), Comment: text(o["comment"]), Email: text(o["email"]), FirstName: text(o["firstname"]),
		LastName: text(o["lastname"]), Keys: text(o["keys"]), Enabled: truth(o["enable"]), Expire: integer(o["expire"]),
		Password: text(o["password"])}
	tokens, _ := objects(o["tokens"])
	for _, t := range tokens {
		u.Tokens = append(u.Tokens, &Token{ID: text(t["tokenid"]), Comment: text(t["comment"]),
			Secret: text(t["secret"]), PrivSep: truth(t["privsep"]), Expire: integer(t["expire"])})
	}
	return u
}

// usable is whether the account works at the given time: enabled and not expired.
func (u *User) usable(now time.Time) bool {
	return u != nil && u.Enabled && (u.Expire == 0 || u.Expire > now.Unix())
}

func (u *User) token(id string) *Token {
	return find(u.Tokens, func(t *Token) bool { return t.ID == id })
}

// user gives a user's record, nil when there is none.
func (a *Access) user(id string) *User {
	return find(a.Users, func(u *User) bool { return u.ID == id })
}

func (a *Access) group(id string) *Group {
	return find(a.Groups, func(g *Group) bool { return g.ID == id })
}

func (a *Access) role(id string) Object {
	return find(a.Roles, func(r Object) bool { return r["roleid"] == id })
}

func (a *Access) realm(id string) Object {
	return find(a.Realms, func(r Object) bool { return r["realm"] == id })
}

// find gives the first element that fits, or the zero value.
func find[T any](list []T, fits func(T) bool) T {
	for _, e := range list {
		if fits(e) {
			return e
		}
	}
	var none T
	return none
}

// RootToken gives the first token of root@pam without privilege separation as "root@pam!name=secret", the form
// that the Authorization header and PROXMOX_VE_API_TOKEN take. It is empty when there is none.
func (w *World) RootToken() string {
	u := w.Access.user(rootUser)
	if u == nil {
		return ""
	}
	for _, t := range u.Tokens {
		if !t.PrivSep {
			return rootUser + "!" + t.ID + "=" + t.Secret
		}
	}
	return ""
}

// rootUser is the account that no ACL limits.
const rootUser = "root@pam"
