package tools

import (
	"cmp"
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

type planCodeIn struct {
	folderIn
	Change  []string `json:"change" example:"proxmox_virtual_environment_vm.web" desc:"addresses that may change"`
	Destroy []string `json:"destroy" example:"proxmox_virtual_environment_vm.web" desc:"addresses that may be destroyed or replaced"`
}

type planCodeOut struct {
	*checkOut
	Plan    *planOut `json:"plan,omitempty"`
	Refused string   `json:"refused,omitempty"` // why there is none
}

func planCode() Spec {
	return define(Spec{
		Name: "plan_code", Title: "Plan code", Family: "code", Command: "code plan", Args: []string{"folder"}, Tier: R1,
		Summary: "As check_code, and saves the plan for apply_code. Refused while it would change or destroy an address that is not named here.",
		Examples: []Example{
			{CLI: "code plan", Args: map[string]any{}, Why: "imports only"},
			{CLI: "code plan --change proxmox_virtual_environment_vm.runner", Args: map[string]any{"change": []string{"proxmox_virtual_environment_vm.runner"}}, Why: "one guest may change"},
		},
	}, func(ctx context.Context, d Deps, in *planCodeIn) (*planCodeOut, error) {
		p, err := place(d, in.Cluster, in.Folder)
		if err != nil {
			return nil, err
		}
		v, err := d.Code.Plan(ctx, code.PlanRequest{Place: p, Change: in.Change, Destroy: in.Destroy}, planning(d, p))
		if err != nil {
			return nil, err
		}
		out := &planCodeOut{checkOut: judged(v.Judgement)}
		if v.Saved == nil {
			out.Refused = worded(d, whyNot(v))
			return out, nil
		}
		r := savedRequest(v)
		r.Tool, r.Caller = "plan_code", d.Who
		kept, err := d.Changes.Propose(ctx, r)
		if err == nil {
			kept, err = submitted(ctx, d, kept)
		}
		if err != nil {
			return nil, err
		}
		out.Plan = planned(d, kept, nextOfCode(d, &kept))
		out.Plan.dry = true
		return out, nil
	})
}

// nextOfCode is what can be done with a plan of code.
func nextOfCode(d Deps, p *change.Proposal) string {
	if p.State == change.Waiting {
		return waits(d, p.ID)
	}
	return call(d, "apply_code", p.ID) + " runs it"
}

// whyNot is why a judgement has no plan that can be applied.
func whyNot(v *code.Planned) string {
	switch {
	case v.Running:
		return ""
	case v.Plan == nil || len(v.Plan.Errors) > 0:
		return "there is no plan"
	case len(v.Unnamed) == 0:
		return "there is nothing to do"
	}
	var change, destroy []string
	for _, o := range v.Unnamed {
		if o.Action == "update" {
			change = append(change, o.Address)
		} else {
			destroy = append(destroy, o.Address)
		}
	}
	var would []string
	if len(change) > 0 {
		would = append(would, "change "+asManyAs(change, ", ", roomForUnnamed))
	}
	if len(destroy) > 0 {
		would = append(would, "destroy or replace "+asManyAs(destroy, ", ", roomForUnnamed))
	}
	return "not kept: it would " + strings.Join(would, "; ") + "; export the cluster's side with export_code, or name what is meant (change, destroy)"
}

// roomForUnnamed is how much of the addresses a refusal shows, in characters; the table of objects has them too.
const roomForUnnamed = 400

// tierOfHarm is how a change by code is judged: as what it does would be through any other tool.
func tierOfHarm(h code.Harm) Tier {
	switch h {
	case code.Disturbs:
		return R2
	case code.Destroys:
		return R3
	}
	return R4
}

// savedRequest asks the engine for a plan that runs a saved one.
func savedRequest(v *code.Planned) change.Request {
	c := change.Code{Cluster: v.Saved.Cluster, Summary: v.Plan.Summary(),
		Program: change.Program{Name: v.Saved.Program, Folder: v.Saved.Dir, SHA256: v.Saved.SHA256}}
	for i := range v.Objects {
		o := &v.Objects[i]
		harm, lost := code.HarmOf(&o.Object)
		x := change.CodeObject{Address: o.Address, Does: o.Action, Tier: tierOfHarm(harm), VMID: o.VMID, Node: o.Node, New: o.VMID != 0 && o.Action == "create", Lost: lost}
		if strings.Contains(o.Type, "_storage_") {
			x.Storage = o.Object.ID
		}
		for _, f := range o.Fields {
			x.Diff = append(x.Diff, change.Diff{Field: f.Path, Old: f.Live, New: f.Code})
		}
		if o.VMID != 0 && (o.Tags != nil || o.Pool != nil) {
			c.Program.Relabels = append(c.Program.Relabels, change.Relabel{VMID: o.VMID, Tags: o.Tags, Pool: o.Pool})
		}
		c.Objects = append(c.Objects, x)
	}
	return c.Request()
}

// View implements Answer.
func (o *planCodeOut) View(d Deps) View {
	v := o.checkOut.view(d, "plan_code")
	if o.Refused != "" {
		v.Text(o.Refused)
	}
	if p := o.Plan; p != nil {
		v.Line("plan %s %s (%s)", p.ID, p.State, p.Tier)
		for _, line := range [][2]string{{"lost for good", asManyAs(p.Lost, "; ", roomForLost)}, {"note", p.Note}} {
			if line[1] != "" {
				v.Line("%s: %s", line[0], line[1])
			}
		}
		for _, b := range p.Blast {
			v.Line("%s: %s", b[0], b[1])
		}
		v.Text(p.Next)
	}
	return v
}

// Differs says that a plan was refused for what it would change: exit code 6.
func (o *planCodeOut) Differs() bool { return o.Planned && o.Plan == nil && !o.Zero }

func applyCode() Spec {
	return define(Spec{
		Name: "apply_code", Title: "Apply code", Family: "code", Command: "code apply", Args: []string{"plan"}, Tier: R1,
		Summary:  "Run a plan of plan_code once: that saved plan, nothing else. Refused when its guests changed since.",
		Examples: []Example{{CLI: "code apply p-xxxxxxxx", Args: map[string]any{"plan": "p-xxxxxxxx"}, Why: "after reading it"}},
	}, func(ctx context.Context, d Deps, in *applyCodeIn) (*planOut, error) {
		p, err := d.Changes.Plan(ctx, in.Plan, d.Who)
		if err == nil && p.Tool != "plan_code" {
			err = fault.New(fault.Invalid, "plan %s is none of code, but of %s", p.ID, cmp.Or(p.Tool, "another tool")).WithNext("apply_plan")
		}
		if err != nil {
			return nil, err
		}
		return applying(ctx, d, in.Plan, &in.Waiting)
	})
}

type applyCodeIn struct {
	Plan string `json:"plan" req:"true" rule:"must be a plan's id" example:"p-7k3f9q2m"`
	Waiting
}
