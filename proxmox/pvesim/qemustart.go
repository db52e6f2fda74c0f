package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// startTime is how long a start goes on after QEMU runs (03/049 to 03/051: about a second in all).
const startTime = 600 * time.Millisecond

// vmStart is the work of a start.
type vmStart struct {
	w        *World
	n        *Node
	vmid     int
	skiplock bool
}

func (s *vmStart) work(j *job) error {
	return j.lockFile(lockFileOf(typeQEMU, s.vmid), func() error { return s.locked(j) })
}

// locked decides with the lock file in hand. A VM that is suspended to disk goes on where it was (03/068).
func (s *vmStart) locked(j *job) error {
	g := s.w.qemuOn(s.n, s.vmid)
	if g == nil {
		return noConfig(s.n.Name, typeQEMU, s.vmid)
	}
	if g.Template() {
		return fail("you can't start a vm if it's a template")
	}
	lock := text(g.Config["lock"])
	if lock == "backup" && g.Live.Running { // a backup of a stopped VM has its QEMU running: the guest goes on in that
		s.w.pause(g, false)
		return nil
	}
	if err := g.lockedUnless(s.skiplock || lock == "suspended"); err != nil {
		return err
	}
	if g.Live.Running {
		return fail("VM %d already running", s.vmid)
	}
	return s.boot(j, g, lock == "suspended" || has(g.Config, "vmstate"))
}

// boot brings QEMU up: pending changes take effect, except in a VM that goes on from its saved state.
func (s *vmStart) boot(j *job, g *Guest, resume bool) error {
	g.reboot = false
	if !resume {
		s.w.touch(g)
		j.applyPending(g)
	}
	if g.hasCloudInit() {
		j.log("generating cloud-init ISO")
		s.w.writeCloudInit(g)
	}
	if resume {
		j.log("Resuming suspended VM")
	}
	if err := s.w.startable(j, s.n, g); err != nil {
		return err
	}
	s.w.powerOn(g)
	return j.after(startTime, func() error {
		if g := s.w.qemuOn(s.n, s.vmid); g != nil && resume {
			j.log("Resumed VM, removing state")
			s.w.dropState(s.n, g)
		}
		return nil
	})
}

// applyPending lets what waits take effect in a VM that is off, and says what did not work.
func (j *job) applyPending(g *Guest) {
	failed := j.w.coldPlug(g, nil)
	for _, key := range slices.Sorted(maps.Keys(failed)) {
		j.log("%s", strings.TrimRight(failed[key], "\n"))
	}
}

// powerOn makes a guest run from now on. Guests of recorded worlds have no figures of their memory (pve/README.md section
// 7), others use a part of theirs.
func (w *World) powerOn(g *Guest) {
	w.touch(g)
	g.Live = Live{Running: true, Since: w.Now(), PID: w.nextPID()}
	if w.recorded {
		return
	}
	g.Live.CPU, g.Live.Mem = freshCPU, g.maxMem()/freshMem
	if g.Type == typeQEMU {
		g.Live.MemHost = g.Live.Mem
	}
}

// What a guest that has just come up uses: of its processors as a fraction, of its memory one part in so many.
const (
	freshCPU = 0.02
	freshMem = 3
)

// pause halts the processors of a running VM, or lets them go on.
func (w *World) pause(g *Guest, halt bool) {
	w.touch(g)
	g.Live = w.live(g, w.Now())
	g.Live.Paused, g.Live.at = halt, w.Now()
}

// hasCloudInit is whether the VM has a cloud-init drive, which every start writes anew.
func (g *Guest) hasCloudInit() bool {
	return slices.ContainsFunc(driveKeys(g.Config), func(key string) bool {
		d, ok := parseDrive(key, text(g.Config[key]))
		return ok && d.isCloudInit()
	})
}

// dropState ends the suspension to disk: the saved memory, what it needed to know and the lock are gone.
func (w *World) dropState(n *Node, g *Guest) {
	w.dropVolume(n, driveVolume(text(g.Config["vmstate"])))
	w.storeConfig(g, without(g.Config, append([]string{"lock", "vmstate"}, snapshotOnly...)...))
}

