package pvesim

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Ticket times (faults.md 3.5).
const (
	ticketLife  = 2 * time.Hour
	ticketGrace = 300 * time.Second
)

const authCookie = "PVEAuthCookie"

// login finds who sent the exchange: the cookie wins over a token header (facts 20).
func (c *call) login(x *exchange) error {
	if ticket, ok := cookieTicket(x.header); ok {
		return c.byTicket(x, ticket)
	}
	if value, ok := tokenHeader(x.header); ok {
		id, good := c.byToken(value)
		if !good {
			return silent(401, "Authentication failed!")
		}
		c.id = id
		return nil
	}
	return silent(401, "No ticket")
}

// authenticate is login for the handler, and the rule that some methods refuse tokens.
func (c *call) authenticate(x *exchange, r *route) error {
	if r.open {
		_, cookie := cookieTicket(x.header)
		if _, token := tokenHeader(x.header); r.noToken && token && !cookie {
			return noTokenError(x.apiPath)
		}
		return nil
	}
	if err := c.login(x); err != nil {
		return err
	}
	if r.noToken && c.id.token != nil {
		return noTokenError(x.apiPath)
	}
	return nil
}

func noTokenError(path string) error {
	return &apiError{status: 403, message: fmt.Sprintf(
		"Permission check failed (URI '%s' not available with API token, need proper ticket.\n)\n", path)}
}

func cookieTicket(h http.Header) (string, bool) {
	for _, line := range h.Values("Cookie") {
		for part := range strings.SplitSeq(line, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(part), authCookie+"="); ok {
				return unescape(v, false), true
			}
		}
	}
	return "", false
}

// tokenHeader takes the value of a PVEAPIToken header; = or a blank may follow the scheme (01/026), whose case
// counts (01/027).
func tokenHeader(h http.Header) (string, bool) {
	v, ok := strings.CutPrefix(h.Get("Authorization"), "PVEAPIToken")
	if !ok || v == "" || v[0] != '=' && v[0] != ' ' {
		return "", false
	}
	return v[1:], true
}

func (c *call) byToken(value string) (identity, bool) {
	full, secret, ok := strings.Cut(value, "=")
	user, name, named := strings.Cut(full, "!")
	if !ok || !named {
		return identity{}, false
	}
	u := c.w.Access.user(user)
	if !u.usable(c.now) {
		return identity{}, false
	}
	t := u.token(name)
	if t == nil || t.Expire != 0 && t.Expire <= c.now.Unix() || subtle.ConstantTimeCompare([]byte(t.Secret), []byte(secret)) != 1 {
		return identity{}, false
	}
	return identity{user: user, token: t}, true
}

func (c *call) byTicket(x *exchange, ticket string) error {
	user, ok := c.sim.ticketUser(ticket, c.clock())
	if !ok || !c.w.Access.user(user).usable(c.now) {
		return silent(401, "Authentication failed!")
	}
	if x.method != http.MethodGet && !c.sim.csrfValid(user, x.header.Get("CSRFPreventionToken"), c.clock()) {
		return silent(401, "Permission denied - invalid csrf token")
	}
	c.id = identity{user: user}
	return nil
}

// clock is the entry node's time, which may be skewed (F06).
func (c *call) clock() time.Time { return c.now.Add(c.sim.faults.skew(c.entry)) }

func (s *Sim) sign(text string) string {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

func (s *Sim) newTicket(user string, now time.Time) string {
	plain := fmt.Sprintf("PVE:%s:%08X", user, now.Unix())
	return plain + "::" + s.sign(plain)
}

func (s *Sim) newCSRF(user string, now time.Time) string {
	stamp := fmt.Sprintf("%08X", now.Unix())
	return stamp + ":" + strings.TrimRight(s.sign("csrf:"+stamp+":"+user), "=")
}

// ticketUser checks a ticket's signature and age and gives its user.
func (s *Sim) ticketUser(ticket string, now time.Time) (string, bool) {
	plain, sig, ok := strings.Cut(ticket, "::")
	if !ok || !hmac.Equal([]byte(sig), []byte(s.sign(plain))) {
		return "", false
	}
	parts := strings.Split(plain, ":")
	if len(parts) != 3 || !s.fresh(parts[2], now) {
		return "", false
	}
	return parts[1], true
}

func (s *Sim) csrfValid(user, token string, now time.Time) bool {
	stamp, sig, ok := strings.Cut(token, ":")
	return ok && s.fresh(stamp, now) && hmac.Equal([]byte(sig), []byte(strings.TrimRight(s.sign("csrf:"+stamp+":"+user), "=")))
}

func (s *Sim) fresh(stamp string, now time.Time) bool {
	n, err := strconv.ParseInt(stamp, 16, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.Unix(n, 0))
	return age > -ticketGrace && age < time.Duration(s.ticketLife.Load())
}

func ticketRoutes() []route {
	return daemon(
		route{method: "GET", pattern: "/access/ticket", open: true, check: anyone,
			handle: func(*call) (any, error) { return nil, nil }},
		route{method: "POST", pattern: "/access/ticket", open: true, noToken: true, check: anyone, handle: createTicket})
}

// createTicket logs in by password or by a ticket in its place (facts 21); with path and privs it only checks.
func createTicket(c *call) (any, error) {
	user := c.param("username")
	if realm := c.param("realm"); realm != "" {
		user += "@" + realm
	}
	now := c.clock()
	if !c.proves(user, now) || !c.allows(user) {
		c.w.addLog(LogEntry{Node: c.entry, Tag: "pvedaemon", User: rootUser, Pri: 4, Time: c.now,
			Msg: "authentication failure; rhost=::ffff:127.0.0.1 user=" + user + " msg=authentication failure"})
		return nil, &apiError{status: 401, message: "authentication failure\n"}
	}
	if c.needsFactor(user, now) {
		return Object{"username": user, "ticket": c.sim.challenge(c.w.Access.user(user), now), "CSRFPreventionToken": c.sim.newCSRF(user, now), "NeedTFA": 1}, nil
	}
	out := Object{"username": user, "cap": c.capabilities(user)}
	if !c.given("privs") {
		out["ticket"], out["CSRFPreventionToken"] = c.sim.newTicket(user, now), c.sim.newCSRF(user, now)
		if name := c.w.Cluster.Name; name != "" {
			out["clustername"] = name
		}
		c.w.addLog(LogEntry{Node: c.entry, Tag: "pvedaemon", User: rootUser, Pri: 6, Time: c.now,
			Msg: "successful auth for user '" + user + "'"})
	}
	return out, nil
}

// passwordFits also takes a ticket as the password: one's own, or that of root@pam for anybody (01/005).
func (c *call) passwordFits(user, password string, now time.Time) bool {
	u := c.w.Access.user(user)
	if _, realm, err := splitUser(user); err != nil || !u.usable(c.now) || c.w.Access.realm(realm) == nil {
		return false
	}
	if holder, ok := c.sim.ticketUser(password, now); ok {
		return holder == user || holder == rootUser
	}
	return u.hasPassword(password)
}

func (u *User) hasPassword(password string) bool {
	return u.Password != "" && subtle.ConstantTimeCompare([]byte(u.Password), []byte(password)) == 1
}

// allows is the verify mode of a login: the user must have all privileges at the path (01/014, 01/015).
func (c *call) allows(user string) bool {
	if !c.given("privs") {
		return true
	}
	mine := c.acl.privs(identity{user: user}, c.param("path"))
	for _, p := range splitList(c.param("privs")) {
		if !has(mine, p) {
			return false
		}
	}
	return true
}
