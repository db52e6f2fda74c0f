package pvesim

import "strings"

// vendor is the maker of a node's processors, "" when it is not known.
func (n *Node) vendor() string {
	status, _ := n.Info["status"].(Object)
	cpu, _ := status["cpuinfo"].(Object)
	return text(cpu["vendor"])
}

// cpuType is the model of the option cpu.
func cpuType(cpu string) string {
	first, _, _ := strings.Cut(cpu, ",")
	return strings.TrimPrefix(first, "cputype=")
}

// passesCPU is whether a VM has the processor of its node.
func passesCPU(cpu string) bool { return cpuType(cpu) == "host" || cpuType(cpu) == "max" }

// Models of one maker; all others run everywhere.
var (
	amdModels = []string{"EPYC", "Opteron", "athlon", "phenom"}
	intels    = []string{"Broadwell", "Cascadelake", "Conroe", "Cooperlake", "GraniteRapids", "Haswell", "Icelake", "IvyBridge", "KnightsMill", "Nehalem",
		"Penryn", "SandyBridge", "SapphireRapids", "SierraForest", "Skylake", "Westmere", "core2duo", "coreduo", "pentium"}
)

// cpuVendor is the maker whose processors a model needs, "" for models that run everywhere.
func cpuVendor(cpu string) string {
	model := cpuType(cpu)
	for vendor, models := range map[string][]string{"AuthenticAMD": amdModels, "GenuineIntel": intels} {
		for _, prefix := range models {
			if strings.HasPrefix(model, prefix) {
				return vendor
			}
		}
	}
	return ""
}
