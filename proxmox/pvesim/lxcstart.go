package pvesim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// ctStartTime is how long the start of a container takes (06/032: well below a second).
const ctStartTime = 250 * time.Millisecond

// ctStart is the work of a vzstart task.
type ctStart struct {
	w        *World
	n        *Node
	vmid     int
	skiplock bool
}

func (s *ctStart) work(j *job) error {
	return j.lockFile(lockFileOf(typeLXC, s.vmid), func() error { return s.locked(j) })
}

func (s *ctStart) locked(j *job) error {
	g, err := s.w.guestAt(s.n, typeLXC, s.vmid)
	if err != nil {
		return err // 06/054
	}
	if g.Template() {
		return fail("you can't start a CT if it's a template") // 06/058
	}
	if g.Live.Running {
		return fail("CT %d already running", s.vmid)
	}
	if err := g.lockedUnless(s.skiplock || text(g.Config["lock"]) == "mounted"); err != nil { // 06/069
		return err
	}
	s.w.applyWaiting(g, j.log)
	if err := s.w.containerNetworks(s.n, g); err != nil { // 06/030
		return err
	}
	if err := s.w.mountsReachable(s.n, g); err != nil {
		return err
	}
	return j.after(ctStartTime, func() error {
		s.w.SetStatus(s.vmid, "running")
		return nil
	})
}

// applyWaiting makes what waits in a stopped container's configuration the one in effect. What fails goes on waiting.
func (w *World) applyWaiting(g *Guest, log logger) {
	n := w.Node(g.Node)
	if n == nil || !g.waiting() {
		return
	}
	p := &ctChanges{w: w, n: n, g: g.draft()}
	p.g.Live = Live{}
	failed := p.apply()
	for _, key := range slices.Sorted(maps.Keys(failed)) {
		log("%s", strings.TrimSuffix(failed[key], "\n"))
	}
	p.accept(g)
}

// mountsReachable checks that the storages and volumes of the mount points are there.
func (w *World) mountsReachable(n *Node, g *Guest) error {
	for _, key := range mountKeys(g.Config) {
		m, err := parseMountPoint(key, text(g.Config[key]))
		if err != nil {
			return err
		}
		if m.kind() != mountVolume {
			continue
		}
		if err := w.usable(n, m.store()); err != nil {
			return err
		}
		if volid := m.opts["volume"]; n.volume(volid) == nil {
			return fail("volume '%s' does not exist", volid)
		}
	}
	return nil
}

// What a running container's root file system holds: the bare Alpine of the recordings (06/034), and about what the
// templates of other distributions unpack to.
const (
	alpineContent = 2146304
	otherContent  = 450 * mib
)

// rootFigures are what a container that was just started shows of its root file system: what is used, and what there is
// for data (06/026). Volumes that are no ext4 images have all of their size.
func (w *World) rootFigures(g *Guest) (used, size int64) {
	if g.Type != typeLXC {
		return 0, 0
	}
	size = driveSize(text(g.Config["rootfs"]))
	if used = min(otherContent, size/2); g.Config["ostype"] == "alpine" {
		used = min(alpineContent, size)
	}
	if p, err := w.volumeOf(driveVolume(text(g.Config["rootfs"]))); err == nil && p.format == "raw" {
		size = newExt4(size).capacity()
	}
	return used, size
}
