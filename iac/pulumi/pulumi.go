// Package pulumi writes pulumi-import.json: what `pulumi import -f` reads to adopt guests and pools into a Pulumi program of any language, by
// the provider pulumi-proxmoxve, which wraps bpg/proxmox. It is experimental: nothing here ran pulumi itself.
package pulumi

import (
	"bytes"
	"cmp"
	"encoding/json"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Target is the emitter's name.
const Target = "pulumi"

// Emitter implements iac.Emitter.
type Emitter struct{}

var _ iac.Emitter = Emitter{}

// resource is one entry of the file.
type resource struct {
	Type string `json:"type"`
	Name string `json:"name"`
	ID   string `json:"id"`
}

// Types of pulumi-proxmoxve 8 (facts: terraform-ansible.md 21).
const (
	vmType   = "proxmoxve:index/vmLegacy:VmLegacy"
	ctType   = "proxmoxve:index/containerLegacy:ContainerLegacy"
	poolType = "proxmoxve:index/poolLegacy:PoolLegacy"
)

// Name implements iac.Emitter.
func (Emitter) Name() string { return Target }

// Emit implements iac.Emitter.
func (Emitter) Emit(w *iac.World) (iac.Result, error) {
	var wants []iac.Want
	for _, g := range w.Selected() {
		wants = append(wants, iac.Want{Key: g.Key(Target), Name: iac.Name(cmp.Or(g.Name, g.ID()), "guest"), Suffix: g.ID()})
	}
	for _, p := range w.Of(store.KindPool) {
		wants = append(wants, iac.Want{Key: p.Key(Target), Name: iac.Name("pool_"+p.ID, "pool"), Suffix: "pool"})
	}
	names, added := iac.Assign(w.Cluster, w.Known, wants)
	out := []resource{}
	r := iac.Result{Addresses: added}
	for _, g := range w.Selected() {
		t := vmType
		if g.Type == pve.LXC {
			t = ctType
		}
		name := names[g.Key(Target)]
		out = append(out, resource{t, name, g.Node + "/" + g.ID()})
		r.Coverage = append(r.Coverage, iac.Coverage{Kind: store.KindGuest, ID: g.ID(), Name: g.Name, Address: name, Status: iac.Written})
	}
	for _, p := range w.Of(store.KindPool) {
		out = append(out, resource{poolType, names[p.Key(Target)], p.ID})
	}
	var file bytes.Buffer
	enc := json.NewEncoder(&file)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(map[string]any{"resources": out}); err != nil {
		return iac.Result{}, err
	}
	for _, a := range names {
		r.Held = append(r.Held, a)
	}
	r.Files = []iac.File{{Path: "pulumi/pulumi-import.json", Data: file.Bytes()}}
	r.Counts = []iac.Count{{What: "pulumi imports", N: len(out)}}
	return r, r.Finish()
}
