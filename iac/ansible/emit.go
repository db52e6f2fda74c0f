package ansible

import (
	"cmp"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Target is the emitter's name and that of its addresses, which are the host names of the inventory.
const Target = "ansible"

// GuestsPlaybook is the part (iac.Options.With) that adds playbooks/guests.yml, the one file that needs a collection beside ansible-core.
const GuestsPlaybook = "guests"

// Emitter implements iac.Emitter.
type Emitter struct{}

var _ iac.Emitter = Emitter{}

// Name implements iac.Emitter.
func (Emitter) Name() string { return Target }

// host is one machine of the inventory.
type host struct {
	name   string
	guest  *iac.Guest // nil: a node
	node   string     // of Proxmox VE
	ip     string     // "" = none is known
	from   string     // where ip comes from
	groups []string
}

// Emit implements iac.Emitter.
func (Emitter) Emit(w *iac.World) (iac.Result, error) {
	names, added := iac.Assign(w.Cluster, w.Known, wants(w))
	var r iac.Result
	r.Addresses = added
	var hosts []host
	for i := range w.Of(store.KindNode) {
		o := &w.Of(store.KindNode)[i]
		hosts = append(hosts, nodeHost(o, names[o.Key(Target)]))
	}
	for _, g := range w.Selected() {
		h := guestHost(g, names[g.Key(Target)])
		hosts = append(hosts, h)
		r.Coverage = append(r.Coverage, covered(g, h))
	}
	groupNames(hosts)
	for _, a := range names {
		r.Held = append(r.Held, a)
	}
	r.Files = files(w, hosts)
	r.Counts = []iac.Count{{What: "hosts", N: len(hosts)}, {What: "hosts with an address", N: countAddressed(hosts)}}
	return r, r.Finish()
}

func wants(w *iac.World) []iac.Want {
	var out []iac.Want
	for i := range w.Of(store.KindNode) {
		o := &w.Of(store.KindNode)[i]
		out = append(out, iac.Want{Key: o.Key(Target), Name: hostName(o.ID, "node"), Suffix: "node"})
	}
	for _, g := range w.Selected() {
		out = append(out, iac.Want{Key: g.Key(Target), Name: hostName(cmp.Or(g.Name, g.Type.Short()+" "+g.ID()), g.Type.Short()), Suffix: g.ID()})
	}
	return out
}

// taken are names that Ansible gives a meaning of its own; groups made of words all have a prefix.
var taken = []string{"all", "ungrouped", "localhost", "qemu", "lxc", "templates", "main"}

// hostName is a name as hosts have them: a-z, 0-9 and dashes.
func hostName(text, prefix string) string {
	name := strings.ReplaceAll(iac.Name(text, prefix), "_", "-")
	if slices.Contains(taken, name) {
		return prefix + "-" + name
	}
	return name
}

func nodeHost(o *iac.Object, name string) host {
	h := host{name: name, node: o.ID, ip: o.Config().Str("ip"), groups: []string{"proxmox_nodes"}}
	if h.ip != "" {
		h.from = "cluster status"
	}
	return h
}

func guestHost(g *iac.Guest, name string) host {
	h := host{name: name, guest: g, node: g.Node, groups: []string{string(g.Type), "node " + g.Node, "status " + g.Status}}
	if g.Template {
		h.groups[0] = "templates"
	}
	if g.Pool != "" {
		h.groups = append(h.groups, "pool "+g.Pool)
	}
	for _, t := range g.Tags {
		h.groups = append(h.groups, "tag "+t)
	}
	for _, os := range systems(g) {
		h.groups = append(h.groups, "os "+os)
	}
	if h.ip, h.from = g.Reached(); h.ip != "" {
		h.groups = append(h.groups, addressed)
	}
	return h
}

// addressed is the group of the guests that can be reached.
const addressed = "with_address"

// systems are the names of a guest's operating system, from the general to the special: linux, debian.
func systems(g *iac.Guest) []string {
	os := g.Config.Str("ostype")
	switch {
	case os == "":
		return nil
	case g.Type == pve.LXC && os == "unmanaged":
		return []string{"linux"}
	case g.Type == pve.LXC:
		return []string{"linux", os}
	case os == "l24" || os == "l26":
		return []string{"linux"}
	case strings.HasPrefix(os, "w"):
		return []string{"windows"}
	}
	return []string{os}
}

// covered says how far a guest is in the inventory.
func covered(g *iac.Guest, h host) iac.Coverage {
	c := iac.Coverage{Kind: store.KindGuest, ID: g.ID(), Name: g.Name, Address: h.name, Status: iac.Written}
	for _, k := range g.Config.Keys() {
		c.Keys = append(c.Keys, iac.KeyCoverage{Key: k, As: "pve_config." + k, How: iac.Kept})
	}
	for _, k := range g.Masked() {
		i := slices.IndexFunc(c.Keys, func(x iac.KeyCoverage) bool { return x.Key == k })
		c.Keys[i] = iac.KeyCoverage{Key: k, How: iac.Unrepresented, Why: "it holds a secret"}
	}
	return c
}

func countAddressed(hosts []host) int {
	n := 0
	for _, h := range hosts {
		if h.ip != "" {
			n++
		}
	}
	return n
}

// groupNames replaces what hosts are by names that Ansible takes for groups. Different words that give one name are told apart, in the order
// of the words.
func groupNames(hosts []host) {
	var words []string
	for _, h := range hosts {
		words = append(words, h.groups...)
	}
	slices.Sort(words)
	names, used := map[string]string{}, map[string]bool{}
	for _, w := range slices.Compact(words) {
		name := w
		if kind, text, ok := strings.Cut(w, " "); ok {
			name = iac.Name(kind+"_"+text, kind)
		}
		for used[name] {
			name += "_x"
		}
		names[w], used[name] = name, true
	}
	for i := range hosts {
		for k, w := range hosts[i].groups {
			hosts[i].groups[k] = names[w]
		}
		slices.Sort(hosts[i].groups)
	}
}
