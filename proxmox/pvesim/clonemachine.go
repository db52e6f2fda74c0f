package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// linkTime is how long making a linked clone of a disk takes (08/095: half a second in all).
const linkTime = 200 * time.Millisecond

// machineClone is a clone of a VM on its way.
type machineClone struct {
	*cloning
	running bool // the source, when the clone was asked for
	config  Object
	drives  []*drive
	copied  map[string]bool // drives that are copied and not linked
}

// cloneMachine makes all checks at once (08/068 to 08/094) and again in the task, under the source's lock file.
func cloneMachine(c *call) (any, error) {
	g := c.w.qemuOn(c.node, c.vmid())
	if g == nil {
		return nil, notHere(c.node, c.vmid())
	}
	q, err := c.newCloning()
	if err != nil {
		return nil, err
	}
	m := &machineClone{cloning: q, running: g.Live.Running}
	if err := m.plan(); err != nil {
		return nil, err
	}
	return c.fork("qmclone", q.id(), func(j *job) error {
		lock := j.lockShared
		if m.running {
			lock = j.lockFile
		}
		return lock(lockFileOf(typeQEMU, m.source), func() error {
			return j.lockFile(lockFileOf(typeQEMU, m.newid), func() error { return m.begin(j) })
		})
	}), nil
}

// plan checks the source as it is now and decides what happens to each key of its configuration.
func (m *machineClone) plan() error {
	g, err := m.w.vmOn(m.c.node, m.source)
	if err != nil {
		return err
	}
	if err := g.lockedError(); err != nil {
		return err
	}
	if g.Live.Running != m.running {
		return fail("unexpected state change")
	}
	from, err := m.from(g)
	if err != nil {
		return err
	}
	full, err := m.full(g)
	if err != nil {
		return err
	}
	if err := m.checkAccess(from); err != nil {
		return err
	}
	if other := m.w.qemuOn(m.c.node, m.newid); other != nil {
		return fail("unable to create VM %d: config file already exists", m.newid)
	}
	return m.split(from, full)
}

// checkAccess looks at the rights on what the clone will use, and whether another node can use it.
func (m *machineClone) checkAccess(from Object) error {
	shared := true
	for _, key := range driveKeys(from) {
		d, _ := parseDrive(key, text(from[key]))
		if d.file == "none" || d.file == "" {
			continue
		}
		if d.file == "cdrom" {
			if err := need("/", "Sys.Console")(m.c); err != nil {
				return err
			}
			continue
		}
		shared = shared && m.shared(d.file)
		if d.isCDROM() {
			continue
		}
		if err := m.mayAllocate(d.file); err != nil {
			return err
		}
	}
	if err := m.c.mayUseDevices(from); err != nil {
		return err
	}
	if m.target != nil && !shared {
		return fail("can't clone VM to node '%s' (VM uses local storage)", m.target.Name)
	}
	return nil
}

// isNIC is whether a key is a network device.
func isNIC(key string) bool {
	n, ok := strings.CutPrefix(key, "net")
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// split sorts the keys: drives to copy or to link, network devices with new addresses, and what is taken as it is.
func (m *machineClone) split(from Object, full bool) error {
	m.config, m.drives, m.copied = Object{}, nil, map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		value := text(from[key])
		switch {
		case !isCloned(key):
		case key == "tpmstate0" && full && m.running && m.snap == "":
			return fail("cannot clone TPM state while VM is running")
		case isNIC(key):
			m.config[key] = withMAC(value, m.w.newMAC())
		case isDriveKey(key):
			if err := m.splitDrive(key, value, full); err != nil {
				return err
			}
		default:
			m.config[key] = from[key]
		}
	}
	return nil
}

// splitDrive decides about a drive. CD drives are taken over; cloud-init drives are always made anew.
func (m *machineClone) splitDrive(key, value string, full bool) error {
	d, ok := parseDrive(key, value)
	switch {
	case !ok:
		return fail("unable to parse drive options for '%s'", key)
	case d.isCDROM() && !d.isCloudInit():
		m.config[key] = value
		return nil
	case full || d.isCloudInit():
		if !m.w.volumeFeature(typeQEMU, featureCopy, d.file, m.snap) {
			return fail("Full clone feature is not supported for '%s' (%s)", d.file, key)
		}
		m.copied[key] = true
	case !m.w.volumeFeature(typeQEMU, featureClone, d.file, m.snap):
		return fail("Linked clone feature is not supported for '%s' (%s)", d.file, key)
	}
	m.drives = append(m.drives, d)
	return nil
}

// withMAC puts another address into a VM's network device (virtio=AA:...,bridge=vmbr0 or model=virtio,macaddr=AA:...).
func withMAC(nic, mac string) string {
	parts := strings.Split(nic, ",")
	for i, p := range parts {
		key, value, _ := strings.Cut(p, "=")
		if key == "macaddr" || strings.Count(value, ":") == 5 {
			parts[i] = key + "=" + mac
		}
	}
	return strings.Join(parts, ",")
}

