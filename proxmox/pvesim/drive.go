package pvesim

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// drive is the value of a drive key (scsi0, ide2, efidisk0, unused1): a property string whose first part is file.
type drive struct {
	key  string
	file string
	opts map[string]string // without file
}

var driveShape = lazy.Regexp(`^(?:ide[0-3]|sata[0-5]|scsi(?:[12]?\d|30)|virtio(?:\d|1[0-5])|efidisk0|tpmstate0)$`)

// isDriveKey is whether a configuration key of a VM is a drive in use.
func isDriveKey(key string) bool { return driveShape().MatchString(key) }

var unusedShape = lazy.Regexp(`^unused\d+$`)

// isUnusedKey is whether a key holds a volume that belongs to the guest and is not in use.
func isUnusedKey(key string) bool { return unusedShape().MatchString(key) }

// newDisk is the syntax that asks for a new volume: local:1, or 1 alone where a default storage is given.
var newDisk = lazy.Regexp(`^(?:([^/:\s]+):)?(\d+(?:\.\d+)?)$`)

// driveAliases are old names of options.
var driveAliases = map[string]string{"volume": "file", "bps_rd_length": "bps_rd_max_length", "bps_wr_length": "bps_wr_max_length",
	"iops_rd_length": "iops_rd_max_length", "iops_wr_length": "iops_wr_max_length"}

// driveFlags are the options that are yes or no.
var driveFlags = []string{"backup", "detect_zeroes", "iothread", "pre-enrolled-keys", "replicate", "ro", "scsiblock", "shared",
	"snapshot", "ssd"}

// parseDrive reads a value as it stands in a configuration or in a request; false where its options exclude each other.
func parseDrive(key, value string) (*drive, bool) {
	d := &drive{key: key, opts: map[string]string{}}
	for part := range strings.SplitSeq(value, ",") {
		if strings.TrimSpace(part) == "" { // "local-lvm:cloudinit," is what Terraform's provider sends
			continue
		}
		k, v, named := strings.Cut(part, "=")
		if !named {
			k, v = "file", part
		}
		if alias, ok := driveAliases[k]; ok {
			k = alias
		}
		if k == "file" {
			d.file = v
			continue
		}
		d.opts[k] = yesNo(k, v)
	}
	return d, d.file != "" && d.consistent()
}

// yesNo writes yes and no as the configuration has them.
func yesNo(k, v string) string {
	if !contains(driveFlags, k) {
		return v
	}
	switch strings.ToLower(v) {
	case "on", "yes", "true":
		return "1"
	case "off", "no", "false":
		return "0"
	}
	return v
}

// consistent tells whether the options go together: not a limit for all beside one for reads or writes, and nothing for
// a CD that only disks have.
func (d *drive) consistent() bool {
	for _, limit := range []string{"mbps", "iops"} {
		for _, burst := range []string{"", "_max"} {
			if d.opts[limit+burst] != "" && d.opts[limit+"_rd"+burst]+d.opts[limit+"_wr"+burst] != "" {
				return false
			}
		}
	}
	if d.opts["media"] != "cdrom" {
		return true
	}
	return d.opts["snapshot"]+d.opts["trans"]+d.opts["format"] == "" && !strings.HasPrefix(d.key, "virtio")
}

// String is the value as the configuration holds it: the volume, then the options by name (05/022), without the one
// that only says how a volume is made.
func (d *drive) String() string {
	var b strings.Builder
	b.WriteString(d.file)
	for _, k := range slices.Sorted(maps.Keys(d.opts)) {
		if k != "import-from" {
			b.WriteString("," + k + "=" + d.opts[k])
		}
	}
	return b.String()
}

// isCDROM is whether the drive is a CD drive, cloud-init drives included.
func (d *drive) isCDROM() bool { return d.opts["media"] == "cdrom" }

// isCloudInit is whether the drive holds generated cloud-init data.
func (d *drive) isCloudInit() bool {
	return d.isCDROM() && (strings.HasSuffix(d.file, ":cloudinit") || cloudInitShape().MatchString(d.file))
}

var cloudInitShape = lazy.Regexp(`[:/]vm-\d+-cloudinit(?:\.\w+)?$`)

// asksNew is whether the value asks for a new volume: its storage, its size in GiB.
func (d *drive) asksNew() (store, size string, ok bool) {
	m := newDisk().FindStringSubmatch(d.file)
	if m == nil || d.isCDROM() {
		return "", "", false
	}
	return m[1], m[2], true
}

// asksCloudInit is whether the value asks for a new cloud-init drive, on which storage.
func (d *drive) asksCloudInit() (store string, ok bool) {
	store, name, found := strings.Cut(d.file, ":")
	if d.file == "cloudinit" {
		return "", true
	}
	return store, found && name == "cloudinit"
}

// printSize writes bytes as the option size has them: in the largest unit that leaves no rest (05/022, 05/037). Nothing
// is 0T.
func printSize(n int64) string {
	unit := ""
	for _, u := range []string{"K", "M", "G", "T"} {
		if n%1024 != 0 {
			break
		}
		n, unit = n/1024, u
	}
	return strconv.FormatInt(n, 10) + unit
}

