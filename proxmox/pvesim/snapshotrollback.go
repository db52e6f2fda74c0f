package pvesim

import (
	"strconv"
	"strings"
	"time"
)

// rollBack goes back to a snapshot; a running guest is stopped first, and runs again where the snapshot holds its memory
// or where start asks for it.
func rollBack(c *call, g *Guest) (any, error) {
	start := c.param("start") == "1"
	return c.snapshotTask(g, "rollback", c.vars["snapname"], func(s *snapshotJob) error {
		s.start = start
		return s.migrationLocked(func() error {
			s.note("rollback snapshot %s %d: %s", s.word("VM", "LXC"), s.vmid, s.name)
			return s.locked(s.prepareRollback)
		})
	}), nil
}

// prepareRollback checks, stops the guest and sets its lock; volumes and configuration come next.
func (s *snapshotJob) prepareRollback(g *Guest) error {
	if g.Template() {
		return fail("you can't rollback if vm is a template")
	}
	snap := g.snapshot(s.name)
	if snap == nil {
		return noSnapshot(s.name)
	}
	if err := s.w.rollbackPossible(g, snap); err != nil {
		return err
	}
	if state := text(snap.Config["snapstate"]); state != "" {
		return fail("unable to rollback to incomplete snapshot (snapstate = %s)", state)
	}
	if err := g.lockedError(); err != nil {
		return err
	}
	s.w.SetStatus(s.vmid, "stopped")
	s.w.setLock(g, "rollback")
	took := snapshotTime
	if snap.VMState {
		took += vmstateTime
	}
	return s.after(took, s.rollBackVolumes)
}

// rollbackPossible refuses where a storage can only go back to the newest snapshot.
func (w *World) rollbackPossible(g *Guest, snap *Snapshot) error {
	for _, key := range ownVolumes(snap.Config) {
		volid := driveVolume(text(snap.Config[key]))
		store, name, _ := strings.Cut(volid, ":")
		if w.onlyNewest(store) && g.newerSnapshot(snap, volid) {
			return fail("can't rollback, '%s' is not most recent snapshot on '%s'", snap.Name, w.rollbackName(store, name))
		}
	}
	return nil
}

// onlyNewest is whether volumes of a storage can only go back to their newest snapshot: ZFS, and chains of volumes.
func (w *World) onlyNewest(store string) bool {
	def := w.Storage(store)
	return strings.HasPrefix(text(def["type"]), "zfs") || truth(def["snapshot-as-volume-chain"])
}

// rollbackName is how the message calls the volume: ZFS by its full id.
func (w *World) rollbackName(store, name string) string {
	if strings.HasPrefix(text(w.Storage(store)["type"]), "zfs") {
		return store + ":" + name
	}
	return name
}

// newerSnapshot is whether another snapshot of the volume was taken later.
func (g *Guest) newerSnapshot(than *Snapshot, volid string) bool {
	after := false
	for _, s := range g.Snapshots { // in the order of their making where times are equal
		if s == than {
			after = true
			continue
		}
		later := s.Time.After(than.Time) || after && s.Time.Equal(than.Time)
		if later && s.holds(volid) {
			return true
		}
	}
	return false
}

// holds is whether the snapshot has the volume among its drives.
func (s *Snapshot) holds(volid string) bool { return usesVolume(s.Config, volid) }

// usesVolume is whether a drive or mount point of a configuration is the volume.
func usesVolume(config Object, volid string) bool {
	for _, key := range ownVolumes(config) {
		if driveVolume(text(config[key])) == volid {
			return true
		}
	}
	return false
}

func (s *snapshotJob) rollBackVolumes() error {
	g, err := s.guest()
	if err != nil {
		return err
	}
	snap := g.snapshot(s.name)
	if snap == nil {
		return noSnapshot(s.name)
	}
	for _, key := range ownVolumes(snap.Config) {
		volid := driveVolume(text(snap.Config[key]))
		if err := s.volumeThere(volid, "-a"); err != nil {
			return err
		}
		if size := driveSize(text(snap.Config[key])); size > 0 {
			s.w.changeVolume(s.node, volid, Object{"size": size}) // it may have grown since
		}
		s.thinLog(volid, false, "successfully removed") // it is made anew from the snapshot
		s.thinLog(volid, false, "created")
	}
	return s.locked(func(g *Guest) error {
		if text(g.Config["lock"]) != "rollback" {
			return fail("got wrong lock")
		}
		snap := g.snapshot(s.name)
		if err := s.w.applySnapshot(g, snap); err != nil {
			return err
		}
		if snap.VMState {
			s.w.SetStatus(s.vmid, "running")
		}
		if s.start {
			return s.startAgain()
		}
		return nil
	})
}

// volumeThere fails, as the tool that works on the snapshots of a volume does, when the volume is gone.
func (s *snapshotJob) volumeThere(volid, action string) error {
	if s.node.volume(volid) != nil {
		return nil
	}
	store, _, _ := strings.Cut(volid, ":")
	if def := s.w.Storage(store); def == nil || !onFiles(text(def["type"])) {
		return fail("volume '%s' does not exist", volid)
	}
	return fail("command '/usr/bin/qemu-img snapshot %s %s %s' failed: exit code 1", action, s.name, s.w.pathOf(volid))
}

// snapshotOnly are keys that say how a machine ran when its memory was saved; they do not become configuration.
var snapshotOnly = []string{"runningmachine", "runningcpu", "running-nets-host-mtu"}

// applySnapshot makes a snapshot's section the configuration. The description and unused volumes stay (08/022), volumes
// that the snapshot does not use become unused, and the VM gets a new generation id (08/039).
func (w *World) applySnapshot(g *Guest, snap *Snapshot) error {
	config := Object{}
	for k, v := range g.Config {
		if k == "description" || isUnusedKey(k) && !snap.holds(text(v)) {
			config[k] = v
		}
	}
	for _, key := range ownVolumes(g.Config) {
		volid := driveVolume(text(g.Config[key]))
		if snap.holds(volid) || !strings.Contains(volid, ":") {
			continue
		}
		if err := addUnused(config, volid); err != nil {
			return err
		}
	}
	section := without(snap.Config, snapshotOnly...)
	copySection(section, config)
	config["parent"] = snap.Name
	if has(config, "vmgenid") {
		config["vmgenid"] = w.newUUID()
	}
	g.Pending, g.Deleted = Object{}, nil
	w.storeConfig(g, config)
	return nil
}

// startAgain starts the guest in a task of its own, and waits about as long as that takes (08/049, 08/051).
func (s *snapshotJob) startAgain() error {
	g := s.w.Guest(s.vmid)
	if g == nil || g.Live.Running {
		return nil
	}
	s.w.startGuest(s.node, g, s.task.principal())
	return s.after(forkTime+startAgainTime, func() error { return nil })
}

// startAgainTime is how long a guest needs to start.
const startAgainTime = 300 * time.Millisecond

// startGuest starts a guest in a task.
func (w *World) startGuest(n *Node, g *Guest, user string) *Task {
	kind, work := "qmstart", (&vmStart{w: w, n: n, vmid: g.VMID}).work
	if g.Type == typeLXC {
		kind, work = "vzstart", (&ctStart{w: w, n: n, vmid: g.VMID}).work
	}
	return w.fork(n, kind, strconv.Itoa(g.VMID), user, work)
}
