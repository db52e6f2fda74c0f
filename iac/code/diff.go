package code

import (
	"context"
	"strconv"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Drift is how a folder of code differs from the cluster, and from what an export would write into it now.
type Drift struct {
	Cluster     string
	Dir         string
	AsOf        time.Time
	Targets     []string
	Differences []iac.Difference  // the cluster since the last export, field by field
	First       []iac.Difference  // objects that nobody had looked for at the last export
	Unread      iac.Unread        // what was never read of the cluster
	Yet         bool              // the store has not read all settings yet
	Files       []repo.FileChange // those that are not unchanged
	Same        int               // files that are
	Written     *Written          // what of the cluster is in the Terraform code; nil where there is none
}

// None says whether nothing differs: the cluster is as exported, and an export would write nothing but what was first read since.
func (d *Drift) None() bool {
	for _, f := range d.Files {
		switch {
		case f.State == repo.Edited || f.State == repo.Absent: // its owner's own, and nothing to bring in
		case len(d.First) > 0 && len(f.Conflicts) == 0:
		default:
			return false
		}
	}
	return len(d.Differences) == 0
}

// Diff compares a cluster as it is stored with its folder. Nothing is written and Proxmox VE is not asked. Errors: fault.NotFound where no
// code was exported.
func (s *Service) Diff(ctx context.Context, p Place) (*Drift, error) {
	cluster, dir, _, err := s.place(ctx, p, "")
	if err != nil {
		return nil, err
	}
	st, err := s.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	j, err := s.again(ctx, st, cluster, dir)
	if err != nil {
		return nil, err
	}
	defer j.close()
	out := &Drift{Cluster: cluster, Dir: dir, AsOf: j.out.AsOf, Targets: j.out.Targets, First: j.out.First, Unread: j.out.Unread, Yet: j.out.Yet, Written: j.written}
	for i := range j.out.Differences {
		if d := j.out.Differences[i]; j.concerns(&d) {
			out.Differences = append(out.Differences, d)
		}
	}
	for _, f := range j.out.Files {
		if f.State == repo.Same {
			out.Same++
			continue
		}
		out.Files = append(out.Files, f)
	}
	return out, nil
}

// again plans the export that the folder holds once more: the same targets and guests.
func (s *Service) again(ctx context.Context, st Store, cluster, dir string) (*job, error) {
	f, err := repo.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if !f.Exists() {
		return nil, fault.New(fault.NotFound, "no code was exported to %s yet", dir).WithNext("export_code")
	}
	j := &job{s: s, st: st, cluster: cluster, dir: dir, dry: true}
	for _, e := range s.opt.Emitters {
		if t, ok := f.Manifest.Targets[e.Name()]; ok {
			j.emitters, j.query = append(j.emitters, e), t.Query
		}
	}
	if j.query != "" {
		if _, j.only, err = s.opt.Select(ctx, cluster, j.query); err != nil {
			return nil, err
		}
	}
	return j, j.make(ctx)
}

// concerns says whether a difference is about what the folder holds: not about a guest that was not selected.
func (j *job) concerns(d *iac.Difference) bool {
	vmid, err := strconv.Atoi(d.ID)
	return j.only == nil || d.Kind != store.KindGuest || d.Field == "" && d.Had || err == nil && j.only[vmid]
}
