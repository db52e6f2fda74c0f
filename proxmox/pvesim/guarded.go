package pvesim

import "strings"

// guarded are methods whose work is not simulated, but whose rights are: those without them are refused as by the real
// one (11/018 to 11/028), the others hear that the method is not there. Each line is a path to rights, the privileges, and
// the methods with their paths below the prefix that a line ending in : sets. An area that simulates one takes its place.
const guarded = `
/nodes/{node}/:
/nodes/{node} Sys.Console POST spiceshell
/vms/{vmid} VM.Console POST qemu/{vmid}/spiceproxy|lxc/{vmid}/spiceproxy
`

// guardedRoutes reads the table.
func guardedRoutes() []route {
	var list []route
	prefix := ""
	for line := range strings.Lines(strings.TrimSpace(guarded)) {
		words := strings.Fields(line)
		if p, ok := strings.CutSuffix(words[0], ":"); ok {
			prefix = p
			continue
		}
		check := need(words[0], words[1])
		for i := 2; i+1 < len(words); i += 2 {
			for method := range strings.SplitSeq(words[i], "|") {
				for path := range strings.SplitSeq(words[i+1], "|") {
					list = append(list, write(method, prefix+strings.TrimPrefix(path, "."), check, notSimulated(method)))
				}
			}
		}
	}
	return daemon(list...)
}

func notSimulated(method string) handler {
	return func(c *call) (any, error) { return nil, unimplemented(method, c.path) }
}
