package pvesim

import (
	"crypto/sha1" //nolint:gosec // the API's digests are SHA-1
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
)

func realmRoutes() []route {
	allocate := need("/access/realm", "Realm.Allocate")
	return append(daemon(
		post("/access/domains", allocate, createRealm),
		put("/access/domains/{realm}", allocate, updateRealm),
		post("/access/domains/{realm}/sync", need("/access/groups", "User.Modify"), syncRealm),
		del("/access/domains/{realm}", allocate, deleteRealm)),
		route{method: "POST", pattern: "/access/openid/auth-url", open: true, check: anyone, handle: openIDTarget, protected: true},
		route{method: "GET", pattern: "/access/domains", open: true, check: anyone, handle: listRealms},
		get("/access/domains/{realm}", need("/access/realm", "Realm.Allocate", "Sys.Audit"), getRealm))
}

// realmType is what a type of realm can be set to: options that it needs, and others.
type realmType struct{ required, optional []string }

// directoryOptions are those of all realms that look users up in a directory.
const directoryOptions = "bind_dn capath case-sensitive cert certkey comment default filter group_classes group_dn group_filter " +
	"group_name_attr mode password port secure server2 sslversion sync-defaults-options sync_attributes tfa user_classes verify"

var realmTypes = sync.OnceValue(func() map[string]realmType {
	return map[string]realmType{
		"pam":  {nil, words("comment default tfa")},
		"pve":  {nil, words("comment default tfa")},
		"ldap": {words("server1 base_dn user_attr"), words(directoryOptions)},
		"ad":   {words("server1 domain"), words(directoryOptions + " base_dn user_attr")},
		"openid": {words("issuer-url client-id"), words("acr-values audiences autocreate client-key comment default groups-autocreate " +
			"groups-claim groups-overwrite prompt query-userinfo scopes username-claim")},
	}
})

// builtinRealms are there always, with a comment of their own (12/105).
var builtinRealms = sync.OnceValue(func() map[string]string {
	return map[string]string{"pam": "Linux PAM standard authentication", "pve": "Proxmox VE authentication server"}
})

func listRealms(c *call) (any, error) {
	out := []Object{}
	for _, r := range c.w.Access.Realms {
		out = append(out, without(r, "detail"))
	}
	return out, nil
}

func noRealm(id string) error { return fail("domain '%s' does not exist", id) }

func getRealm(c *call) (any, error) {
	r := c.w.Access.realm(c.vars["realm"])
	if r == nil {
		return nil, noRealm(c.vars["realm"])
	}
	detail, _ := r["detail"].(Object)
	return without(detail, "plugin"), nil
}

func createRealm(c *call) (any, error) {
	err := func() error {
		id, kind := c.param("realm"), c.param("type")
		switch {
		case c.w.Access.realm(id) != nil:
			return fail("domain '%s' already exists", id)
		case builtinRealms()[id] != "":
			return fail("unable to use reserved name '%s'", id)
		case builtinRealms()[kind] != "":
			return fail("unable to create builtin type '%s'", kind)
		}
		detail, err := c.realmOptions(Object{"type": kind})
		if err != nil {
			return err
		}
		for _, key := range realmTypes()[kind].required {
			if detail[key] == nil {
				return fail("missing value for required option '%s'", key)
			}
		}
		c.w.Access.storeRealm(id, detail)
		return nil
	}()
	return nil, locked("add auth server failed", err)
}

// realmOptions are the options of a realm with those of the request. A password is kept elsewhere and never shown.
func (c *call) realmOptions(old Object) (Object, error) {
	detail := clone(old)
	kind := realmTypes()[text(old["type"])]
	for _, key := range slices.Sorted(maps.Keys(c.params)) {
		switch {
		case slices.Contains(words("realm type delete digest check-connection password"), key):
			continue
		case !slices.Contains(kind.required, key) && !slices.Contains(kind.optional, key):
			return nil, fail("unexpected property '%s'", key)
		}
		detail[key] = realmValue(key, c.params[key])
	}
	return detail, nil
}

// realmNumbers are the options that are no strings.
var realmNumbers = words("autocreate case-sensitive default groups-autocreate groups-overwrite port query-userinfo secure verify")

func realmValue(key string, v any) any {
	if slices.Contains(realmNumbers, key) {
		return integer(v)
	}
	return text(v)
}

func updateRealm(c *call) (any, error) {
	return nil, locked("update auth server failed", c.changeRealm())
}

func (c *call) changeRealm() error {
	r := c.w.Access.realm(c.vars["realm"])
	if r == nil {
		return noRealm(c.vars["realm"])
	}
	old, _ := r["detail"].(Object)
	if d := c.param("digest"); d != "" && d != old["digest"] {
		return fail("detected modified configuration - file changed by other user? Try again.")
	}
	if len(without(c.params, "delete", "digest")) == 0 && c.param("delete") == "" {
		return fail("no options specified")
	}
	detail, err := c.realmOptions(without(old, c.list("delete")...))
	if err != nil {
		return err
	}
	c.w.Access.storeRealm(c.vars["realm"], detail)
	return nil
}

// storeRealm keeps a realm with its row of the list; one realm at most is the default.
func (a *Access) storeRealm(id string, detail Object) {
	var list []Object
	place := len(a.Realms)
	for i, r := range a.Realms {
		if r["realm"] == id {
			place = i
			continue
		}
		if old, ok := r["detail"].(Object); ok && truth(detail["default"]) {
			r = realmRow(text(r["realm"]), without(old, "default"))
		}
		list = append(list, r)
	}
	a.Realms = slices.Insert(list, min(place, len(list)), realmRow(id, detail))
	a.redigestRealms()
}

// realmRow is a realm as the list shows it, with its own GET under the key detail.
func realmRow(id string, detail Object) Object {
	if text(detail["comment"]) == "" && builtinRealms()[id] != "" {
		detail = clone(detail)
		detail["comment"] = builtinRealms()[id]
	}
	row := Object{"realm": id, "type": detail["type"], "detail": detail}
	if c := text(detail["comment"]); c != "" {
		row["comment"] = c
	}
	if truth(detail["default"]) {
		row["default"] = 1
	}
	for part := range strings.SplitSeq(text(detail["tfa"]), ",") {
		if kind, ok := strings.CutPrefix(part, "type="); ok {
			row["tfa"] = kind
		}
	}
	return row
}

// redigestRealms computes the digest of the file that holds all realms: each shows it.
func (a *Access) redigestRealms() {
	h := sha1.New() //nolint:gosec // see above
	for _, r := range a.Realms {
		detail, _ := r["detail"].(Object)
		h.Write(appendObject([]byte(text(r["realm"])), without(detail, "digest")))
	}
	digest := hex.EncodeToString(h.Sum(nil))
	for i, r := range a.Realms {
		detail, _ := r["detail"].(Object)
		detail, r = clone(detail), clone(r)
		detail["digest"], r["detail"] = digest, detail
		a.Realms[i] = r
	}
}

// deleteRealm: pam and pve lose their settings and stay (12/105).
func deleteRealm(c *call) (any, error) {
	id := c.vars["realm"]
	a := c.w.Access
	if a.realm(id) == nil {
		return nil, fail("delete auth server failed: authentication domain '%s' does not exist", id)
	}
	if builtinRealms()[id] != "" {
		a.storeRealm(id, Object{"type": id})
		return nil, nil
	}
	a.Realms = slices.DeleteFunc(slices.Clone(a.Realms), func(r Object) bool { return r["realm"] == id })
	a.redigestRealms()
	return nil, nil
}
