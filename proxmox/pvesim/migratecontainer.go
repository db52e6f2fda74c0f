package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// migrateShutdown is how many seconds a container has to shut down unless the request says otherwise.
const migrateShutdown = 180

// prepareContainer makes the checks, and shuts a container down that is to be started again on the target (LXC/Migrate.pm,
// prepare).
func (m *migration) prepareContainer(g *Guest) error {
	switch {
	case m.running && m.online:
		return m.failed("lxc live migration is currently not implemented")
	case m.running && !m.restart:
		return m.failed("running container can only be migrated in restart mode")
	}
	if err := firstError(m.mountsMovable(g), m.connect()); err != nil {
		return m.failed(taskText(err))
	}
	if !m.running {
		return m.copyContainer()
	}
	m.log("shutdown CT %d", m.vmid)
	need, limit := g.Behaviour.shutdown(), time.Duration(migrateShutdown)*time.Second
	if m.timeout >= 0 {
		limit = time.Duration(m.timeout) * time.Second
	}
	if need > limit {
		return m.j.after(limit, func() error {
			m.j.log("command 'lxc-stop -n %d --nokill --timeout %d' failed: exit code 1", m.vmid, int(limit/time.Second))
			return m.failed("container did not stop")
		})
	}
	return m.j.after(need, func() error {
		if g, err := m.source(); err == nil && g.Live.Running {
			m.w.SetStatus(m.vmid, "stopped")
		}
		return m.copyContainer()
	})
}

// mountsMovable checks what is mounted: directories and devices of the node only where they are marked as shared, volumes
// where their storages are on both nodes.
func (m *migration) mountsMovable(g *Guest) error {
	for _, key := range mountedKeys(g.Config) {
		mp, err := parseMountPoint(key, text(g.Config[key]))
		if err != nil {
			return err
		}
		if mp.kind() != mountVolume {
			if mp.opts["shared"] == "1" {
				continue
			}
			return fail("cannot migrate local %s mount point '%s'", mp.kind(), key)
		}
		if err := m.w.enabled(m.from, mp.store()); err != nil {
			return err
		}
		target := mp.store()
		if !sharedStorage(m.w.Storage(target)) {
			target = m.stores.of(target)
		}
		if err := m.w.enabled(m.to, target); err != nil {
			return err
		}
		if !m.w.isFor(target, contentRootDir) {
			return fail("%s: content type 'rootdir' is not available on storage '%s'", mp.opts["volume"], target)
		}
	}
	return nil
}

// mountedKeys are the mount points of a configuration and its unused volumes.
func mountedKeys(config Object) []string {
	list := mountKeys(config)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if isUnusedKey(key) {
			list = append(list, key)
		}
	}
	return list
}

// copyContainer locks the container and copies its local volumes.
func (m *migration) copyContainer() error {
	g, err := m.w.guestAt(m.from, m.kind, m.vmid)
	if err != nil {
		return m.failed(taskText(err))
	}
	m.begin(g)
	problems := map[string]string{}
	m.scanMounts(g.Config, "config", problems)
	for _, s := range g.Snapshots {
		m.scanMounts(s.Config, "snapshot", problems)
	}
	slices.SortFunc(m.volumes, func(a, b *movingVolume) int { return strings.Compare(a.volid, b.volid) })
	for _, v := range m.volumes {
		m.found(v)
	}
	for _, volid := range slices.Sorted(maps.Keys(problems)) {
		m.log("can't migrate local volume '%s': %s", volid, problems[volid])
	}
	if len(problems) > 0 {
		return m.failed("can't migrate CT - check log")
	}
	return m.copyOffline(0, func() error { return m.j.after(migrationSettle, m.containerMoved) })
}

// scanMounts finds the local volumes of a configuration and what keeps them here.
func (m *migration) scanMounts(config Object, ref string, problems map[string]string) {
	for _, key := range mountedKeys(config) {
		mp, err := parseMountPoint(key, text(config[key]))
		if err != nil {
			continue
		}
		volid := mp.opts["volume"]
		if mp.kind() != mountVolume {
			if ref == "config" {
				m.log("ignoring shared '%s' mount point '%s' ('%s')", mp.kind(), key, volid)
			}
			continue
		}
		def := m.w.Storage(mp.store())
		if def == nil || sharedStorage(def) {
			continue
		}
		if !slices.ContainsFunc(m.volumes, func(v *movingVolume) bool { return v.volid == volid }) {
			v := m.moving(volid)
			v.key, v.ref = key, "volume "+ref
			m.volumes = append(m.volumes, v)
		}
		if reason := m.stuckMount(volid, text(def["type"]), ref); reason != "" {
			problems[volid] = reason
		}
	}
}

func (m *migration) stuckMount(volid, kind, ref string) string {
	p, err := m.w.volumeOf(volid)
	switch {
	case err == nil && p.vmid != m.vmid:
		return fmt.Sprintf("owned by other guest (owner = %s)", ownerText(p.vmid))
	case ref == "snapshot" && kind != "zfspool" && kind != "btrfs":
		return "non-migratable snapshot exists"
	case !contains(movableTypes, kind):
		return fmt.Sprintf("storage type '%s' not supported", kind)
	case err == nil && p.base != "":
		return fmt.Sprintf("clone of '%s'", volumeName(":"+p.base))
	}
	return ""
}

// containerMoved makes the target its home and starts it there if it ran.
func (m *migration) containerMoved() error {
	if err := m.finish(func(*Guest) {}); err != nil {
		return err
	}
	m.log("start final cleanup")
	if !m.running {
		return m.done()
	}
	m.log("start container on target node")
	m.log("# %s", m.ssh("pct start "+strconv.Itoa(m.vmid)))
	start := &ctStart{w: m.w, n: m.to, vmid: m.vmid}
	return m.awaitStart(m.w.fork(m.to, "vzstart", strconv.Itoa(m.vmid), rootUser, start.work))
}

// awaitStart waits for the start on the target.
func (m *migration) awaitStart(t *Task) error {
	switch {
	case t.Running() && m.to.Online:
		return m.j.after(bulkPoll, func() error { return m.awaitStart(t) })
	case t.kind() == "ok" || t.kind() == "warning":
		return m.done()
	}
	m.log("%s", t.Exit)
	m.log("ERROR: command '%s' failed: exit code 255", m.ssh("pct start "+strconv.Itoa(m.vmid)))
	m.log("ERROR: migration finished with problems (duration %s)", m.took())
	return errMigrationProblems
}
