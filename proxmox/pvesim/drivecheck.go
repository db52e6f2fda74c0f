package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// checkDrives makes the checks that a request about drives fails at once, before any task: values that cannot be,
// storages that are not there or do not take images, and the rights on storages and volumes.
func (c *call) checkDrives(g *Guest, drives map[string]string) error {
	list, err := c.w.readDrives(c.node, drives)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := c.checkDriveVolume(g.VMID, d); err != nil {
			return err
		}
	}
	return nil
}

// mayChangeDrive checks the right on the guest that a drive's value or removal needs. The real one looks at it when it
// has the guest's lock, for one key after the other (11/104).
func (c *call) mayChangeDrive(vmid int, key, value string) error {
	at := "/vms/" + strconv.Itoa(vmid)
	d, ok := parseDrive(key, value)
	if !ok || !isDriveKey(key) {
		return c.wants(at, "VM.Config.Disk")
	}
	if _, asks := d.asksCloudInit(); asks || d.isCloudInit() {
		return firstError(c.wants(at, "VM.Config.Cloudinit"), c.wants(at, "VM.Config.CDROM"))
	}
	if driveDefaults(d).isCDROM() {
		return c.wants(at, "VM.Config.CDROM")
	}
	return c.wants(at, "VM.Config.Disk")
}

// readDrives parses the drive values of a request and puts them into the form that the configuration has; the keys are
// taken in text order.
func (w *World) readDrives(n *Node, drives map[string]string) ([]*drive, error) {
	var list []*drive
	for _, key := range slices.Sorted(maps.Keys(drives)) {
		if !isDriveKey(key) {
			continue
		}
		d, ok := parseDrive(key, drives[key])
		if !ok {
			return nil, badParam(key, "unable to parse drive options")
		}
		if err := checkImport(d); err != nil {
			return nil, err
		}
		if err := w.resolvePath(n, d); err != nil {
			return nil, err
		}
		list = append(list, driveDefaults(d))
	}
	return list, nil
}

// driveDefaults makes none and cdrom CD drives (05/029).
func driveDefaults(d *drive) *drive {
	if d.opts["media"] == "" && (d.file == "none" || d.file == "cdrom") {
		d.opts["media"] = "cdrom"
	}
	return d
}

// checkImport checks that import-from stands beside a size of 0 and, for small state disks, with what cannot be guessed.
func checkImport(d *drive) error {
	if d.opts["import-from"] == "" {
		return nil
	}
	if _, size, ok := d.asksNew(); !ok || number(size) != 0 {
		return badParam(d.key, "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>")
	}
	needs := map[string][]string{"efidisk0": {"efitype", "pre-enrolled-keys"}, "tpmstate0": {"version"}}
	for _, opt := range needs[d.key] {
		if d.opts[opt] == "" {
			return badParam(d.key, "need to specify '"+opt+"' when using 'import-from'")
		}
	}
	return nil
}

// resolvePath turns the path of a file on a storage into its volume id.
func (w *World) resolvePath(n *Node, d *drive) error {
	if d.file == "none" || d.file == "cdrom" || strings.HasPrefix(d.file, "/dev/") || strings.Contains(d.file, ":") || newDisk().MatchString(d.file) {
		return nil
	}
	v := w.volumeAt(n, d.file)
	if v == nil {
		return badParam(d.key, "unable to associate path '"+d.file+"' to any storage")
	}
	if d.opts["media"] == "" && v["content"] == "iso" {
		d.opts["media"] = "cdrom"
	}
	d.file = text(v["volid"])
	return nil
}

// volumeAt finds the volume whose file is at a path.
func (w *World) volumeAt(n *Node, file string) Object {
	for _, def := range w.Storages {
		id := text(def["storage"])
		for _, v := range n.Content[id] {
			if onFiles(text(def["type"])) && w.pathOf(text(v["volid"])) == file {
				return v
			}
		}
	}
	return nil
}

