package terraform

import (
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// The parts that are written only when asked for (iac.Options.With): planning them takes more rights than planning guests does.
const (
	Infrastructure = "infrastructure" // storages, networks, SDN, HA, jobs, mappings, options of nodes and datacenter
	Firewall       = "firewall"       // of the cluster
	Access         = "access"         // users, groups, roles, tokens and who may do what
)

var group = object{typ: "proxmox_virtual_environment_group", puts: []put{text("groupid", "group_id"), text("comment", "comment")}, apart: []string{"users"}}

var role = object{typ: "proxmox_virtual_environment_role", puts: []put{text("roleid", "role_id"), set("privs", "privileges")}, apart: []string{"special"}}

var user = object{typ: "proxmox_virtual_environment_user", puts: []put{text("userid", "user_id"), yes("enable", "enabled", true), text("comment", "comment"), text("email", "email"),
	text("firstname", "first_name"), text("lastname", "last_name"), expires, groupsOf}, apart: []string{"realm-type", "tokens"}}

// expires writes the end of a user or token; 0 is none.
func expires(k *keys) {
	switch n, ok := k.conf.Int("expire"); {
	case ok && n > 0:
		k.take("expire", "expiration_date")
		k.body.Set("expiration_date", time.Unix(n, 0).UTC().Format(time.RFC3339))
	case ok:
		k.tell("expire", iac.Default, "expiration_date", "never")
	}
}

// groupsOf writes the groups of a user, which answers give as text or as a list.
func groupsOf(k *keys) {
	if l, ok := k.conf["groups"].([]any); ok {
		var names []string
		for _, g := range l {
			names = append(names, textual(g))
		}
		k.conf["groups"] = strings.Join(names, ",")
	}
	set("groups", "groups")(k)
}

// userClaims are a user and its tokens. root@pam is Proxmox VE's own.
func userClaims(x *export, o *iac.Object) []*claim {
	c := user.claim(x, o)
	if o.ID == "root@pam" {
		c.status, c.leave = iac.LeftOut, "it is built in"
	}
	out := []*claim{c}
	tokens, _ := o.Config()["tokens"].([]any)
	for _, t := range tokens {
		if m, ok := t.(map[string]any); ok {
			out = append(out, tokenClaim(o, m))
		}
	}
	return out
}

func tokenClaim(o *iac.Object, conf pve.Config) *claim {
	id := o.ID + "!" + conf.Str("tokenid")
	c := &claim{key: o.Key(target), typ: "proxmox_user_token", name: id, prefix: "token", suffix: iac.Name(id, "x"), importID: id, title: id, conf: newKeys(conf, &Body{})}
	c.key.ID += "#" + conf.Str("tokenid")
	c.write = func(x *export, k *keys) {
		k.body.Set("user_id", x.ref(o.Key(target), "user_id", o.ID))
		text("tokenid", "token_name")(k)
		text("comment", "comment")(k)
		yes("privsep", "privileges_separation", true)(k)
		expires(k)
	}
	return c
}

func aclClaims(x *export, o *iac.Object) []*claim {
	conf := o.Config()
	who := map[string]string{"user": "user_id", "group": "group_id", "token": "token_id"}[conf.Str("type")]
	d := object{typ: "proxmox_acl", label: func(*iac.Object) string { return conf.Str("ugid") + "_" + conf.Str("roleid") + "_" + conf.Str("path") },
		puts: []put{text("path", "path"), text("ugid", who), text("roleid", "role_id"), yes("propagate", "propagate", true)}, apart: []string{"type"}}
	return []*claim{d.claim(x, o)}
}

// off writes a switch only where it is off.
func off(key, attr string) put {
	return func(k *keys) {
		if k.has(key) && !k.conf.Bool(key) {
			k.take(key, attr)
			k.body.Set(attr, false)
		}
	}
}
