package app

import (
	"context"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

var _ change.Programs = programs{}

// programs is the keeper of code as package change wants to see it. Its service is made after the engine.
type programs struct{ p *parts }

func saved(cluster string, p *change.Program) *code.Saved {
	return &code.Saved{Cluster: cluster, Program: p.Name, Dir: p.Folder, SHA256: p.SHA256}
}

// Check implements change.Programs.
func (p programs) Check(ctx context.Context, cluster string, what *change.Program) error {
	i := slices.IndexFunc(p.p.cfg.Clusters, func(c config.Cluster) bool { return storeName(c) == cluster })
	if i < 0 {
		return fault.New(fault.Config, "cluster %s is not configured any more", cluster)
	}
	if p.p.cfg.Clusters[i].ReadOnly && what.Writes {
		return fault.New(fault.ReadOnly, "cluster %s is configured read-only, and this plan writes to it", cluster)
	}
	return p.p.code.CheckSaved(ctx, saved(cluster, what))
}

// Run implements change.Programs.
func (p programs) Run(ctx context.Context, cluster string, what *change.Program, tell func(string)) (string, error) {
	return p.p.code.Apply(ctx, saved(cluster, what), tell)
}

// Left implements change.Programs.
func (p programs) Left(ctx context.Context, cluster string, what *change.Program) (none bool, text string, err error) {
	return p.p.code.Left(ctx, saved(cluster, what))
}