// begin makes the new VM: until the disks are there it is locked.
func (m *machineClone) begin(j *job) error {
	if err := m.plan(); err != nil {
		return err
	}
	j.log("creating a clone of VM %d with ID %d", m.source, m.newid)
	if m.w.Guest(m.newid) != nil {
		return fail("close (rename) atomic file '/etc/pve/nodes/%s/qemu-server/%d.conf' failed: File exists", j.node.Name, m.newid)
	}
	m.identify()
	m.add(typeQEMU, Object{"lock": "clone"})
	m.catch(j)
	return m.disk(j, 0)
}

// identify gives the clone its name and an identity of its own.
func (m *machineClone) identify() {
	smbios := []string{"uuid=" + m.w.newUUID()}
	for part := range strings.SplitSeq(text(m.config["smbios1"]), ",") {
		if part != "" && !strings.HasPrefix(part, "uuid=") {
			smbios = append(smbios, part)
		}
	}
	m.config["smbios1"] = sortedOptions(smbios)
	if has(m.config, "vmgenid") {
		m.config["vmgenid"] = m.w.newUUID()
	}
	name := text(m.config["name"])
	if name == "" {
		name = m.id()
	}
	m.config["name"] = "Copy-of-VM-" + name
	for _, key := range []string{"name", "description"} {
		if v := m.c.param(key); v != "" {
			m.config[key] = v
		}
	}
	m.config["lock"] = "clone"
}

func sortedOptions(list []string) string {
	slices.Sort(list)
	return strings.Join(list, ",")
}

// disk makes the disk at place i, or finishes.
func (m *machineClone) disk(j *job, i int) error {
	if i == len(m.drives) {
		return m.finish(j)
	}
	d := m.drives[i]
	var took time.Duration
	var err error
	if m.copied[d.key] {
		took, err = m.copyDisk(j, d)
	} else {
		took, err = m.linkDisk(j, d)
	}
	if err != nil {
		return cloneFailed(err)
	}
	return j.after(took, func() error {
		m.config[d.key] = d.String()
		if g := m.w.Guest(m.newid); g != nil {
			m.w.storeConfig(g, clone(m.config))
		}
		return m.disk(j, i+1)
	})
}

func (m *machineClone) linkDisk(j *job, d *drive) (time.Duration, error) {
	j.log("create linked clone of drive %s (%s)", d.key, d.file)
	made, err := m.link(j.node, d.file, contentImages, j.log)
	if err != nil {
		return 0, err
	}
	d.file, d.opts["size"] = made, printSize(virtualSize(j.node.volume(made)))
	delete(d.opts, "format")
	return linkTime, nil
}

// copyDisk makes a full copy; a running QEMU makes it itself.
func (m *machineClone) copyDisk(j *job, d *drive) (time.Duration, error) {
	j.log("create full clone of drive %s (%s)", d.key, d.file)
	v := j.node.volume(d.file)
	if v == nil {
		return 0, fail("volume '%s' does not exist", d.file)
	}
	store, format, size := m.storageFor(d.file), m.format, virtualSize(v)
	if format == "" {
		format = text(v["format"])
	}
	spec := volumeSpec{vmid: m.newid, kind: contentImages, format: m.w.formatOn(store, format), size: size}
	if d.isCloudInit() {
		spec.name, spec.size = fmt.Sprintf("vm-%d-cloudinit", m.newid), cloudInitSize
		if onFiles(text(m.w.Storage(store)["type"])) {
			spec.name += "." + spec.format
		}
	}
	made, err := m.w.allocateImage(j.node, store, spec, j.log)
	if err != nil {
		return 0, err
	}
	m.made = append(m.made, made)
	j.log("allocated target volume '%s'", made)
	took := copyTime(spec.size)
	switch {
	case d.isCloudInit(), d.key == "efidisk0": // made anew, and copied by a tool that says nothing
	case m.running && m.snap == "":
		mirrorReady(j.log, d.key, size)
	default:
		transferLines(j.log, size)
	}
	d.file, d.opts["size"] = made, printSize(spec.size)
	delete(d.opts, "format")
	return took, nil
}

// finish ends the mirrors of a running source and writes the configuration without its lock.
func (m *machineClone) finish(j *job) error {
	g := m.w.Guest(m.newid)
	if g == nil {
		return cloneFailed(noConfig(j.node.Name, typeQEMU, m.newid))
	}
	if m.running && m.snap == "" {
		for _, d := range m.drives {
			if m.copied[d.key] && d.key != "efidisk0" && !d.isCloudInit() {
				j.log("drive-%s: Cancelling block job", d.key)
				j.log("drive-%s: Done.", d.key)
			}
		}
	}
	m.discarded(j)
	m.w.storeConfig(g, clone(m.config))
	m.settle(g)
	return nil
}

// discarded tells which pending changes of the source the clone does not have.
func (m *machineClone) discarded(j *job) {
	src := m.w.Guest(m.source)
	if src == nil || m.snap != "" {
		return
	}
	if keys := slices.Sorted(maps.Keys(src.Pending)); len(keys) > 0 {
		j.log("found pending changes for '%s', discarding for clone", strings.Join(keys, ","))
	}
}
