package change

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Places are the nodes and storages of a cluster as the inventory saw them last: where something can go.
type Places struct {
	Nodes    []NodePlace
	Storages []StoragePlace
	Members  int // nodes of the cluster, as it counts them; 0: one that stands alone, or not known
	Present  int // of them online
}

// without says that a cluster has no quorum while one more node is off; "" where it has, or that is not known. A node has one vote; those of a
// quorum device are not told by cluster/status (recording 02/003).
func (p *Places) without(node string) string {
	n := p.node(node)
	if p.Members < 2 || n == nil || !n.Online || p.Present-1 >= p.Members/2+1 {
		return ""
	}
	return fmt.Sprintf("while %s is off, only %d of %d nodes would be online: without quorum nothing can be changed or started (the vote of a quorum device is not counted); bring nodes back before maintenance",
		node, p.Present-1, p.Members)
}

// NodePlace is a node. Sizes are bytes, nil where they are not known; Committed is the memory that its running guests may take together.
type NodePlace struct {
	Name      string
	Online    bool
	CPU       string // model of the processor, "" while not known
	Memory    *int64
	Committed *int64
}

// StoragePlace is a storage; a shared one once with all its nodes, another one on each node by itself.
type StoragePlace struct {
	Name    string
	Type    string // dir, lvmthin, zfspool, nfs, ...
	Nodes   []string
	Content []string // images, rootdir, iso, ...
	Shared  bool
	Off     bool   // disabled, or not active on any of its nodes
	Free    *int64 // bytes
}

// left is the memory that a node has beside what its running guests may take; nil while that is not known, below 0 where it has promised more.
func (n *NodePlace) left() *int64 {
	if n.Memory == nil || n.Committed == nil {
		return nil
	}
	return pve.Ptr(*n.Memory - *n.Committed)
}

// node is a node by name.
func (p *Places) node(name string) *NodePlace {
	k := slices.IndexFunc(p.Nodes, func(n NodePlace) bool { return n.Name == name })
	if k < 0 {
		return nil
	}
	return &p.Nodes[k]
}

// nodeFor checks a node that something is to go to.
func (p *Places) nodeFor(name string) (*NodePlace, error) {
	n := p.node(name)
	var names []string
	for _, x := range p.Nodes {
		if x.Online {
			names = append(names, x.Name)
		}
	}
	switch {
	case n == nil:
		return nil, fault.BadField("target", "there is no node "+quoted(name), strings.Join(names, ", "))
	case !n.Online:
		return nil, fault.New(fault.Conflict, "node %s is not online", n.Name).WithHint("online are: %s; one that is off has to be started first", orNone(names))
	}
	return n, nil
}

// storage is a storage on a node, nil where the node has none of that name.
func (p *Places) storage(name, node string) *StoragePlace {
	k := slices.IndexFunc(p.Storages, func(s StoragePlace) bool { return s.Name == name && slices.Contains(s.Nodes, node) })
	if k < 0 {
		return nil
	}
	return &p.Storages[k]
}

// shared says whether a storage is the same on all its nodes.
func (p *Places) shared(name string) bool {
	return slices.ContainsFunc(p.Storages, func(s StoragePlace) bool { return s.Name == name && s.Shared })
}

// storageFor checks a storage that disks of a guest are to go to: that the node has it, that it is in use and takes such disks. Where the
// inventory knows no storages (rights are missing) nothing is refused: Proxmox VE asks for itself.
func (p *Places) storageFor(field, name, node string, t pve.GuestType) error {
	if len(p.Storages) == 0 {
		return nil
	}
	content := diskContent(t)
	s := p.storage(name, node)
	switch fit := p.fitting(node, content); {
	case s == nil:
		return fault.BadField(field, fmt.Sprintf("node %s has no storage %s", node, quoted(name)), strings.Join(fit, ", "))
	case s.Off:
		return fault.New(fault.Conflict, "storage %s is not active on %s", s.Name, node).WithHint("for such disks it has: %s", orNone(fit))
	case !slices.Contains(s.Content, content):
		return fault.BadField(field, fmt.Sprintf("storage %s takes no disks of such guests (content %s)", s.Name, content), strings.Join(fit, ", "))
	}
	return nil
}

// fitting are the names of the storages of a node that take a kind of content, those with most room first.
func (p *Places) fitting(node, content string) []string {
	var list []StoragePlace
	for _, s := range p.Storages {
		if !s.Off && slices.Contains(s.Nodes, node) && slices.Contains(s.Content, content) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b StoragePlace) int { return cmp.Compare(freeOf(b), freeOf(a)) })
	out := make([]string, len(list))
	for k, s := range list {
		out[k] = s.Name
	}
	return out
}

func freeOf(s StoragePlace) int64 {
	if s.Free == nil {
		return -1
	}
	return *s.Free
}

// diskContent is the kind of content that disks of a guest are (schema: storage content).
func diskContent(t pve.GuestType) string {
	if t == pve.LXC {
		return "rootdir"
	}
	return "images"
}

// localDisks are the disks of a configuration that one node alone has: slots with their storage. Unused ones count, empty CD drives do not.
// Where no storages are known (rights are missing) only what is on no storage is told.
func (p *Places) localDisks(c pve.Config) []pve.Disk {
	return slices.DeleteFunc(c.Disks(), func(d pve.Disk) bool {
		return d.Source == "none" || d.Storage != "" && (len(p.Storages) == 0 || p.shared(d.Storage))
	})
}

// slotsOf lists slots for people: "scsi0 (local-lvm), mp0 (/tank/media)".
func slotsOf(list []pve.Disk) string {
	var out []string
	for _, d := range list {
		out = append(out, fmt.Sprintf("%s (%s)", d.Slot, cleanLine(cmp.Or(d.Storage, d.Source))))
	}
	return strings.Join(out, ", ")
}
