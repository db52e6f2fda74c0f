package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// restoreQemu makes a VM from a backup, in place of one that exists where force is given (09/048, 09/049).
func (c *call) restoreQemu(r *qemuRequest) (any, error) {
	if keys := slices.Sorted(maps.Keys(r.drives)); len(keys) > 0 { // 09/066
		return nil, badParam(keys[0], "option conflicts with option 'archive'")
	}
	if err := c.mayReadBackup(r.vmid, r.archive); err != nil {
		return nil, err
	}
	if r.storage != "" {
		if err := c.mayAllocateImage(r.storage); err != nil {
			return nil, err
		}
	}
	options, err := c.qemuOptions(&Guest{VMID: r.vmid, Type: typeQEMU, Node: c.node.Name, Config: Object{}, Pending: Object{}}, r.given, true)
	if err != nil {
		return nil, err
	}
	if err := c.reserveOver(r); err != nil {
		return nil, err
	}
	m := &qemuRestore{w: c.w, n: c.node, r: r, options: options, unique: truth(c.params["unique"]), live: truth(c.params["live-restore"]), by: c.id.name()}
	return c.fork("qmrestore", strconv.Itoa(r.vmid), m.work), nil
}

// mayReadBackup is the right to use a backup: all of a storage's, or those of guests that one may back up. The volume has
// to be there (09/064). Of files outside of storages the node has none (source).
func (c *call) mayReadBackup(vmid int, volid string) error {
	if volid == "-" {
		return fail("pipe requires cli environment")
	}
	if err := c.mayUseKind(vmid, volid, contentBackup); err != nil {
		return err
	}
	id, _, inStorage := strings.Cut(volid, ":")
	if !inStorage {
		return fail("can't find file '%s'", volid)
	}
	if err := c.usableStorage(id); err != nil {
		return err
	}
	if c.node.volume(volid) == nil {
		return fail("volume '%s' does not exist", volid)
	}
	return nil
}

// reserveOver takes the vmid as reserve does, or locks the VM that is to be replaced.
func (c *call) reserveOver(r *qemuRequest) error {
	g := c.w.Guest(r.vmid)
	if g == nil || !r.force || g.Type != typeQEMU || g.Node != c.node.Name {
		return c.reserve(r)
	}
	if err := c.free(g); err != nil {
		return err
	}
	if err := g.lockedError(); err != nil {
		return fail("%s%s", r.verb(), taskText(err))
	}
	c.w.setLock(g, "create")
	r.over = true
	return nil
}

// qemuRestore is the work of a qmrestore task.
type qemuRestore struct {
	w       *World
	n       *Node
	r       *qemuRequest
	options Object
	unique  bool
	live    bool
	by      string
	made    []string
}

// restoreRate is how many bytes of volumes are written per second.
const restoreRate = gib

func (m *qemuRestore) work(j *job) error {
	j.onFail(m.giveUp)
	return j.lockFile(lockFileOf(typeQEMU, m.r.vmid), func() error { return m.extract(j) })
}

// giveUp removes the volumes that were made and takes the lock off the VM. One that was to be made stays as an empty one:
// the next backup of all guests had it (09/065, 09/123).
func (m *qemuRestore) giveUp() {
	for _, volid := range m.made {
		m.w.dropVolume(m.n, volid)
	}
	if g := m.w.Guest(m.r.vmid); g != nil {
		m.w.setLock(g, "")
	}
}

func (m *qemuRestore) extract(j *job) error {
	g, a := m.w.Guest(m.r.vmid), m.w.archiveOf(m.n, m.r.archive)
	file := m.w.backupPath(m.r.archive)
	switch {
	case g == nil:
		return noConfig(m.n.Name, typeQEMU, m.r.vmid)
	case truth(g.Config["protection"]):
		return fail("%sprotection mode enabled", m.r.verb())
	case g.Live.Running: // 09/060
		return fail("%svm is running", m.r.verb())
	case m.live:
		return fail("%slive-restore is only compatible with backup images from a Proxmox Backup Server", m.r.verb())
	case backupKind(m.r.archive) != typeQEMU: // source; 09/065 does not look at the task
		return fail("%sERROR: file '%s' does not look like a QemuServer vzdump backup", m.r.verb(), file)
	case a == nil:
		return fail("%sERROR: archive contains no configuration file", m.r.verb())
	}
	m.logArchive(j, a, file)
	a.restoreFirewall(g)
	m.w.dropGuestVolumes(m.n, g)
	config, err := m.config(j, a)
	if err != nil {
		return fail("%s%s", m.r.verb(), taskText(err))
	}
	var total int64
	for _, d := range a.disks {
		total += d.size
	}
	return j.after(createTime+time.Duration(float64(total)/restoreRate*float64(time.Second)), func() error { return m.commit(j, config, total) })
}

// decompressors are the commands that undo a compression, by the archive's suffix (09/051).
var decompressors = map[string]string{".zst": "zstd -q -d -c", ".gz": "zcat", ".lzo": "lzop -d -c"}

func (m *qemuRestore) logArchive(j *job, a *archive, file string) {
	source := "vma extract -v -r /var/tmp/vzdumptmp%[1]d.fifo " + file + " /var/tmp/vzdumptmp%[1]d"
	for suffix, command := range decompressors {
		if strings.HasSuffix(file, suffix) {
			source = command + " " + file + " | vma extract -v -r /var/tmp/vzdumptmp%[1]d.fifo - /var/tmp/vzdumptmp%[1]d"
		}
	}
	j.log("restore vma archive: "+source, j.task.PID)
	j.log("CFG: size: %d name: qemu-server.conf", len(a.text()))
	if file := a.firewallFile(); file != "" {
		j.log("CFG: size: %d name: qemu-server.fw", len(file))
	}
	for i, d := range a.disks {
		j.log("DEV: dev_id=%d size: %d devname: drive-%s", i+1, d.size, d.key)
	}
	made := time.Unix(integer(m.n.volume(m.r.archive)["ctime"]), 0)
	j.log("CTIME: %s", m.n.local(made).Format(time.ANSIC))
}

