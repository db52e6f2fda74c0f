package pvesim

import (
	"strconv"
	"strings"
	"time"
)

// templateTime is how long the volumes of a guest need to become base volumes.
const templateTime = 100 * time.Millisecond

// machineTemplate makes a VM a template; with disk it makes one more disk of a template a base volume.
func machineTemplate(c *call, g *Guest) (any, error) {
	disk := c.param("disk")
	if err := templateable(g, disk); err != nil {
		return nil, err
	}
	w, n, vmid := c.w, c.node, g.VMID
	return c.fork("qmtemplate", strconv.Itoa(vmid), func(j *job) error {
		return j.lockFile(lockFileOf(typeQEMU, vmid), func() error {
			g, err := w.guestAt(n, typeQEMU, vmid)
			if err != nil {
				return err
			}
			if err := templateable(g, disk); err != nil {
				return err
			}
			w.SetConfig(vmid, "template", 1)
			return j.after(templateTime, func() error { return w.baseVolumes(n, vmid, disk) })
		})
	}), nil
}

// templateable is what a guest must be to become a template (08/086, 08/117, 03/056, 06/039).
func templateable(g *Guest, disk string) error {
	word, one := "VM", "a VM"
	if g.Type == typeLXC {
		word, one = "CT", "a CT"
	}
	if err := g.lockedError(); err != nil {
		return err
	}
	switch {
	case len(g.Snapshots) > 0:
		return fail("unable to create template, because %s contains snapshots", word)
	case g.Template() && disk == "":
		return fail("you can't convert a template to a template")
	case g.Live.Running && g.Type == typeLXC:
		return fail("you can't convert %s to template if the %s is running", one, word)
	case g.Live.Running:
		return fail("you can't convert %s to template if %s is running", one, word)
	}
	return nil
}

// containerTemplate makes a container a template at once (08/141, 08/145) and answers null (facts 35), although a task
// turns its volumes into base volumes: the world's list of tasks has a vztemplate.
func containerTemplate(c *call, g *Guest) (any, error) {
	if err := c.free(g); err != nil {
		return nil, err
	}
	if err := templateable(g, ""); err != nil {
		return nil, err
	}
	w, n, vmid := c.w, c.node, g.VMID
	w.SetConfig(vmid, "template", 1)
	task := w.fork(n, "vztemplate", strconv.Itoa(vmid), c.id.name(), func(*job) error {
		g, err := w.guestAt(n, typeLXC, vmid)
		if err != nil {
			return err
		}
		for _, key := range g.disks() {
			if volid := driveVolume(text(g.Config[key])); !w.volumeFeature(typeLXC, featureTemplate, volid, "") {
				return fail("Template feature is not available for '%s'", volid)
			}
		}
		return w.baseVolumes(n, vmid, "")
	})
	task.job.take(g.lockFile()) // the worker inherits it: nothing comes between the answer and the renaming
	return nil, nil
}

// baseVolumes renames the volumes of a guest (one disk, or all) to base volumes where their storage knows such.
func (w *World) baseVolumes(n *Node, vmid int, disk string) error {
	g := w.Guest(vmid)
	if g == nil {
		return nil
	}
	config := clone(g.Config)
	for _, key := range g.disks() {
		value := text(config[key])
		volid := driveVolume(value)
		if disk != "" && key != disk || isBase(volid) || !w.volumeFeature(g.Type, featureTemplate, volid, "") {
			continue
		}
		if n.volume(volid) == nil {
			return fail("volume '%s' does not exist", volid)
		}
		base := w.renameVolume(n, volid, volumeSpec{vmid: vmid, name: baseNameOf(volumeName(volid))})
		config[key] = strings.Replace(value, volid, base, 1)
	}
	w.storeConfig(g, config)
	return nil
}

// baseNameOf is what a volume is called as a base volume: base-900-disk-0.qcow2, basevol-900-disk-0.
func baseNameOf(name string) string {
	if rest, ok := strings.CutPrefix(name, "subvol-"); ok {
		return "basevol-" + rest
	}
	if rest, ok := strings.CutPrefix(name, "vm-"); ok {
		return "base-" + rest
	}
	return name
}
