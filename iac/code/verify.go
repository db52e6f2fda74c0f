package code

import (
	"context"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/checks"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Verdict is how a cluster, as it is stored, stands to what its folder declares.
type Verdict struct {
	Cluster string
	Dir     string
	AsOf    time.Time // the last synchronisation
	checks.Report
}

// Verify runs the declared checks (tests/spec.json) of a folder. Nothing is written and Proxmox VE is not asked: the caller synchronises
// first. Errors: fault.NotFound where no checks were exported, fault.Invalid for a spec that cannot be read.
func (s *Service) Verify(ctx context.Context, p Place) (*Verdict, error) {
	cluster, dir, _, err := s.place(ctx, p, "")
	if err != nil {
		return nil, err
	}
	f, err := repo.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, ok, err := f.Read(checks.SpecPath)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "no checks were exported to %s yet", dir).WithNext("export_code")
	}
	declared, err := checks.Read(raw)
	if err != nil {
		return nil, err
	}
	if declared.Cluster != cluster {
		return nil, fault.New(fault.Conflict, "%s declares another cluster, %s", dir, declared.Cluster).WithHint("give another folder")
	}
	st, err := s.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	now, err := iac.Load(ctx, st, cluster, iac.Options{})
	if err != nil {
		return nil, err
	}
	asOf, err := freshness(ctx, st, cluster)
	return &Verdict{Cluster: cluster, Dir: dir, AsOf: asOf, Report: checks.Run(declared, selected(declared, now, f.Manifest.Targets[checks.Target].Query))}, err
}

// selected is now without the guests that were not selected when the checks were exported: they are not declared on purpose.
func selected(declared, now *iac.World, query string) *iac.World {
	if query == "" {
		return now
	}
	out := *now
	out.Guests = nil
	for i := range now.Guests {
		if declared.Guest(now.Guests[i].VMID) != nil {
			out.Guests = append(out.Guests, now.Guests[i])
		}
	}
	return &out
}
