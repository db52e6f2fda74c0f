package terraform

import (
	"slices"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// speeds are the attributes of a disk's speed block and their parts of the property string (rule B7).
var speeds = [][2]string{{"iops_read", "iops_rd"}, {"iops_read_burstable", "iops_rd_max"}, {"iops_write", "iops_wr"}, {"iops_write_burstable", "iops_wr_max"},
	{"read", "mbps_rd"}, {"read_burstable", "mbps_rd_max"}, {"write", "mbps_wr"}, {"write_burstable", "mbps_wr_max"}}

var (
	aioForms   = oneOf("io_uring", "native", "threads")
	cacheForms = oneOf("none", "writethrough", "writeback", "unsafe", "directsync")
)

// disks writes the disks in the order in which the provider sorts them: by bus, then by number (rule B5).
func (v *vm) disks() {
	for _, bus := range []string{"ide", "sata", "scsi", "virtio"} {
		for _, key := range v.g.Series(bus) {
			p := iac.ParseProps(key, v.conf.Str(key))
			file := p.Str("file")
			switch {
			case v.isCloudInit(file): // see initialization
			case file == "none" || p.Str("media") == "cdrom":
				if key != "ide3" {
					v.tell(key, iac.Unrepresented, "", "the provider reads a CD drive on ide3 alone")
				}
			default:
				v.disk(key)
			}
		}
	}
}

func (v *vm) disk(key string) {
	n := v.body.Count("disk")
	p := v.props(key, "disk["+strconv.Itoa(n)+"]")
	b := v.body.Block("disk")
	b.Set("interface", key)
	file := p.str("file")
	b.Set("datastore_id", datastore(file))
	if datastore(file) == "" {
		b.Set("path_in_datastore", file) // a block device (rule B8)
	}
	if f := p.str("format"); f != "" {
		b.Set("file_format", f)
	} else if e := extension(file); oneOf("qcow2", "raw", "vmdk")(e) {
		b.Set("file_format", e)
	}
	size, ok := gibs(p.str("size"))
	if b.Set("size", size); !ok {
		v.skip(at("disk", n, "size"), "below 1 GiB or not told, which the schema refuses")
	}
	v.diskOptions(p, b, n)
}

func (v *vm) diskOptions(p *parts, b *Body, n int) {
	if aio := p.str("aio"); aio != "" {
		v.choice(b, "aio", aio, at("disk", n, "aio"), aioForms)
	}
	p.flag(b, "backup", "backup", true)
	if cache := p.str("cache"); cache != "" {
		v.choice(b, "cache", cache, at("disk", n, "cache"), cacheForms)
	}
	p.text(b, "discard", "discard")
	p.flag(b, "iothread", "iothread", false)
	p.number(b, "queues", "queues")
	p.flag(b, "replicate", "replicate", true)
	if serial := p.str("serial"); serial != "" {
		v.choice(b, "serial", serial, at("disk", n, "serial"), func(s string) bool { return len(s) <= 20 })
	}
	p.flag(b, "ssd", "ssd", false)
	if slices.ContainsFunc(speeds, func(s [2]string) bool { _, ok := p.Get(s[1]); return ok }) {
		speed := b.Block("speed")
		for _, s := range speeds {
			p.number(speed, s[1], s[0])
		}
	}
	p.taken["media"] = p.taken["media"] || p.Str("media") == "disk"
}

// efi writes all that the provider compares of the disk of UEFI variables.
func (v *vm) efi() {
	if !v.has("efidisk0") {
		return
	}
	p := v.props("efidisk0", "efi_disk")
	b := v.body.Block("efi_disk")
	file := p.str("file")
	b.Set("datastore_id", datastore(file))
	if f := p.str("format"); f != "" {
		b.Set("file_format", f)
	} else if e := extension(file); e != "" {
		b.Set("file_format", e)
	}
	kind := p.str("efitype")
	if kind == "" {
		kind = "2m"
	}
	b.Set("type", kind)
	b.Set("pre_enrolled_keys", p.str("pre-enrolled-keys") == "1")
	p.taken["size"] = true
}

// tpm is left out where all is the provider's default, as it then keeps no block (facts 7.2).
func (v *vm) tpm() {
	if !v.has("tpmstate0") {
		return
	}
	p := v.props("tpmstate0", "tpm_state")
	store, version := datastore(p.str("file")), p.str("version")
	p.taken["size"] = true
	if version == "" {
		version = "v2.0"
	}
	if store == "local-lvm" && version == "v2.0" {
		v.tell("tpmstate0", iac.Default, "tpm_state", "the provider's defaults, of which it keeps no block")
		return
	}
	b := v.body.Block("tpm_state")
	b.Set("datastore_id", store)
	b.Set("version", version)
}

// pci writes passed through devices (rule B16).
func (v *vm) pci() {
	for n, key := range v.g.Series("hostpci") {
		p := v.props(key, "hostpci["+strconv.Itoa(n)+"]")
		if n >= 16 {
			v.tell(key, iac.Unrepresented, "", "the provider takes 16 devices")
			continue
		}
		b := v.body.Block("hostpci")
		b.Set("device", key)
		p.text(b, "host", "id")
		p.text(b, "mapping", "mapping")
		p.text(b, "mdev", "mdev")
		p.flag(b, "pcie", "pcie", false)
		rombar, ok := p.get("rombar")
		b.Set("rombar", !ok || rombar == "1")
		p.text(b, "romfile", "rom_file")
		p.flag(b, "x-vga", "xvga", false)
	}
}

// usb writes the devices that the provider reads: usb0 to usb3 (rule B16).
func (v *vm) usb() {
	for _, key := range v.g.Series("usb") {
		if iac.Index(key) > 3 {
			v.tell(key, iac.Unrepresented, "", "the provider reads usb0 to usb3")
			continue
		}
		p := v.props(key, "usb["+strconv.Itoa(v.body.Count("usb"))+"]")
		b := v.body.Block("usb")
		p.text(b, "host", "host")
		p.text(b, "mapping", "mapping")
		p.flag(b, "usb3", "usb3", false)
	}
}

// virtiofs writes shared folders (rule B17).
func (v *vm) virtiofs() {
	for n, key := range v.g.Series("virtiofs") {
		p := v.props(key, "virtiofs["+strconv.Itoa(n)+"]")
		b := v.body.Block("virtiofs")
		p.text(b, "dirid", "mapping")
		p.text(b, "cache", "cache")
		p.flag(b, "direct-io", "direct_io", false)
		p.flag(b, "expose-acl", "expose_acl", false)
		if x, ok := p.get("expose-xattr"); ok && x == "1" || !ok && p.Bool("expose-acl") {
			b.Set("expose_xattr", true)
		}
	}
}

// smbios is read only where more than the uuid is set; its texts are base64 (facts 7.2, rule A4).
func (v *vm) smbios() {
	if !v.has("smbios1") {
		return
	}
	p := v.props("smbios1", "smbios")
	p.taken["base64"] = true
	fields := []string{"family", "manufacturer", "product", "serial", "sku", "version"}
	if !slices.ContainsFunc(fields, func(f string) bool { return p.Str(f) != "" }) {
		v.tell("smbios1", iac.Internal, "", "the uuid that Proxmox VE made; the provider does not read a uuid alone")
		return
	}
	b := v.body.Block("smbios")
	for _, f := range fields {
		if text, ok := unbase64(p.str(f)); ok && text != "" {
			b.Set(f, text)
		}
	}
	p.text(b, "uuid", "uuid")
}
