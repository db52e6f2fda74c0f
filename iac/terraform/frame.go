package terraform

import (
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// frame adds the files that hold no resources.
func (x *export) frame(files map[string]*Body, claims []*claim) {
	t := &Body{}
	files["versions.tf"] = t
	tf := t.Block("terraform")
	tf.Set("required_version", ">= 1.7.0") // the first with removed blocks
	tf.Block("required_providers").Set("proxmox", []Named{{"source", "bpg/proxmox"}, {"version", x.rel.version}})

	p := &Body{}
	files["providers.tf"] = p
	p.Comment("Address and token come from the environment: PROXMOX_VE_ENDPOINT, PROXMOX_VE_API_TOKEN. A variable would show them in plans.")
	p.Block("provider", "proxmox")

	files["outputs.tf"] = x.outputs(claims)
	for _, name := range []string{"imports.tf", "outputs.tf"} {
		if files[name].Empty() {
			delete(files, name)
		}
	}
	for _, b := range files {
		b.head = "Cluster " + x.Cluster + ", written by proxmox-mcp for the provider bpg/proxmox " + x.rel.version + ". Edits are kept when it is written again."
	}
}

// outputs tells where each guest is, by its address.
func (x *export) outputs(claims []*claim) *Body {
	b := &Body{}
	for _, o := range [][3]string{{vmType, "virtual_machines", "vmid and node of each virtual machine"}, {ctType, "containers", "vmid and node of each container"}} {
		var list []Named
		for _, c := range claims {
			if c.typ == o[0] && c.leave == "" {
				a := x.addresses[c.key]
				list = append(list, Named{strings.TrimPrefix(a, c.typ+"."), []Named{{"id", Ref(a + ".id")}, {"node", Ref(a + ".node_name")}}})
			}
		}
		if len(list) > 0 {
			out := b.Block("output", o[1])
			out.Set("description", o[2])
			out.Set("value", list)
		}
	}
	return b
}

// cover tells what became of an object.
func (x *export) cover(c *claim) {
	cov := iac.Coverage{Kind: c.key.Kind, ID: c.key.ID, Name: c.title, Status: iac.Written}
	if c.leave != "" {
		cov.Status, cov.Why = c.status, c.leave
		x.result.Warnings = append(x.result.Warnings, string(cov.Kind)+" "+cov.ID+" "+c.title+" is not in the code: "+c.leave)
	} else {
		cov.Address = x.addresses[c.key]
		internal, why := c.internal, c.why
		if internal == nil {
			internal = func(string) bool { return false }
		}
		if why == nil {
			why = reason
		}
		cov.Keys = c.conf.coverage(internal, why)
		cov.Ignored = make([]iac.IgnoredPath, len(c.conf.ignore))
		for i, p := range c.conf.ignore {
			cov.Ignored[i] = iac.IgnoredPath{Path: string(p.Path), Why: p.Why}
		}
	}
	x.result.Coverage = append(x.result.Coverage, cov)
}
