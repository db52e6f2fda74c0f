package pvesim

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// Kinds of what a container mounts.
const (
	mountVolume = "volume"
	mountDevice = "device"
	mountBind   = "bind"
)

// mountPoint is the value of rootfs, mpN or unusedN of a container.
type mountPoint struct {
	key  string
	opts props
}

var (
	mountShape   = lazy.Regexp(`^(?:rootfs|mp\d+)$`)
	newRootShape = lazy.Regexp(`^([^:\s]+):(\d+(?:\.\d+)?)$`)
)

// isMount is whether a key of a container's configuration is something that is mounted.
func isMount(key string) bool { return mountShape().MatchString(key) }

// parseMountPoint takes a mount point apart. A key that is not set fails with what its value lacks (07/050, 07/062).
func parseMountPoint(key, value string) (*mountPoint, error) {
	p, err := parseProperty(propertyOf(typeLXC, key), "", value)
	if bad, ok := errors.AsType[*formatError](err); ok {
		return nil, &apiError{status: 500, message: "format error\n", errors: bad.problems}
	}
	if err != nil {
		return nil, err
	}
	if dir, ok := p["mp"]; ok {
		p["mp"] = cleanMountPath(dir)
	}
	return &mountPoint{key, p}, nil
}

// cleanMountPath makes the path in the container absolute and takes out what stands for nothing (07/024).
func cleanMountPath(dir string) string {
	dir = "/" + dir
	for strings.Contains(dir, "//") {
		dir = strings.ReplaceAll(dir, "//", "/")
	}
	dir = strings.ReplaceAll(dir, "/./", "/")
	dir = strings.TrimSuffix(dir, "/.")
	return strings.TrimSuffix(dir, "/")
}

// kind is whether a volume, a device of the node or one of its directories is mounted.
func (m *mountPoint) kind() string {
	switch v := m.opts["volume"]; {
	case strings.HasPrefix(v, "/dev/"):
		return mountDevice
	case strings.HasPrefix(v, "/"):
		return mountBind
	}
	return mountVolume
}

// asksNew is whether a new volume is wanted: a storage and a size in GiB.
func (m *mountPoint) asksNew() (store string, gib float64, ok bool) {
	if found := newRootShape().FindStringSubmatch(m.opts["volume"]); found != nil && m.kind() == mountVolume {
		return found[1], number(found[2]), true
	}
	return "", 0, false
}

// store is the storage of a volume.
func (m *mountPoint) store() string {
	id, _, _ := strings.Cut(m.opts["volume"], ":")
	return id
}

// String writes the mount point as configurations have it: the volume, the path, the other options by name.
func (m *mountPoint) String() string { return printProperty(propertyOf(typeLXC, m.key), m.opts) }

// with is the same mount point of another volume and size.
func (m *mountPoint) with(volid string, size int64) *mountPoint {
	p := maps.Clone(m.opts)
	p["volume"], p["size"] = volid, text(size)
	return &mountPoint{m.key, p}
}

// mountKeys are the keys of a configuration that are mounted, in the real order: rootfs, mp0, mp1...
func mountKeys[V any](config map[string]V) []string {
	var list []string
	for key := range config {
		if isMount(key) {
			list = append(list, key)
		}
	}
	slices.SortFunc(list, func(a, b string) int { return int(mountNumber(a) - mountNumber(b)) })
	return list
}

func mountNumber(key string) int64 {
	if n, ok := strings.CutPrefix(key, "mp"); ok {
		return integer(n)
	}
	return -1
}

// allocateRoot makes a volume for a container on a storage: a file system in a raw volume, or a directory where the
// storage has file systems of its own or the size is 0 (06/004, 07/021).
func (w *World) allocateRoot(n *Node, vmid int, store string, size int64, log logger) (string, error) {
	def := w.Storage(store)
	if def == nil {
		return "", fail("storage '%s' does not exist", store)
	}
	if !contains(splitList(text(def["content"])), contentRootDir) {
		return "", fail("content type 'rootdir' is not available on storage '%s'", store)
	}
	spec := volumeSpec{vmid: vmid, kind: contentRootDir, format: "raw", size: size}
	kind := text(def["type"])
	if kind == "zfspool" || kind == "btrfs" && truth(def["quotas"]) || onFiles(kind) && size == 0 {
		spec.format, log = "subvol", func(string, ...any) {}
	}
	volid, err := w.allocateImage(n, store, spec, log)
	if err == nil && spec.format == "raw" {
		newExt4(size).describe(w.newUUID(), log)
	}
	return volid, err
}

// rootBytes is the size of a volume of so many GiB; it is made in whole MiB.
func rootBytes(gib float64) int64 { return int64(gib*1024) * mib }

// placeMounts makes the new volumes that mount points ask for and gives the values that the configuration will hold.
// Others are kept, in the configuration's order of options where print is set, as a create does. undo removes what was
// made; a failure has already undone it.
func (w *World) placeMounts(n *Node, vmid int, mounts map[string]string, log logger) (values Object, undo func(), err error) {
	var made []string
	undo = func() {
		for _, volid := range made {
			w.dropVolume(n, volid)
		}
	}
	values = Object{}
	for _, key := range mountKeys(mounts) {
		m, err := parseMountPoint(key, mounts[key])
		if err != nil {
			undo()
			return nil, nil, err
		}
		if store, gib, ok := m.asksNew(); ok {
			size := rootBytes(gib)
			volid, err := w.allocateRoot(n, vmid, store, size, log)
			if err != nil {
				undo()
				return nil, nil, err
			}
			made = append(made, volid)
			m = m.with(volid, size)
		}
		values[key] = m.String()
	}
	return values, undo, nil
}

// volumeSize is the size of a volume in bytes, and whether it is there.
func (n *Node) volumeSize(volid string) (int64, bool) {
	row := n.volume(volid)
	return integer(row["size"]), row != nil
}
