package pvesim

import (
	"maps"
	"strings"
)

func storageRoutes() []route {
	use := need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")
	return append(daemon(
		get("/nodes/{node}/storage", anyone, listStorage),
		get("/nodes/{node}/storage/{storage}/status", use, storageStatus)),
		index("/nodes/{node}/storage/{storage}", "subdir", "content download-url file-restore import-metadata identity "+
			"oci-registry-pull prunebackups rrd rrddata status upload"),
		get("/storage", anyone, listDefinitions),
		get("/storage/{storage}", need("/storage/{storage}", "Datastore.Allocate"), getDefinition))
}

func listDefinitions(c *call) (any, error) {
	out := []Object{}
	for _, def := range c.w.Storages {
		id := text(def["storage"])
		if kind := c.param("type"); kind != "" && kind != def["type"] {
			continue
		}
		if c.may("/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace", "Datastore.Allocate") {
			out = append(out, def)
		}
	}
	return out, nil
}

func getDefinition(c *call) (any, error) {
	def := c.w.Storage(c.vars["storage"])
	if def == nil {
		return nil, fail("storage '%s' does not exist", c.vars["storage"])
	}
	return def, nil
}

// listStorage is the status of the node's storages. A target narrows it to storages that this node shares with it.
func listStorage(c *call) (any, error) {
	out := []Object{}
	for _, s := range c.node.Storage {
		if c.wantsStorage(s) {
			out = append(out, c.storageStatusRow(s))
		}
	}
	return out, nil
}

func (c *call) wantsStorage(s Object) bool {
	id := text(s["storage"])
	if f := c.param("storage"); f != "" && f != id {
		return false
	}
	if t := c.param("target"); t != "" && t != c.node.Name && !c.targetHas(t, s) {
		return false
	}
	if c.param("enabled") == "1" && !truth(s["enabled"]) {
		return false
	}
	if f := c.param("content"); f != "" && (!truth(s["enabled"]) || !overlap(splitList(f), splitList(text(s["content"])))) {
		return false
	}
	return c.may("/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace")
}

func (c *call) targetHas(node string, s Object) bool {
	other := c.w.Node(node)
	return other != nil && truth(s["shared"]) && other.storage(text(s["storage"])) != nil
}

func overlap(a, b []string) bool {
	for _, s := range a {
		if contains(b, s) {
			return true
		}
	}
	return false
}

func (c *call) storageStatusRow(s Object) Object {
	out := clone(s)
	if c.param("format") == "1" && truth(s["enabled"]) {
		formats := formatsOf(text(s["type"]))
		valid := Object{}
		for _, f := range formats["supported"].([]string) { //nolint:forcetypeassert // made two lines above
			valid[f] = 1
		}
		out["formats"], out["format"] = formats, []any{valid, formats["default"]}
	}
	return out
}

// formatsOf tells the image formats of a storage type (02/087).
func formatsOf(kind string) Object {
	switch kind {
	case "dir", "nfs", "cifs", "btrfs", "cephfs":
		return Object{"default": "raw", "supported": []string{"qcow2", "raw", "subvol", "vmdk"}}
	case "zfspool":
		return Object{"default": "raw", "supported": []string{"raw", "subvol"}}
	}
	return Object{"default": "raw", "supported": []string{"raw"}}
}

func storageStatus(c *call) (any, error) {
	s := c.node.storage(c.vars["storage"])
	if s == nil {
		return nil, badParam("storage", "No such storage.")
	}
	out := maps.Clone(s)
	delete(out, "storage")
	delete(out, "used_fraction")
	return out, nil
}

// usableStorage checks that a storage exists and can be used on the request's node.
func (c *call) usableStorage(id string) error { return c.w.usable(c.node, id) }

// volumeID gives the full id of a volume that may stand with or without its storage.
func volumeID(store, volume string) string {
	if strings.Contains(volume, ":") {
		return volume
	}
	return store + ":" + volume
}
