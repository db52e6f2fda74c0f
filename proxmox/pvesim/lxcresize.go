package pvesim

import (
	"strings"
	"time"
)

// ctResizeTime is how long a volume and its file system need to grow.
const ctResizeTime = 300 * time.Millisecond

// resizeContainer makes the checks of a resize at once (07/048, 07/050); the work is a task.
func resizeContainer(c *call) (any, error) {
	r := &ctResize{w: c.w, n: c.node, vmid: c.vmid(), key: c.param("disk"), size: c.param("size"), digest: c.param("digest")}
	g, err := c.writable()
	if err != nil {
		return nil, err
	}
	if _, _, err := r.check(g, func(store string) error { return c.wants("/storage/"+store, "Datastore.AllocateSpace") }); err != nil {
		return nil, err
	}
	return c.fork("resize", c.vars["vmid"], r.work), nil
}

// ctResize is what a resize asks for: the new size, or with + how much is added.
type ctResize struct {
	w                 *World
	n                 *Node
	vmid              int
	key, size, digest string
}

// check finds the volume and its new size.
func (r *ctResize) check(g *Guest, may func(store string) error) (*mountPoint, int64, error) {
	m, err := parseMountPoint(r.key, text(g.Config[r.key]))
	if err != nil {
		return nil, 0, err
	}
	volid := m.opts["volume"]
	p, err := r.w.volumeOf(volid)
	if err != nil {
		return nil, 0, err
	}
	if p.vmid != r.vmid {
		return nil, 0, fail("can't resize mount point owned by another container (%d)", p.vmid)
	}
	if err := may(m.store()); err != nil {
		return nil, 0, err
	}
	size, ok := r.n.volumeSize(volid)
	if !ok {
		return nil, 0, fail("volume '%s' does not exist", volid)
	}
	word, more := strings.CutPrefix(r.size, "+")
	wanted := parseSize(word)
	if more {
		wanted += size
	}
	switch {
	case wanted < size:
		return nil, 0, fail("unable to shrink disk size")
	case wanted == size:
		return nil, 0, fail("disk is already at specified size")
	}
	return m, wanted, nil
}

func (r *ctResize) work(j *job) error {
	return j.lockFile(lockFileOf(typeLXC, r.vmid), func() error { return r.locked(j) })
}

func (r *ctResize) locked(j *job) error {
	g, err := r.w.guestAt(r.n, typeLXC, r.vmid)
	if err != nil {
		return err
	}
	if err := firstError(g.lockedError(), g.unmodified(r.digest)); err != nil {
		return err
	}
	m, size, err := r.check(g, func(string) error { return nil })
	if err != nil {
		return err
	}
	volid := m.opts["volume"]
	r.w.changeVolume(r.n, volid, Object{"size": size})
	r.w.SetConfig(r.vmid, r.key, m.with(volid, size).String())
	if onFiles(text(r.w.Storage(m.store())["type"])) {
		j.log("Image resized.")
	}
	if p, err := r.w.volumeOf(volid); err == nil && p.format == "raw" {
		fs := newExt4(size)
		j.log("Resizing the filesystem on %s to %d (%dk) blocks.", r.w.pathOf(volid), fs.blocks, fs.block/1024)
		j.log("The filesystem on %s is now %d (%dk) blocks long.", r.w.pathOf(volid), fs.blocks, fs.block/1024)
	}
	if r.key == "rootfs" && g.Live.Running {
		_, g.Live.DiskSize = r.w.rootFigures(g)
	}
	return j.after(ctResizeTime, func() error { return nil })
}
