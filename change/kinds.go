package change

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// kind is how an object that is no guest is looked at, before a write and after it.
type kind struct {
	// check refuses what is not as it was planned for; nil where Proxmox VE's own refusal is all that there is to ask.
	check func(ctx context.Context, c Cluster, s *Step) error
	// observe says whether the object is as the step wants it.
	observe func(ctx context.Context, e *Engine, c Cluster, s *Step, js store.PlanStep) (seen, error)
}

// kinds are the objects that steps can be about, beside guests (Target.Kind).
var kinds = map[string]kind{
	"task": {observe: func(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
		return taskEnded(ctx, c, s.Want.Ended)
	}},
	"volume": {check: volumeThere, observe: volumeSeen},
}

// VolumeTarget is a volume as a target: Object is its volume id (storage:content/name), of the storage as that node sees it. Rules about
// the guest that owns it apply to it.
func VolumeTarget(cluster, node, volid string, owner *Found) Target {
	t := Target{Kind: "volume", Cluster: cluster, Node: node, Object: volid}
	if owner != nil {
		t.VMID, t.Type, t.Name, t.Pool, t.Tags = owner.VMID, owner.Type, owner.Name, owner.Pool, slices.Clone(owner.Tags)
	}
	return t
}

// volumeThere refuses to delete what is not there (any more), and to make what is there already.
func volumeThere(ctx context.Context, c Cluster, s *Step) error {
	has, err := hasVolume(ctx, c, s.Target.Node, s.Target.Object)
	switch {
	case err != nil:
		return err
	case has && !s.Want.Gone:
		return fault.New(fault.Stale, "%s exists already; nothing was sent", s.Target.Label())
	case !has && s.Want.Gone:
		return fault.New(fault.Stale, "%s does not exist any more; nothing was sent", s.Target.Label())
	}
	return nil
}

// volumeSeen looks for a volume in the list of its storage.
func volumeSeen(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
	has, err := hasVolume(ctx, c, s.Target.Node, s.Target.Object)
	text := "it exists"
	if !has {
		text = "it does not exist"
	}
	return seen{ok: has != s.Want.Gone, proof: has != s.Want.Gone, gone: !has, target: s.Target, text: text}, err
}

// hasVolume looks through the list of a storage, which, unlike the volume's own path, answers the same for what is absent and what is
// not readable on every storage type (recordings 13).
func hasVolume(ctx context.Context, c Cluster, node, volid string) (bool, error) {
	storage, name, _ := strings.Cut(volid, ":")
	var params proxmox.Params
	if content, _, ok := strings.Cut(name, "/"); ok && slices.Contains([]string{"iso", "vztmpl", "import", "backup", "snippets"}, content) {
		params = params.Str("content", content)
	}
	path, err := proxmox.Path("nodes", node, "storage", storage, "content")
	if err != nil {
		return false, err
	}
	raw, err := c.Raw(ctx, "GET", path, params)
	if err != nil {
		return false, err
	}
	var rows []pve.VolumeRow
	if err := json.Unmarshal(raw, &rows); err != nil {
		return false, fault.Wrap(fault.BadAnswer, err, "the volumes of storage %s cannot be read", storage)
	}
	return slices.ContainsFunc(rows, func(v pve.VolumeRow) bool { return string(v.VolID) == volid }), nil
}
