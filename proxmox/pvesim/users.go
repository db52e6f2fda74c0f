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
	ID, Comment, Email, FirstName, LastName, RealmType string
	HasComment, HasEmail                               bool
	Enabled                                            bool
	Expire                                             int64
	// Password is empty for an account that cannot log in by password.
	Password string
	Tokens   []*Token
}

// Token is an API token of a user. Secret is what follows the = in the header.
type Token struct {
	ID, Comment, Secret string
	HasComment          bool
	PrivSep             bool
	Expire              int64
}

// Group is a group of users.
type Group struct {
	ID, Comment string
	HasComment  bool
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
		g := &Group{ID: text(o["groupid"]), Comment: text(o["comment"]), HasComment: o["comment"] != nil}
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
	u := &User{ID: text(o["userid"]), Comment: text(o["comment"]), HasComment: o["comment"] != nil,
		Email: text(o["email"]), HasEmail: o["email"] != nil, FirstName: text(o["firstname"]), LastName: text(o["lastname"]),
		RealmType: text(o["realm-type"]), Enabled: truth(o["enable"]), Expire: integer(o["expire"]), Password: text(o["password"])}
	tokens, _ := objects(o["tokens"])
	for _, t := range tokens {
		u.Tokens = append(u.Tokens, &Token{ID: text(t["tokenid"]), Comment: text(t["comment"]), HasComment: t["comment"] != nil,
			Secret: text(t["secret"]), PrivSep: truth(t["privsep"]), Expire: integer(t["expire"])})
	}
	return u
}

// usable is whether the account works at the given time: enabled and not expired.
func (u *User) usable(now time.Time) bool {
	return u != nil && u.Enabled && (u.Expire == 0 || u.Expire > now.Unix())
}

func (u *User) token(id string) *Token {
	for _, t := range u.Tokens {
		if t.ID == id {
			return t
		}
	}
	return nil
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
