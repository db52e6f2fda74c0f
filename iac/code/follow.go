package code

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
)

// Follow writes a cluster's own folder again where something changed since the export before: the targets and guests that it holds. nil
// where nothing was ever exported there, or nothing changed. It commits where the configuration says so.
func (s *Service) Follow(ctx context.Context, cluster string) (*Export, error) {
	cluster, dir, _, err := s.place(ctx, Place{Cluster: cluster}, "")
	if err != nil {
		return nil, err
	}
	f, err := repo.Open(dir)
	if err != nil {
		return nil, err
	}
	there := f.Exists()
	if err := f.Close(); err != nil || !there {
		return nil, err
	}
	st, err := s.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	var out *Export
	err = locked(ctx, st, dir, func() error {
		j, err := s.again(ctx, st, cluster, dir)
		if err != nil {
			return err
		}
		defer j.close()
		if len(j.change.Changed()) == 0 {
			return nil
		}
		if err := st.AddAddresses(ctx, cluster, j.added); err != nil {
			return err
		}
		out = j.out
		if err := j.change.Write(); err != nil {
			return err
		}
		return j.commit(ctx, s.git(""))
	})
	return out, err
}
