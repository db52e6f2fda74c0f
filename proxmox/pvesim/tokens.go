package pvesim

import (
	"fmt"
	"slices"
	"strings"
)

func tokenRoutes() []route {
	one := "/access/users/{userid}/token/{tokenid}"
	modify := ownOr("User.Modify")
	return append(daemon(
		post(one, modify, createToken),
		put(one, modify, updateToken),
		del(one, modify, deleteToken)),
		get("/access/users/{userid}/token", modify, listTokens),
		get(one, modify, getToken))
}

// ownerOf is the user of a token's full name.
func ownerOf(full string) string {
	user, _, _ := strings.Cut(full, "!")
	return user
}

func noToken(user, id string) error { return fail("no such token '%s' for user '%s'", id, user) }

// tokenOf gives the token of the path and its user.
func (c *call) tokenOf() (*User, *Token, error) {
	u, err := c.userOf()
	if err != nil {
		return nil, nil, err
	}
	t := u.token(c.vars["tokenid"])
	if t == nil {
		return nil, nil, noToken(u.ID, c.vars["tokenid"])
	}
	return u, t, nil
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
	_, t, err := c.tokenOf()
	if err != nil {
		return nil, err
	}
	return t.row(), nil
}

// newSecret makes the next secret of a token. The form is that of the recordings' placeholders (pve/README.md section 4):
// everybody sees that it opens a simulator and nothing else.
func (w *World) newSecret() string {
	w.secrets++
	return fmt.Sprintf("f0000000-0000-4000-8000-%012d", w.secrets)
}

// createToken shows the secret, once. The answer repeats what was sent with the type that it was sent with (12/075,
// 12/078).
func createToken(c *call) (any, error) {
	u, err := c.userOf()
	if err != nil {
		return nil, err
	}
	id := c.vars["tokenid"]
	if u.token(id) != nil {
		return nil, badParam("tokenid", "Token already exists.")
	}
	info := Object{"privsep": 1}
	for _, key := range []string{"privsep", "expire"} {
		if c.given(key) {
			info[key] = c.params[key]
		}
	}
	if c.param("comment") != "" {
		info["comment"] = c.param("comment")
	}
	t := &Token{ID: id, Secret: c.w.newSecret(), PrivSep: truth(info["privsep"]), Expire: integer(info["expire"]),
		Comment: text(info["comment"])}
	u.Tokens = append(slices.Clone(u.Tokens), t)
	c.w.accessChanged()
	return Object{"full-tokenid": u.ID + "!" + id, "value": t.Secret, "info": info}, nil
}

// updateToken answers with the whole token: what was sent as it was sent, the rest as numbers (12/081).
func updateToken(c *call) (any, error) {
	u, old, err := c.tokenOf()
	if err != nil {
		return nil, err
	}
	t := old.changed(c)
	out := Object{}
	for _, f := range t.row() {
		out[f.key] = f.val
		if c.param(f.key) != "" {
			out[f.key] = c.params[f.key]
		}
	}
	if c.param("regenerate") == "1" {
		t.Secret = c.w.newSecret()
		out["value"], out["full-tokenid"] = t.Secret, u.ID+"!"+t.ID
	}
	u.replaceToken(t)
	c.w.accessChanged()
	return out, nil
}

// changed is the token as the request wants it.
func (t *Token) changed(c *call) *Token {
	n := *t
	for _, key := range c.list("delete") {
		switch key {
		case "comment":
			n.Comment = ""
		case "expire":
			n.Expire = 0
		case "privsep":
			n.PrivSep = true
		}
	}
	if c.given("privsep") {
		n.PrivSep = truth(c.params["privsep"])
	}
	if c.given("expire") {
		n.Expire = integer(c.params["expire"])
	}
	if comment := c.param("comment"); comment != "" { // an empty one changes nothing (source)
		n.Comment = comment
	}
	return &n
}

// replaceToken puts a token in the place of the one with its id: requests may hold the old one.
func (u *User) replaceToken(t *Token) {
	u.Tokens = slices.Clone(u.Tokens)
	for i, old := range u.Tokens {
		if old.ID == t.ID {
			u.Tokens[i] = t
		}
	}
}

func deleteToken(c *call) (any, error) {
	u, t, err := c.tokenOf()
	if err != nil {
		return nil, err
	}
	u.Tokens = slices.DeleteFunc(slices.Clone(u.Tokens), func(x *Token) bool { return x == t })
	c.w.dropACL(func(e aclEntry) bool { return e.kind == "token" && e.ugid == u.ID+"!"+t.ID })
	return nil, nil
}
