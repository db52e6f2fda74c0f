package pvesim

import (
	"fmt"
	"path"
	"strings"
)

// usable checks that a storage exists and can be used on a node.
func (w *World) usable(n *Node, store string) error {
	if w.Storage(store) == nil {
		return fail("storage '%s' does not exist", store)
	}
	s := n.storage(store)
	switch {
	case s == nil:
		return fail("storage '%s' is not available on node '%s'", store, n.Name)
	case !truth(s["enabled"]):
		return fail("storage '%s' is disabled", store)
	case !truth(s["active"]):
		return fail("storage '%s' is not online", store)
	}
	return nil
}

// allocateImage makes a volume as the storage's type makes it: names, formats, sizes and the lines that its tools print.
func (w *World) allocateImage(n *Node, store string, spec volumeSpec, log logger) (string, error) {
	if err := w.usable(n, store); err != nil {
		return "", err
	}
	kind := text(w.Storage(store)["type"])
	if spec.format == "" {
		spec.format = w.defaultFormat(store)
	}
	if !contains(formatsOf(kind)["supported"].([]string), spec.format) { //nolint:forcetypeassert // formatsOf has it
		return "", fail("unsupported format '%s'", spec.format)
	}
	if spec.name == "" {
		spec.name = w.freeName(n, store, spec)
		if onFiles(kind) {
			spec.name += "." + spec.format
		}
	}
	if spec.format == "subvol" && onFiles(kind) && spec.size != 0 {
		return "", fail("storage does not support subvol quotas")
	}
	if onFiles(kind) {
		return w.allocateFile(n, store, spec, log)
	}
	return w.allocateOnPool(n, store, kind, spec, log)
}

// defaultFormat is the format of new volumes of a storage.
func (w *World) defaultFormat(store string) string {
	def := w.Storage(store)
	if f := text(def["format"]); f != "" {
		return f
	}
	return text(formatsOf(text(def["type"]))["default"])
}

// allocateFile makes a file below images/VMID of a directory storage.
func (w *World) allocateFile(n *Node, store string, spec volumeSpec, log logger) (string, error) {
	m := imageName().FindStringSubmatch(spec.name)
	if m == nil {
		return "", fail("unable to parse volume filename '%s'", spec.name)
	}
	if m[1] != spec.format {
		return "", fail("illegal name '%s' - wrong extension for format ('%s != '%s')", spec.name, m[1], spec.format)
	}
	volid := volumeIDFor(text(w.Storage(store)["type"]), store, spec)
	file := w.pathOf(volid)
	if n.volume(volid) != nil {
		return "", fail("disk image '%s' already exists", file) // 05/103
	}
	log("%s", formatLine(file, spec))
	if spec.size > maxFileSize {
		return "", fail("unable to create image: qemu-img: %s: The image size is too large for file format '%s'", file, spec.format)
	}
	return w.addVolume(n, store, spec)
}

// formatLine is what qemu-img prints of a new image (03/009, 05/067, 08/057).
func formatLine(file string, spec volumeSpec) string {
	head := fmt.Sprintf("Formatting '%s', fmt=%s", file, spec.format)
	if spec.format == "raw" {
		return fmt.Sprintf("%s size=%d preallocation=off", head, spec.size)
	}
	if spec.format == "vmdk" {
		return fmt.Sprintf("%s size=%d compat6=off hwversion=undefined", head, spec.size)
	}
	cluster, extended, backing := 65536, "off", ""
	if spec.base != "" {
		_, base, _ := strings.Cut(spec.base, ":")
		cluster, extended = 131072, "on"
		backing = fmt.Sprintf(" backing_file=../%s backing_fmt=%s", base, strings.TrimPrefix(path.Ext(base), "."))
	}
	return fmt.Sprintf("%s cluster_size=%d extended_l2=%s preallocation=metadata compression_type=zlib size=%d%s lazy_refcounts=off refcount_bits=16",
		head, cluster, extended, spec.size, backing)
}

// allocateOnPool makes a volume where volumes are no files; names must tell the owner there.
func (w *World) allocateOnPool(n *Node, store, kind string, spec volumeSpec, log logger) (string, error) {
	if prefix := fmt.Sprintf("-%d-", spec.vmid); !strings.Contains(spec.name, prefix) {
		return "", fail("illegal name '%s' - should be 'vm-%d-*'", spec.name, spec.vmid)
	}
	unit := int64(1 << 20) // zfs and rbd
	if strings.HasPrefix(kind, "lvm") {
		unit = extentSize
	}
	spec.size = (spec.size + unit - 1) / unit * unit
	volid, err := w.addVolume(n, store, spec)
	if err == nil && strings.HasPrefix(kind, "lvm") {
		log("  Logical volume %q created.", spec.name)
	}
	return volid, err
}