// checkDriveVolume checks the storage and the volume that a drive names, and the caller's rights on them.
func (c *call) checkDriveVolume(vmid int, d *drive) error {
	if err := c.checkDriveSource(vmid, d); err != nil {
		return err
	}
	source := d.opts["import-from"]
	if source == "" {
		return nil
	}
	if !strings.Contains(source, ":") {
		return c.mayUseVolume(vmid, source)
	}
	p, err := c.w.volumeOf(source)
	if err != nil {
		return err
	}
	if p.kind != contentImages && p.kind != "import" {
		return badParam(d.key, source+" has wrong type '"+p.kind+"' - not an image")
	}
	if at := "/vms/" + strconv.Itoa(p.vmid); p.vmid != 0 {
		if !c.may(at, "VM.Clone") {
			return forbidden(at, "VM.Clone")
		}
		return nil
	}
	return c.mayUseVolume(vmid, source)
}

func (c *call) checkDriveSource(vmid int, d *drive) error {
	if _, ok := d.asksCloudInit(); ok || d.file == "none" {
		return nil
	}
	if d.file == "cdrom" {
		if !c.may("/", "Sys.Console") {
			return forbidden("/", "Sys.Console")
		}
		return nil
	}
	if store, _, ok := d.asksNew(); ok {
		return c.mayAllocateImage(store)
	}
	if err := c.mayUseVolume(vmid, d.file); err != nil || strings.HasPrefix(d.file, "/") {
		return err
	}
	p, err := c.w.volumeOf(d.file)
	switch {
	case err != nil:
		return err
	case p.kind == "iso" && !d.isCDROM():
		return badParam(d.key, "explicit 'media=cdrom' is required for iso images") // 03/039
	case p.kind != "iso" && p.kind != contentImages:
		return badParam(d.key, "content type needs to be 'images' or 'iso'")
	}
	return nil
}

// mayAllocateImage checks the right to allocate on a storage, that there is one (11/076, 05/031), and that it takes
// images, enabled or not (05/035, facts 59).
func (c *call) mayAllocateImage(store string) error {
	if store == "" {
		return fail("no storage ID specified (and no default storage)")
	}
	if at := "/storage/" + store; !c.may(at, "Datastore.AllocateSpace") {
		return forbidden(at, "Datastore.AllocateSpace")
	}
	def := c.w.Storage(store)
	if def == nil {
		return fail("storage '%s' does not exist", store)
	}
	if !contains(splitList(text(def["content"])), contentImages) {
		return badParam("storage", "storage '"+store+"' does not support vm images")
	}
	return nil
}

// mayUseVolume checks the right to read a volume. Paths are root@pam's alone; volumes of the guest itself are free, those
// of others and backups need rights on their owner.
func (c *call) mayUseVolume(vmid int, volid string) error {
	store, _, ok := strings.Cut(volid, ":")
	if !ok {
		if c.id.name() != rootUser {
			return fail("Only root can pass arbitrary filesystem paths.")
		}
		return nil
	}
	p, err := c.w.volumeOf(volid)
	at := "/storage/" + store
	if err != nil || c.may(at, "Datastore.Allocate") {
		return err
	}
	owner := "/vms/" + strconv.Itoa(p.vmid)
	switch {
	case p.kind == "iso" || p.kind == "vztmpl" || p.kind == "import":
		return c.wants(at, "Datastore.AllocateSpace", "Datastore.Audit")
	case p.vmid != 0 && p.vmid == vmid:
		return nil
	case p.kind == "backup" && p.vmid != 0:
		return firstError(c.wants(at, "Datastore.AllocateSpace"), c.wants(owner, "VM.Backup"))
	case p.vmid != 0:
		return firstError(c.wants(at, "Datastore.Audit"), c.wants(owner, "VM.Config.Disk"))
	}
	return fail("missing privileges to access %s", volid)
}

// wants fails unless the caller has one of the privileges at the path.
func (c *call) wants(at string, any ...string) error {
	if !c.may(at, any...) {
		return forbidden(at, any...)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
