package pvesim

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Volumes are rows of Node.Content, as GET content has them: volid, content, format, size, vmid, used, ctime, parent.
// On a shared storage every node that has the storage lists the volume. This file is the only one that makes,
// finds, changes and removes them.

// Contents of a volume that belongs to a guest.
const (
	contentImages  = "images"
	contentRootDir = "rootdir"
)

// volumeSpec is a volume that is to be made.
type volumeSpec struct {
	vmid   int
	kind   string // content: images or rootdir
	format string // raw, qcow2, vmdk, subvol
	name   string // empty: the next free vm-VMID-disk-N
	size   int64  // bytes
	// base is the volume that a linked clone is made from: its id then contains the base's.
	base string
}

// storageNodes are the nodes whose lists hold a volume of the storage that was made on n.
func (w *World) storageNodes(n *Node, store string) []*Node {
	if s := n.storage(store); s == nil || !truth(s["shared"]) {
		return []*Node{n}
	}
	var list []*Node
	for _, m := range w.Nodes {
		if m.storage(store) != nil {
			list = append(list, m)
		}
	}
	return list
}

// volume finds a volume by its id on a node, nil when it is not there.
func (n *Node) volume(volid string) Object {
	store, _, _ := strings.Cut(volid, ":")
	for _, v := range n.Content[store] {
		if v["volid"] == volid {
			return v
		}
	}
	return nil
}

// guestVolumes are the images and root directories on the node that belong to a vmid.
func (n *Node) guestVolumes(vmid int) []Object {
	var list []Object
	for _, rows := range n.Content {
		for _, v := range rows {
			if ownedBy(v, vmid) {
				list = append(list, v)
			}
		}
	}
	slices.SortFunc(list, func(a, b Object) int { return strings.Compare(text(a["volid"]), text(b["volid"])) })
	return list
}

func ownedBy(v Object, vmid int) bool {
	kind := v["content"]
	return (kind == contentImages || kind == contentRootDir) && int(integer(v["vmid"])) == vmid
}

// onFiles is whether a storage type keeps volumes as files below images/VMID with their format as suffix; the others
// (zfspool, lvm, lvmthin, rbd...) name them without (facts 45).
func onFiles(kind string) bool {
	return contains([]string{"dir", "nfs", "cifs", "btrfs", "cephfs", "glusterfs"}, kind)
}

// addVolume makes a volume and gives its id.
func (w *World) addVolume(n *Node, store string, v volumeSpec) (string, error) {
	def := w.Storage(store)
	if def == nil {
		return "", fail("storage '%s' does not exist", store)
	}
	if v.format == "" {
		v.format = "raw"
	}
	if v.name == "" {
		v.name = w.freeName(n, store, v)
	}
	id := volumeIDFor(text(def["type"]), store, v)
	if n.volume(id) != nil {
		return "", fail("disk image '%s' already exists", id)
	}
	row := Object{"volid": id, "content": v.kind, "format": v.format, "size": v.size, "vmid": v.vmid, "used": usedAtFirst(v),
		"ctime": w.Now().Unix(), "parent": parentOf(text(def["type"]), v)}
	for _, m := range w.storageNodes(n, store) {
		m.Content[store] = append(slices.Clone(m.Content[store]), row)
	}
	return id, nil
}

// usedAtFirst is the space that an empty image takes (13/046).
func usedAtFirst(v volumeSpec) int64 {
	switch v.format {
	case "qcow2":
		return 266240
	case "vmdk":
		return 12288
	}
	return 4096
}

func parentOf(kind string, v volumeSpec) any {
	if v.base == "" || kind == "lvmthin" {
		return nil
	}
	_, name, _ := strings.Cut(v.base, ":")
	if onFiles(kind) {
		return "../" + name
	}
	return name + "@__base__"
}

// volumeIDFor is the id of a volume: local:100/vm-100-disk-0.qcow2 on files, pool:vm-100-disk-0 elsewhere; that of a
// linked clone begins with its base (facts 45).
func volumeIDFor(kind, store string, v volumeSpec) string {
	name := v.name
	if onFiles(kind) {
		if path.Ext(name) == "" {
			name += "." + v.format
		}
		name = strconv.Itoa(v.vmid) + "/" + name
	}
	if v.base != "" && kind != "lvmthin" { // thin volumes do not name what they are made from (source)
		_, base, _ := strings.Cut(v.base, ":")
		name = base + "/" + name
	}
	return store + ":" + name
}

// freeName is the lowest vm-VMID-disk-N that no volume of the storage has in any format.
func (w *World) freeName(n *Node, store string, v volumeSpec) string {
	used := map[string]bool{}
	for _, o := range n.Content[store] {
		base := path.Base(text(o["volid"]))
		if _, after, ok := strings.Cut(base, ":"); ok {
			base = after
		}
		used[strings.TrimSuffix(base, path.Ext(base))] = true
	}
	prefix, base := "vm", "base"
	if v.format == "subvol" {
		prefix, base = "subvol", "basevol"
	}
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s-%d-disk-%d", prefix, v.vmid, i)
		if !used[name] && !used[base+strings.TrimPrefix(name, prefix)] {
			return name
		}
	}
}

// changeVolume replaces keys of a volume, on every node that lists it; nil removes a key.
func (w *World) changeVolume(n *Node, volid string, with Object) {
	store, _, _ := strings.Cut(volid, ":")
	for _, m := range w.storageNodes(n, store) {
		rows := slices.Clone(m.Content[store])
		for i, v := range rows {
			if v["volid"] != volid {
				continue
			}
			rows[i] = without(v, "attributes")
			for k, val := range with {
				if rows[i][k] = val; val == nil {
					delete(rows[i], k)
				}
			}
		}
		m.Content[store] = rows
	}
}

// dropVolume removes a volume, from every node that lists it, and tells whether it was there.
func (w *World) dropVolume(n *Node, volid string) bool {
	found := n.volume(volid) != nil
	store, _, _ := strings.Cut(volid, ":")
	for _, m := range w.storageNodes(n, store) {
		m.Content[store] = slices.DeleteFunc(slices.Clone(m.Content[store]), func(v Object) bool { return v["volid"] == volid })
	}
	return found
}

// linkedTo are the volumes that were made as linked clones of a base volume.
func (n *Node) linkedTo(base string) []string {
	prefix := baseID(base) + "/"
	store, _, _ := strings.Cut(base, ":")
	var list []string
	for _, v := range n.Content[store] {
		if id := text(v["volid"]); strings.HasPrefix(id, prefix) {
			list = append(list, id)
		}
	}
	return list
}

// baseID is how the ids of linked clones begin: the base volume's id without what the base itself was cloned from
// (local:900/base-900-disk-0.qcow2/155/base-155-disk-0.qcow2 is local:155/base-155-disk-0.qcow2 in its clones).
func baseID(volid string) string {
	store, name, _ := strings.Cut(volid, ":")
	parts := strings.Split(name, "/")
	last := len(parts) - 1
	if last > 0 && path.Ext(parts[last]) != "" {
		last--
	}
	return store + ":" + strings.Join(parts[last:], "/")
}

// listVolume puts a volume into a node's list as another node has it.
func (w *World) listVolume(n *Node, volid string, row Object) {
	store, _, _ := strings.Cut(volid, ":")
	n.Content[store] = append(slices.Clone(n.Content[store]), clone(row))
}
