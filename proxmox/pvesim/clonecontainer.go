package pvesim

import (
	"maps"
	"slices"
	"strings"
)

// containerClone is a clone of a container on its way.
type containerClone struct {
	*cloning
	running, copied bool
	config          Object
	mounts          []string // keys of the volumes
}

// cloneContainer takes the new id at once and locks the source; only the copying is left to the task (08/133 to 08/143).
func cloneContainer(c *call) (any, error) {
	q, err := c.newCloning()
	if err != nil {
		return nil, err
	}
	if other := c.w.Guest(q.newid); other != nil {
		return nil, fail("%s %d already exists on node '%s'", guestWord(other), q.newid, other.Node) // 08/142
	}
	g, err := c.w.guestAt(c.node, typeLXC, q.source)
	if err != nil {
		return nil, err
	}
	m := &containerClone{cloning: q, running: g.Live.Running}
	if err := m.reserve(g); err != nil {
		return nil, err
	}
	if err := m.plan(g); err != nil {
		m.release()
		q.withdraw()
		return nil, err
	}
	q.w.storeConfig(q.w.Guest(q.newid), clone(m.config))
	task := c.w.fork(c.node, "vzclone", q.id(), c.id.name(), m.begin)
	task.job.finally(m.release)
	q.catch(task.job)
	return task.UPID, nil
}

// reserve makes the new container and sets the source's lock.
func (m *containerClone) reserve(g *Guest) error {
	if err := firstError(m.c.free(g), g.lockedError()); err != nil {
		return err
	}
	m.add(typeLXC, Object{"lock": "create"})
	m.w.setLock(g, moveLock)
	return nil
}

// release gives the source's lock up.
func (m *containerClone) release() {
	if g := m.w.Guest(m.source); g != nil && text(g.Config["lock"]) == moveLock {
		m.w.setLock(g, "")
	}
}

// plan decides what happens to each key of the configuration.
func (m *containerClone) plan(g *Guest) error {
	var err error
	if m.copied, err = m.full(g); err != nil {
		return err
	}
	from, err := m.from(g)
	if err != nil {
		return err
	}
	m.config = Object{"lock": "create"}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		switch value := text(from[key]); {
		case !isCloned(key):
		case isVolume(key):
			if err := m.planMount(key, value); err != nil {
				return err
			}
		case isNIC(key):
			m.config[key] = withHardwareAddress(value, m.w.newMAC())
		default:
			m.config[key] = from[key]
		}
	}
	m.rename(g)
	return m.reachable()
}

// rename gives the clone the name and the description that were asked for.
func (m *containerClone) rename(g *Guest) {
	for _, key := range []string{"hostname", "description"} {
		if v := m.c.param(key); v != "" {
			m.config[key] = v
		}
	}
	if d := text(m.config["description"]); d != "" {
		m.config["description"] = g.comment(d)
	}
}

// reachable is whether another node can use the volumes.
func (m *containerClone) reachable() error {
	if m.target == nil {
		return nil
	}
	for _, key := range m.mounts {
		if !sharedStorage(m.w.Storage(m.storageFor(driveVolume(text(m.config[key]))))) {
			return fail("can't clone CT to node '%s' (CT uses local storage)", m.target.Name)
		}
	}
	return nil
}

// planMount checks one volume; directories and devices of the node cannot be cloned.
func (m *containerClone) planMount(key, value string) error {
	volid := driveVolume(value)
	if strings.HasPrefix(volid, "/") {
		kind := "bind"
		if strings.HasPrefix(volid, "/dev/") {
			kind = "device"
		}
		return fail("unable to clone mountpoint '%s' (type %s)", key, kind)
	}
	if err := m.mayAllocate(volid); err != nil {
		return err
	}
	switch {
	case m.copied && m.running && m.snap == "":
		return fail("Cannot do full clones on a running container without snapshots")
	case !m.copied && !m.w.volumeFeature(typeLXC, featureClone, volid, m.snap):
		return fail("Linked clone feature for '%s' is not available", volid)
	}
	m.mounts = append(m.mounts, key)
	m.config[key] = value
	return nil
}

// withHardwareAddress puts another address into a container's network device.
func withHardwareAddress(nic, mac string) string {
	parts := strings.Split(nic, ",")
	for i, p := range parts {
		if strings.HasPrefix(p, "hwaddr=") {
			parts[i] = "hwaddr=" + mac
		}
	}
	return strings.Join(parts, ",")
}

func (m *containerClone) begin(j *job) error {
	g := m.w.Guest(m.source)
	if g == nil {
		return cloneFailed(noConfig(j.node.Name, typeLXC, m.source))
	}
	if g.Live.Running != m.running {
		return fail("unexpected state change")
	}
	return m.mount(j, 0)
}

// mount makes the volume at place i, or finishes.
func (m *containerClone) mount(j *job, i int) error {
	if i == len(m.mounts) {
		g := m.w.Guest(m.newid)
		if g == nil || text(g.Config["lock"]) != "create" {
			return cloneFailed(fail("Lost 'create' config lock, aborting."))
		}
		m.settle(g)
		return nil
	}
	key := m.mounts[i]
	mp, err := parseMountPoint(key, text(m.config[key]))
	if err != nil {
		return cloneFailed(err)
	}
	made, size, err := m.volume(j, mp)
	if err != nil {
		return cloneFailed(err)
	}
	took := linkTime
	if m.copied {
		took = copyTime(size)
	}
	return j.after(took, func() error {
		m.mounted(j, mp.with(made, size))
		return m.mount(j, i+1)
	})
}

// mounted writes a mount point that is ready.
func (m *containerClone) mounted(j *job, mp *mountPoint) {
	if m.copied {
		for _, line := range copyFigures {
			j.log("%s", line)
		}
	}
	if g := m.w.Guest(m.newid); g != nil {
		config := clone(g.Config)
		config[mp.key] = mp.String()
		m.w.storeConfig(g, config)
	}
}

// volume copies or links the volume of a mount point and tells its size.
func (m *containerClone) volume(j *job, mp *mountPoint) (string, int64, error) {
	volid := mp.opts["volume"]
	size, ok := j.node.volumeSize(volid)
	if !ok {
		return "", 0, fail("volume '%s' does not exist", volid)
	}
	if !m.copied {
		j.log("create linked clone of mount point %s (%s)", mp.key, volid)
		made, err := m.link(j.node, volid, contentRootDir, j.log)
		return made, size, err
	}
	j.log("create full clone of mountpoint %s (%s)", mp.key, volid)
	made, err := m.w.allocateRoot(j.node, m.newid, m.storageFor(volid), size, j.log)
	if err == nil {
		m.made = append(m.made, made)
	}
	return made, size, err
}