// config is the archived configuration on new volumes, under what the request gives.
func (m *qemuRestore) config(j *job, a *archive) (Object, error) {
	config, notes := Object{}, text(a.config["description"])
	volumes, err := m.volumes(j, a)
	if err != nil {
		return nil, err
	}
	for key, v := range a.config {
		d, ok := parseDrive(key, text(v))
		switch {
		case isUnusedKey(key):
		case ok && volumes[key] != "":
			d.file = volumes[key]
			delete(d.opts, "format")
			config[key] = d.String()
		case ok && d.opts["backup"] == "0": // what was not saved becomes a line of the notes
			notes = strings.TrimLeft(notes+"\n"+key+": "+text(v), "\n")
		default:
			config[key] = v
		}
	}
	if notes != "" {
		config["description"] = notes
	}
	m.identity(config)
	maps.Copy(config, m.options)
	return config, nil
}

// volumes makes the volumes of the archive, on their old storages or all on the one that is given, and a new cloud-init
// drive.
func (m *qemuRestore) volumes(j *job, a *archive) (map[string]string, error) {
	out := map[string]string{}
	for _, d := range a.disks {
		store := m.r.storage
		if store == "" {
			store = d.storage
		}
		volid, err := m.w.allocateImage(m.n, store, volumeSpec{vmid: m.r.vmid, kind: contentImages, format: m.w.formatOn(store, d.format), size: d.size}, j.log)
		if err != nil {
			return nil, err
		}
		m.made, out[d.key] = append(m.made, volid), volid
		j.log("new volume ID is '%s'", volid)
		j.log("map 'drive-%s' to '%s' (write zeros = %d)", d.key, m.w.pathOf(volid), bit(!onFiles(text(m.w.Storage(store)["type"]))))
	}
	for key, v := range a.config {
		if d, ok := parseDrive(key, text(v)); ok && d.isCloudInit() {
			store, _, _ := strings.Cut(d.file, ":")
			if m.r.storage != "" {
				store = m.r.storage
			}
			values, _, err := m.w.placeDrives(m.n, &Guest{VMID: m.r.vmid, Type: typeQEMU, Node: m.n.Name}, map[string]string{key: store + ":cloudinit"}, j.log)
			if err != nil {
				return nil, err
			}
			out[key] = driveVolume(text(values[key]))
			m.made = append(m.made, out[key])
		}
	}
	return out, nil
}

// identity gives the VM a new generation, and with unique new addresses and a new uuid as well (09/056).
func (m *qemuRestore) identity(config Object) {
	if has(config, "vmgenid") {
		config["vmgenid"] = m.w.newUUID()
	}
	if !m.unique {
		return
	}
	if old := text(config["smbios1"]); old != "" {
		config["smbios1"] = strings.Replace(old, "uuid="+driveOption(old, "uuid"), "uuid="+m.w.newUUID(), 1)
	}
	for key, v := range config {
		if strings.HasPrefix(key, "net") {
			config[key] = strings.Replace(text(v), nicMAC(text(v)), m.w.newMAC(), 1)
		}
	}
}

func (m *qemuRestore) commit(j *job, config Object, total int64) error {
	g := m.w.Guest(m.r.vmid)
	if g == nil {
		return noConfig(m.n.Name, typeQEMU, m.r.vmid)
	}
	if total > 0 {
		j.log("progress 100%% (read %d bytes, duration %d sec)", total, total/restoreRate)
		j.log("total bytes read 0\nspace reduction due to 4K zero blocks 0%%")
	}
	j.log("rescan volumes...")
	m.w.rescan(m.n, m.r.vmid, config)
	m.w.touch(g)
	g.Config, g.Pending, g.Deleted, g.Snapshots = config, Object{}, nil, nil
	if m.r.pool != "" {
		g.Pool = m.r.pool
	}
	g.redigest()
	m.w.settleIn(g)
	j.undo = nil
	j.unlock(g)
	if !m.r.start {
		return nil
	}
	s := &vmStart{w: m.w, n: m.n, vmid: m.r.vmid}
	m.w.fork(m.n, "qmstart", strconv.Itoa(m.r.vmid), m.by, s.work)
	return j.after(startLinger, func() error { return nil })
}

// backupPath is the file of a backup.
func (w *World) backupPath(volid string) string {
	id, name, _ := strings.Cut(volid, ":")
	return fmt.Sprintf("%s/dump/%s", text(w.Storage(id)["path"]), strings.TrimPrefix(name, "backup/"))
}

// dropGuestVolumes removes the volumes that a guest owns and names: what is restored over is gone.
func (w *World) dropGuestVolumes(n *Node, g *Guest) {
	for _, config := range g.configs() {
		for _, v := range config {
			if volid := driveVolume(text(v)); w.owns(g.VMID, volid) {
				w.dropVolume(n, volid)
			}
		}
	}
}

// rescan makes volumes of a vmid that its configuration does not name its unused disks.
func (w *World) rescan(n *Node, vmid int, config Object) {
	named := map[string]bool{}
	for _, v := range config {
		named[driveVolume(text(v))] = true
	}
	for _, v := range n.guestVolumes(vmid) {
		if volid := text(v["volid"]); !named[volid] {
			_ = addUnused(config, volid) // without a free slot the volume stays unknown
		}
	}
}
