package pvesim

import (
	"strconv"
)

var contentTypes = []string{"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"}

func contentRoutes() []route {
	base := "/nodes/{node}/storage/{storage}/content"
	use := need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")
	return daemon(
		get(base, use, listContent),
		get(base+"/{volume...}", anyone, getVolume))
}

func listContent(c *call) (any, error) {
	id := c.vars["storage"]
	if err := c.usableStorage(id); err != nil {
		return nil, err
	}
	out := []Object{}
	for _, v := range c.node.Content[id] {
		kind := c.param("content")
		if kind != "" && !contains(splitList(kind), text(v["content"])) {
			continue
		}
		if c.ofGuest(v) && c.seesVolume(id, v) {
			out = append(out, without(v, "attributes"))
		}
	}
	return out, nil
}

// ofGuest applies the filter vmid, which does not look at snippets and imports (02/097).
func (c *call) ofGuest(v Object) bool {
	kind := v["content"]
	return !c.given("vmid") || kind == "snippets" || kind == "import" || text(v["vmid"]) == c.param("vmid")
}

// seesVolume hides what belongs to guests that the caller may not see; backups need more than the rights on the
// storage (11/066).
func (c *call) seesVolume(id string, v Object) bool {
	if c.may("/storage/"+id, "Datastore.Allocate") {
		return true
	}
	vmid := text(v["vmid"])
	switch text(v["content"]) {
	case "images", "rootdir":
		return vmid != "" && c.may("/vms/"+vmid, "VM.Audit", "VM.Config.Disk")
	case "backup":
		return vmid != "" && c.may("/vms/"+vmid, "VM.Backup") && c.may("/storage/"+id, "Datastore.AllocateSpace") || c.may("/storage/"+id, "Datastore.Audit") && vmid != "" && c.may("/vms/"+vmid, "VM.Audit")
	}
	return c.may("/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace")
}

// getVolume answers with the attributes of one volume (02/099). ISO images have them by their size alone.
func getVolume(c *call) (any, error) {
	volid, _, err := c.namedVolume()
	if err != nil {
		return nil, err
	}
	if err := c.mayUseVolume(0, volid); err != nil {
		return nil, err
	}
	if v := c.node.volume(volid); v != nil {
		return c.attributes(v), nil
	}
	return nil, fail("volume_size_info on '%s' failed - no format", volid)
}

// attributes is what a volume's own GET tells: sizes in whole sectors, and of backups the notes (09/002).
func (c *call) attributes(v Object) any {
	if a, ok := v["attributes"].(Object); ok {
		return a
	}
	format, size := text(v["format"]), integer(v["size"])
	out := Object{"size": size, "used": (size + 4095) / 4096 * 4096, "path": c.w.pathOf(text(v["volid"]))}
	switch text(v["content"]) {
	case "iso", "vztmpl", "snippets":
		format = "raw"
	case "backup":
		format = "raw"
		out["size"] = (size + sectorSize - 1) / sectorSize * sectorSize
		out["notes"], out["protected"] = text(v["notes"]), bit(truth(v["protected"]))
	case contentImages, contentRootDir:
		out["used"] = v["used"]
	}
	out["format"] = format
	return out
}

// vmids turns a comma list of numbers into a set.
func vmids(s string) map[int]bool {
	out := map[int]bool{}
	for _, p := range splitList(s) {
		if n, err := strconv.Atoi(p); err == nil {
			out[n] = true
		}
	}
	return out
}
