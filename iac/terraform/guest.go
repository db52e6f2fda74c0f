package terraform

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	vmType = "proxmox_virtual_environment_vm"
	ctType = "proxmox_virtual_environment_container"
)

// guest is the claim of a virtual machine or container.
func (x *export) guest(g *iac.Guest) *claim {
	c := &claim{key: g.Key(target), typ: vmType, file: "vms.tf", name: g.Name, prefix: "vm", suffix: g.ID(), importID: g.Node + "/" + g.ID(), title: g.Name,
		protect: true, internal: internalKey, why: reason, conf: newKeys(g.Config, &Body{})}
	c.write = func(x *export, k *keys) {
		v := &vm{guest{keys: k, x: x, g: g}}
		for _, rule := range x.rel.vm {
			rule(v)
		}
	}
	if g.Type == pve.LXC {
		c.typ, c.file, c.prefix = ctType, "containers.tf", "ct"
		c.write = func(x *export, k *keys) {
			v := &ct{guest{keys: k, x: x, g: g}}
			for _, rule := range x.rel.ct {
				rule(v)
			}
		}
	}
	if g.Name == "" {
		c.name = "guest_" + g.ID() // rule B2
	}
	switch why := x.unreadable(g); {
	case g.Unread != "":
		c.leave, c.status = g.Unread, iac.LeftOut
	case why != "":
		c.leave, c.status = why, iac.Unreadable
	}
	return c
}

// guest is what virtual machines and containers have in common while they are written.
type guest struct {
	*keys
	x *export
	g *iac.Guest
}

// vm is a virtual machine, ct a container.
type (
	vm struct{ guest }
	ct struct{ guest }
)

// choice writes a value if the provider takes it; else the attribute stays out and is not compared.
func (g *guest) choice(b *Body, attr, value string, path Ref, ok func(string) bool) {
	if ok(value) {
		b.Set(attr, value)
		return
	}
	g.skip(path, "the provider does not take the value "+clean.Line(value, maxCell))
}

// dnsName is what the provider takes as a name of a guest; Proxmox VE takes no other since long, but files may hold older ones.
var dnsName = lazy.Regexp(`^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`)

// fileID is what the provider takes as a file on a storage.
var fileID = lazy.Regexp(`^(?i)[a-z\d\-_.]+:([a-z\d\-_]+/)?.+$`)

func matches(re func() *regexp.Regexp) func(string) bool {
	return func(s string) bool { return re().MatchString(s) }
}

func oneOf(values ...string) func(string) bool {
	set := make(map[string]bool, len(values))
	for _, v := range values {
		set[v] = true
	}
	return func(s string) bool { return set[s] }
}

// at is the path of an attribute in the nth block of a name.
func at(block string, n int, attr string) Ref {
	return Ref(block + "[" + strconv.Itoa(n) + "]." + attr)
}

// place is where the guest is and under which number, and whether it runs. An apply must never start or stop it, so that is not compared.
func (g *guest) place() {
	b := g.body
	b.Set("node_name", g.g.Node)
	b.Set("vm_id", int64(g.g.VMID))
	if g.g.HA != "" {
		g.skip("node_name", "the HA manager moves this guest")
	}
}

// started writes the power state that was last seen (rule G1).
func (g *guest) started() {
	switch g.g.Status {
	case "running", "paused", "suspended":
		g.body.Set("started", g.g.Status != "suspended")
	case "stopped":
		g.body.Set("started", false)
	}
	if !g.g.Template {
		g.skip("started", "an apply must not start or stop it")
	}
}

// tags are sorted, as the provider sorts them (rule B26).
func (g *guest) tags() {
	g.take("tags", "tags")
	g.body.Set("tags", append([]string{}, g.g.Tags...))
}

// startup writes the order of booting. A bare number, as some versions stored it, is not read by the provider: the block stays empty
// (rule B21).
func (g *guest) startup() {
	if !g.has("startup") {
		return
	}
	p := g.props("startup", "startup")
	b := g.body.Block("startup")
	if n, ok := p.Properties.Get("order"); ok {
		if v, err := strconv.Atoi(n); err == nil {
			p.taken["order"] = true
			b.Set("order", v)
		}
	}
	p.number(b, "up", "up_delay")
	p.number(b, "down", "down_delay")
}

// gibs is a size as whole GiB, rounded down as the provider does (rule B6); ok is false for one below 1 GiB or none, which the schema refuses.
func gibs(size string) (n int64, ok bool) {
	bytes, _ := pve.ParseSize(size)
	return max(bytes>>30, 1), bytes >= 1<<30
}

// datastore is what stands before the first colon of a volume id.
func datastore(volume string) string {
	st, _, ok := strings.Cut(volume, ":")
	if !ok {
		return ""
	}
	return st
}

// extension is the format that a volume's name tells, "" when it has none.
func extension(volume string) string {
	_, name, ok := strings.Cut(volume, ":")
	if !ok {
		return ""
	}
	return strings.TrimPrefix(filepath.Ext(name), ".")
}

// poolKey is the key of a pool.
func poolKey(id string) iac.Key { return iac.Key{Target: target, Kind: store.KindPool, ID: id} }
