package pvesim

import (
	"crypto/sha1" //nolint:gosec // PVE's digest is SHA-1
	"encoding/hex"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

func storageWriteRoutes() []route {
	change := need("/storage", "Datastore.Allocate")
	return daemon(
		post("/storage", change, addStorage),
		put("/storage/{storage}", change, changeStorage),
		del("/storage/{storage}", change, removeStorage))
}

// inLock puts the words of the locked part of a change before its errors.
func inLock(what string, err error) error {
	if err == nil {
		return nil
	}
	return fail("%s storage failed: %s", what, taskText(err))
}

// addStorage defines a storage and activates it on the node that was asked, which finds servers that do not answer
// (13/069) and pools that are not there.
func addStorage(c *call) (any, error) {
	id, kind := c.param("storage"), c.param("type")
	t, ok := storageTypes()[kind]
	if !ok {
		return nil, badParam("type", "value '"+kind+"' does not have a value in the enumeration '"+
			strings.Join(slices.Sorted(maps.Keys(storageTypes())), ", ")+"'")
	}
	given := without(c.params, "storage", "type")
	if text(given["nodes"]) == "" {
		delete(given, "nodes")
	}
	if contains([]string{"nfs", "cifs", "cephfs"}, kind) && given["path"] == nil {
		given["path"] = "/mnt/pve/" + id
	}
	def, err := t.take(given)
	if err != nil {
		return nil, err
	}
	if err := t.options().complete(given); err != nil {
		return nil, err
	}
	if c.w.Storage(id) != nil {
		return nil, inLock("create", fail("storage ID '%s' already defined", id))
	}
	def["storage"], def["type"] = id, kind
	if def["content"] == nil {
		def["content"] = t.byDefault
	}
	if t.shared {
		def["shared"] = 1
	}
	if err := c.w.activate(c.w.Node(c.entry), def); err != nil {
		return nil, inLock("create", err)
	}
	c.w.Storages = append(slices.Clone(c.w.Storages), def)
	c.w.storagesChanged(id)
	return Object{"storage": id, "type": kind}, nil
}

// changeStorage changes options; those that identify the storage are no parameters (13/062).
func changeStorage(c *call) (any, error) {
	id := c.vars["storage"]
	if digest := c.param("digest"); digest != "" && digest != c.w.storageDigest() {
		return nil, inLock("update", errModified())
	}
	old := c.w.Storage(id)
	if old == nil {
		return nil, inLock("update", fail("storage '%s' does not exist", id))
	}
	t := storageTypes()[text(old["type"])]
	given := without(c.params, "storage", "digest", "delete")
	with, err := t.take(given)
	if err != nil {
		return nil, inLock("update", err)
	}
	drop := splitList(listText(c.params["delete"]))
	if err := t.options().remove(drop, given); err != nil {
		return nil, inLock("update", err)
	}
	def := without(old, drop...)
	maps.Copy(def, with)
	if def["content"] == nil {
		def["content"] = t.byDefault
	}
	c.w.Storages = slices.Clone(c.w.Storages)
	for i, s := range c.w.Storages {
		if s["storage"] == id {
			c.w.Storages[i] = def
		}
	}
	c.w.storagesChanged(id)
	return Object{"storage": id, "type": old["type"]}, nil
}

// listText is a parameter that may have come as a list, as comma list.
func listText(v any) string {
	list, ok := v.([]any)
	if !ok {
		return text(v)
	}
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = text(e)
	}
	return strings.Join(parts, ",")
}

// removeStorage forgets a storage, and with it the rights on it; its volumes stay where they are.
func removeStorage(c *call) (any, error) {
	id := c.vars["storage"]
	if c.w.Storage(id) == nil {
		return nil, inLock("delete", fail("storage '%s' does not exist", id))
	}
	for _, s := range c.w.Storages {
		if base, _, _ := strings.Cut(text(s["base"]), ":"); base == id {
			return nil, inLock("delete", fail("can't remove storage - storage is used as base of another storage"))
		}
	}
	c.w.Storages = slices.DeleteFunc(slices.Clone(c.w.Storages), func(s Object) bool { return s["storage"] == id })
	c.w.Access.ACL = slices.DeleteFunc(slices.Clone(c.w.Access.ACL), func(o Object) bool { return o["path"] == "/storage/"+id })
	c.w.storagesChanged(id)
	return nil, nil //nolint:nilnil // the answer is null
}

