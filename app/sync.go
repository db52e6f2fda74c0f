package app

import (
	"context"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// syncLimit bounds `sync`: 10,000 guests take some 50 s at 15 ms a call on 20 nodes, and a slow cluster several times that.
const syncLimit = 15 * time.Minute

// Sync implements cli.Program.
func (a *App) Sync(ctx context.Context, g cli.Globals, o cli.SyncOptions) (cli.Report, error) {
	cfg, log, err := a.loadConfig(ctx, g, a.Stderr)
	if err != nil {
		return cli.Report{}, err
	}
	p, err := a.build(cfg, log)
	if err != nil {
		return cli.Report{}, err
	}
	defer func() { _ = p.Close() }()
	ctx, cancel := deadline(ctx, syncLimit)
	defer cancel()
	reports, err := p.inv.Sync(ctx, inventory.SyncRequest{Cluster: o.Cluster, Progress: func(e inventory.Progress) {
		if o.Progress != nil {
			o.Progress(e.Cluster, e.Phase, e.Done, e.Total)
		}
	}})
	if err != nil {
		return cli.Report{}, err
	}
	settings, err := p.inv.Settings(ctx, o.Cluster)
	if err != nil {
		return cli.Report{}, err
	}
	return syncReport(withSettings(reports, settings)), nil
}

// withSettings adds what reading the settings brought to the reports of the clusters. Kinds of which there is nothing are not named.
func withSettings(reports []inventory.SyncReport, settings []inventory.SettingsReport) []inventory.SyncReport {
	for _, s := range settings {
		k := slices.IndexFunc(reports, func(r inventory.SyncReport) bool { return r.Cluster == s.Cluster })
		if k < 0 {
			continue
		}
		r := &reports[k]
		r.Calls, r.Complete, r.Warnings = r.Calls+s.Calls, r.Complete && s.Complete, append(r.Warnings, s.Warnings...)
		for _, n := range s.Kinds {
			if n.Created+n.Updated+n.Gone+n.Unchanged > 0 {
				r.Others = append(r.Others, n)
			}
		}
	}
	return reports
}

// syncReport is the answer of the tool sync_inventory, for a sync that was waited for.
func syncReport(reports []inventory.SyncReport) cli.Report {
	answer := tools.SyncAnswer(reports)
	r := cli.Report{Value: answer, View: answer.View(tools.Deps{})}
	for _, s := range reports {
		r.Partial = r.Partial || !s.Complete
	}
	return r
}
