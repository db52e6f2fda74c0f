package pvesim

import "strings"

func userRoutes() []route {
	return []route{
		get("/access/users", params{"enabled": boolean(), "full": boolean()}, anyone, listUsers),
		get("/access/users/{userid}", nil, ownOr("Sys.Audit", "User.Modify"), getUser),
		get("/access/users/{userid}/token", nil, ownOr("User.Modify"), listTokens),
		get("/access/users/{userid}/token/{tokenid}", nil, ownOr("User.Modify"), getToken),
		get("/access/tfa/{userid}", nil, ownOr("Sys.Audit", "User.Modify"), func(*call) (any, error) { return []Object{}, nil }),
	}
}

// ownOr allows one's own account, and others to those with a privilege on /access/groups; the refusal names
// nothing (11/031).
func ownOr(privs ...string) check {
	return func(c *call) error {
		if c.vars["userid"] == c.id.user || c.may("/access/groups", privs...) {
			return nil
		}
		return &apiError{status: 403, message: "Permission check failed\n"}
	}
}

func listUsers(c *call) (any, error) {
	out := []fields{}
	all := c.may("/access/groups", "Sys.Audit", "User.Modify")
	for _, u := range c.w.Access.Users {
		if !all && u.ID != c.id.user || c.given("enabled") && (c.param("enabled") == "1") != u.Enabled {
			continue
		}
		f := append(fields{{"userid", u.ID}, {"realm-type", u.RealmType}}, u.row()...)
		if c.param("full") == "1" {
			f.add("groups", strings.Join(c.acl.groups[u.ID], ","))
			f.add("tokens", u.tokenRows())
		}
		out = append(out, f)
	}
	return out, nil
}

func (u *User) row() fields {
	f := fields{{"enable", bit(u.Enabled)}, {"expire", u.Expire}}
	if u.HasComment || u.Comment != "" {
		f.add("comment", u.Comment)
	}
	if u.HasEmail || u.Email != "" {
		f.add("email", u.Email)
	}
	if u.FirstName != "" {
		f.add("firstname", u.FirstName)
	}
	if u.LastName != "" {
		f.add("lastname", u.LastName)
	}
	return f
}

func (t *Token) row() fields {
	f := fields{{"privsep", bit(t.PrivSep)}, {"expire", t.Expire}}
	if t.HasComment || t.Comment != "" {
		f.add("comment", t.Comment)
	}
	return f
}

// tokenRows is null for a user without tokens (12/003).
func (u *User) tokenRows() any {
	if len(u.Tokens) == 0 {
		return nil
	}
	out := []fields{}
	for _, t := range u.Tokens {
		out = append(out, append(fields{{"tokenid", t.ID}}, t.row()...))
	}
	return out
}

func (c *call) userOf() (*User, error) {
	u := c.w.Access.user(c.vars["userid"])
	if u == nil {
		return nil, fail("no such user ('%s')", c.vars["userid"])
	}
	return u, nil
}

func getUser(c *call) (any, error) {
	u, err := c.userOf()
	if err != nil {
		return nil, err
	}
	f := append(u.row(), field{"groups", append([]string{}, c.acl.groups[u.ID]...)})
	if len(u.Tokens) == 0 {
		return append(f, field{"tokens", nil}), nil
	}
	tokens := Object{}
	for _, t := range u.Tokens {
		tokens[t.ID] = t.row()
	}
	return append(f, field{"tokens", tokens}), nil
}

func listTokens(c *call) (any, error) {
	u, err := c.userOf()
	if err != nil {
		return nil, err
	}
	if rows := u.tokenRows(); rows != nil {
		return rows, nil
	}
	return []fields{}, nil
}

func getToken(c *call) (any, error) {
	u, err := c.userOf()
	if err != nil {
		return nil, err
	}
	t := u.token(c.vars["tokenid"])
	if t == nil {
		return nil, fail("no such token '%s' for user '%s'", c.vars["tokenid"], u.ID)
	}
	return t.row(), nil
}
