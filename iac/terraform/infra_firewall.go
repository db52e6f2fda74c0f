package terraform

import (
	"cmp"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// The provider's resources for firewalls. Import ids: cluster, node/NAME, vm/NODE/ID, container/NODE/ID (e2e/terraform/firewall).
const (
	rulesType   = "proxmox_virtual_environment_firewall_rules"
	optionsType = "proxmox_virtual_environment_firewall_options"
	ipsetType   = "proxmox_virtual_environment_firewall_ipset"
)

// ruleKeys write one rule; a rule that names a security group has its name as action.
var ruleKeys = []put{ruleAction, text("macro", "macro"), text("source", "source"), text("dest", "dest"), text("proto", "proto"), text("sport", "sport"),
	text("dport", "dport"), text("iface", "iface"), text("log", "log"), line("comment", "comment"), off("enable", "enabled")}

func ruleAction(k *keys) {
	if k.conf.Str("type") == "group" {
		k.body.Set("security_group", k.take("action", "security_group"))
		k.take("type", "security_group")
		return
	}
	text("type", "type")(k)
	text("action", "action")(k)
}

// icmpRule is why a rule with this key has no code: the provider would write the rule without it.
const icmpRule = "the provider has no attribute for the icmp-type of a rule"

// rulesClaim are all rules of one firewall; nil where there are none.
func rulesClaim(o *iac.Object, importID, label string, place put) *claim {
	list, _ := o.Config()["rules"].([]any)
	if len(list) == 0 {
		return nil
	}
	c := below(o, "rules", rulesType, importID, label, pve.Config{"rules": list})
	for _, r := range list {
		if m, ok := r.(map[string]any); ok && pve.Config(m).Has("icmp-type") {
			c.status, c.leave = iac.LeftOut, icmpRule
		}
	}
	c.write = func(_ *export, k *keys) {
		place(k)
		each("rule", ruleKeys...)(k)
	}
	return c
}

// below is a resource that stands for a part of an object.
func below(o *iac.Object, part, typ, importID, label string, conf pve.Config) *claim {
	c := &claim{key: o.Key(target), typ: typ, name: label, prefix: "firewall", suffix: iac.Name(o.ID+"_"+part, "x"), importID: importID, title: label + " " + part,
		conf: newKeys(conf, &Body{})}
	c.key.ID += "#" + part
	return c
}

func clusterRules(_ *export, o *iac.Object) []*claim {
	if c := rulesClaim(o, "cluster", "datacenter", func(*keys) {}); c != nil {
		return []*claim{c}
	}
	return nil
}

// nodeFirewall are the rules of a node, and its options, which no import takes over without a change (rule D2).
func nodeFirewall(_ *export, o *iac.Object) []*claim {
	var out []*claim
	if c := rulesClaim(o, "node/"+o.ID, o.ID, func(k *keys) { k.body.Set("node_name", o.ID) }); c != nil {
		out = append(out, c)
	}
	conf := o.Config()
	delete(conf, "rules")
	if len(conf) > 0 {
		c := below(o, "options", "proxmox_node_firewall", o.ID, o.ID, conf)
		c.status, c.leave = iac.LeftOut, "the provider cannot import the firewall options of a node without changing them"
		out = append(out, c)
	}
	return out
}

// guestOptions are the options of a guest's firewall.
var guestOptions = [][2]string{{"enable", "enabled"}, {"dhcp", "dhcp"}, {"ipfilter", "ipfilter"}, {"log_level_in", "log_level_in"}, {"log_level_out", "log_level_out"},
	{"macfilter", "macfilter"}, {"ndp", "ndp"}, {"policy_in", "input_policy"}, {"policy_out", "output_policy"}, {"radv", "radv"}}

// guestFirewall are options, rules and sets of a guest's firewall. Those of a guest that is not written are not either.
func guestFirewall(x *export, o *iac.Object) []*claim {
	vmid, err := strconv.Atoi(o.ID)
	g := x.Guest(vmid)
	if err != nil || g == nil || g.Unread != "" || x.Options.Only != nil && !x.Options.Only[vmid] {
		return nil
	}
	conf := o.Config()
	kind, attr := "vm", "vm_id"
	if g.Type == pve.LXC {
		kind, attr = "container", "container_id"
	}
	label := cmp.Or(g.Name, "guest_"+o.ID)
	place := func(k *keys) {
		k.body.Set("node_name", x.ref(g.Key(target), "node_name", g.Node))
		k.body.Set(attr, vmid) // the provider takes no reference: it checks the number before it is known
	}
	base := kind + "/" + g.Node + "/" + o.ID
	var out []*claim
	if c := guestOptionsClaim(o, base, label, conf, place); c != nil {
		out = append(out, c)
	}
	if c := rulesClaim(o, base, label, place); c != nil {
		out = append(out, c)
	}
	return append(out, guestSets(o, base, label, conf, place)...)
}

// guestOptionsClaim: each option that Proxmox VE does not have is not compared, as the provider reads its absence as another value (rule D4).
func guestOptionsClaim(o *iac.Object, base, label string, conf pve.Config, place put) *claim {
	have := pve.Config{}
	for _, a := range guestOptions {
		if conf.Has(a[0]) {
			have[a[0]] = conf[a[0]]
		}
	}
	if len(have) == 0 {
		return nil
	}
	c := below(o, "options", optionsType, base, label, have)
	c.write = func(_ *export, k *keys) {
		place(k)
		for _, a := range guestOptions {
			switch a[0] {
			case "enable", "dhcp", "ipfilter", "macfilter", "ndp", "radv":
				compared(a[0], a[1], switched)(k)
			default:
				compared(a[0], a[1], text)(k)
			}
		}
	}
	return c
}

// guestSets are the address sets of a guest; its aliases cannot be imported.
func guestSets(o *iac.Object, base, label string, conf pve.Config, place put) []*claim {
	var out []*claim
	for _, part := range []string{"ipsets", "aliases"} {
		list, _ := conf[part].([]any)
		for _, e := range list {
			m, ok := e.(map[string]any)
			if !ok {
				continue
			}
			name := pve.Config(m).Str("name")
			c := below(o, part+"/"+name, ipsetType, base+"/"+name, label+"_"+name, m)
			c.write = func(_ *export, k *keys) {
				place(k)
				for _, p := range ipset.puts {
					p(k)
				}
			}
			if part == "aliases" {
				c.status, c.leave = iac.LeftOut, noAliases
			}
			out = append(out, c)
		}
	}
	return out
}

// noAliases is why aliases have no code.
const noAliases = "the provider cannot import aliases"

var ipset = object{typ: ipsetType, id: func(o *iac.Object) string { return "cluster/" + o.ID },
	puts: []put{text("name", "name"), line("comment", "comment"), each("cidr", text("cidr", "name"), line("comment", "comment"), on("nomatch", "nomatch"))}}

var securityGroup = object{typ: "proxmox_virtual_environment_cluster_firewall_security_group", puts: []put{text("group", "name"), line("comment", "comment"), each("rule", ruleKeys...)}}

// each writes what is listed below an object as blocks, in its order.
func each(block string, puts ...put) put {
	return func(k *keys) {
		rows, _ := k.conf["rules"].([]any)
		for _, r := range rows {
			if m, ok := r.(map[string]any); ok {
				inner := newKeys(pve.Config(m), k.body.Block(block))
				for _, p := range puts {
					p(inner)
				}
			}
		}
		k.take("rules", block)
	}
}

// clusterFirewall: each option that Proxmox VE does not have is not compared, as the provider reads its absence as another value (facts 9).
func clusterFirewall(x *export, o *iac.Object) []*claim {
	d := object{typ: "proxmox_virtual_environment_cluster_firewall", label: func(*iac.Object) string { return "datacenter" }, puts: []put{yes("enable", "enabled", false), switched("ebtables", "ebtables"),
		text("policy_in", "input_policy"), text("policy_out", "output_policy"), text("policy_forward", "forward_policy"), rateLimit, func(k *keys) {
			for _, a := range [][2]string{{"enable", "enabled"}, {"ebtables", "ebtables"}, {"policy_in", "input_policy"}, {"policy_out", "output_policy"}, {"policy_forward", "forward_policy"}} {
				if !k.has(a[0]) {
					k.skip(Ref(a[1]), "is not set in Proxmox VE")
				}
			}
		}}}
	return []*claim{d.claim(x, o)}
}

// rateLimit writes the block of the log's limit: enable=1,burst=5,rate=1/second.
func rateLimit(k *keys) {
	if !k.has("log_ratelimit") {
		return
	}
	p := k.props("log_ratelimit", "log_ratelimit")
	b := k.body.Block("log_ratelimit")
	b.Set("enabled", p.Bool("enable"))
	p.number(b, "burst", "burst")
	p.text(b, "rate", "rate")
	p.taken["enable"] = true
}

var aliasClaims = func(x *export, o *iac.Object) []*claim {
	c := x.of(o, o.ID, o.ID, nil)
	c.status, c.leave = iac.LeftOut, noAliases
	return []*claim{c}
}
