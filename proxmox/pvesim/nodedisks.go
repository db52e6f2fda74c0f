package pvesim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

func diskRoutes() []route {
	audit, modify := need("/", "Sys.Audit"), need("/", "Sys.Modify")
	base := "/nodes/{node}/disks"
	list := []route{
		get(base+"/list", need("/nodes/{node}", "Sys.Audit", "Datastore.Audit"), listDisks),
		get(base+"/smart", audit, diskHealth),
		get(base+"/lvm", audit, listVolumeGroups), get(base+"/lvmthin", audit, listThinPools),
		get(base+"/zfs", audit, listZFS), get(base+"/zfs/{name}", audit, zfsDetail), get(base+"/directory", audit, listDirectories),
		post(base+"/initgpt", modify, initDisk), put(base+"/wipedisk", modify, wipeDisk),
	}
	for _, k := range diskKinds {
		list = append(list, post(base+"/"+k.name, modify, k.create), del(base+"/"+k.name+"/{name}", modify, k.remove))
	}
	return daemon(list...)
}

// diskUse is what was made of whole disks: a volume group, a thin pool in one, a ZFS pool or a directory. The key kind is
// that of diskKinds; size and used are bytes.
const diskUses = "disk_uses"

func (n *Node) diskUses(kind string) []Object {
	list, _ := n.Info[diskUses].([]Object)
	var out []Object
	for _, o := range list {
		if o["kind"] == kind {
			out = append(out, o)
		}
	}
	return out
}

func (n *Node) disk(dev string) Object {
	list, _ := objects(n.Info["disks"])
	return find(list, func(o Object) bool { return o["devpath"] == dev })
}

// setDisk changes what the list says of a disk; used "" is a disk that is free.
func (n *Node) setDisk(dev string, set Object) {
	list, _ := objects(n.Info["disks"])
	for i, o := range list {
		if o["devpath"] == dev {
			if list[i] = merged(o, nil, set); set["used"] == "" {
				list[i] = without(list[i], "used")
			}
		}
	}
	n.Info["disks"] = anyList(list)
}

// listDisks asks no disk for its health with skipsmart; what it says then is inferred: what it says of disks that do not tell.
func listDisks(c *call) (any, error) {
	list, _ := objects(c.node.Info["disks"])
	out := []Object{}
	for _, o := range list {
		if c.param("type") == "unused" && text(o["used"]) != "" || o["parent"] != nil && !truth(c.params["include-partitions"]) {
			continue
		}
		row := without(o, "attributes", "smart")
		if truth(c.params["skipsmart"]) {
			row["health"], row["wearout"] = "UNKNOWN", "N/A"
		}
		out = append(out, row)
	}
	return out, nil
}

// diskHealth is what the disk says of itself: a table of attributes for SATA disks, text for others.
func diskHealth(c *call) (any, error) {
	d := c.node.disk(c.param("disk"))
	if d == nil {
		return nil, fail("disk '%s' does not exist", c.param("disk"))
	}
	out := Object{"health": d["health"]}
	switch {
	case truth(c.params["healthonly"]):
	case d["attributes"] != nil:
		out["type"], out["attributes"] = "ata", d["attributes"]
	default:
		out["type"], out["text"] = "text", text(d["smart"])
	}
	return out, nil
}

// volumeGroups are those of the node: made of disks, or named by a storage that is active.
func (n *Node) volumeGroups(w *World, kind, key string) []Object {
	list := n.diskUses(kind)
	for _, def := range w.Storages {
		name, row := text(def[key]), n.storage(text(def["storage"]))
		if name == "" || row == nil || !truth(row["active"]) || def["type"] != kind && !(kind == "lvm" && def["type"] == "lvmthin") {
			continue
		}
		name, _, _ = strings.Cut(name, "/")
		if find(list, func(o Object) bool { return o["name"] == name }) == nil {
			list = append(list, Object{"name": name, "size": row["total"], "used": row["used"], "devices": []string{}})
		}
	}
	return list
}

func listVolumeGroups(c *call) (any, error) {
	groups := []Object{}
	for _, o := range c.node.volumeGroups(c.w, "lvm", "vgname") {
		size, used := integer(o["size"]), integer(o["used"])
		devices, _ := o["devices"].([]string)
		volumes := []Object{}
		for _, dev := range devices {
			volumes = append(volumes, Object{"name": dev, "size": size / int64(len(devices)), "free": (size - used) / int64(len(devices)), "leaf": 1})
		}
		groups = append(groups, Object{"name": o["name"], "size": size, "free": size - used, "lvcount": 0, "leaf": 0, "children": volumes})
	}
	return Object{"leaf": 0, "children": groups}, nil
}

// metadataShare is how much of a thin pool its metadata takes.
const metadataShare = 1000

