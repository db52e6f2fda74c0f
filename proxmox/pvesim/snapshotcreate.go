package pvesim

import (
	"fmt"
	"maps"
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

// driverState is the room for the state of devices beside twice the memory, in bytes.
const driverState = 500 * mib

// saveState makes the volume for the memory on a storage and notes the machine as it runs, for a snapshot (08/045) and for
// a VM that is suspended to disk (03/067).
func (w *World) saveState(n *Node, g *Guest, store, name string, section Object, log logger) error {
	v := volumeSpec{vmid: g.VMID, kind: contentImages, format: "raw", name: fmt.Sprintf("vm-%d-state-%s", g.VMID, name),
		size: 2*g.maxMem() + driverState}
	if def := w.Storage(store); def != nil && onFiles(text(def["type"])) {
		v.name += ".raw"
	}
	volid, err := w.allocateImage(n, store, v, log)
	if err != nil {
		return err
	}
	section["vmstate"] = volid
	section["runningmachine"] = w.runningMachine(n, g)
	section["runningcpu"] = runningCPU(g)
	section["running-nets-host-mtu"] = runningMTUs(g)
	return nil
}

// stateStorage is where memory is saved: as configured, else a shared storage of the VM's disks, else any of theirs,
// files preferred, else local.
func (w *World) stateStorage(g *Guest) string {
	if s := text(g.Config["vmstatestorage"]); s != "" {
		return s
	}
	used := map[string]bool{}
	for _, key := range g.disks() {
		if store, _, ok := strings.Cut(driveVolume(text(g.Config[key])), ":"); ok {
			used[store] = true
		}
	}
	var shared, local string
	for _, store := range slices.Sorted(maps.Keys(used)) {
		def, into := w.Storage(store), &local
		if sharedStorage(def) {
			into = &shared
		}
		if *into == "" || has(def, "path") {
			*into = store
		}
	}
	switch {
	case shared != "":
		return shared
	case local != "":
		return local
	}
	return "local"
}

// runningMachine is the machine type that a VM runs as: the configured version, or the newest of the node.
func (w *World) runningMachine(n *Node, g *Guest) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(text(g.Config["machine"]), "type="), ",")
	if kind != "" && kind != "pc" && kind != "q35" {
		return kind
	}
	family := "i440fx"
	if kind == "q35" {
		family = "q35"
	}
	list, _ := objects(n.Info["machines"])
	for _, m := range list {
		if m["type"] == family {
			return text(m["id"])
		}
	}
	version := strings.SplitN(driveOption(text(g.Config["meta"]), "creation-qemu")+"..", ".", 3)
	return "pc-" + family + "-" + version[0] + "." + version[1]
}

// runningCPU is the model that QEMU was given; without one in the configuration that of an emulated processor (08/045).
func runningCPU(g *Guest) string {
	model, _, _ := strings.Cut(text(g.Config["cpu"]), ",")
	if model = strings.TrimPrefix(model, "cputype="); model != "" {
		return model
	}
	return "qemu64"
}

// runningMTUs are the MTUs that virtio devices were told by the host, 0 unless their configuration has one (03/067);
// without such a device the value is a blank (08/045).
func runningMTUs(g *Guest) string {
	var list []string
	for i := range 32 {
		key := fmt.Sprintf("net%d", i)
		if nic := text(g.Config[key]); strings.HasPrefix(nic, "virtio") {
			list = append(list, fmt.Sprintf("%s=%d", key, integer(driveOption(nic, "mtu"))))
		}
	}
	if len(list) == 0 {
		return " "
	}
	return strings.Join(list, ",")
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
