package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

type describeIn struct {
	Guest   string `json:"guest" example:"104" help:"vmid or name"`
	Plan    string `json:"plan" example:"p-7k3f9q2m" desc:"of a guest to be made" help:"a plan that would make the guest; guest then chooses one of several"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Format  string `json:"format" enum:"text,json"`
}

func (in *describeIn) wantsJSON() bool { return in.Format == "json" }

type describeOut struct {
	Envelope
	Cluster string   `json:"cluster"`
	Address string   `json:"address,omitempty"`
	Status  string   `json:"status"`
	Why     string   `json:"why,omitempty"`
	HCL     string   `json:"hcl,omitempty"`
	Plan    string   `json:"plan,omitempty"` // that would make the guest
	Keys    []keyOut `json:"keys,omitempty"` // of the configuration, that are not written as they are
}

type keyOut struct {
	Key string `json:"key"`
	How string `json:"how"`
	Why string `json:"why,omitempty"`
}

func describeAsCode() Spec {
	return define(Spec{
		Name: "describe_as_code", Title: "Guest as code", Family: "code", Command: "code show", Args: []string{"guest"}, Tier: R0,
		Summary: "One guest as Terraform: import block, resource, and which config keys the provider ignores or cannot hold.",
		Examples: []Example{
			{CLI: "code show 104", Args: map[string]any{"guest": "104"}, Why: "by vmid"},
			{CLI: "code show --plan p-xxxxxxxx", Args: map[string]any{"plan": "p-xxxxxxxx"}, Why: "the guest that a plan would make"},
		},
	}, func(ctx context.Context, d Deps, in *describeIn) (*describeOut, error) {
		x, err := described(ctx, d, in)
		if err != nil {
			return nil, err
		}
		out := &describeOut{Envelope: envelope(d, since(d, x.AsOf)), Cluster: x.Cluster, Address: x.Coverage.Address, Status: string(x.Coverage.Status),
			Why: cell(x.Coverage.Why, 300), HCL: x.Text, Plan: in.Plan}
		for _, k := range x.Coverage.Keys {
			if k.How == iac.Ignored || k.How == iac.Unrepresented {
				out.Keys = append(out.Keys, keyOut{cell(k.Key, 80), string(k.How), cell(k.Why, 160)})
			}
		}
		return out, nil
	})
}

// described is the code of a guest that exists, or of one that a plan would make.
func described(ctx context.Context, d Deps, in *describeIn) (*code.Description, error) {
	switch {
	case in.Plan != "":
	case in.Guest == "":
		return nil, fault.BadField("guest", "a vmid or name is needed, or a plan", "104")
	default:
		return d.Code.Describe(ctx, in.Cluster, in.Guest)
	}
	p, err := d.Changes.Plan(ctx, in.Plan, d.Who)
	if err != nil {
		return nil, err
	}
	return d.Code.DescribeDraft(ctx, p.Cluster, func(config func(vmid int) pve.Config) (iac.Guest, error) {
		list, err := p.Body.Drafts(config)
		if err != nil {
			return iac.Guest{}, err
		}
		return draftOf(list, in.Guest)
	})
}

// draftOf is the guest that is meant of those that a plan makes.
func draftOf(list []change.Draft, guest string) (iac.Guest, error) {
	var labels []string
	for _, x := range list {
		t := &x.Target
		if len(list) == 1 && guest == "" || guest != "" && (guest == t.ID() || guest == t.Name) {
			return iac.NewDraft(&store.Guest{VMID: t.VMID, Type: string(t.Type), Node: t.Node, Status: "stopped", Pool: t.Pool}, x.Config), nil
		}
		labels = append(labels, t.Label())
	}
	return iac.Guest{}, fault.New(fault.Ambiguous, "the plan makes %s: name one of them as guest", strings.Join(labels[:min(len(labels), 10)], ", "))
}

// View implements Answer.
func (o *describeOut) View(Deps) View {
	v := View{Warnings: o.Warnings}
	if o.HCL == "" {
		v.Line("%s: %s", o.Status, o.Why)
	} else {
		v.Text(strings.TrimRight(o.HCL, "\n"))
	}
	v.Table(Table{Name: "not compared by Terraform", Main: true, Columns: []string{"key", "how", "why"}, Rows: capped(o.Keys, shownKeys,
		func(k keyOut) []string { return []string{k.Key, k.How, k.Why} })})
	if o.Plan != "" {
		v.Line("as plan %s would make it; what Proxmox VE chooses by itself, such as MAC addresses, is not known yet", o.Plan)
		return v
	}
	v.Line("as of %s", o.AsOf)
	return v
}

// shownKeys is more than any guest of the zoo has.
const shownKeys = 40
