package pvesim

import (
	"maps"
	"strings"
	"sync"
)

// macroTable are the macros of Proxmox VE with what each of them matches.
var macroTable = sync.OnceValue(func() []macro {
	raw, _ := tableFiles.ReadFile("tables/macros.list")
	var list []macro
	for line := range strings.Lines(string(raw)) {
		cols := strings.Split(strings.TrimSpace(line), " | ")
		if strings.HasPrefix(line, "#") || len(cols) != 3 {
			continue
		}
		m := macro{name: cols[0], descr: cols[1]}
		for part := range strings.SplitSeq(cols[2], " ; ") {
			m.parts = append(m.parts, macroPart(strings.Fields(part)))
		}
		list = append(list, m)
	}
	return list
})

// macro is a name for several rules.
type macro struct {
	name, descr string
	parts       []map[string]string // what each matches, by the keys of rules
}

func macroPart(words []string) map[string]string {
	out := map[string]string{"proto": words[0]}
	if len(words) > 1 && strings.HasPrefix(words[0], "icmp") {
		out["icmp-type"] = words[1]
		return out
	}
	for i, key := range []string{"dport", "sport"} {
		if len(words) > i+1 {
			out[key] = words[i+1]
		}
	}
	return out
}

// standardMacros are the macros as the API lists them.
var standardMacros = sync.OnceValue(func() []Object {
	var list []Object
	for _, m := range macroTable() {
		list = append(list, Object{"macro": m.name, "descr": m.descr})
	}
	return list
})

// macroParts are the rules that a macro stands for, none where it is not known or made for the other IP version: ICMP is
// another protocol in IPv6.
func macroParts(name string, version int) []map[string]string {
	m := find(macroTable(), func(m macro) bool { return m.name == name })
	if version == 4 && (m.name == "DHCPv6" || m.name == "NeighborDiscovery") {
		return nil
	}
	var out []map[string]string
	for _, part := range m.parts {
		if part["proto"] == "icmp" && version == 6 {
			part = maps.Clone(part)
			part["proto"] = "icmpv6"
		}
		out = append(out, part)
	}
	return out
}
