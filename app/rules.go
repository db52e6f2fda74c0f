package app

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/images"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// rulesOf makes policy out of the configuration's section changes.
func rulesOf(cfg *config.Config) change.Rules {
	c := cfg.Changes
	most, ok := change.TierOf(c.Maximum)
	if !ok { // the section is silent about it
		most = change.Host
	}
	d := change.DefaultCaps
	return change.Rules{Maximum: most, OperatorForR2: c.OperatorToo, Deny: scopesOf(cfg, c.Deny), Allow: scopesOf(cfg, c.Allow),
		Protected: scopesOf(cfg, c.Protected), BackupWithin: c.BackupWithin, SnapshotFirst: c.SnapshotFirst, Exec: change.ExecRules{Allow: cfg.Agent.Exec.Allow, Tag: cfg.Agent.Exec.Tag}, ImageHosts: imageHosts(c.Images),
		Caps: change.Caps{PerPlan: cmp.Or(c.Caps.PerPlan, d.PerPlan), PerHour: cmp.Or(c.Caps.PerHour, d.PerHour),
			DestroyPerHour: cmp.Or(c.Caps.DestroyPerHour, d.DestroyPerHour), PerNode: cmp.Or(c.Caps.PerNode, d.PerNode)}}
}

func scopesOf(cfg *config.Config, list []config.Scope) []change.Scope {
	var out []change.Scope
	for _, s := range list {
		out = append(out, change.Scope{Cluster: storedCluster(cfg, s.Cluster), Node: s.Node, Pool: s.Pool, Tag: s.Tag, VMIDs: s.VMIDs})
	}
	return out
}

// storedCluster is the name that plans have of a cluster that the configuration or a command line names.
func storedCluster(cfg *config.Config, name string) string {
	if k := slices.IndexFunc(cfg.Clusters, func(c config.Cluster) bool { return c.Name == name }); k >= 0 {
		return storeName(cfg.Clusters[k])
	}
	return name
}

// configuredCluster refuses a name that no cluster has, and names those that are.
func configuredCluster(cfg *config.Config, name string) error {
	var names []string
	for _, c := range cfg.Clusters {
		if c.Name == name {
			return nil
		}
		names = append(names, c.Name)
	}
	if names == nil {
		return fault.New(fault.Invalid, "cluster: no cluster is configured").WithHint("connect one with: proxmox-mcp setup")
	}
	meant := cmp.Or(near.Word(name, names), names[0])
	return fault.BadField("cluster", fmt.Sprintf("no cluster %q is configured; configured: %s", clean.Line(name, 60), strings.Join(names, ", ")), meant)
}

// imageHosts are those of the table unless the owner names others.
func imageHosts(own []string) []string {
	if own == nil {
		return images.Hosts()
	}
	return own
}
