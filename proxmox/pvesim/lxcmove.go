package pvesim

import "time"

// filesTime is how long the files of a small container need to be copied (07/055 to 07/057).
const filesTime = 500 * time.Millisecond

// moveLock is the configuration lock of a container while its volumes are copied.
const moveLock = "disk"

// moveContainerVolume copies a volume to another storage, or gives it to another container.
func moveContainerVolume(c *call) (any, error) {
	store, target := c.param("storage"), c.param("target-vmid")
	both := func(text string) error { return badParams(map[string]string{"storage": text, "target-vmid": text}) }
	switch {
	case store != "" && target != "":
		return nil, both("either set 'storage' or 'target-vmid', but not both")
	case target != "":
		return c.giveVolume()
	case store == "":
		return nil, both("both 'storage' and 'target-vmid' missing, either needs to be set") // 05/075
	}
	return c.copyMount(store)
}

// ctCopy is the move of a volume to another storage.
type ctCopy struct {
	w          *World
	n          *Node
	vmid       int
	key, store string
	erase      bool
	m          *mountPoint
	digest     string
}

// copyMount makes the checks and sets the lock at once; that the storage is not there shows in the task (07/064).
func (c *call) copyMount(store string) (any, error) {
	if err := c.wants("/storage/"+store, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	g, err := c.container()
	if err != nil {
		return nil, err
	}
	m, err := c.movable(g, c.param("volume"))
	if err != nil {
		return nil, err
	}
	cp := &ctCopy{w: c.w, n: c.node, vmid: g.VMID, key: m.key, store: store, erase: truth(c.params["delete"]), m: m}
	c.w.setLock(g, moveLock)
	cp.digest = g.Digest
	return c.fork("move_volume", c.vars["vmid"], cp.work), nil
}

// movable checks that a mount point can be copied now (07/062).
func (c *call) movable(g *Guest, key string) (*mountPoint, error) {
	if err := firstError(c.free(g), g.lockedError()); err != nil {
		return nil, err
	}
	if g.Live.Running {
		return nil, fail("cannot move volumes of a running container")
	}
	if isUnusedKey(key) {
		return nil, fail("cannot move volume '%s', only configured volumes can be moved to another storage", key)
	}
	m, err := parseMountPoint(key, text(g.Config[key]))
	if err != nil {
		return nil, err
	}
	if truth(c.params["delete"]) && len(g.references(key, m.opts["volume"])) > 0 {
		return nil, fail("you can't move a volume with snapshots and delete the source")
	}
	return m, g.unmodified(c.param("digest"))
}

func (cp *ctCopy) work(j *job) error {
	j.finally(func() {
		if g := cp.w.containerOn(cp.n, cp.vmid); g != nil && text(g.Config["lock"]) == moveLock {
			cp.w.setLock(g, "")
		}
	})
	size, ok := cp.n.volumeSize(cp.m.opts["volume"])
	switch {
	case cp.m.kind() != mountVolume:
		return fail("cannot copy volumes of type %s", cp.m.kind())
	case !ok:
		return fail("volume '%s' does not exist", cp.m.opts["volume"])
	}
	volid, err := cp.w.allocateRoot(cp.n, cp.vmid, cp.store, size, j.log)
	if err != nil {
		return err
	}
	j.onFail(func() { cp.w.dropVolume(cp.n, volid) })
	return j.after(filesTime, func() error {
		return j.lockFile(lockFileOf(typeLXC, cp.vmid), func() error { return cp.commit(j, volid, size) })
	})
}

// commit puts the copy in the place of the volume, which is erased or becomes unused.
func (cp *ctCopy) commit(j *job, volid string, size int64) error {
	g, err := cp.w.guestAt(cp.n, typeLXC, cp.vmid)
	if err != nil {
		return err
	}
	if err := g.unmodified(cp.digest); err != nil {
		return err
	}
	for _, line := range copyFigures {
		j.log("%s", line)
	}
	if g.Template() {
		volid = cp.w.renameVolume(cp.n, volid, volumeSpec{vmid: cp.vmid, name: baseNameOf(volumeName(volid))})
	}
	old, config := cp.m.opts["volume"], clone(g.Config)
	config[cp.key] = cp.m.with(volid, size).String()
	if !cp.erase {
		if err := addUnused(config, old); err != nil {
			return err
		}
	}
	cp.w.storeConfig(g, config)
	if cp.erase {
		cp.w.dropVolume(cp.n, old)
	}
	return nil
}

// copyFigures are the lines of rsync for the bare Alpine container of the recordings (07/057). What a container holds
// is not simulated.
var copyFigures = []string{"", "Number of files: 61 (reg: 13, dir: 22, link: 26)", "Number of created files: 59 (reg: 13, dir: 20, link: 26)",
	"Number of deleted files: 0", "Number of regular files transferred: 13", "Total file size: 1,983,242 bytes",
	"Total transferred file size: 1,982,997 bytes", "Literal data: 1,982,997 bytes", "Matched data: 0 bytes", "File list size: 0",
	"File list generation time: 0.003 seconds", "File list transfer time: 0.000 seconds", "Total bytes sent: 1,985,612",
	"Total bytes received: 432", "", "sent 1,985,612 bytes  received 432 bytes  3,972,088.00 bytes/sec",
	"total size is 1,983,242  speedup is 1.00"}
