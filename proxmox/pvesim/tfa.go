package pvesim

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Second factors of users: codes by time and codes for recovery. With one, a login is of two steps: the password gives a
// ticket that is good for nothing but to answer its challenge (source: pve-access-control, API2/TFA.pm and AccessControl.pm;
// no recording has any, words of errors that do not name a source are inferred).

// factor is a second factor of a user.
type factor struct {
	id, kind, description string
	created               int64
	disabled              bool
	totp                  *totp
	codes                 []string // for recovery, those that are left
}

const (
	factorTOTP     = "totp"
	factorRecovery = "recovery" // both a type and the id of the one entry that a user can have of it
)

func factorRoutes() []route {
	change := ownOr("User.Modify")
	routes := daemon(post("/access/tfa/{userid}", change, addFactor), put("/access/tfa/{userid}/{id}", change, changeFactor), del("/access/tfa/{userid}/{id}", change, removeFactor))
	for i := range routes {
		routes[i].noToken = true
	}
	return routes
}

func (f *factor) row() Object {
	o := Object{"id": f.id, "type": f.kind, "description": f.description, "created": f.created}
	if f.disabled {
		o["enable"] = 0
	}
	return o
}

func (u *User) factorRows() []Object {
	out := []Object{}
	for _, f := range u.factors {
		out = append(out, f.row())
	}
	return out
}

// factorTypes are the types of those that are in use.
func (u *User) factorTypes() []string {
	out := []string{}
	for _, f := range u.factors {
		if !f.disabled && !slices.Contains(out, f.kind) {
			out = append(out, f.kind)
		}
	}
	return out
}

func (u *User) factor(id string) *factor {
	return find(u.factors, func(f *factor) bool { return f.id == id })
}

// listFactors shows those of all whom the caller may see.
func listFactors(c *call) (any, error) {
	out, privs := []Object{}, []string{"User.Modify", "Sys.Audit"}
	all := c.isRoot() || c.may("/access/groups", privs...)
	for _, u := range c.w.Access.Users {
		if len(u.factors) > 0 && (all || u.ID == c.id.name() || c.inMyGroups(u.ID, privs)) {
			out = append(out, Object{"userid": u.ID, "entries": u.factorRows()})
		}
	}
	return out, nil
}

func userFactors(c *call) (any, error) {
	if u := c.w.Access.user(c.vars["userid"]); u != nil {
		return u.factorRows(), nil
	}
	return []Object{}, nil
}

func (c *call) factorOf(u *User) (*factor, error) {
	if u != nil {
		if f := u.factor(c.vars["id"]); f != nil {
			return f, nil
		}
	}
	return nil, &apiError{status: 404, message: "No such tfa entry '" + c.vars["id"] + "'\n"}
}

func readFactor(c *call) (any, error) {
	f, err := c.factorOf(c.w.Access.user(c.vars["userid"]))
	if err != nil {
		return nil, err
	}
	return f.row(), nil
}

// factorOwner is the user whose factors are to change: only root@pam changes those of root@pam, and all others give their own
// password (source).
func (c *call) factorOwner() (*User, error) {
	u := c.w.Access.user(c.vars["userid"])
	switch {
	case u == nil:
		return nil, noUser(c.vars["userid"])
	case c.isRoot():
		return u, nil
	case u.ID == rootUser:
		return nil, errForbidden
	case !c.given("password"):
		return nil, badParam("password", "password is required to modify TFA data")
	case !c.w.Access.user(c.id.user).hasPassword(c.param("password")):
		return nil, fail("authentication failure")
	}
	return u, nil
}

