package pvesim

import "strings"

func userRoutes() []route {
	audit := ownOr("User.Modify", "Sys.Audit")
	return append(daemon(
		get("/access/users", anyone, listUsers),
		get("/access/users/{userid}/tfa", audit, userTFA),
		get("/access/tfa", anyone, listFactors),
		get("/access/tfa/{userid}", audit, userFactors),
		get("/access/tfa/{userid}/{id}", audit, readFactor)),
		daemon(put("/access/users/{userid}/unlock-tfa", inGroupsOf("", "User.Modify"), unlockTFA))[0],
		get("/access/users/{userid}", inGroupsOf("", "User.Modify", "Sys.Audit"), getUser))
}

// userTFA tells the kind of second factor that the user's realm asks for, beside those of the user.
func userTFA(c *call) (any, error) {
	u := c.w.Access.user(c.vars["userid"])
	if u == nil {
		return nil, noUser(c.vars["userid"])
	}
	_, realm, err := splitUser(c.vars["userid"])
	if err != nil {
		return nil, err
	}
	r := c.w.Access.realm(realm)
	if r == nil {
		return nil, fail("auth domain '%s' does not exist", realm)
	}
	out := Object{}
	if kind := r["tfa"]; kind != nil {
		out["realm"] = kind
	}
	if c.param("multiple") == "1" {
		out["types"] = u.factorTypes()
	}
	return out, nil
}

func listUsers(c *call) (any, error) {
	out := []fields{}
	privs := []string{"User.Modify", "Sys.Audit"}
	all := c.may("/access/groups", privs...)
	for _, u := range c.w.Access.Users {
		if !all && u.ID != c.id.name() && !c.inMyGroups(u.ID, privs) || c.given("enabled") && truth(c.params["enabled"]) != u.Enabled {
			continue
		}
		f := append(fields{{"userid", u.ID}}, u.row()...)
		if r := c.w.Access.realm(u.ID[strings.LastIndexByte(u.ID, '@')+1:]); r != nil {
			f.add("realm-type", r["type"])
		}
		if c.param("full") == "1" {
			f.add("groups", strings.Join(c.acl.groups[u.ID], ","))
			f.add("tokens", u.tokenRows())
		}
		out = append(out, f)
	}
	return out, nil
}

// row leaves out what is empty. The address is there as "" when something follows it in the real one's line of the user,
// because trailing empty fields are lost when that is read (12/002: gone@pve and root@pam).
func (u *User) row() fields {
	f := fields{{"enable", bit(u.Enabled)}, {"expire", u.Expire}}
	if u.Comment != "" {
		f.add("comment", u.Comment)
	}
	if u.Email != "" || u.Comment != "" || u.Keys != "" {
		f.add("email", u.Email)
	}
	if u.Keys != "" {
		f.add("keys", u.Keys)
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
	if t.Comment != "" {
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
		return nil, noUser(c.vars["userid"])
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
