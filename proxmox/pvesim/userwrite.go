package pvesim

import (
	"crypto/subtle"
	"slices"
)

func userWriteRoutes() []route {
	password := put("/access/password", mayChangePassword, changePassword)
	password.noToken = true
	return daemon(
		post("/access/users", allOf(allocateUser, inGroupsOf(forCreate, "User.Modify")), createUser),
		put("/access/users/{userid}", inGroupsOf(forUpdate, "User.Modify"), updateUser),
		del("/access/users/{userid}", allOf(allocateUser, inGroupsOf("", "User.Modify")), deleteUser),
		password)
}

// createUser makes an account. A password is stored before anything else can fail, as the real one does.
func createUser(c *call) (any, error) {
	id := c.param("userid")
	if c.w.Access.user(id) != nil {
		return nil, fail("create user failed: user '%s' already exists", id)
	}
	u := &User{ID: id, Enabled: true}
	if c.given("password") {
		if err := c.setPassword(u, c.param("password")); err != nil {
			return nil, locked("create user failed", err)
		}
	}
	if c.given("enable") {
		u.Enabled = truth(c.params["enable"])
	}
	u.Expire = integer(c.params["expire"])
	u.describe(c)
	if err := c.joinGroups(id); err != nil {
		return nil, locked("create user failed", err)
	}
	c.w.Access.Users = append(slices.Clone(c.w.Access.Users), u)
	c.w.accessChanged()
	return nil, nil
}

func updateUser(c *call) (any, error) {
	old := c.w.Access.user(c.vars["userid"])
	if old == nil {
		return nil, locked("update user failed", noUser(c.vars["userid"]))
	}
	u := *old
	if c.given("enable") {
		u.Enabled = truth(c.params["enable"])
	}
	if c.given("expire") {
		u.Expire = integer(c.params["expire"])
	}
	u.describe(c)
	if err := c.groupsExist(); err != nil {
		return nil, locked("update user failed", err)
	}
	if c.given("groups") && c.param("append") != "1" {
		c.w.Access.leaveGroups(u.ID)
	}
	if err := c.joinGroups(u.ID); err != nil {
		return nil, locked("update user failed", err)
	}
	*old = u
	c.w.accessChanged()
	return nil, nil
}

// describe takes over what a request says about the person.
func (u *User) describe(c *call) {
	for key, to := range map[string]*string{"comment": &u.Comment, "email": &u.Email, "firstname": &u.FirstName,
		"lastname": &u.LastName, "keys": &u.Keys} {
		if c.given(key) {
			*to = c.param(key)
		}
	}
}

// deleteUser takes an account away with its memberships, tokens and entries in the ACL. One that is not there is no error
// (facts 14), and root@pam comes back without what it had (12/094).
func deleteUser(c *call) (any, error) {
	id := c.vars["userid"]
	a := c.w.Access
	old := a.user(id)
	a.Users = slices.DeleteFunc(slices.Clone(a.Users), func(u *User) bool { return u.ID == id })
	if id == rootUser && old != nil {
		a.Users = append(a.Users, &User{ID: rootUser, Enabled: true, Password: old.Password})
	}
	a.leaveGroups(id)
	c.w.dropACL(func(e aclEntry) bool {
		return e.kind == "user" && e.ugid == id || e.kind == "token" && ownerOf(e.ugid) == id
	})
	return nil, nil
}

func (c *call) groupsExist() error {
	for _, g := range c.list("groups") {
		if c.w.Access.group(g) == nil {
			return fail("no such group '%s'", g)
		}
	}
	return nil
}

// joinGroups adds a user to the groups that the request names; all have to exist.
func (c *call) joinGroups(user string) error {
	if err := c.groupsExist(); err != nil {
		return err
	}
	for _, id := range c.list("groups") {
		if g := c.w.Access.group(id); !slices.Contains(g.Members, user) {
			g.Members = append(slices.Clone(g.Members), user)
		}
	}
	return nil
}

func (a *Access) leaveGroups(user string) {
	for _, g := range a.Groups {
		g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return m == user })
	}
}

// mayChangePassword allows one's own password, and others to those who manage the user's realm and a group of the user.
func mayChangePassword(c *call) error {
	if c.isRoot() || c.itself() {
		return nil
	}
	return allOf(allocateUser, inGroupsOf("", "User.Modify"))(c)
}

// changePassword: everybody but root@pam has to confirm with the own password (facts 96); only root@pam changes the
// password of a user of the realm pam that is somebody else.
func changePassword(c *call) (any, error) {
	u := c.w.Access.user(c.param("userid"))
	if u == nil {
		return nil, noUser(c.param("userid"))
	}
	if !c.isRoot() {
		if err := c.confirm(u); err != nil {
			return nil, err
		}
		if _, realm, _ := splitUser(u.ID); c.id.user != u.ID && realm == "pam" {
			return nil, errForbidden
		}
	}
	return nil, c.setPassword(u, c.param("password"))
}

func (c *call) confirm(u *User) error {
	if u.ID == rootUser {
		return errForbidden
	}
	if !c.given("confirmation-password") {
		return badParam("confirmation-password", "password is required to modify user")
	}
	me := c.w.Access.user(c.id.user)
	switch {
	case me.Password == "":
		return fail("no password set")
	case subtle.ConstantTimeCompare([]byte(me.Password), []byte(c.param("confirmation-password"))) != 1:
		return fail("invalid credentials")
	}
	return nil
}

// setPassword stores a password where the user's realm keeps it. Users of pam have to exist on the node, which only root
// does here.
func (c *call) setPassword(u *User, password string) error {
	_, realm, err := splitUser(u.ID)
	if err != nil {
		return err
	}
	r := c.w.Access.realm(realm)
	switch {
	case r == nil:
		return fail("auth domain '%s' does not exist", realm)
	case r["type"] == "pam" && u.ID != rootUser && u.Password == "":
		return fail("change password failed: exit code 6")
	case r["type"] != "pam" && r["type"] != "pve":
		return fail("can't set password on auth type '%s'", text(r["type"]))
	}
	u.Password = password
	return nil
}
