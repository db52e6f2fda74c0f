package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// errForbidden is the refusal that names nothing (11/030, 11/031).
var errForbidden = &apiError{status: 403, message: "Permission check failed\n"}

// isRoot is whether root@pam asks with a ticket: no check of rights applies. A token of root@pam is not root (facts 22).
func (c *call) isRoot() bool { return c.id.user == rootUser && c.id.token == nil }

// userID is the user that a request is about, from its path or its parameters.
func (c *call) userID() string {
	if id, ok := c.vars["userid"]; ok {
		return id
	}
	return c.param("userid")
}

// splitUser takes a user's name and realm apart. Checks of rights use it before parameters are verified, and so fail with
// its own words.
func splitUser(id string) (name, realm string, err error) {
	if err := formatUserID(id); err != nil {
		return "", "", fail("%s", strings.TrimSuffix(err.Error(), "\n"))
	}
	at := strings.LastIndexByte(id, '@')
	return id[:at], id[at+1:], nil
}

// itself allows the user that the request is about. A token is never its user.
func (c *call) itself() bool {
	return c.w.Access.user(c.userID()) != nil && c.id.name() == c.userID()
}

// ownOr allows one's own account, and others as inGroupsOf does; the refusal names nothing (11/031).
func ownOr(privs ...string) check {
	return func(c *call) error {
		if c.isRoot() || c.itself() || inGroupsOf("", privs...)(c) == nil {
			return nil
		}
		return errForbidden
	}
}

// Kinds of requests to inGroupsOf that name groups in their parameter groups.
const (
	forCreate = "create"
	forUpdate = "update"
)

// inGroupsOf wants any of the privileges on /access/groups, or on a group of the user that the request is about. For
// forCreate and forUpdate it wants them on each group that the request names as well.
func inGroupsOf(kind string, privs ...string) check {
	return func(c *call) error {
		if c.isRoot() {
			return nil
		}
		if kind != forCreate && c.w.Access.user(c.userID()) == nil {
			return noUser(c.userID())
		}
		if c.may("/access/groups", privs...) {
			return nil
		}
		if err := c.mayJoin(kind, privs); err != nil {
			return err
		}
		if kind != forCreate && !c.inMyGroups(c.userID(), privs) {
			return errForbidden
		}
		return nil
	}
}

func (c *call) mayJoin(kind string, privs []string) error {
	if kind == "" {
		return nil
	}
	groups := c.list("groups")
	if kind == forCreate && len(groups) == 0 {
		return forbidden("/access/groups", privs...)
	}
	for _, g := range groups {
		if c.w.Access.group(g) == nil || !c.may("/access/groups/"+g, privs...) {
			return forbidden("/access/groups/"+g, privs...)
		}
	}
	return nil
}

// inMyGroups is whether a user is in a group on which the caller has any of the privileges.
func (c *call) inMyGroups(user string, privs []string) bool {
	return slices.ContainsFunc(c.acl.groups[user], func(g string) bool { return c.may("/access/groups/"+g, privs...) })
}

// allocateUser wants Realm.AllocateUser on the realm of the user that the request is about.
func allocateUser(c *call) error {
	if c.isRoot() {
		return nil
	}
	_, realm, err := splitUser(c.userID())
	if err != nil {
		return err
	}
	path := "/access/realm/" + realm
	if !c.may(path, "Realm.AllocateUser") {
		return forbidden(path, "Realm.AllocateUser")
	}
	return nil
}

// allOf passes when all checks do; the first failure counts.
func allOf(checks ...check) check {
	return func(c *call) error {
		for _, check := range checks {
			if err := check(c); err != nil {
				return err
			}
		}
		return nil
	}
}

func noUser(id string) error { return fail("no such user ('%s')", id) }

// locked words an error of what is done while a configuration file is locked: what is prefixed, and the error becomes a
// plain 500 that holds its status and its parameters as text (15/043, 12/009).
func locked(what string, err error) error {
	if err == nil {
		return nil
	}
	return fail("%s: %s", what, strings.TrimRight(innerText(err), "\n"))
}

// innerText is an error inside of another one's message.
func innerText(err error) string {
	e, ok := err.(*apiError) //nolint:errorlint // handlers return it bare
	switch {
	case !ok:
		return err.Error()
	case e.status == 500 && e.errors == nil:
		return e.message
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", e.status, e.message)
	for _, key := range slices.Sorted(maps.Keys(e.errors)) {
		b.WriteString(key + ": " + e.errors[key] + "\n")
	}
	return b.String()
}
