package pvesim

import (
	"net/netip"
	"strconv"
	"strings"
)

func aliasRoutes(l fwLevel) []route {
	base, one := l.base+"/aliases", l.base+"/aliases/{name}"
	return append(daemon(post(base, l.modify, l.changes(createAlias)), put(one, l.modify, l.changes(updateAlias)), del(one, l.modify, l.changes(deleteAlias))),
		get(base, l.audit, l.reads(listAliases)), get(one, l.audit, l.reads(showAlias)))
}

// isAlias finds an alias by name; case does not matter.
func isAlias(name string) func(Object) bool {
	return func(o Object) bool { return strings.EqualFold(text(o["name"]), name) }
}

// aliases are the aliases as the file's parser reads them.
func (f *Firewall) aliases() []Object {
	out := []Object{}
	for _, a := range f.Aliases {
		out = append(out, aliasObject(text(a["name"]), text(a["cidr"]), text(a["comment"])))
	}
	return sortedBy(out, "name")
}

func aliasObject(name, cidr, comment string) Object {
	cidr = cleanCIDR(cidr)
	o := Object{"name": name, "cidr": cidr, "ipversion": ipVersion(cidr)}
	setComment(o, comment)
	return o
}

// cleanCIDR is an address or network as the firewall keeps it: no bits set behind the prefix, and none for a single address.
func cleanCIDR(s string) string {
	addr, length, _ := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	n, bad := strconv.Atoi(length)
	if err != nil || bad != nil || n == 0 || n > a.BitLen() {
		return s
	}
	if n == a.BitLen() {
		return a.String()
	}
	return netip.PrefixFrom(a, n).Masked().String()
}

func listAliases(_ *call, p *fwPlace) (any, error) { return stamped(p.own.aliases()), nil }

// showAlias has no digest (14/046).
func showAlias(c *call, p *fwPlace) (any, error) {
	a := find(p.own.aliases(), isAlias(c.vars["name"]))
	if a == nil {
		return nil, badParam("name", "no such alias")
	}
	return a, nil
}

func createAlias(c *call, p *fwPlace) error {
	name := c.param("name")
	if find(p.own.Aliases, isAlias(name)) != nil {
		return badParam("name", "alias '"+name+"' already exists")
	}
	p.own.Aliases = withEntry(p.own.aliases(), aliasObject(name, c.param("cidr"), c.param("comment")), isAlias(name))
	return nil
}

// updateAlias replaces an alias: a comment that is not given is gone. What refers to the old name is not changed.
func updateAlias(c *call, p *fwPlace) error {
	list, name, rename := p.own.aliases(), c.vars["name"], c.param("rename")
	if err := c.unmodified(listDigest(list)); err != nil {
		return err
	}
	if find(list, isAlias(name)) == nil {
		return badParam("name", "no such alias")
	}
	shown := name
	if rename != "" && !strings.EqualFold(rename, name) {
		if find(list, isAlias(rename)) != nil {
			return badParam("name", "alias '"+rename+"' already exists")
		}
		shown = rename
	}
	p.own.Aliases = withEntry(list, aliasObject(shown, c.param("cidr"), c.param("comment")), isAlias(name))
	return nil
}

// deleteAlias takes an alias away, also one that rules use; one that is not there is no error (14/054, 14/055).
func deleteAlias(c *call, p *fwPlace) error {
	list := p.own.aliases()
	if err := c.unmodified(listDigest(list)); err != nil {
		return err
	}
	p.own.Aliases = withEntry(list, nil, isAlias(c.vars["name"]))
	return nil
}

// listRefs are the names that rules can use: those of the cluster, and those of the guest itself (14/072, 14/102).
func listRefs(c *call, p *fwPlace) (any, error) {
	out := refsOf(p.dc, "dc", c.param("type"))
	if p.own != p.dc {
		out = append(out, refsOf(p.own, "guest", c.param("type"))...)
	}
	return out, nil
}

func refsOf(f *Firewall, scope, kind string) []Object {
	out := []Object{}
	add := func(what, prefix, name string, o Object) {
		if kind != "" && kind != what {
			return
		}
		r := Object{"scope": scope, "type": what, "name": name, "ref": prefix + name}
		setComment(r, text(o["comment"]))
		out = append(out, r)
	}
	for _, s := range sortedBy(f.Sets, "name") {
		add("ipset", "+", text(s["name"]), s)
	}
	for _, a := range f.aliases() {
		add("alias", "", strings.ToLower(text(a["name"])), a)
	}
	return out
}
