package app

import (
	"context"
	"log/slog"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/prompts"
	"github.com/proxmox-mcp/proxmox-mcp/resources"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// clusterNames are the configured clusters as they are stored.
func clusterNames(cfg *config.Config) []string {
	var out []string
	for _, c := range cfg.Clusters {
		out = append(out, storeName(c))
	}
	return out
}

// names are the clusters: those of the start until the configuration was read again. It waits for nothing.
func (l *lazy) names() []string {
	if now := l.opened.Load(); now != nil {
		return *now
	}
	return l.clusters
}

// reach are the clusters that a caller's credential lets it ask.
func (l *lazy) reach(ctx context.Context) []string {
	all, allowed := l.names(), server.IdentityOf(ctx).Scope.Clusters
	if allowed == nil {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !slices.Contains(allowed, name) })
}

// offeredTo says whether a caller is offered a tool of the operator's set.
func offeredTo(level func(context.Context) tools.Tier, set tools.Toolset) func(ctx context.Context, tool string) bool {
	return func(ctx context.Context, tool string) bool {
		spec, err := tools.Find(tool)
		return err == nil && set.Has(spec) && (spec.Tier == tools.R0 || spec.Tier <= level(ctx)) && server.Offered(ctx, &spec)
	}
}

// newParts makes what a server offers beside tools. deps is asked for reads, as for calls.
func newParts(l *lazy, deps func(context.Context) (tools.Deps, error), offered func(context.Context, string) bool, log *slog.Logger) (*resources.Part, *prompts.Part) {
	values := tools.Completer{Deps: deps, Clusters: l.reach}.Values
	return newResources(l, deps, offered, values, log),
		prompts.New(prompts.Options{Folder: l.prompts, Offered: offered, Clusters: l.reach, Values: values, Logger: log})
}

// completing lists values of an argument.
type completing = func(ctx context.Context, kind tools.Completed, typed, cluster string) []string

func newResources(l *lazy, deps func(context.Context) (tools.Deps, error), offered func(context.Context, string) bool, values completing, log *slog.Logger) *resources.Part {
	who := func(ctx context.Context) string { return server.PrincipalOf(ctx).String() }
	var part *resources.Part
	part = resources.New(resources.Options{Deps: deps, Clusters: l.reach, Offered: offered, Who: who, Logger: log,
		Values: values,
		Follow: func(ctx context.Context, clusters []string, since inventory.Mark) ([]inventory.News, inventory.Mark, error) {
			p, err := l.get(ctx)
			if err != nil {
				return nil, since, err
			}
			kick := part.Kick
			p.learnt.Store(&kick)
			return p.inv.Follow(ctx, clusters, since)
		},
		Operations: func(ctx context.Context) (int64, error) {
			p, err := l.get(ctx)
			if err != nil {
				return 0, err
			}
			db, err := p.openStore(ctx, p.clock)
			if err != nil {
				return 0, err
			}
			head, err := db.AuditHead(ctx)
			return head.Seq, err
		}})
	return part
}
