package pvesim

// firewallGroupRoutes are the methods of security groups, which are rules under a name.
func firewallGroupRoutes(l fwLevel) []route {
	base := l.base + "/groups"
	list := append(daemon(post(base, l.modify, l.changes(createSecurityGroup)), del(base+"/{group}", l.modify, l.changes(deleteSecurityGroup))),
		get(base, anyone, l.reads(listSecurityGroups)))
	return append(list, ruleRoutes(base+"/{group}", l, func(c *call, _ bool) (*ruleList, error) { return c.groupRules() })...)
}

// groupRules are the rules of the path's group.
func (c *call) groupRules() (*ruleList, error) {
	f, name := c.w.Cluster.Firewall, c.vars["group"]
	g := named(f.Groups, "group", name)
	if g == nil {
		return nil, fail("no such security group '%s'", name)
	}
	p := &fwPlace{fwGroup, f, f}
	return &ruleList{fwPlace: p, rules: p.load(inner(g, "rules")), group: name}, nil
}

func listSecurityGroups(_ *call, p *fwPlace) (any, error) {
	return stamped(headers(p.own.Groups, "group")), nil
}

// createSecurityGroup makes a group or, with rename, gives one another name, also in the rules that call it, or another
// comment.
func createSecurityGroup(c *call, p *fwPlace) error {
	name, rename := c.param("group"), c.param("rename")
	old := named(p.own.Groups, "group", name)
	if !perlTrue(rename) {
		if old != nil {
			return badParam("group", "Security group '"+name+"' already exists")
		}
		return c.putNamed(&p.own.Groups, "group", name, Object{})
	}
	if err := c.unmodified(listDigest(headers(p.own.Groups, "group"))); err != nil {
		return err
	}
	from := named(p.own.Groups, "group", rename)
	switch {
	case from == nil:
		return badParam("group", "Security group '"+rename+"' does not exist")
	case old != nil && name != rename:
		return badParam("group", "Security group '"+name+"' does already exist")
	}
	if name != rename {
		for _, f := range c.w.firewalls() {
			f.Rules = renamedGroup(f.Rules, rename, name)
		}
	}
	return c.putNamed(&p.own.Groups, "group", rename, from)
}

// firewalls are all that can call a security group.
func (w *World) firewalls() []*Firewall {
	list := []*Firewall{w.Cluster.Firewall}
	for _, n := range w.Nodes {
		list = append(list, n.Firewall)
	}
	for _, g := range w.Guests() {
		list = append(list, g.Firewall)
	}
	for _, f := range w.Cluster.VNetFirewalls {
		list = append(list, f)
	}
	return list
}

func renamedGroup(rules []Object, old, name string) []Object {
	var out []Object
	for _, r := range rules {
		if r["type"] == fwGroup && r["action"] == old {
			r = clone(r)
			r["action"] = name
		}
		out = append(out, r)
	}
	return out
}

// deleteSecurityGroup removes a group without rules; rules that call it stay.
func deleteSecurityGroup(c *call, p *fwPlace) error {
	l, err := c.groupRules()
	if err != nil {
		return err
	}
	if len(l.rules) > 0 {
		return fail("Security group '%s' is not empty", l.group)
	}
	p.own.Groups = withEntry(p.own.Groups, nil, isNamed("group", l.group))
	return nil
}
