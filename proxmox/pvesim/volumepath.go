package pvesim

import (
	"path"
	"strings"
)

// pathOf is where a storage keeps a volume; "" for an unknown storage.
func (w *World) pathOf(volid string) string {
	store, name, _ := strings.Cut(volid, ":")
	def := w.Storage(store)
	if def == nil {
		return ""
	}
	kind := text(def["type"])
	if !onFiles(kind) {
		return poolPath(kind, def, name)
	}
	root := text(def["path"])
	if root == "" {
		root = "/mnt/pve/" + store
	}
	p, err := parseVolume(kind, name)
	if err != nil {
		return ""
	}
	if p.base != "" {
		name = strings.TrimPrefix(name, p.base+"/")
	}
	return volumePath(root, p.kind, store+":"+name, store)
}

// poolPath is the device of a volume of a storage without files.
func poolPath(kind string, def Object, name string) string {
	name = path.Base(name)
	switch kind {
	case "zfspool":
		if strings.HasPrefix(name, "subvol") || strings.HasPrefix(name, "basevol") {
			return "/" + text(def["pool"]) + "/" + name
		}
		return "/dev/zvol/" + text(def["pool"]) + "/" + name
	case "rbd":
		pool := text(def["pool"])
		if pool == "" {
			pool = "rbd"
		}
		return "/dev/rbd-pve/" + text(def["fsid"]) + "/" + pool + "/" + name
	}
	return "/dev/" + text(def["vgname"]) + "/" + name
}

// volumePath is where a directory storage keeps a volume.
func volumePath(root, kind, volid, id string) string {
	name := volid[len(id)+1:]
	switch kind {
	case "iso", "vztmpl":
		return root + "/template/" + map[string]string{"iso": "iso", "vztmpl": "cache"}[kind] + "/" + baseName(name)
	case "backup":
		return root + "/dump/" + baseName(name)
	case "snippets":
		return root + "/snippets/" + baseName(name)
	case "import":
		return root + "/import/" + baseName(name)
	}
	return root + "/images/" + name
}

func baseName(s string) string {
	parts := splitPath(s)
	if len(parts) == 0 {
		return s
	}
	return parts[len(parts)-1]
}
