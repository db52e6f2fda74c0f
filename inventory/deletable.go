package inventory

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// DeleteAsk names a volume by its id, and the node where the storages of several hold one of that id.
type DeleteAsk struct {
	Volume, Node string
	ReadOptions
}

// Deletable finds a volume that may be deleted, with the node through which. Errors: fault.NotFound, fault.Ambiguous where several nodes have it,
// fault.Conflict for what a guest refers to (named), of which that is unknown, and for a protected backup.
func (i *Inventory) Deletable(ctx context.Context, q DeleteAsk) (Volume, error) {
	id, ok := pve.ParseVolume(q.Volume)
	if !ok {
		return Volume{}, fault.BadField("volume", "it must be a volume id: storage:content/name", "local:iso/old.iso").WithNext("list_volumes")
	}
	ask := VolumeQuery{Storage: id.Storage, Node: q.Node, ReadOptions: q.ReadOptions}
	var found []Volume
	for {
		page, err := i.Volumes(ctx, ask)
		if err != nil {
			return Volume{}, err
		}
		for k := range page.Rows {
			if page.Rows[k].ID == q.Volume {
				found = append(found, page.Rows[k])
			}
		}
		if page.NextCursor == "" {
			break
		}
		ask.Cursor = page.NextCursor
	}
	switch len(found) {
	case 0:
		return Volume{}, fault.New(fault.NotFound, "volume %s is not seen", clean.Line(q.Volume, maxLine)).WithNext("list_volumes")
	case 1:
		return i.mayGo(found[0])
	}
	var nodes []string
	for k := range found {
		nodes = append(nodes, found[k].Node)
	}
	return Volume{}, fault.New(fault.Ambiguous, "%s is on %s", clean.Line(q.Volume, maxLine), strings.Join(nodes, ", ")).WithHint("say which: node %s", nodes[0])
}

// mayGo refuses what is needed still.
func (i *Inventory) mayGo(v Volume) (Volume, error) {
	cv := i.proj.cluster(v.Cluster)
	if v.Node == "" {
		k := slices.IndexFunc(cv.storages, func(s Storage) bool { return s.Name == v.Storage })
		if k >= 0 {
			if nodes, _ := cv.askable(&cv.storages[k], 0); len(nodes) > 0 {
				v.Node = nodes[0]
			}
		}
	}
	label := clean.Line(v.ID, maxLine)
	users := cv.usersOf(v.ID)
	switch {
	case v.Node == "":
		return v, fault.New(fault.NodeSilent, "no node that answers has storage %s", v.Storage).Retry()
	case v.Protected:
		return v, fault.New(fault.Conflict, "%s is protected", label).WithHint("its owner takes the protection off in Proxmox VE first")
	case len(users) > 0:
		return v, fault.New(fault.Conflict, "%s is used by %s", label, shortList(users, 6)).WithHint("detach or eject it there first; a disk goes with its guest")
	case v.disk() && v.Use == UseUsed:
		return v, fault.New(fault.Conflict, "%s is used by guest %d %s", label, v.Owner, v.OwnerName).WithHint("detach it first; a disk goes with its guest")
	case v.disk() && v.Use != UseOrphan:
		return v, fault.New(fault.Conflict, "whether a guest uses %s is not known: %s", label, strings.TrimSpace(v.Use+" "+v.Why)).
			WithHint("list_volumes with orphans tells which disks nobody uses")
	}
	return v, nil
}

// usersOf are the guests whose configuration names a volume: disks, unused ones, CD drives.
func (c *clusterView) usersOf(volid string) []string {
	var out []string
	for _, r := range c.rows {
		if r.f != nil && (slices.Contains(r.f.Volumes, volid) || slices.Contains(r.f.Loose, volid)) {
			out = append(out, strings.TrimSpace(strconv.Itoa(r.g.VMID)+" "+name(r.g.Name)))
		}
	}
	return out
}
