package pvesim

import (
	"fmt"
	"slices"
	"strings"
)

// Sizes that the real one gives to disks whatever size is asked for.
const (
	tpmStateSize  = 4 << 20  // 05/024
	cloudInitSize = 4 << 20  // 03/009
	efiVars4M     = 540672   // the variable store of OVMF for 4m flash: 528K in configurations
	efiVars2M     = 131072   // the same for 2m flash
	maxFileSize   = 16 << 40 // largest file of the file systems below directory storages (03/044)
	importSize    = 64 << 20 // what the image to import of the recordings unfolds to (05/045); lists show its file only
	sectorSize    = 512      // image sizes are whole sectors (05/042: 70000 bytes of ISO are size=70144)
	extentSize    = 4 << 20  // LVM gives whole extents
)

type logger = func(format string, args ...any)

// placing is the work on the drives of one request.
type placing struct {
	w    *World
	n    *Node
	g    *Guest
	log  logger
	made []string // volumes, in the order of their making
	done Object
}

// placeDrives makes what the drive values of a request ask for (new volumes, cloud-init drives, imports), looks at the
// volumes that they name (disks of this guest or others, ISO images) and gives the values that the configuration will
// hold. undo removes what was made; a failure has already undone it. Keys are taken in text order, so efidisk0 gets the
// first disk number and virtio0 the last.
func (w *World) placeDrives(n *Node, g *Guest, drives map[string]string, log logger) (values Object, undo func(), err error) {
	p := &placing{w: w, n: n, g: g, log: log, done: Object{}}
	list, err := w.readDrives(n, drives)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range list {
		if err := p.place(d); err != nil {
			p.undo()
			return nil, nil, err
		}
		p.done[d.key] = d.String()
	}
	return p.done, p.undo, nil
}

func (p *placing) undo() {
	for _, volid := range p.made {
		p.w.dropVolume(p.n, volid)
	}
}

func (p *placing) place(d *drive) error {
	if store, ok := d.asksCloudInit(); ok {
		return p.placeCloudInit(d, store)
	}
	if store, size, ok := d.asksNew(); ok {
		return p.placeNew(d, store, size)
	}
	if d.file == "none" || d.file == "cdrom" {
		delete(d.opts, "size")
		return nil
	}
	return p.placeExisting(d)
}

// placeCloudInit makes the guest's one cloud-init drive; its size is not in the configuration (03/010).
func (p *placing) placeCloudInit(d *drive, store string) error {
	if store == "" {
		return fail("no storage ID specified (and no default storage)")
	}
	if err := p.onlyCloudInit(d); err != nil {
		return err
	}
	def := p.w.Storage(store)
	if def == nil {
		return fail("storage '%s' does not exist", store)
	}
	spec := volumeSpec{vmid: p.g.VMID, kind: contentImages, format: d.opts["format"], name: fmt.Sprintf("vm-%d-cloudinit", p.g.VMID), size: cloudInitSize}
	if onFiles(text(def["type"])) {
		if spec.format == "" {
			spec.format = "qcow2"
		}
		spec.name += "." + spec.format
	}
	if err := p.allocate(d, store, spec); err != nil {
		return err
	}
	d.opts["media"] = "cdrom"
	p.log("%s: successfully created disk '%s'", d.key, d)
	return nil
}

func (p *placing) onlyCloudInit(d *drive) error {
	for _, config := range []Object{p.g.Config, p.g.Pending, p.done} {
		for _, key := range driveKeys(config) {
			if other, ok := parseDrive(key, text(config[key])); ok && key != d.key && other.isCloudInit() {
				return fail("%s - cloud-init drive is already attached at '%s'", d.key, key)
			}
		}
	}
	return nil
}

// placeNew makes a new disk, empty or from an image.
func (p *placing) placeNew(d *drive, store, size string) error {
	if store == "" {
		return fail("no storage ID specified (and no default storage)")
	}
	spec := volumeSpec{vmid: p.g.VMID, kind: contentImages, format: d.opts["format"], size: kibibytes(number(size))}
	var err error
	switch {
	case d.opts["import-from"] != "":
		spec.size, spec.format, err = p.source(store, d)
	case d.key == "tpmstate0":
		spec.size, spec.format = tpmStateSize, "raw"
	case d.key == "efidisk0":
		spec.size, err = p.n.firmware(d, p.g.merged())
	}
	if err != nil {
		return err
	}
	from := d.opts["import-from"]
	if from != "" {
		p.log("create full clone of drive %s (%s)", d.key, from)
	}
	if err := p.allocate(d, store, spec); err != nil {
		return err
	}
	d.opts["size"] = printSize(p.sizeOf(d, spec.size))
	if from != "" {
		p.log("allocated target volume '%s'", d.file)
		transferLines(p.log, spec.size)
	}
	p.log("%s: successfully created disk '%s'", d.key, d)
	return nil
}

// sizeOf is what the configuration says of a new disk's size: as asked for, but for firmware variables what there is.
func (p *placing) sizeOf(d *drive, asked int64) int64 {
	if v := p.n.volume(d.file); v != nil && d.key == "efidisk0" {
		return integer(v["size"])
	}
	return asked
}

