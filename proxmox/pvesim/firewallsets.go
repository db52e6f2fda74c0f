package pvesim

import (
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

func setRoutes(l fwLevel) []route {
	base, one, entry := l.base+"/ipset", l.base+"/ipset/{name}", l.base+"/ipset/{name}/{cidr...}" // a network has a slash
	return append(daemon(
		post(base, l.modify, l.changes(createSet)), post(one, l.modify, l.changes(addMember)), del(one, l.modify, l.changes(deleteSet)),
		get(entry, l.audit, l.reads(showMember)), put(entry, l.modify, l.changes(updateMember)), del(entry, l.modify, l.changes(deleteMember))),
		get(base, l.audit, l.reads(listSets)), get(one, l.audit, l.reads(listMembers)))
}

// headers are a list's entries by name and comment, as indexes show them.
func headers(list []Object, key string) []Object {
	out := []Object{}
	for _, o := range sortedBy(list, key) {
		h := Object{key: o[key]}
		setComment(h, text(o["comment"]))
		out = append(out, h)
	}
	return out
}

func listSets(_ *call, p *fwPlace) (any, error) { return stamped(headers(p.own.Sets, "name")), nil }

// createSet makes a set or, with rename, gives one another name or comment.
func createSet(c *call, p *fwPlace) error {
	name, rename := c.param("name"), c.param("rename")
	old := named(p.own.Sets, "name", name)
	if !perlTrue(rename) {
		if old != nil {
			return badParam("name", "IPSet '"+name+"' already exists")
		}
		return c.putNamed(&p.own.Sets, "name", name, Object{})
	}
	if err := c.unmodified(listDigest(headers(p.own.Sets, "name"))); err != nil {
		return err
	}
	from := named(p.own.Sets, "name", rename)
	switch {
	case from == nil:
		return badParam("name", "IPSet '"+rename+"' does not exist")
	case old != nil && name != rename:
		return badParam("name", "IPSet '"+name+"' does already exist")
	}
	return c.putNamed(&p.own.Sets, "name", rename, from)
}

// putNamed puts an object under the request's name in place of the one called old, with the request's comment if there is
// one.
func (c *call) putNamed(list *[]Object, key, old string, o Object) error {
	o = clone(o)
	o[key] = c.param(key)
	if c.given("comment") {
		setComment(o, c.param("comment"))
	}
	*list = withEntry(*list, o, isNamed(key, old))
	return nil
}

// members are the entries of the path's set as the file's parser reads them: one whose alias is gone says so.
func (p *fwPlace) members(c *call) ([]Object, error) {
	s := named(p.own.Sets, "name", c.vars["name"])
	if s == nil {
		return nil, fail("no such IPSet '%s'", c.vars["name"])
	}
	out := []Object{}
	for _, m := range inner(s, "members") {
		o := memberObject(text(m["cidr"]), truth(m["nomatch"]), text(m["comment"]))
		if ref := text(o["cidr"]); aliasRef().MatchString(ref) && p.alias(ref) == nil {
			o["errors"] = Object{"cidr": "no such alias '" + ref + "'"}
		}
		out = append(out, o)
	}
	return out, nil
}

func memberObject(cidr string, nomatch bool, comment string) Object {
	o := Object{"cidr": cidr}
	if nomatch {
		o["nomatch"] = 1
	}
	setComment(o, comment)
	return o
}

// saveMembers stores a set's entries; nil removes the set.
func (p *fwPlace) saveMembers(c *call, members []Object) error {
	name := c.vars["name"]
	var o Object
	if members != nil {
		stored := make([]Object, len(members))
		for i, m := range members {
			stored[i] = without(m, computed...)
		}
		o = clone(named(p.own.Sets, "name", name))
		o["members"] = stored
	}
	p.own.Sets = withEntry(p.own.Sets, o, isNamed("name", name))
	return nil
}

func listMembers(c *call, p *fwPlace) (any, error) {
	list, err := p.members(c)
	return stamped(list), err
}

var errNoMember = badParam("cidr", "no such IP/Network")

func showMember(c *call, p *fwPlace) (any, error) {
	list, err := p.members(c)
	if err != nil {
		return nil, err
	}
	if m := named(stamped(list), "cidr", c.vars["cidr"]); m != nil {
		return m, nil
	}
	return nil, errNoMember
}

var zeroPrefix = lazy.Regexp(`/0+$`)

// addMember puts an address, a network or an alias in front of a set's other entries.
func addMember(c *call, p *fwPlace) error {
	list, err := p.members(c)
	if err != nil {
		return err
	}
	cidr := c.param("cidr")
	if aliasRef().MatchString(cidr) {
		if p.alias(cidr) == nil {
			return fail("no such alias '%s'", aliasRef().FindStringSubmatch(cidr)[2]) // 14/064
		}
	} else {
		cidr = cleanCIDR(cidr)
	}
	switch {
	case named(list, "cidr", cidr) != nil:
		return badParam("cidr", "address '"+cidr+"' already exists")
	case zeroPrefix().MatchString(cidr):
		return badParam("cidr", "a zero prefix is not allowed in ipset entries")
	}
	m := memberObject(cidr, truth(c.params["nomatch"]), c.param("comment"))
	return p.saveMembers(c, append([]Object{m}, list...))
}

// updateMember replaces what is said of an entry: what the request does not give is gone (14/066).
func updateMember(c *call, p *fwPlace) error {
	list, err := p.members(c)
	if err != nil {
		return err
	}
	if err := c.unmodified(listDigest(list)); err != nil {
		return err
	}
	cidr := c.vars["cidr"]
	if named(list, "cidr", cidr) == nil {
		return errNoMember
	}
	m := memberObject(cidr, truth(c.params["nomatch"]), c.param("comment"))
	return p.saveMembers(c, withEntry(list, m, isNamed("cidr", cidr)))
}

// deleteMember takes an entry away; one that is not there is no error (facts 94).
func deleteMember(c *call, p *fwPlace) error {
	list, err := p.members(c)
	if err != nil {
		return err
	}
	if err := c.unmodified(listDigest(list)); err != nil {
		return err
	}
	return p.saveMembers(c, withEntry(list, nil, isNamed("cidr", c.vars["cidr"])))
}

// deleteSet removes a set that is empty, or with force any, also one that rules use.
func deleteSet(c *call, p *fwPlace) error {
	list, err := p.members(c)
	if err != nil {
		return err
	}
	if len(list) > 0 && !truth(c.params["force"]) {
		return fail("IPSet '%s' is not empty", c.vars["name"])
	}
	return p.saveMembers(c, nil)
}
