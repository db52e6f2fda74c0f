package pvesim

import (
	"slices"
	"strings"
	"time"
)

// Times of snapshot tasks: about what the recordings' tasks took (08/006 to 08/053).
const (
	snapshotTime = 150 * time.Millisecond // the volumes of a guest
	vmstateTime  = 500 * time.Millisecond // saving or loading a small machine's memory
)

// snapshotSpec is a snapshot that is to be made.
type snapshotSpec struct {
	name, description string
	vmstate           bool
}

// createSnapshot checks only the name at once; all else fails in the task (facts 34).
func createSnapshot(c *call, g *Guest) (any, error) {
	spec := snapshotSpec{name: c.param("snapname"), description: c.param("description"), vmstate: c.param("vmstate") == "1"}
	if reservedSnapshot(g.Type, spec.name) {
		return nil, fail("unable to use snapshot name '%s' (reserved name)", spec.name)
	}
	return c.snapshotTask(g, "snapshot", spec.name, func(s *snapshotJob) error {
		return s.migrationLocked(func() error {
			s.note("snapshot %s %d: %s", s.word("VM", "container"), s.vmid, s.name)
			return s.locked(func(g *Guest) error { return s.prepare(g, spec) })
		})
	}), nil
}

// reservedSnapshot is whether a name has a meaning of its own (08/012).
func reservedSnapshot(kind, name string) bool {
	if kind == typeLXC {
		return name == currentSnapshot || name == "vzdump"
	}
	return name == currentSnapshot || strings.EqualFold(name, "pending")
}

// prepare writes the snapshot's section and sets the guest's lock; the volumes come next.
func (s *snapshotJob) prepare(g *Guest, spec snapshotSpec) error {
	if err := s.w.checkSnapshot(g, spec.name); err != nil {
		return err
	}
	section := s.w.snapshotSection(g, spec.description)
	if spec.vmstate && g.Type == typeQEMU && g.Live.Running {
		if err := s.w.saveState(s.node, g, s.w.stateStorage(g), spec.name, section, s.log); err != nil {
			return err
		}
	}
	section["snapstate"] = snapPreparing
	g.forgetParent(spec.name)
	s.w.setLock(g, "snapshot")
	g.putSnapshot(snapshotOf(spec.name, section))
	s.onFail(func() { s.withdraw(spec.name) })
	took := snapshotTime
	if store, _, ok := strings.Cut(text(section["vmstate"]), ":"); ok {
		s.log("saving VM state and RAM using storage '%s'", store)
		took += vmstateTime
	}
	return s.after(took, s.snapshotVolumes)
}

// checkSnapshot is what a new snapshot needs (08/010, 08/057 to 08/065).
func (w *World) checkSnapshot(g *Guest, name string) error {
	if g.Template() {
		return fail("you can't take a snapshot if it's a template")
	}
	if err := g.lockedError(); err != nil {
		return err
	}
	if g.snapshot(name) != nil {
		return fail("snapshot name '%s' already used", name)
	}
	if !w.feature(g.Type, featureSnapshot, g.Config, "") {
		return fail("snapshot feature is not available")
	}
	return nil
}

// forgetParent takes references to a parent away that does not exist and whose name is now taken.
func (g *Guest) forgetParent(name string) {
	for _, s := range g.Snapshots {
		if s.Parent == name {
			g.putSnapshot(s.with(Object{"parent": nil}))
		}
	}
}

// notInSnapshots are keys of a guest that its snapshots do not hold; unused volumes are not in them either.
var notInSnapshots = []string{"description", "lock", "snaptime", "snapstate", "vmstate", "digest"}

// copySection copies what a snapshot holds of a configuration, in either direction.
func copySection(from, to Object) {
	for k, v := range from {
		if !slices.Contains(notInSnapshots, k) && !isUnusedKey(k) {
			to[k] = v
		}
	}
}

// snapshotSection makes the section of a new snapshot.
func (w *World) snapshotSection(g *Guest, description string) Object {
	section := Object{"snaptime": w.Now().Unix()}
	copySection(g.Config, section)
	if d := g.comment(description); d != nil {
		section["description"] = d
	}
	return section
}

// withdraw undoes a snapshot that failed half-way.
func (s *snapshotJob) withdraw(name string) {
	g := s.w.Guest(s.vmid)
	if g == nil {
		return
	}
	if snap := g.snapshot(name); snap != nil && has(snap.Config, "snapstate") {
		s.log("snapshot create failed: starting cleanup")
		s.w.dropVolume(s.node, text(snap.Config["vmstate"]))
		g.removeSnapshot(name)
		s.w.setLock(g, "")
	}
}

// snapshotVolumes snapshots the volumes one by one and commits.
func (s *snapshotJob) snapshotVolumes() error {
	g, err := s.guest()
	if err != nil {
		return err
	}
	snap := g.snapshot(s.name)
	if snap == nil {
		return noSnapshot(s.name)
	}
	if snap.VMState {
		s.log("completed saving the VM state in 1s, saved %.2f MiB", float64(g.Live.Mem)/mib)
	}
	for _, key := range ownVolumes(snap.Config) {
		volid := driveVolume(text(snap.Config[key]))
		if s.kind == typeQEMU {
			s.log("snapshotting 'drive-%s' (%s)", key, volid)
		}
		s.thinLog(volid, true, "created")
	}
	return s.locked(func(g *Guest) error {
		if text(g.Config["lock"]) != "snapshot" {
			return fail("missing snapshot lock")
		}
		s.w.commitSnapshot(g, s.name)
		return nil
	})
}

// thinLog is what LVM prints when it makes or removes a thin volume (snap: the snapshot of it); other storages are silent.
func (s *snapshotJob) thinLog(volid string, snap bool, what string) {
	store, name, _ := strings.Cut(volid, ":")
	if text(s.w.Storage(store)["type"]) != "lvmthin" {
		return
	}
	if snap {
		name = "snap_" + name + "_" + s.name
	}
	s.log("  Logical volume %q %s.", name, what)
}

// commitSnapshot makes a prepared snapshot the parent of what follows.
func (w *World) commitSnapshot(g *Guest, name string) {
	g.putSnapshot(g.snapshot(name).with(Object{"snapstate": nil}))
	config := without(g.Config, "lock")
	config["parent"] = name
	w.storeConfig(g, config)
}