// kibibytes rounds a size in GiB up to whole KiB, the unit that volumes are made in (05/037: 0.1 is 104858K).
func kibibytes(gib float64) int64 {
	kib := gib * (1 << 20)
	n := int64(kib)
	if float64(n) < kib {
		n++
	}
	return n << 10
}

// allocate makes the volume and puts its id into the drive.
func (p *placing) allocate(d *drive, store string, spec volumeSpec) error {
	volid, err := p.w.allocateImage(p.n, store, spec, p.log)
	if err != nil {
		return err
	}
	p.made = append(p.made, volid)
	d.file = volid
	delete(d.opts, "format") // the volume's name says it, or its storage
	return nil
}

// firmware gives the size of the variable store. Which firmware belongs to it depends on the kind of machine: q35 has
// the mode that secure boot needs. Without the firmware's package there is none to copy from (05/023).
func (n *Node) firmware(d *drive, config Object) (int64, error) {
	code, size := "OVMF_CODE.fd", int64(efiVars2M)
	if d.opts["efitype"] == "4m" {
		code, size = "OVMF_CODE_4M.fd", efiVars4M
		if strings.Contains(text(config["machine"]), "q35") {
			code = "OVMF_CODE_4M.secboot.fd"
		}
	}
	if !n.hasPackage("pve-edk2-firmware") {
		return 0, fail("EFI base image '/usr/share/pve-edk2-firmware//%s' not found", code)
	}
	return size, nil
}

// hasPackage is whether the node has a package of Proxmox VE, as far as its list of packages is known.
func (n *Node) hasPackage(name string) bool {
	list, _ := objects(n.Info["apt_versions"])
	return len(list) == 0 || slices.ContainsFunc(list, func(o Object) bool { return o["Package"] == name })
}

// source gives the virtual size of an image to import and the format that it gets.
func (p *placing) source(store string, d *drive) (int64, string, error) {
	from := d.opts["import-from"]
	v := p.n.volume(from)
	if v == nil {
		v = p.w.volumeAt(p.n, from)
	}
	switch {
	case v == nil && !strings.Contains(from, ":"):
		return 0, "", fail("can't find file '%s'", from)
	case v == nil:
		return 0, "", fail("failed to stat '%s'", p.w.pathOf(from)) // 05/046
	case cloudInitShape().MatchString(from):
		return 0, "", fail("cannot import from '%s' - cannot import from cloudinit disk", from)
	}
	format := d.opts["format"]
	if format == "" {
		format = text(v["format"])
	}
	return virtualSize(v), p.w.formatOn(store, format), nil
}

// formatOn is a format that the storage takes: the one that is wished for, or its default.
func (w *World) formatOn(store, format string) string {
	formats := formatsOf(text(w.Storage(store)["type"]))
	if list, ok := formats["supported"].([]string); ok && contains(list, format) {
		return format
	}
	return text(formats["default"])
}

// virtualSize is the size of the disk that a volume holds, in whole sectors. Of images to import the lists have the
// file's size alone.
func virtualSize(v Object) int64 {
	if a, ok := v["attributes"].(Object); ok && a["size"] != nil {
		return integer(a["size"])
	}
	if v["content"] == "import" && v["format"] != "raw" {
		return unfolded(integer(v["size"]))
	}
	return (integer(v["size"]) + sectorSize - 1) / sectorSize * sectorSize
}

// unfolded guesses the size of the disk in an image whose list entry has the file's size alone. An empty qcow2 file is
// three clusters and 8 bytes for each 512 MiB of the disk.
func unfolded(file int64) int64 {
	const clusters, entry, reach = 3 * 65536, 8, 512 << 20
	if parts := (file - clusters) / entry; parts > 1 && parts <= 1024 && file == clusters+parts*entry {
		return parts * reach
	}
	return importSize
}

// placeExisting takes a volume that is there: a disk, an ISO image, or a disk of the node itself.
func (p *placing) placeExisting(d *drive) error {
	size, err := p.existing(d)
	if err != nil {
		return err
	}
	d.opts["size"] = printSize(size)
	return nil
}

func (p *placing) existing(d *drive) (int64, error) {
	if strings.HasPrefix(d.file, "/") {
		if size := p.n.deviceSize(d.file); size > 0 {
			return size, nil
		}
		return 0, fail("volume %s does not exist", d.file) // 05/036
	}
	if d.isCloudInit() {
		if err := p.onlyCloudInit(d); err != nil {
			return 0, err
		}
	}
	store, _, _ := strings.Cut(d.file, ":")
	if err := p.w.usable(p.n, store); err != nil {
		return 0, err
	}
	v := p.n.volume(d.file)
	if v == nil {
		return 0, fail("volume '%s' does not exist", d.file) // 05/028, 05/041
	}
	return virtualSize(v), nil
}

// deviceSize is the size of a disk of the node, 0 when there is none.
func (n *Node) deviceSize(file string) int64 {
	list, _ := objects(n.Info["disks"])
	for _, o := range list {
		if o["devpath"] == file || o["by_id_link"] == file {
			return integer(o["size"])
		}
	}
	return 0
}