func addFactor(c *call) (any, error) {
	u, err := c.factorOwner()
	if err != nil {
		return nil, err
	}
	f := &factor{id: c.w.newUUID(), kind: c.param("type"), description: c.param("description"), created: c.now.Unix()}
	out := Object{}
	switch f.kind {
	case factorTOTP:
		if f.totp, err = parseTOTP(c.param("totp")); err != nil {
			return nil, err
		}
		if !f.totp.fits(c.param("value"), c.clock()) {
			return nil, fail("failed to verify TOTP challenge")
		}
	case factorRecovery:
		if u.factor(factorRecovery) != nil {
			return nil, fail("user already has recovery keys")
		}
		f.id, f.codes = factorRecovery, c.w.recoveryCodes()
		out["recovery"] = f.codes
	default: // these need a configuration of the datacenter that nothing here can use
		return nil, fail("no %s configuration available", f.kind)
	}
	u.factors, u.Keys = append(slices.Clone(u.factors), f), "x"
	out["id"] = f.id
	return out, nil
}

// recoveryCount is how many codes a user gets at once.
const recoveryCount = 10

func (w *World) recoveryCodes() []string {
	var out []string
	for range recoveryCount {
		id := strings.ReplaceAll(w.newUUID(), "-", "")
		out = append(out, id[:4]+"-"+id[4:8]+"-"+id[16:20]+"-"+id[28:])
	}
	return out
}

func changeFactor(c *call) (any, error) {
	u, err := c.factorOwner()
	if err != nil {
		return nil, err
	}
	f, err := c.factorOf(u)
	if err != nil {
		return nil, err
	}
	if c.given("description") {
		f.description = c.param("description")
	}
	if c.given("enable") {
		f.disabled = !truth(c.params["enable"])
	}
	return nil, nil //nolint:nilnil // the answer is null
}

func removeFactor(c *call) (any, error) {
	u, err := c.factorOwner()
	if err != nil {
		return nil, err
	}
	f, err := c.factorOf(u)
	if err != nil {
		return nil, err
	}
	u.factors = slices.DeleteFunc(slices.Clone(u.factors), func(x *factor) bool { return x == f })
	if len(u.factors) == 0 {
		u.Keys = ""
	}
	return nil, nil //nolint:nilnil // the answer is null
}

// needsFactor is whether a login that proved the password has to answer a challenge. A ticket in place of the password, and
// one that only checks rights, need none.
func (c *call) needsFactor(user string, now time.Time) bool {
	_, ticket := c.sim.ticketUser(c.param("password"), now)
	return !ticket && !c.given("tfa-challenge") && !c.given("privs") && len(c.w.Access.user(user).factorTypes()) > 0
}

// challengeMark begins the user's part of a ticket that stands for a challenge.
const challengeMark = "!tfa!"

// challenge is the ticket of a login's first step.
func (s *Sim) challenge(u *User, now time.Time) string {
	kinds := Object{}
	for _, kind := range u.factorTypes() {
		kinds[kind] = true
		if kind == factorRecovery {
			left := []int{}
			for i := range u.factor(factorRecovery).codes {
				left = append(left, i)
			}
			kinds[kind] = left
		}
	}
	return s.newTicket(challengeMark+url.QueryEscape(string(encode(kinds)))+"!"+u.ID, now)
}

// proves is whether a login's password is right, or in its second step the answer to the challenge.
func (c *call) proves(user string, now time.Time) bool {
	if !c.given("tfa-challenge") {
		return c.passwordFits(user, c.param("password"), now)
	}
	u := c.w.Access.user(user)
	asked, ok := c.sim.ticketUser(c.param("tfa-challenge"), now)
	if !ok || !u.usable(c.now) || !strings.HasPrefix(asked, challengeMark) || !strings.HasSuffix(asked, "!"+user) {
		return false
	}
	kind, answer, _ := strings.Cut(c.param("password"), ":")
	return slices.ContainsFunc(u.factors, func(f *factor) bool { return !f.disabled && f.kind == kind && f.takes(answer, now) })
}

// takes is whether an answer is right. A code for recovery works once.
func (f *factor) takes(answer string, now time.Time) bool {
	if f.kind == factorTOTP {
		return f.totp.fits(answer, now)
	}
	left := slices.DeleteFunc(slices.Clone(f.codes), func(code string) bool { return code == answer })
	used := len(left) < len(f.codes)
	f.codes = left
	return used
}
