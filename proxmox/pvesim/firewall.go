package pvesim

import "strconv"

// rulesOf finds the rule set that a path is about.
type rulesOf func(*call) *Firewall

func firewallRoutes() []route {
	list := []route{
		index("/cluster/firewall", "name", "aliases rules options groups ipset macros refs"),
		index("/nodes/{node}/firewall", "name", "rules options log"),
		get("/cluster/firewall/macros", anyone, func(c *call) (any, error) { return notNil(c.w.Cluster.Firewall.Macros), nil }),
		get("/cluster/firewall/groups", anyone, func(c *call) (any, error) { return stripped(c.w.Cluster.Firewall.Groups, "rules"), nil }),
		get("/cluster/firewall/groups/{group}", need("/", "Sys.Audit"), groupRules),
		get("/cluster/firewall/groups/{group}/{pos}", need("/", "Sys.Audit"), groupRule),
	}
	cluster := func(c *call) *Firewall { return c.w.Cluster.Firewall }
	list = append(list, ruleRoutes("/cluster/firewall", need("/", "Sys.Audit"), cluster)...)
	list = append(list, setRoutes("/cluster/firewall", need("/", "Sys.Audit"), cluster)...)
	list = append(list, ruleRoutes("/nodes/{node}/firewall", need("/nodes/{node}", "Sys.Audit"), func(c *call) *Firewall { return c.node.Firewall })...)
	for _, kind := range []string{typeQEMU, typeLXC} {
		base, audit := "/nodes/{node}/"+kind+"/{vmid}/firewall", need("/vms/{vmid}", "VM.Audit")
		list = append(list, index(base, "name", "rules aliases ipset refs options"))
		list = append(list, ruleRoutes(base, audit, guestFirewall)...)
		list = append(list, setRoutes(base, audit, guestFirewall)...)
	}
	return list
}

// guestFirewall of a guest that does not exist is empty (14/103).
func guestFirewall(c *call) *Firewall {
	if g := c.w.Guest(int(integer(c.vars["vmid"]))); g != nil {
		return g.Firewall
	}
	return newFirewall()
}

func ruleRoutes(base string, ck check, of rulesOf) []route {
	return []route{
		get(base+"/options", ck, func(c *call) (any, error) { return of(c).Options, nil }),
		get(base+"/rules", ck, func(c *call) (any, error) { return notNil(of(c).Rules), nil }),
		get(base+"/rules/{pos}", ck, func(c *call) (any, error) { return ruleAt(of(c).Rules, c.vars["pos"]) }),
	}
}

func setRoutes(base string, ck check, of rulesOf) []route {
	return []route{
		get(base+"/aliases", ck, func(c *call) (any, error) { return notNil(of(c).Aliases), nil }),
		get(base+"/aliases/{name}", ck, func(c *call) (any, error) { return alias(of(c), c.vars["name"]) }),
		get(base+"/ipset", ck, func(c *call) (any, error) { return stripped(of(c).Sets, "members"), nil }),
		get(base+"/ipset/{name}", ck, func(c *call) (any, error) { return members(of(c), c.vars["name"]) }),
		get(base+"/ipset/{name}/{cidr}", ck, func(c *call) (any, error) { return member(of(c), c.vars["name"], c.vars["cidr"]) }),
		get(base+"/refs", ck, func(c *call) (any, error) { return c.refs(of(c)), nil }),
	}
}

// ruleAt shows one rule; its position is a string there (facts 26).
func ruleAt(rules []Object, pos string) (any, error) {
	i, err := strconv.Atoi(pos)
	if err != nil {
		return nil, badParam("pos", "type check ('integer') failed - got '"+pos+"'")
	}
	if i < 0 || i >= len(rules) {
		return nil, fail("no rule at position %d", i)
	}
	o := clone(rules[i])
	o["pos"] = pos
	return o, nil
}

func stripped(list []Object, key string) []Object {
	out := []Object{}
	for _, o := range list {
		out = append(out, without(o, key))
	}
	return out
}

func named(list []Object, key, name string) Object {
	for _, o := range list {
		if o[key] == name {
			return o
		}
	}
	return nil
}

func inner(o Object, key string) []Object {
	if list, ok := o[key].([]Object); ok {
		return list
	}
	list, _ := objects(o[key])
	return notNil(list)
}

func groupRules(c *call) (any, error) {
	g := named(c.w.Cluster.Firewall.Groups, "group", c.vars["group"])
	if g == nil {
		return nil, fail("no such security group '%s'", c.vars["group"])
	}
	return inner(g, "rules"), nil
}

func groupRule(c *call) (any, error) {
	g := named(c.w.Cluster.Firewall.Groups, "group", c.vars["group"])
	if g == nil {
		return nil, fail("no such security group '%s'", c.vars["group"])
	}
	return ruleAt(inner(g, "rules"), c.vars["pos"])
}

func alias(f *Firewall, name string) (any, error) {
	a := named(f.Aliases, "name", name)
	if a == nil {
		return nil, badParam("name", "no such alias")
	}
	return without(a, "digest"), nil
}

func members(f *Firewall, name string) (any, error) {
	s := named(f.Sets, "name", name)
	if s == nil {
		return nil, fail("no such IPSet '%s'", name)
	}
	return inner(s, "members"), nil
}

func member(f *Firewall, name, cidr string) (any, error) {
	s := named(f.Sets, "name", name)
	if s == nil {
		return nil, fail("no such IPSet '%s'", name)
	}
	m := named(inner(s, "members"), "cidr", cidr)
	if m == nil {
		return nil, badParam("cidr", "no such IP/Network")
	}
	return m, nil
}

// refs are the names that rules can use: sets of the cluster, and sets and aliases of the guest itself. Aliases of
// the cluster are not listed (14/072, 14/102).
func (c *call) refs(f *Firewall) []Object {
	out, kind := []Object{}, c.param("type")
	add := func(scope, what, ref string, o Object) {
		if kind != "" && kind != what {
			return
		}
		r := Object{"scope": scope, "type": what, "name": o["name"], "ref": ref + text(o["name"])}
		if v, ok := o["comment"]; ok {
			r["comment"] = v
		}
		out = append(out, r)
	}
	for _, s := range c.w.Cluster.Firewall.Sets {
		add("dc", "ipset", "+", s)
	}
	if f != c.w.Cluster.Firewall {
		for _, s := range f.Sets {
			add("guest", "ipset", "+", s)
		}
		for _, a := range f.Aliases {
			add("guest", "alias", "", a)
		}
	}
	return out
}
