package code

import (
	"context"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Description is one guest as code.
type Description struct {
	Cluster  string
	AsOf     time.Time // the last synchronisation
	Text     string    // HCL: its import block and its resource; "" where it has none, Coverage says why
	Coverage iac.Coverage
}

// describer is the emitter whose code is shown.
const describer = "terraform"

// Describe gives the code of one guest, as an export would write it. Nothing is written.
func (s *Service) Describe(ctx context.Context, cluster, guest string) (*Description, error) {
	cluster, vmid, err := s.opt.Guest(ctx, cluster, guest)
	if err != nil {
		return nil, err
	}
	return s.describe(ctx, cluster, func(*iac.World) (int, error) { return vmid, nil })
}

// DescribeDraft gives the code of a guest that does not exist yet. build makes it; it gets the configurations of those that do, nil for one
// that is not known.
func (s *Service) DescribeDraft(ctx context.Context, cluster string, build func(config func(vmid int) pve.Config) (iac.Guest, error)) (*Description, error) {
	draft := false
	out, err := s.describe(ctx, cluster, func(w *iac.World) (int, error) {
		g, err := build(func(vmid int) pve.Config {
			if known := w.Guest(vmid); known != nil && known.Unread == "" {
				return known.Config
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if w.Guest(g.VMID) == nil {
			draft = true
			w.Guests = append(w.Guests, g)
			w.Sort()
		}
		return g.VMID, nil
	})
	if err == nil && draft && out.Text != "" {
		out.Text = unmade + out.Text
	}
	return out, err
}

// unmade stands before the code of a guest that does not exist.
const unmade = "# The guest does not exist yet: the import block fails until its plan has run. Leave it out where Terraform is to make the guest.\n"

// describe writes the code of the guest that choose names in the cluster as it is stored.
func (s *Service) describe(ctx context.Context, cluster string, choose func(w *iac.World) (vmid int, err error)) (*Description, error) {
	list, err := s.emitters(describer)
	if err != nil {
		return nil, err
	}
	st, err := s.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	w, err := iac.Load(ctx, st, cluster, iac.Options{Held: map[string]bool{}})
	if err != nil {
		return nil, err
	}
	vmid, err := choose(w)
	if err != nil {
		return nil, err
	}
	if w.Guest(vmid) == nil {
		return nil, fault.New(fault.NotFound, "there is no guest %d in cluster %s", vmid, cluster)
	}
	w.Options.Only = map[int]bool{vmid: true}
	r, err := list[0].Emit(w)
	if err != nil {
		return nil, err
	}
	out := &Description{Cluster: cluster}
	if out.AsOf, err = freshness(ctx, st, cluster); err != nil {
		return nil, err
	}
	for _, c := range r.Coverage {
		if c.Kind == store.KindGuest && c.ID == strconv.Itoa(vmid) {
			out.Coverage = c
			break
		}
	}
	if out.Coverage.Address != "" {
		out.Text, err = blocksOf(r.Files, out.Coverage.Address)
	}
	return out, err
}

// blocksOf are the blocks of an address in generated files: what imports it, then the resource.
func blocksOf(files []iac.File, address string) (string, error) {
	var imports, out []string
	for _, f := range files {
		if path.Ext(f.Path) != ".tf" {
			continue
		}
		parsed, diags := hclwrite.ParseConfig(f.Data, f.Path, hcl.InitialPos)
		if diags.HasErrors() {
			return "", fault.New(fault.Internal, "generated code cannot be parsed: %s", diags.Error())
		}
		for _, b := range parsed.Body().Blocks() {
			text := strings.TrimSpace(string(b.BuildTokens(nil).Bytes()))
			switch {
			case b.Type() == "import" && target(b) == address:
				imports = append(imports, text)
			case strings.Join(b.Labels(), ".") == address:
				out = append(out, text)
			}
		}
	}
	return strings.Join(append(imports, out...), "\n\n") + "\n", nil
}

// target is what an import block imports to.
func target(b *hclwrite.Block) string {
	a := b.Body().GetAttribute("to")
	if a == nil {
		return ""
	}
	return strings.TrimSpace(string(a.Expr().BuildTokens(nil).Bytes()))
}
