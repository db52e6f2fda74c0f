package pvesim

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// moveDisk copies a disk to another storage or in another format, or gives it to another VM.
func moveDisk(c *call) (any, error) {
	if c.param("skiplock") == "1" && c.id.name() != rootUser {
		return nil, badParam("skiplock", "Only root may use this option.")
	}
	store, target := c.param("storage"), c.param("target-vmid")
	switch {
	case store != "" && target != "":
		return nil, neitherOrBoth("either set 'storage' or 'target-vmid', but not both")
	case target != "":
		return reassignDisk(c)
	case store != "":
		return copyDisk(c, store)
	}
	return nil, neitherOrBoth("both 'storage' and 'target-vmid' missing, either needs to be set") // 05/075
}

func neitherOrBoth(msg string) error {
	return badParams(map[string]string{"storage": msg, "target-vmid": msg})
}

// diskMove is a disk on its way to another storage.
type diskMove struct {
	c       *call
	vmid    int
	key     string
	store   string // where to
	format  string // as asked for
	source  string // volume id
	size    int64
	running bool
	made    string // the new volume
}

func copyDisk(c *call, store string) (any, error) {
	if err := c.wants("/storage/"+store, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	m := &diskMove{c: c, vmid: int(integer(c.vars["vmid"])), key: c.param("disk"), store: store, format: c.param("format")}
	if _, err := m.check(); err != nil {
		return nil, err
	}
	return c.fork("qmmove", c.vars["vmid"], func(j *job) error {
		return j.lockFile(lockFileOf(typeQEMU, m.vmid), func() error { return m.begin(j) })
	}), nil
}

// check makes the checks of a move, before the task and again in it.
func (m *diskMove) check() (*Guest, error) {
	g, err := m.c.w.vmOn(m.c.node, m.vmid)
	if err != nil {
		return nil, err
	}
	if err := g.lockedError(); err != nil {
		return nil, err
	}
	if digest := m.c.param("digest"); digest != "" && digest != g.Digest {
		return nil, errModified()
	}
	d, err := g.drive(m.key)
	if err != nil {
		return nil, err
	}
	if d.isCDROM() && !d.isCloudInit() {
		return nil, fail("you can't move a cdrom")
	}
	if m.c.w.Storage(m.store) == nil {
		return nil, fail("storage '%s' does not exist", m.store)
	}
	old, name, _ := strings.Cut(d.file, ":")
	format := strings.TrimPrefix(path.Ext(name), ".")
	if old == m.store && (m.format == "" || format == "" || format == m.format) {
		return nil, fail("you can't move to the same storage with same format") // 05/072
	}
	if m.c.param("delete") == "1" && g.needs(m.key, d.file) {
		return nil, fail("you can't move a disk with snapshots and delete the source")
	}
	m.source, m.running = d.file, g.Live.Running
	return g, nil
}

// errModified is the digest error of everything but a VM's configuration and resize (facts 39).
func errModified() error {
	return fail("detected modified configuration - file changed by other user? Try again.")
}

// begin makes the new volume and plans the end of the copying.
func (m *diskMove) begin(j *job) error {
	g, err := m.check()
	if err != nil {
		return err
	}
	store, _, _ := strings.Cut(m.source, ":")
	j.log("copying volume '%s' from current storage '%s' to target storage '%s'", m.source, store, m.store)
	if g.needs(m.key, m.source) {
		j.log("moving disk with snapshots, snapshots will not be moved!")
	}
	j.onSignal = fail("storage migration failed: interrupted by signal")
	if err := m.allocate(j); err != nil {
		return fail("storage migration failed: %s", taskText(err))
	}
	j.onFail(func() { m.c.w.dropVolume(j.node, m.made) })
	j.log("allocated target volume '%s'", m.made)
	took := copyTime(m.size)
	switch {
	case cloudInitShape().MatchString(m.source), m.key == "efidisk0": // made anew, and copied by a tool that says nothing
	case m.running && !isUnusedKey(m.key):
		mirrorLines(j.log, m.key, m.size)
		took += time.Second // the mirror reports once a second
	default:
		transferLines(j.log, m.size)
	}
	return j.after(took, func() error { return m.end(j) })
}

func (m *diskMove) allocate(j *job) error {
	v := j.node.volume(m.source)
	if v == nil {
		return fail("volume '%s' does not exist", m.source)
	}
	format := m.format
	if format == "" {
		format = text(v["format"])
	}
	m.size = virtualSize(v)
	spec := volumeSpec{vmid: m.vmid, kind: contentImages, format: m.c.w.formatOn(m.store, format), size: m.size}
	if cloudInitShape().MatchString(m.source) {
		spec.name = fmt.Sprintf("vm-%d-cloudinit", m.vmid)
		if onFiles(text(m.c.w.Storage(m.store)["type"])) {
			spec.name += "." + spec.format
		}
	}
	j.log("create full clone of drive %s (%s)", m.key, m.source)
	if m.key == "tpmstate0" && m.running {
		return fail("cannot clone TPM state while VM is running")
	}
	var err error
	m.made, err = m.c.w.allocateImage(j.node, m.store, spec, j.log)
	return err
}

// end puts the new volume into the configuration; the old one becomes unusedN or is erased.
func (m *diskMove) end(j *job) error {
	w := m.c.w
	g, err := w.vmOn(j.node, m.vmid)
	if err != nil {
		return err
	}
	d, err := g.drive(m.key)
	if err != nil {
		return err
	}
	if g.Template() && !d.isCDROM() {
		m.made = w.renameVolume(j.node, m.made, volumeSpec{vmid: m.vmid, name: strings.Replace(volumeName(m.made), "vm-", "base-", 1)})
	}
	d.file = m.made
	delete(d.opts, "format")
	if !isUnusedKey(m.key) {
		d.opts["size"] = printSize(m.size)
	}
	config := clone(g.Config)
	config[m.key] = d.String()
	if m.c.param("delete") != "1" {
		if err := addUnused(config, m.source); err != nil {
			return err
		}
	}
	g.Config = config
	g.redigest()
	if m.c.param("delete") == "1" {
		j.log("removing source volume '%s' after successful copy", m.source)
		if err := w.freeImage(j.node, m.source); err != nil {
			j.log("%s", taskText(err))
		}
	}
	return nil
}

// volumeName is the last part of a volume id, its file or device.
func volumeName(volid string) string {
	_, name, _ := strings.Cut(volid, ":")
	return path.Base(name)
}

// renameVolume gives a volume another owner or name and tells its new id. Without a name it gets the owner's next free one.
func (w *World) renameVolume(n *Node, volid string, to volumeSpec) string {
	store, _, _ := strings.Cut(volid, ":")
	v := n.volume(volid)
	to.format = text(v["format"])
	if to.name == "" {
		to.name = w.freeName(n, store, to)
	}
	parts, _ := w.volumeOf(volid)
	if parts.base != "" {
		to.base = store + ":" + parts.base
	}
	id := volumeIDFor(text(w.Storage(store)["type"]), store, to)
	w.changeVolume(n, volid, Object{"volid": id, "vmid": to.vmid})
	return id
}

// printBootOrder is the option boot for a list of devices; an empty one is a blank (05/095).
func printBootOrder(order []string) string {
	if len(order) == 0 {
		return " "
	}
	return "order=" + strings.Join(order, ";")
}