// driveKeys are the keys of a configuration that are drives in use, sorted as text, which is the order in which the
// real one goes through them.
func driveKeys[V any](config map[string]V) []string {
	var list []string
	for k := range config {
		if isDriveKey(k) {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	return list
}

// volumeParts are what the name of a volume tells.
type volumeParts struct {
	kind   string // images, iso, vztmpl, backup, snippets, import, rootdir
	vmid   int    // owner, 0 = none
	format string
	base   string // the volume that it is a linked clone of, without storage
}

var (
	imageOnFiles = lazy.Regexp(`^(?:(\d+/\S+)/)?(\d+)/(\S+)$`)
	imageName    = lazy.Regexp(`^[^/\s]+\.(raw|qcow2|vmdk|subvol)$`)
	imageOnPool  = lazy.Regexp(`^(?:((?:base|basevol)-\d+-\S+)/)?(?:vm|base|subvol|basevol)-(\d+)-\S+$`)
	// snapshotOnServer is a backup on a backup server (source: pve-storage, PBSPlugin.pm).
	snapshotOnServer = lazy.Regexp(`^backup/(vm|ct|host)/([^\s_]+)/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$`)
	backupOwner      = lazy.Regexp(`vzdump-(?:lxc|qemu|openvz)-(\d+)-`)
)

// fileShapes are the names of files by the directory that tells their content.
var fileShapes = map[string]func() *regexp.Regexp{
	"iso":      lazy.Regexp(`^[^/]+\.(?i:iso|img)$`),
	"vztmpl":   lazy.Regexp(`^[^/]+\.tar(?:\.(?:gz|xz|zst|bz2))?$`),
	"backup":   lazy.Regexp(`^[^/]+\.(?:tgz|(?:tar|vma)(?:\.(?:gz|lzo|zst|bz2))?)$`),
	"snippets": lazy.Regexp(`^[^/]+$`),
	"import":   lazy.Regexp(`^[^/]+\.(?:ova|ovf|qcow2|raw|vmdk)(?:/.+)?$`),
	"rootdir":  lazy.Regexp(`^\d+$`),
}

// parseVolume takes the name of a volume (what follows the storage) apart as the storage's type does.
func parseVolume(kind, name string) (volumeParts, error) {
	if m := snapshotOnServer().FindStringSubmatch(name); kind == "pbs" && m != nil {
		return volumeParts{kind: contentBackup, vmid: int(integer(m[2])), format: "pbs-" + m[1]}, nil
	}
	if !onFiles(kind) {
		m := imageOnPool().FindStringSubmatch(name)
		if m == nil {
			return volumeParts{}, fail("unable to parse %s volume name '%s'", poolWord(kind), name)
		}
		p := volumeParts{kind: contentImages, vmid: int(integer(m[2])), format: "raw", base: m[1]}
		if strings.Contains(path.Base(name), "subvol") || strings.Contains(path.Base(name), "basevol") {
			p.format = "subvol"
		}
		return p, nil
	}
	if m := imageOnFiles().FindStringSubmatch(name); m != nil {
		format := imageName().FindStringSubmatch(m[3])
		if format == nil {
			return volumeParts{}, fail("unable to parse volume filename '%s'", m[3])
		}
		return volumeParts{kind: contentImages, vmid: int(integer(m[2])), format: format[1], base: m[1]}, nil
	}
	dir, file, _ := strings.Cut(name, "/")
	if shape, ok := fileShapes[dir]; !ok || !shape().MatchString(file) {
		return volumeParts{}, fail("unable to parse directory volume name '%s'", name)
	}
	p := volumeParts{kind: dir, format: "raw"}
	if m := backupOwner().FindStringSubmatch(file); dir == "backup" && m != nil {
		p.vmid = int(integer(m[1]))
	}
	if m := imageName().FindStringSubmatch(path.Base(file)); dir == "import" && m != nil {
		p.format = m[1]
	}
	return p, nil
}

// poolWord is how a storage type calls itself in errors about names.
func poolWord(kind string) string {
	switch kind {
	case "lvmthin":
		return "lvm"
	case "zfspool":
		return "zfs"
	case "pbs":
		return "PBS"
	}
	return kind
}

// volumeOf takes a volume id apart by the type of its storage. An error is that of an unknown storage or a bad name.
func (w *World) volumeOf(volid string) (volumeParts, error) {
	store, name, ok := strings.Cut(volid, ":")
	if !ok || store == "" {
		return volumeParts{}, fail("unable to parse volume ID '%s'", volid)
	}
	def := w.Storage(store)
	if def == nil {
		return volumeParts{}, fail("storage '%s' does not exist", store)
	}
	return parseVolume(text(def["type"]), name)
}

// owns is whether the volume belongs to the guest by its name; only then the guest's disks can be erased with it
// (05/043: a disk of another VM leaves no unused entry).
func (w *World) owns(vmid int, volid string) bool {
	p, err := w.volumeOf(volid)
	return err == nil && p.kind == contentImages && p.vmid == vmid
}
