package change

import (
	"context"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// kind is how an object that is no guest is looked at, before a write and after it.
type kind struct {
	// check refuses what is not as it was planned for; nil where Proxmox VE's own refusal is all that there is to ask.
	check func(ctx context.Context, c Cluster, s *Step) error
	// unmake makes the steps that take back what a step made; nil: its recorded inverses, after which it is gone.
	unmake func(s *Step, r Result) []Step
	// observe says whether the object is as the step wants it.
	observe func(ctx context.Context, e *Engine, c Cluster, s *Step, js store.PlanStep) (seen, error)
	// unsure says that what was not seen in time may still come: its outcome is unknown, not failed.
	unsure bool
}

// kinds are the objects that steps can be about, beside guests (Target.Kind).
var kinds = map[string]kind{
	"task": {observe: func(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
		return taskEnded(ctx, c, s.Want.Ended)
	}},
	"volume": {check: volumeThere, observe: volumeSeen},
	"pool":   {check: poolThere, observe: poolSeen, unmake: poolBack},
	"node":   {observe: nodeSeen, unsure: true},
	"backup": {observe: backupsSeen, unmake: backupsGone},
	"proof":  {observe: proven},
	"job":    {check: jobAsPlanned, observe: jobSeen, unmake: jobBack},
	kindCode: {observe: programSeen, unsure: true},
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
	case has && fileKind(s.Target.Object) == "":
		return unused(ctx, c, s)
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
	storage, _, _ := strings.Cut(volid, ":")
	rows, err := volumesOf(ctx, c, node, storage, fileKind(volid))
	return slices.ContainsFunc(rows, func(v pve.VolumeRow) bool { return string(v.VolID) == volid }), err
}

// fileKind is the kind of content that a volume id says it is, "" for a disk.
func fileKind(volid string) string {
	_, name, _ := strings.Cut(volid, ":")
	kind, _, ok := strings.Cut(name, "/")
	if !ok || !slices.Contains([]string{"iso", "vztmpl", "import", "backup", "snippets"}, kind) {
		return ""
	}
	return kind
}
