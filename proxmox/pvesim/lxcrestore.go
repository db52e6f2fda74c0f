package pvesim

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// restoreLXC makes a container from a backup. All that fails at once was checked; options are those of the request, as
// the configuration holds them.
func (c *call) restoreLXC(r *lxcRequest, options Object) (any, error) {
	file := lockFileOf(typeLXC, r.vmid)
	if c.w.flocks[file] != nil {
		return nil, &busyError{file}
	}
	m := &ctRestore{w: c.w, n: c.node, r: r, options: options, by: c.id.name(),
		mayConfigure: c.may("/vms/"+strconv.Itoa(r.vmid), "VM.Allocate") || r.pool != "" && c.may("/pool/"+r.pool, "VM.Allocate")}
	if g := c.w.Guest(r.vmid); g == nil {
		c.w.AddGuest(&Guest{VMID: r.vmid, Type: typeLXC, Node: c.node.Name, Config: Object{"lock": "create"}})
	} else {
		if err := g.lockedError(); err != nil {
			return nil, fail("%s%s", r.verb(), taskText(err))
		}
		c.w.setLock(g, "create")
		m.over = true
	}
	return c.fork("vzrestore", strconv.Itoa(r.vmid), m.work), nil
}

// ctRestore is the work of a vzrestore task.
type ctRestore struct {
	w       *World
	n       *Node
	r       *lxcRequest
	options Object
	by      string
	over    bool // it replaces a container
	// mayConfigure is whether the caller may more than put back what he backed up: the firewall is restored as well.
	mayConfigure bool
}

func (m *ctRestore) work(j *job) error {
	j.onFail(m.giveUp)
	return j.lockFile(lockFileOf(typeLXC, m.r.vmid), func() error { return m.volumes(j) })
}

// giveUp leaves nothing of a container that was to be made (09/076, 09/123), and one that was to be replaced as it was.
func (m *ctRestore) giveUp() {
	if g := m.w.Guest(m.r.vmid); g != nil && m.over {
		m.w.setLock(g, "")
		return
	}
	m.w.forgetGuest(m.r.vmid)
}

func (m *ctRestore) failed(err error) error { return fail("%s%s", m.r.verb(), taskText(err)) }

// volumes makes the volumes: those of the request, or those of the backup, all on the request's storage.
func (m *ctRestore) volumes(j *job) error {
	a := m.w.archiveOf(m.n, m.r.archive)
	if a == nil || a.kind != typeLXC {
		return m.failed(fail("unable to find configuration in archive file '%s'", m.w.backupPath(m.r.archive)))
	}
	j.log("recovering backed-up configuration from '%s'", m.r.archive)
	mounts, err := m.mounts(a)
	if err != nil {
		return m.failed(err)
	}
	values, undo, err := m.w.placeMounts(m.n, m.r.vmid, mounts, j.log)
	if err != nil {
		return m.failed(err)
	}
	j.onFail(undo)
	return j.after(formatTime, func() error { return m.unpack(j, a, values) })
}

// mounts are what the new container mounts. What is no volume can only be taken over by root.
func (m *ctRestore) mounts(a *archive) (map[string]string, error) {
	if len(m.r.mounts) > 0 {
		return m.r.mounts, nil
	}
	mounts := map[string]string{}
	for _, key := range mountKeys(a.config) {
		point, err := parseMountPoint(key, text(a.config[key]))
		if err != nil {
			return nil, err
		}
		if point.kind() == mountVolume {
			size := float64(parseSize(point.opts["size"])) / gib
			point.opts["volume"] = m.r.storage + ":" + strconv.FormatFloat(size, 'f', -1, 64)
			delete(point.opts, "size")
		} else if m.by != rootUser {
			return nil, fail("restoring '%s' to %s mount is only possible for root", key, point.kind())
		}
		mounts[key] = point.String()
	}
	if !has(mounts, "rootfs") {
		return nil, fail("rootfs configuration could not be recovered, please check and specify manually!")
	}
	return mounts, nil
}

func (m *ctRestore) unpack(j *job, a *archive, values Object) error {
	v := m.n.volume(m.r.archive)
	if v == nil {
		return m.failed(fail("volume '%s' does not exist", m.r.archive))
	}
	size := unpacked(m.r.archive, integer(v["size"]))
	j.log("restoring '%s' now..", m.r.archive)
	j.log("extracting archive '%s'", m.w.backupPath(m.r.archive))
	took := unpackTime + time.Duration(float64(size)/restoreRate*float64(time.Second))
	j.log("Total bytes read: %d (%.1fMiB, %dMiB/s)", size, float64(size)/mib, restoreRate/mib)
	return j.after(took, func() error { return m.commit(j, a, values) })
}

// commit merges what was saved with what the request gives, and removes the volumes of a container that is replaced.
func (m *ctRestore) commit(j *job, a *archive, values Object) error {
	g, err := m.w.guestAt(m.n, typeLXC, m.r.vmid)
	if err != nil {
		return m.failed(err)
	}
	j.log("merging backed-up and given configuration..")
	config := m.config(a, values)
	m.firewall(j, a, g)
	if m.over {
		m.dropOld(g, config)
	}
	if m.r.pool != "" {
		g.Pool = m.r.pool
	}
	g.Snapshots, g.Pending, g.Deleted = nil, Object{}, nil
	m.w.storeConfig(g, config)
	j.undo = nil
	j.unlock(g)
	if !m.r.start {
		return nil
	}
	s := &ctStart{w: m.w, n: m.n, vmid: m.r.vmid}
	m.w.fork(m.n, "vzstart", strconv.Itoa(m.r.vmid), m.by, s.work)
	return j.after(ctStartWait, func() error { return nil })
}

// firewall restores the archived firewall for those who may change one.
func (m *ctRestore) firewall(j *job, a *archive, g *Guest) {
	if m.mayConfigure || a.firewall == nil {
		a.restoreFirewall(g)
		return
	}
	j.log("ignoring firewall config from backup archive's '/var/lib/lxc/%d/rootfs/etc/vzdump/pct.fw', lacking API permission to modify firewall.", g.VMID)
	if !g.Firewall.empty() {
		j.log("old firewall configuration in '/etc/pve/firewall/%d.fw' left in place!", g.VMID)
	}
}

func (m *ctRestore) config(a *archive, values Object) Object {
	config := Object{}
	for key, v := range a.config {
		if isMount(key) || isUnusedKey(key) {
			continue
		}
		if m.r.unique && strings.HasPrefix(key, "net") {
			v = strings.Replace(text(v), driveOption(text(v), "hwaddr"), m.w.newMAC(), 1)
		}
		config[key] = v
	}
	maps.Copy(config, filled(m.options))
	maps.Copy(config, values)
	switch {
	case m.r.unprivileged:
		config["unprivileged"] = 1
	case m.r.privilegeGiven:
		delete(config, "unprivileged")
	}
	return config
}

// dropOld removes the volumes of the replaced container that the new one does not use.
func (m *ctRestore) dropOld(g *Guest, config Object) {
	kept := map[string]bool{}
	for key := range config {
		if isMount(key) {
			kept[driveVolume(text(config[key]))] = true
		}
	}
	for _, old := range g.configs() {
		for key, v := range old {
			volid := driveVolume(text(v))
			row := m.n.volume(volid)
			if (isMount(key) || isUnusedKey(key)) && !kept[volid] && int(integer(row["vmid"])) == g.VMID {
				m.w.dropVolume(m.n, volid)
			}
		}
	}
}
