package terraform

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// target is the name of this emitter, under which addresses are kept.
const target = "terraform"

// Emitter writes Terraform code for one release of the provider.
type Emitter struct{ rel *release }

// Name is terraform.
func (*Emitter) Name() string { return target }

// export is one run.
type export struct {
	*iac.World
	rel       *release
	addresses map[iac.Key]string
	result    iac.Result
}

// Emit makes all files below terraform/ and COVERAGE.md.
func (e *Emitter) Emit(w *iac.World) (iac.Result, error) {
	x := &export{World: w, rel: e.rel}
	claims := x.claims()
	wants := make([]iac.Want, 0, len(claims))
	for _, c := range claims {
		if c.leave == "" {
			wants = append(wants, iac.Want{Key: c.key, Scope: c.typ + ".", Name: iac.Name(c.name, cmp.Or(c.prefix, "x")), Suffix: c.suffix})
		}
	}
	x.addresses, x.result.Addresses = iac.Assign(w.Cluster, w.Known, wants)
	files := x.write(claims)
	left := x.Left(target, x.addresses)
	x.giveUp(files, left)
	x.moved()
	x.silent()
	x.absent()
	x.frame(files, claims)
	for name, b := range files {
		x.result.Files = append(x.result.Files, iac.File{Path: path.Join(target, name), Data: b.Render()})
	}
	for _, a := range x.addresses {
		x.result.Held = append(x.result.Held, a)
	}
	x.result.Held = append(x.result.Held, left...)
	x.result.Files = append(x.result.Files, iac.File{Path: "COVERAGE.md", Data: x.coverageFile()})
	return x.result, x.result.Finish()
}

// claims are all resources of the cluster: guests first, in the order of their vmids.
func (x *export) claims() []*claim {
	var out []*claim
	for _, g := range x.Selected() {
		out = append(out, x.guest(g))
	}
	for _, k := range x.rel.kinds {
		if k.part != "" && !x.Options.With[k.part] {
			continue
		}
		for _, o := range x.Of(k.of) {
			for _, c := range k.claims(x, &o) {
				c.typ, c.file = cmp.Or(c.typ, k.typ), cmp.Or(c.file, k.file)
				out = append(out, c)
			}
		}
	}
	for _, g := range x.Selected() {
		if g.Type == "lxc" && g.Pool != "" && x.unreadable(g) == "" {
			out = append(out, x.membership(g))
		}
	}
	return out
}

// absent tells of the kinds of which nothing is written, in their order.
func (x *export) absent() {
	part, known := map[store.Kind]string{}, map[store.Kind]bool{}
	for _, k := range x.rel.kinds {
		part[k.of] = k.part
		known[k.of] = known[k.of] || k.part == "" || x.Options.With[k.part]
	}
	n := map[store.Kind]int{}
	for i := range x.Objects {
		n[x.Objects[i].Kind]++
	}
	for _, kind := range slices.Sorted(maps.Keys(n)) {
		if known[kind] || iac.Observed(kind) {
			continue
		}
		why := "this program writes no resource of this kind"
		if part[kind] != "" {
			why = "code.parts of the configuration leaves out " + part[kind]
		}
		x.result.Absent = append(x.result.Absent, iac.Absence{Kind: kind, N: n[kind], Why: why})
	}
}

// write gives the bodies of the files that hold resources, and imports.tf.
func (x *export) write(claims []*claim) map[string]*Body {
	files := map[string]*Body{"imports.tf": {}}
	n := map[string]int{}
	for _, c := range claims {
		if c.leave == "" {
			x.resource(files, c)
			n[c.typ]++
		}
		x.cover(c)
	}
	for _, t := range slices.Sorted(maps.Keys(n)) {
		x.result.Counts = append(x.result.Counts, iac.Count{What: t, N: n[t]})
	}
	return files
}

func (x *export) resource(files map[string]*Body, c *claim) {
	f := files[c.file]
	if f == nil {
		f = &Body{}
		files[c.file] = f
	}
	address := x.addresses[c.key]
	f.items = append(f.items, item{name: "resource", labels: []string{c.typ, strings.TrimPrefix(address, c.typ+".")}, body: c.conf.body})
	c.write(x, c.conf)
	c.conf.lifecycle(c.protect)
	i := files["imports.tf"].Block("import")
	i.Set("to", Ref(address))
	i.Set("id", c.importID)
}

// ref is a reference to an attribute of another object's resource, or the plain value where there is none.
func (x *export) ref(k iac.Key, attr string, plain any) any {
	if a, ok := x.addresses[k]; ok {
		return Ref(a + "." + attr)
	}
	return plain
}

// giveUp lets go of what is gone without destroying it.
func (x *export) giveUp(files map[string]*Body, left []string) {
	if len(left) == 0 {
		return
	}
	b := &Body{}
	files["removed.tf"] = b
	b.Comment("No longer in the cluster or not wanted here: Terraform forgets these and destroys nothing.")
	for _, a := range left {
		r := b.Block("removed")
		r.Set("from", Ref(a))
		r.Block("lifecycle").Set("destroy", false)
		x.result.Coverage = append(x.result.Coverage, iac.Coverage{Kind: store.KindGuest, Address: a, Status: iac.GivenUp, Why: "no longer in the cluster or not selected"})
	}
}

// moved tells of containers that are on another node than the state knows: the provider asks the old one, does not find them there and plans
// to make them anew (facts 10.1). Machines are followed.
func (x *export) moved() {
	if x.Then == nil {
		return
	}
	for _, g := range x.Selected() {
		old, address := x.Then.Guest(g.VMID), x.addresses[g.Key(target)]
		if g.Type == pve.LXC && address != "" && old != nil && old.Life == g.Life && old.Node != g.Node {
			x.result.Warnings = append(x.result.Warnings, "container "+g.ID()+" "+g.Name+" moved from "+old.Node+" to "+g.Node+
				": run terraform state rm "+address+" before the plan, which then imports it from there")
		}
	}
}

// silent warns of nodes that do not answer: the provider reads each guest from its node, so no plan comes to an end.
func (x *export) silent() {
	n := map[string]int{}
	for _, g := range x.Selected() {
		if g.Status == "unknown" && x.addresses[g.Key(target)] != "" {
			n[g.Node]++
		}
	}
	for _, node := range slices.Sorted(maps.Keys(n)) {
		x.result.Warnings = append(x.result.Warnings, "node "+node+" was silent when it was last asked: the code of its "+strconv.Itoa(n[node])+
			" guests is of before, and a plan fails until the node answers")
	}
}