// startable looks for what keeps QEMU from starting, in the order in which its command line is made.
func (w *World) startable(j *job, n *Node, g *Guest) error {
	if err := w.machineKnown(n, g); err != nil {
		return err
	}
	cores, sockets := max(1, integer(g.Config["cores"])), max(1, integer(g.Config["sockets"]))
	if limit := w.nodeCPUs(n.Name); cores*sockets > limit { // 04/078
		return fail("MAX %d vcpus allowed per VM on this node", limit)
	}
	for _, check := range []func() error{
		func() error { return n.hasFirmware(j, g) },
		func() error { return n.passthrough(g) },
		func() error { return w.drivesReachable(n, g, false) },
		func() error { return w.bridgesExist(n, g, true) },
		func() error { return w.drivesReachable(n, g, true) },
		func() error { return w.plugNICs(j, n, g) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// hasFirmware looks for the image of a VM that boots by UEFI (05/023). Without a disk for its variables they are lost at
// the end, which is a warning.
func (n *Node) hasFirmware(j *job, g *Guest) error {
	if g.Config["bios"] != "ovmf" {
		return nil
	}
	d, ok := parseDrive("efidisk0", text(g.Config["efidisk0"]))
	if !ok {
		j.warn("no efidisk configured! Using temporary efivars disk.")
	}
	_, err := n.firmware(d, g.Config)
	return err
}

// drivesReachable checks that the storages of the VM's drives exist, and with volumes set that the volumes are there.
func (w *World) drivesReachable(n *Node, g *Guest, volumes bool) error {
	keys := append(g.disks(), g.cdroms()...)
	slices.Sort(keys)
	for _, key := range keys {
		volid := driveVolume(text(g.Config[key]))
		store, _, ok := strings.Cut(volid, ":")
		switch {
		case !ok || strings.HasPrefix(volid, "/"): // none, cdrom, a device of the host
			continue
		case w.Storage(store) == nil:
			return fail("storage '%s' does not exist", store)
		case !volumes:
			continue
		}
		if st := n.storage(store); st != nil && truth(st["enabled"]) && !truth(st["active"]) {
			return fail("storage '%s' is not online", store)
		}
		if n.volume(volid) == nil {
			return fail("volume '%s' does not exist", volid)
		}
	}
	return nil
}

// bridgesExist checks the bridges of virtio devices: their MTU is looked up for QEMU's command line (03/025).
func (w *World) bridgesExist(n *Node, g *Guest, virtio bool) error {
	for i := range 32 {
		nic := text(g.Config["net"+strconv.Itoa(i)])
		isVirtio := strings.HasPrefix(nic, "virtio") || strings.Contains(nic, "model=virtio")
		if bridge := driveOption(nic, "bridge"); bridge != "" && isVirtio == virtio && !w.hasBridge(n, bridge) {
			return fail("bridge '%s' does not exist", bridge)
		}
	}
	return nil
}

// plugNICs connects the other devices: the script that QEMU runs for them fails, and QEMU with it. A device without a
// bridge is a warning (facts 32).
func (w *World) plugNICs(j *job, n *Node, g *Guest) error {
	if err := w.bridgesExist(n, g, false); err != nil {
		j.log("%s", taskText(err))
		return fail("start failed: QEMU exited with code 1")
	}
	for i := range 32 {
		key := "net" + strconv.Itoa(i)
		if nic := text(g.Config[key]); nic != "" && driveOption(nic, "bridge") == "" {
			j.warn("%s: no bridge configured", key)
		}
	}
	return nil
}

// hasBridge is whether a node has a bridge or an applied virtual network of that name. Nodes whose network is not
// known have every bridge.
func (w *World) hasBridge(n *Node, name string) bool {
	network, _ := objects(n.Info["network"])
	named := func(list []Object, key string) bool {
		return slices.ContainsFunc(list, func(o Object) bool { return o[key] == name })
	}
	return len(network) == 0 || named(network, "iface") || named(n.vnets, "vnet")
}