// activate is what a node tries with a new storage that is enabled on it.
func (w *World) activate(n *Node, def Object) error {
	if n == nil || truth(def["disable"]) || !onNode(def, n.Name) {
		return nil
	}
	id := text(def["storage"])
	switch kind := text(def["type"]); kind {
	case "pbs":
		if !w.answers(def) {
			return fail("%s: error fetching datastores - %s", id, w.unreachable(backupServer(def)).client)
		}
	case "nfs", "cifs", "cephfs", "iscsi", "esxi":
		if !w.answers(def) {
			return fail("storage '%s' is not online", id)
		}
	case "zfspool":
		if w.alike(n, def) == nil {
			return fail("could not activate storage '%s', zfs error: cannot import '%s': no such pool available", id, text(def["pool"]))
		}
	case "dir", "btrfs":
		mount := text(def["is_mountpoint"])
		if contains([]string{"1", "yes", "true", "on"}, mount) {
			mount = text(def["path"])
		}
		if strings.HasPrefix(mount, "/") && w.alike(n, def) == nil {
			return fail("unable to activate storage '%s' - directory is expected to be a mount point but is not mounted: '%s'", id, mount)
		}
	}
	return nil
}

// backupServer is the address of a backup server.
func backupServer(def Object) string {
	port := text(def["port"])
	if port == "" {
		port = "8007" // its default
	}
	return "https://" + text(def["server"]) + ":" + port
}

// answers is whether a storage's server does: one of World.Servers, or one that another storage has.
func (w *World) answers(def Object) bool {
	server := serverOf(def)
	if contains(w.Servers, server) {
		return true
	}
	if a, err := netip.ParseAddr(server); err == nil && a.IsLoopback() {
		return false
	}
	return slices.ContainsFunc(w.Storages, func(s Object) bool { return serverOf(s) == server && server != "" })
}

func serverOf(def Object) string {
	for _, k := range []string{"server", "portal", "monhost"} {
		if s := text(def[k]); s != "" {
			return s
		}
	}
	return ""
}

// alike gives the status of an active storage of the node that stands on the same volume group, pool or path.
func (w *World) alike(n *Node, def Object) Object {
	for _, s := range w.Storages {
		same := s["type"] == def["type"] && s["vgname"] == def["vgname"] && s["pool"] == def["pool"] && s["path"] == def["path"]
		if row := n.storage(text(s["storage"])); same && row != nil && truth(row["active"]) {
			return row
		}
	}
	return nil
}

// onNode is whether a storage is meant for a node.
func onNode(def Object, node string) bool {
	nodes := splitList(text(def["nodes"]))
	return len(nodes) == 0 || contains(nodes, node)
}

// storagesChanged makes the digest anew and brings the nodes' rows of one storage in line with its definition.
func (w *World) storagesChanged(id string) {
	w.Storages = slices.Clone(w.Storages)
	digest := w.storageSum()
	for i, s := range w.Storages {
		w.Storages[i] = without(s)
		w.Storages[i]["digest"] = digest
	}
	def := w.Storage(id)
	for _, n := range w.Nodes {
		rows := slices.DeleteFunc(slices.Clone(n.Storage), func(s Object) bool { return s["storage"] == id })
		if def != nil && onNode(def, n.Name) {
			rows = append(rows, w.statusRow(n, def))
		}
		n.Storage = rows
	}
}

// statusRow is a storage as a node lists it.
func (w *World) statusRow(n *Node, def Object) Object {
	row := Object{"storage": def["storage"], "type": def["type"], "content": def["content"], "shared": bit(truth(def["shared"])),
		"enabled": bit(!truth(def["disable"])), "active": 0, "total": 0, "used": 0, "avail": 0}
	if truth(def["disable"]) {
		return row
	}
	figures := n.storage(text(def["storage"]))
	if figures == nil || !truth(figures["active"]) {
		figures = w.alike(n, def)
	}
	if kind := text(def["type"]); figures == nil && (kind == "dir" || kind == "btrfs") {
		figures = w.anyDirectory(n)
	}
	if figures == nil && !w.answers(def) {
		return row
	}
	row["active"] = 1
	for _, k := range []string{"total", "used", "avail", "used_fraction"} {
		if v, ok := figures[k]; ok {
			row[k] = v
		}
	}
	return row
}

// anyDirectory gives the status of a directory storage: directories of a node stand on one file system.
func (w *World) anyDirectory(n *Node) Object {
	for _, row := range n.Storage {
		if row["type"] == "dir" && truth(row["active"]) {
			return row
		}
	}
	root, _ := n.Info["status"].(Object)
	fs, _ := root["rootfs"].(Object)
	return Object{"total": fs["total"], "used": fs["used"], "avail": fs["avail"]}
}

// storageDigest is the digest that the definitions show.
func (w *World) storageDigest() string {
	if len(w.Storages) == 0 {
		return emptyDigest
	}
	return text(w.Storages[0]["digest"])
}

// storageSum is the digest of the definitions as they are.
func (w *World) storageSum() string {
	h := sha1.New() //nolint:gosec // see above
	for _, s := range w.Storages {
		_, _ = h.Write(encode(without(s, "digest"))) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}
