package terraform

import (
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// limit writes the limit of processor time, a decimal; 0 is none.
func (g *guest) limit(b *Body) {
	if !g.has("cpulimit") {
		return
	}
	f, err := strconv.ParseFloat(g.conf.Str("cpulimit"), 64)
	if err != nil || f == 0 {
		g.tell("cpulimit", iac.Default, "cpu.limit", "none")
		return
	}
	g.take("cpulimit", "cpu.limit")
	b.Set("limit", f)
}

// memory is written where it differs from what the provider takes for granted (rules B3, B4).
func (v *vm) memory() {
	dedicated, set := v.conf.Int("memory")
	floating, _ := v.conf.Int("balloon")
	v.tell("balloon", iac.Default, "memory.floating", "as its absence")
	if set && dedicated == 512 && floating == 0 && !v.has("ivshmem") && !v.has("hugepages") && !v.conf.Bool("keephugepages") {
		v.tell("memory", iac.Default, "memory.dedicated", "the provider's default")
		v.tell("keephugepages", iac.Default, "memory.keep_hugepages", "off")
		return
	}
	b := v.body.Block("memory")
	v.take("memory", "memory.dedicated")
	if !set {
		dedicated = 512
		v.skip(at("memory", 0, "dedicated"), "not set in Proxmox VE, which the provider reads as 0")
	}
	if dedicated < 64 {
		dedicated = 64
		v.skip(at("memory", 0, "dedicated"), "below 64 MiB, which the provider does not take")
	}
	b.Set("dedicated", dedicated)
	if floating > 0 {
		delete(v.how, "balloon")
		v.take("balloon", "memory.floating")
		b.Set("floating", floating)
	}
	if v.has("ivshmem") {
		v.props("ivshmem", "memory.shared").number(b, "size", "shared")
	}
	if v.has("hugepages") {
		b.Set("hugepages", v.take("hugepages", "memory.hugepages"))
	}
	if v.has("hugepages") || v.has("keephugepages") {
		v.take("keephugepages", "memory.keep_hugepages")
		b.Set("keep_hugepages", v.conf.Bool("keephugepages"))
	}
}

// boundNUMA are the nodes of a NUMA topology that the provider reads: those with hostnodes (rule B15).
func (v *vm) boundNUMA() []string {
	var out []string
	for _, key := range v.g.Series("numa") {
		p := v.g.Props(key)
		if p.Str("hostnodes") != "" && p.Str("cpus") != "" {
			out = append(out, key)
		}
	}
	return out
}

func (v *vm) numa() {
	for n, key := range v.boundNUMA() {
		p := v.props(key, "numa["+strconv.Itoa(n)+"]")
		b := v.body.Block("numa")
		b.Set("device", key)
		p.text(b, "cpus", "cpus")
		b.Set("hostnodes", p.str("hostnodes"))
		p.number(b, "memory", "memory")
		if policy := p.str("policy"); policy != "" {
			b.Set("policy", policy)
		} else {
			v.skip(at("numa", n, "policy"), "no policy is set in Proxmox VE, which the provider reads as empty")
		}
	}
}
