package change

import (
	"context"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// DeleteVolume removes one volume of a storage: a backup, an image, a template, a disk that no guest uses. Whether it is used was looked
// up before; a disk whose number is that of a guest is looked for in its configuration again when it is sent.
type DeleteVolume struct {
	Cluster, Node, VolID string
	Kind                 string // of content: backup, iso, vztmpl, images, ...
	Size                 *int64
}

// Name implements Direct.
func (DeleteVolume) Name() string { return "volume.delete" }

// Title implements Direct.
func (d DeleteVolume) Title() string { return "delete volume " + cleanVolume(d.VolID) }

// Steps implements Direct.
func (d DeleteVolume) Steps(concerned *Found) ([]Step, error) {
	v, ok := pve.ParseVolume(d.VolID)
	if !ok {
		return nil, fault.BadField("volume", "it must be a volume id: storage:content/name", "local:iso/old.iso")
	}
	path, err := proxmox.Path("nodes", d.Node, "storage", v.Storage, "content", v)
	if err != nil {
		return nil, err
	}
	s := deleteVolume(d.Name(), VolumeTarget(d.Cluster, d.Node, d.VolID, concerned), Call{Method: "DELETE", Path: path})
	what := "what " + cleanVolume(d.VolID) + " holds"
	if d.Size != nil {
		what += ", " + sizeText(*d.Size)
	}
	if d.Kind == "backup" {
		what += ": the guest as it was then"
	}
	s.Lost = []string{what}
	return []Step{s}, nil
}

// unused refuses to remove a disk that its guest refers to.
func unused(ctx context.Context, c Cluster, s *Step) error {
	t := s.Target
	if t.VMID == 0 || t.Type == "" {
		return nil
	}
	row, err := resource(ctx, c, t.VMID)
	if err != nil || row == nil {
		return err
	}
	cfg, err := c.GuestConfig(ctx, string(row.Node), t.Type, t.VMID)
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	if err == nil && slices.ContainsFunc(cfg.Disks(), func(d pve.Disk) bool { return d.Source == t.Object }) {
		return fault.New(fault.Stale, "guest %d uses %s; nothing was sent", t.VMID, t.Label())
	}
	return err
}