func listThinPools(c *call) (any, error) {
	out := []Object{}
	row := func(vg, lv string, size, used int64) {
		out = append(out, Object{"vg": vg, "lv": lv, "lv_size": size, "used": used, "metadata_size": size / metadataShare, "metadata_used": used / metadataShare})
	}
	for _, o := range c.node.diskUses("lvmthin") {
		row(text(o["vg"]), text(o["name"]), integer(o["size"]), integer(o["used"]))
	}
	for _, def := range c.w.Storages {
		s := c.node.storage(text(def["storage"]))
		if def["type"] == "lvmthin" && s != nil && truth(s["active"]) && find(out, func(o Object) bool { return o["lv"] == def["thinpool"] && o["vg"] == def["vgname"] }) == nil {
			row(text(def["vgname"]), text(def["thinpool"]), integer(s["total"]), integer(s["used"]))
		}
	}
	return out, nil
}

// listZFS needs the tools, which the recorded node has not (02/057).
func listZFS(c *call) (any, error) {
	if v, ok := c.node.Info["zfs"]; ok {
		return v, nil
	}
	if c.w.recorded {
		return nil, fail("zfsutils-linux not installed")
	}
	out := []Object{}
	for _, o := range c.node.volumeGroups(c.w, "zfspool", "pool") {
		size, used := integer(o["size"]), integer(o["used"])
		out = append(out, Object{"name": o["name"], "size": size, "alloc": used, "free": size - used, "frag": 11, "dedup": 1, "health": poolState(o)})
	}
	return out, nil
}

func zfsDetail(c *call) (any, error) {
	if c.w.recorded {
		return nil, fail("zfsutils-linux not installed")
	}
	name := c.vars["name"]
	o := find(c.node.volumeGroups(c.w, "zfspool", "pool"), func(o Object) bool { return o["name"] == name })
	if o == nil {
		return nil, fail("unable to get pool '%s' - no such pool", name)
	}
	devices, _ := o["devices"].([]string)
	failed, _ := o["failed"].([]string)
	leaves, state := []Object{}, poolState(o)
	for _, dev := range devices {
		leaf := vdev(strings.TrimPrefix(dev, "/dev/"), "ONLINE", nil)
		if contains(failed, dev) {
			leaf["state"], leaf["read"], leaf["write"], leaf["msg"] = "FAULTED", 24, 3, "too many errors"
		}
		leaves = append(leaves, leaf)
	}
	top := leaves
	if level := text(o["level"]); level != "" && level != "single" {
		top = []Object{vdev(level+"-0", state, leaves)}
	}
	out := Object{"name": name, "state": state, "errors": "No known data errors", "scan": "none requested", "children": []Object{vdev(name, state, top)}}
	if len(failed) > 0 {
		out["status"] = "One or more devices are faulted in response to persistent errors. Sufficient replicas exist for the pool to continue functioning in a degraded state."
		out["action"] = "Replace the faulted device, or use 'zpool clear' to mark the device repaired."
	}
	return out, nil
}

// poolState is that of a ZFS pool: it goes on without the disks that failed.
func poolState(o Object) string {
	if failed, _ := o["failed"].([]string); len(failed) > 0 {
		return "DEGRADED"
	}
	return "ONLINE"
}

func vdev(name, state string, children []Object) Object {
	o := Object{"name": name, "state": state, "read": 0, "write": 0, "cksum": 0, "msg": "", "leaf": bit(children == nil)}
	if children != nil {
		o["children"] = children
	}
	return o
}

func listDirectories(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.node.diskUses("dir") {
		devices, _ := o["devices"].([]string)
		path := "/mnt/pve/" + text(o["name"])
		out = append(out, Object{"path": path, "device": devices[0] + "1", "type": o["filesystem"], "options": "defaults",
			"unitfile": "/etc/systemd/system/mnt-pve-" + text(o["name"]) + ".mount"})
	}
	return out, nil
}

// diskTime is how long a disk needs to be wiped, partitioned or formatted.
const diskTime = 2 * time.Second

// wipeDisk erases what a disk has been used for; disks in use stay.
func wipeDisk(c *call) (any, error) {
	dev := c.param("disk")
	d := c.node.disk(dev)
	if d == nil {
		return nil, fail("disk '%s' does not exist", dev)
	}
	if c.node.diskBusy(dev) {
		return nil, fail("disk/partition '%s' has a holder", dev)
	}
	return c.fork("wipedisk", strings.TrimPrefix(dev, "/dev/"), func(j *job) error {
		j.log("wiping block device %s", dev)
		return j.after(diskTime, func() error {
			j.node.setDisk(dev, Object{"used": "", "gpt": 0})
			return nil
		})
	}), nil
}

// diskBusy is whether something on the disk is in use.
func (n *Node) diskBusy(dev string) bool {
	list, _ := n.Info[diskUses].([]Object)
	return truth(n.disk(dev)["mounted"]) || slices.ContainsFunc(list, func(o Object) bool {
		devices, _ := o["devices"].([]string)
		return contains(devices, dev)
	})
}

func initDisk(c *call) (any, error) {
	dev := c.param("disk")
	d := c.node.disk(dev)
	switch {
	case d == nil:
		return nil, fail("disk '%s' does not exist", dev)
	case text(d["used"]) != "":
		return nil, fail("disk %s already in use", dev)
	}
	return c.fork("diskinit", strings.TrimPrefix(dev, "/dev/"), func(j *job) error {
		return j.after(diskTime, func() error {
			j.node.setDisk(dev, Object{"gpt": 1})
			return nil
		})
	}), nil
}

