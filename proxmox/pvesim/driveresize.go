package pvesim

import (
	"fmt"
	"strings"
	"time"
)

// resizeTime is how long it takes to enlarge a disk: one call of a tool (05/049 ended within a second).
const resizeTime = 300 * time.Millisecond

func driveRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}"
	change := need("/vms/{vmid}", "VM.Config.Disk")
	return daemon(
		put(base+"/resize", change, resizeDisk),
		put(base+"/unlink", change, unlinkDisks),
		post(base+"/move_disk", change, moveDisk))
}

// unlinkDisks is another way to write the removal of drives: with force they are erased (05/012 to 05/014).
func unlinkDisks(c *call) (any, error) {
	params := map[string]any{"delete": c.params["idlist"]}
	if c.given("force") {
		params["force"] = c.params["force"]
	}
	c.params = params
	return c.updateQEMU(true)
}

// resizeDisk enlarges a disk in a task, which makes all the checks: even a VM that is not there fails in it (05/054).
func resizeDisk(c *call) (any, error) {
	if c.param("skiplock") == "1" && c.id.name() != rootUser {
		return nil, badParam("skiplock", "Only root may use this option.")
	}
	vmid := int(integer(c.vars["vmid"]))
	return c.fork("resize", c.vars["vmid"], func(j *job) error {
		return j.lockFile(lockFileOf(typeQEMU, vmid), func() error {
			g, err := c.w.vmOn(c.node, vmid)
			if err != nil {
				return err
			}
			return c.enlarge(j, g)
		})
	}), nil
}

// vmOn finds a virtual machine of a node.
func (w *World) vmOn(n *Node, vmid int) (*Guest, error) {
	g := w.Guest(vmid)
	if g == nil || g.Type != typeQEMU || g.Node != n.Name {
		return nil, noConfig(n.Name, typeQEMU, vmid)
	}
	return g, nil
}

// enlarge is the task of a resize once it has the guest's lock.
func (c *call) enlarge(j *job, g *Guest) error {
	if err := c.unchanged(g); err != nil {
		return err
	}
	if err := g.lockedError(); err != nil && c.param("skiplock") != "1" {
		return err
	}
	key := c.param("disk")
	d, err := g.drive(key)
	if err != nil {
		return err
	}
	if d.isCDROM() {
		return fail("you can't resize a cdrom")
	}
	if p, err := c.w.volumeOf(d.file); err == nil && p.format == "qcow2" && len(g.Snapshots) > 0 { // source
		return fail("can't resize volume: %s if snapshot exists", key)
	}
	store, _, _ := strings.Cut(d.file, ":")
	if err := c.wants("/storage/"+store, "Datastore.AllocateSpace"); err != nil {
		return err
	}
	size, err := c.w.newSize(j.node, d.file, c.param("size"))
	if err != nil || size == 0 {
		return err
	}
	return j.after(resizeTime, func() error { return c.w.setDriveSize(j, g.VMID, key, d.file, size) })
}

// newSize is what a volume's size becomes, 0 when it stays.
func (w *World) newSize(n *Node, volid, wish string) (int64, error) {
	v := n.volume(volid)
	if v == nil {
		return 0, fail("Could not determine current size of volume '%s'", volid)
	}
	size := virtualSize(v)
	more, relative := strings.CutPrefix(wish, "+")
	now := parseSize(more)
	if relative {
		now += size
	}
	switch {
	case now < size:
		return 0, fail("shrinking disks is not supported") // 05/053
	case now == size:
		return 0, nil
	case v["format"] != "raw" && v["format"] != "qcow2":
		return 0, fail("can't resize this image format")
	}
	return now, nil
}

// setDriveSize makes a volume larger and says so in the configuration.
func (w *World) setDriveSize(j *job, vmid int, key, volid string, size int64) error {
	g, err := w.vmOn(j.node, vmid)
	if err != nil {
		return err
	}
	d, err := g.drive(key)
	if err != nil {
		return err
	}
	w.changeVolume(j.node, volid, Object{"size": size})
	d.opts["size"] = printSize(size)
	w.SetConfig(vmid, key, d.String())
	store, name, _ := strings.Cut(volid, ":")
	if def := w.Storage(store); def != nil && strings.HasPrefix(text(def["type"]), "lvm") {
		j.log("  Logical volume %s/%s successfully resized.", text(def["vgname"]), name)
	} else if def != nil && onFiles(text(def["type"])) && !g.Live.Running {
		j.log("Image resized.")
	}
	return nil
}

// unchanged checks the digest of a request about a VM's disk.
func (c *call) unchanged(g *Guest) error {
	if digest := c.param("digest"); digest != "" && digest != g.Digest {
		return fail("checksum mismatch (file change by other user?)")
	}
	return nil
}

// drive gives a drive of the configuration in effect.
func (g *Guest) drive(key string) (*drive, error) {
	value := text(g.Config[key])
	if value == "" {
		return nil, fail("disk '%s' does not exist", key)
	}
	d, ok := parseDrive(key, value)
	if !ok {
		return nil, fail("disk '%s' has no associated volume", key)
	}
	return d, nil
}

// copyTime is how long it takes to copy the content of a disk: a second for the tools, and what a fast disk needs.
func copyTime(size int64) time.Duration {
	const bytesPerSecond = 2 << 30
	return time.Second + time.Duration(float64(size)/bytesPerSecond*float64(time.Second))
}

// transferLines is the log of a copy that is too fast to be seen at work (05/067).
func transferLines(log logger, size int64) {
	log("transferred 0.0 B of %s (0.00%%)", humanSize(size))
	log("transferred %s of %s (100.00%%)", humanSize(size), humanSize(size))
}

// mirrorLines is the log of a copy that a running QEMU makes and goes on with.
func mirrorLines(log logger, key string, size int64) {
	mirrorReady(log, key, size)
	log("drive-%s: Completing block job...", key)
	log("drive-%s: Completed successfully.", key)
}

// mirrorReady is its log up to where source and copy are the same.
func mirrorReady(log logger, key string, size int64) {
	job := "drive-" + key
	log("drive mirror is starting for %s", job)
	log("%s: transferred 0.0 B of %s (0.00%%) in 0s", job, humanSize(size))
	log("%s: transferred %s of %s (100.00%%) in 1s, ready", job, humanSize(size), humanSize(size))
	log("all 'mirror' jobs are ready")
}

// humanSize writes bytes as transfers do: 1.0 GiB.
func humanSize(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, u
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
