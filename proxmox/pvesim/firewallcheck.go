package pvesim

import (
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// ruleCheck judges one rule. A request is refused for the first fault; a stored rule shows the first of each key.
type ruleCheck struct {
	*fwPlace
	rule    Object
	faults  []ruleFault
	version int  // of the addresses: 4, 6, or 0 when it is not known
	broken  bool // aliases of both families: no rule at all
}

type ruleFault struct{ key, text string }

const mixedRule = "detected mixed ipv4/ipv6 addresses in rule"

// load reads stored rules as the file's parser does: with the version of their addresses and with what is wrong with
// them meanwhile (14/109). A broken one is left out.
func (p *fwPlace) load(stored []Object) []Object {
	out := []Object{}
	for _, r := range stored {
		r = p.stored(r)
		k := p.judge(r)
		if k.broken {
			continue
		}
		if k.version != 0 {
			r["ipversion"] = k.version
		}
		if len(k.faults) > 0 {
			errs := Object{}
			for _, f := range k.faults {
				if !has(errs, f.key) {
					errs[f.key] = f.text
				}
			}
			r["errors"] = errs
		}
		out = append(out, r)
	}
	return out
}

// judge checks a rule and gives its macro the name that it has.
func (p *fwPlace) judge(rule Object) *ruleCheck {
	k := &ruleCheck{fwPlace: p, rule: rule}
	k.kind()
	k.macro()
	k.protocol()
	k.icmp()
	k.ports("sport")
	k.address("source")
	k.address("dest")
	if len(k.faults) == 0 && k.get("macro") != "" {
		k.expand()
	}
	return k
}

func (k *ruleCheck) get(key string) string {
	if v := text(k.rule[key]); perlTrue(v) {
		return v
	}
	return ""
}

func (k *ruleCheck) fault(key, text string) { k.faults = append(k.faults, ruleFault{key, text}) }

// refusal is what a request for the rule hears, nil when it is good.
func (k *ruleCheck) refusal() error {
	switch {
	case len(k.faults) > 0:
		return badParam(k.faults[0].key, k.faults[0].text)
	case k.broken:
		return fail(mixedRule)
	}
	return nil
}

// directions are the types of rules that each place knows.
var directions = sync.OnceValue(func() map[string][]string {
	return map[string][]string{
		fwCluster: {"in", "out", "forward", fwGroup}, fwHost: {"in", "out", "forward", fwGroup}, fwVM: {"in", "out", fwGroup},
		fwCT: {"in", "out", fwGroup}, fwGroup: {"in", "out", "forward"}, fwVNet: {"forward", fwGroup},
	}
})

var (
	groupName = lazy.Regexp(`^[A-Za-z][A-Za-z0-9\-_]+$`)
	guestNIC  = lazy.Regexp(`^net\d+$`)
)

func (k *ruleCheck) kind() {
	kind, action := k.get("type"), k.get("action")
	switch {
	case kind == fwGroup && k.env == fwGroup:
		k.fault("type", "security groups not allowed")
	case !contains(directions()[k.env], kind):
		k.fault("type", "unknown rule type '"+kind+"'")
	case kind == fwGroup:
		if !groupName().MatchString(action) {
			k.fault("action", "invalid characters in security group name")
		}
	case !contains([]string{"ACCEPT", "DROP", "REJECT"}, action):
		k.fault("action", "unknown action '"+action+"'")
	}
	iface := k.get("iface")
	switch {
	case iface == "":
	case k.env == fwGroup || k.env == fwVNet:
		k.fault("iface", "parameter -i not allowed for this rule type")
	case (k.env == fwVM || k.env == fwCT) && !guestNIC().MatchString(iface): // 14/091
		k.fault("iface", `value does not match the regex pattern 'net\d+'`)
	}
}

// macro finds a macro's name, whose case does not matter.
func (k *ruleCheck) macro() {
	name := k.get("macro")
	if name == "" {
		return
	}
	for _, m := range knownMacros(k.dc) {
		if strings.EqualFold(text(m["macro"]), name) {
			k.rule["macro"] = m["macro"]
			return
		}
	}
	k.fault("macro", "unknown macro '"+name+"'")
}

// Protocols with ports, and those of control messages.
var (
	portProtocols = strings.Fields("udp 17 udplite 136 tcp 6 dccp 33 sctp 132")
	icmpProtocols = strings.Fields("icmp icmpv6 ipv6-icmp")
)

func (k *ruleCheck) isICMP() bool { return contains(icmpProtocols, k.get("proto")) }

func (k *ruleCheck) protocol() {
	if k.isICMP() {
		k.version = 6
		if k.get("proto") == "icmp" {
			k.version = 4
		}
	}
	k.ports("dport")
}

// ports need a protocol that has some; the one of the receiver may be a type of control message.
func (k *ruleCheck) ports(key string) {
	proto := k.get("proto")
	switch {
	case k.get(key) == "":
	case proto == "":
		k.fault("proto", "missing property - '"+key+"' requires this property") // 14/019
	case !contains(portProtocols, proto) && (key == "sport" || !k.isICMP()):
		k.fault(key, "protocol '"+proto+"' does not support ports")
	}
}

func (k *ruleCheck) icmp() {
	kind, proto := text(k.rule["icmp-type"]), k.get("proto")
	if kind == "" {
		return
	}
	if !k.isICMP() {
		k.fault("proto", "missing property - 'icmp-type' requires this property")
	}
	if k.get("dport") != "" {
		k.fault("icmp-type", "icmp-type cannot be specified together with dport")
	}
	known := icmpNames
	if proto != "icmp" {
		known = icmp6Names
	}
	if k.isICMP() && !contains(known, kind) && !icmpNumber(kind) {
		k.fault("icmp-type", "invalid icmp-type '"+kind+"' for proto '"+proto+"'")
	}
}

// setVersion notes the version of an address and tells whether it goes with those before.
func (k *ruleCheck) setVersion(v int) bool {
	if v != 0 && k.version != 0 && v != k.version {
		return false
	}
	k.version = max(v, k.version)
	return true
}

// ipVersion is that of a list of addresses, networks or a range.
func ipVersion(s string) int {
	if strings.Contains(s, ":") {
		return 6
	}
	return 4
}

var (
	setRef   = lazy.Regexp(`^\+(guest/|dc/|sdn/)?([A-Za-z][A-Za-z0-9\-_]+)$`)
	aliasRef = lazy.Regexp(`^(guest/|dc/)?([A-Za-z][A-Za-z0-9\-_]+)$`)
)

// address is a set, an alias or a list of addresses.
func (k *ruleCheck) address(key string) {
	v := k.get(key)
	switch {
	case v == "":
	case strings.HasPrefix(v, "+"):
		m := setRef().FindStringSubmatch(v)
		if m == nil {
			k.fault(key, "invalid ipset name '"+v+"'")
		} else if k.set(m[1], m[2]) == nil {
			k.fault(key, "no such ipset '"+m[2]+"'") // 14/022
		}
	case aliasRef().MatchString(v):
		a := k.alias(v)
		if a == nil {
			k.fault(key, "no such alias '"+v+"'") // 14/023
		} else if !k.setVersion(ipVersion(text(a["cidr"]))) {
			k.broken = true
		}
	case !k.setVersion(ipVersion(v)):
		k.fault(key, mixedRule)
	}
}

// scoped are the firewalls whose names a prefix allows, the guest's first.
func (p *fwPlace) scoped(prefix string) []*Firewall {
	switch prefix {
	case "dc/":
		return []*Firewall{p.dc}
	case "guest/":
		return []*Firewall{p.own}
	}
	return []*Firewall{p.own, p.dc}
}

func (p *fwPlace) set(prefix, name string) Object {
	for _, f := range p.scoped(prefix) {
		if s := named(f.Sets, "name", name); s != nil {
			return s
		}
	}
	return nil
}

// alias resolves a name with or without its scope, nil when there is none.
func (p *fwPlace) alias(ref string) Object {
	m := aliasRef().FindStringSubmatch(ref)
	if m == nil {
		return nil
	}
	for _, f := range p.scoped(m[1]) {
		if a := find(f.Aliases, isAlias(m[2])); a != nil {
			return a
		}
	}
	return nil
}

// expand checks that the rule says nothing else than its macro does.
func (k *ruleCheck) expand() {
	for _, part := range macroParts(text(k.rule["macro"]), k.version) {
		for _, key := range []string{"proto", "dport", "sport", "icmp-type"} {
			if v, own := part[key], text(k.rule[key]); v != "" && own != "" && own != v {
				k.fault(key, "parameter '"+key+"' already define in macro (value = '"+v+"')")
				return
			}
		}
	}
}

// knownMacros are the macros of a cluster by its own list, else those of Proxmox VE.
func knownMacros(dc *Firewall) []Object {
	if len(dc.Macros) > 0 {
		return dc.Macros
	}
	return standardMacros()
}

func (w *World) macros() []Object { return knownMacros(w.Cluster.Firewall) }