// diskKind is what can be made of disks: its part of the path, the type of storage, the words of its tasks and how the
// list of disks names its use.
type diskKind struct{ name, storage, task, used string }

var diskKinds = []diskKind{
	{"directory", "dir", "dir", "ext4"}, {"lvm", "lvm", "lvm", "LVM"}, {"lvmthin", "lvmthin", "lvmthin", "LVM"}, {"zfs", "zfspool", "zfs", "ZFS"},
}

// create makes something of unused disks, in a task; with add_storage also a storage on it.
func (k diskKind) create(c *call) (any, error) {
	name := c.param("name")
	devices := c.list("devices")
	if dev := c.param("device"); dev != "" {
		devices = []string{dev}
	}
	var size int64
	for _, dev := range devices {
		d := c.node.disk(dev)
		switch {
		case d == nil:
			return nil, fail("unable to get device info for '%s'", dev)
		case text(d["used"]) != "":
			return nil, fail("device '%s' is already in use", dev)
		}
		size += integer(d["size"])
	}
	if add := truth(c.params["add_storage"]); add && c.w.Storage(name) != nil {
		return nil, fail("storage ID '%s' already defined", name)
	}
	if find(c.node.diskUses(k.storage), func(o Object) bool { return o["name"] == name }) != nil {
		return nil, fail("%s with name '%s' already exists", k.name, name)
	}
	use := Object{"kind": k.storage, "name": name, "devices": devices, "size": k.usable(size, len(devices), c.param("raidlevel")), "used": 0,
		"level": c.param("raidlevel"), "vg": name, "filesystem": "ext4"}
	if fs := c.param("filesystem"); fs != "" {
		use["filesystem"] = fs
	}
	add := truth(c.params["add_storage"])
	return c.fork(k.task+"create", name, func(j *job) error {
		j.log("# creating %s '%s' on %s", k.name, name, strings.Join(devices, " "))
		return j.after(diskTime, func() error {
			list, _ := j.node.Info[diskUses].([]Object)
			j.node.Info[diskUses] = append(slices.Clone(list), use)
			for _, dev := range devices {
				j.node.setDisk(dev, Object{"used": k.used, "gpt": 1})
			}
			if add {
				j.w.addDiskStorage(j.node, k, use)
			}
			return nil
		})
	}), nil
}

// usable is what is left of the disks for data.
func (k diskKind) usable(size int64, n int, level string) int64 {
	one := size / int64(max(1, n))
	switch level {
	case "mirror":
		return one
	case "raid10":
		return size / 2
	case "raidz", "draid":
		return size - one
	case "raidz2", "draid2":
		return size - 2*one
	case "raidz3", "draid3":
		return size - 3*one
	}
	return size
}

// addDiskStorage defines the storage of what was made of disks, for this node alone.
func (w *World) addDiskStorage(n *Node, k diskKind, use Object) {
	name := text(use["name"])
	def := Object{"storage": name, "type": k.storage, "nodes": n.Name, "content": "images,rootdir"}
	switch k.storage {
	case "dir":
		maps.Copy(def, Object{"path": "/mnt/pve/" + name, "is_mountpoint": "1", "content": "images,rootdir,vztmpl,iso,backup,snippets,import"})
	case "lvm":
		def["vgname"] = name
	case "lvmthin":
		maps.Copy(def, Object{"vgname": name, "thinpool": name})
	case "zfspool":
		maps.Copy(def, Object{"pool": name, "mountpoint": "/" + name})
	}
	w.Storages = append(slices.Clone(w.Storages), def)
	w.storagesChanged(name)
	for i, row := range n.Storage {
		if row["storage"] == name {
			size := integer(use["size"])
			n.Storage[i] = merged(row, nil, Object{"active": 1, "total": size, "used": 0, "avail": size, "used_fraction": 0})
		}
	}
}

// remove takes apart what was made of disks; the disks are wiped and the storage forgotten only where that is asked for.
func (k diskKind) remove(c *call) (any, error) {
	name := c.vars["name"]
	use := find(c.node.diskUses(k.storage), func(o Object) bool { return o["name"] == name })
	if use == nil {
		return nil, fail("%s '%s' does not exist", k.name, name)
	}
	wipe, forget := truth(c.params["cleanup-disks"]), truth(c.params["cleanup-config"])
	return c.fork(k.task+"remove", name, func(j *job) error {
		return j.after(diskTime, func() error {
			list, _ := j.node.Info[diskUses].([]Object)
			j.node.Info[diskUses] = slices.DeleteFunc(slices.Clone(list), func(o Object) bool { return o["kind"] == k.storage && o["name"] == name })
			devices, _ := use["devices"].([]string)
			for _, dev := range devices {
				if wipe {
					j.node.setDisk(dev, Object{"used": "", "gpt": 0})
				}
			}
			if forget && j.w.Storage(name) != nil {
				j.w.Storages = slices.DeleteFunc(slices.Clone(j.w.Storages), func(s Object) bool { return s["storage"] == name })
				j.w.storagesChanged(name)
			}
			return nil
		})
	}), nil
}
