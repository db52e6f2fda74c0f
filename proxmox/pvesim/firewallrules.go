package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

// ruleList is a list of rules that requests show and change: a firewall's own, or those of a security group.
type ruleList struct {
	*fwPlace
	rules []Object // as loaded
	group string   // the security group, "" for the firewall's own
}

// rulesOf finds the list that a request is about.
type rulesOf func(c *call, change bool) (*ruleList, error)

func ruleRoutes(base string, l fwLevel, of rulesOf) []route {
	one := base + "/{pos}"
	return append(daemon(post(base, l.modify, of.changes(createRule)), put(one, l.modify, of.changes(updateRule)), del(one, l.modify, of.changes(deleteRule))),
		get(base, l.audit, of.reads(listRules)), get(one, l.audit, of.reads(showRule)))
}

func (of rulesOf) reads(work func(*call, *ruleList) (any, error)) handler {
	return func(c *call) (any, error) {
		l, err := of(c, false)
		if err != nil {
			return nil, err
		}
		return work(c, l)
	}
}

func (of rulesOf) changes(work func(*call, *ruleList) error) handler {
	return func(c *call) (any, error) {
		l, err := of(c, true)
		if err != nil {
			return nil, err
		}
		return nil, work(c, l)
	}
}

func listRules(_ *call, l *ruleList) (any, error) {
	out := stamped(l.rules)
	for i := range out {
		out[i]["pos"] = i
	}
	return out, nil
}

// showRule shows one rule; its position is a string there (facts 26).
func showRule(c *call, l *ruleList) (any, error) {
	i, err := l.position(c)
	if err != nil {
		return nil, err
	}
	rule := stamped(l.rules)[i]
	rule["pos"] = c.vars["pos"]
	return rule, nil
}

func (l *ruleList) position(c *call) (int, error) {
	i, err := strconv.Atoi(c.vars["pos"])
	if err != nil || i >= len(l.rules) {
		return 0, fail("no rule at position %s", c.vars["pos"])
	}
	return i, nil
}

// Lines of Rules.pm where a rule is looked up in a list that is not there. Only that of the deletion was seen (facts 15);
// the other is counted back from it.
const (
	lineUpdate = 391
	lineDelete = 462
)

// found checks digest and position of a request that changes a rule. Where there is no file there is no list, and the
// method fails inside.
func (l *ruleList) found(c *call, line int) (int, error) {
	if err := c.unmodified(listDigest(l.rules)); err != nil {
		return 0, err
	}
	if l.group == "" && l.own.empty() {
		return 0, fail("Can't use an undefined value as an ARRAY reference at /usr/share/perl5/PVE/API2/Firewall/Rules.pm line %d.", line)
	}
	return l.position(c)
}

// save stores the rules as their file has them.
func (l *ruleList) save(rules []Object) {
	stored := make([]Object, len(rules))
	for i, r := range rules {
		stored[i] = l.stored(r)
	}
	if l.group == "" {
		l.own.Rules = stored
		return
	}
	o := clone(named(l.own.Groups, "group", l.group))
	o["rules"] = stored
	l.own.Groups = withEntry(l.own.Groups, o, isNamed("group", l.group))
}

// ruleMatches are the keys that say what a rule matches, in the order of the file.
var ruleMatches = strings.Fields("iface source dest proto dport sport log icmp-type")

// ruleKeys are the keys that a rule and a request can have.
var ruleKeys = append([]string{"pos", "digest", "type", "action", "macro", "enable", "comment"}, ruleMatches...)

// stored is a rule after it was written and read again: enabled or not, without what is empty, and of a rule that calls a
// security group little remains.
func (p *fwPlace) stored(rule Object) Object {
	out := Object{"type": text(rule["type"]), "action": text(rule["action"]), "enable": 1}
	if e, ok := rule["enable"]; ok && !perlTrue(text(e)) {
		out["enable"] = 0
	}
	keys := append([]string{"macro"}, ruleMatches...)
	if out["type"] == fwGroup {
		keys = []string{"iface"}
	}
	for _, key := range keys {
		if v := text(rule[key]); perlTrue(v) || key == "icmp-type" && v != "" {
			out[key] = v
		}
	}
	if p.env == fwGroup {
		delete(out, "iface")
	}
	setComment(out, text(rule["comment"]))
	return out
}

// given puts the parameters of a request into a rule; an empty one or a dash takes the key away.
func (c *call) ruleWith(rule Object) Object {
	rule = without(rule, computed...)
	for _, key := range ruleKeys {
		switch v := c.param(key); {
		case !c.given(key):
		case v == "" || v == "-":
			delete(rule, key)
		default:
			rule[key] = v
		}
	}
	return rule
}

// createRule puts a rule in front of the others, wherever pos says (14/007); it is off unless it is said to be on.
func createRule(c *call, l *ruleList) error {
	rule := c.ruleWith(Object{})
	if err := l.judge(rule).refusal(); err != nil {
		return err
	}
	if !c.given("enable") {
		rule["enable"] = 0
	}
	l.save(append([]Object{rule}, l.rules...))
	return nil
}

// updateRule changes a rule or, with moveto, only its place.
func updateRule(c *call, l *ruleList) error {
	i, err := l.found(c, lineUpdate)
	if err != nil {
		return err
	}
	if to := int(integer(c.param("moveto"))); c.given("moveto") && to != i {
		l.save(moved(l.rules, i, to))
		return nil
	}
	rule := c.ruleWith(l.rules[i])
	for _, key := range splitWords(listText(c.params["delete"])) {
		switch {
		case !contains(ruleKeys, key):
			return badParam("delete", "no such property ('"+key+"')")
		case key == "type" || key == "action":
			return badParam("delete", "unable to delete required property '"+key+"'")
		}
		delete(rule, key)
	}
	if err := l.judge(rule).refusal(); err != nil {
		return err
	}
	rules := slices.Clone(l.rules)
	rules[i] = rule
	l.save(rules)
	return nil
}

// moved takes the rule at from and puts it in front of the one at to, or at the end where there is none (14/010).
func moved(rules []Object, from, to int) []Object {
	var out []Object
	for i, r := range rules {
		if i == to {
			out = append(out, rules[from])
		}
		if i != from {
			out = append(out, r)
		}
	}
	if to >= len(rules) {
		out = append(out, rules[from])
	}
	return out
}

func deleteRule(c *call, l *ruleList) error {
	i, err := l.found(c, lineDelete)
	if err != nil {
		return err
	}
	l.save(slices.Delete(slices.Clone(l.rules), i, i+1))
	return nil
}
