package pvesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// deleteTime is how long the removal of a volume takes (05/099 ended within a second).
const deleteTime = 100 * time.Millisecond

func contentWriteRoutes() []route {
	base := "/nodes/{node}/storage/{storage}/content"
	return daemon(
		post(base, need("/storage/{storage}", "Datastore.AllocateSpace"), allocateVolume),
		del(base+"/{volume...}", anyone, deleteVolume),
		put(base+"/{volume...}", anyone, describeVolume),
		post(base+"/{volume...}", anyone, copyVolume))
}

// allocateVolume makes an empty image. Names on files need not tell the owner (13/042).
func allocateVolume(c *call) (any, error) {
	name, format := c.param("filename"), c.param("format")
	size, ok := volumeBytes(c.param("size"))
	if !ok {
		return nil, badParam("size", "unable to parse size '"+c.param("size")+"'")
	}
	if m := imageName().FindStringSubmatch(name); m != nil && m[1] != "subvol" {
		if format != "" && format != m[1] {
			return nil, badParam("format", "different storage formats ("+format+" != "+m[1]+")")
		}
		format = m[1]
	}
	spec := volumeSpec{vmid: int(integer(c.param("vmid"))), kind: contentImages, format: format, name: name, size: size}
	return c.w.allocateImage(c.node, c.vars["storage"], spec, func(string, ...any) {})
}

// volumeBytes reads the size of a volume: KiB without a unit, or M and G.
func volumeBytes(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n << 10, true
	}
	if _, err := strconv.ParseInt(strings.TrimRight(s, "MG"), 10, 64); err != nil {
		return 0, false
	}
	return parseSize(s), true
}

// namedVolume gives the id of the volume in the path, which may stand with or without its storage (13/027, 13/034).
func (c *call) namedVolume() (string, volumeParts, error) {
	store, volid := c.vars["storage"], volumeID(c.vars["storage"], c.vars["volume"])
	if id, _, _ := strings.Cut(volid, ":"); id != store {
		return "", volumeParts{}, badParam("volume", fmt.Sprintf("storage ID mismatch (%s != %s)\n", id, store))
	}
	p, err := c.w.volumeOf(volid)
	return volid, p, err
}

// deleteVolume removes a volume in a task. Nobody asks whether a guest uses it (05/100), and one that is not there is no
// error (13/031).
func deleteVolume(c *call) (any, error) {
	volid, p, err := c.namedVolume()
	if err != nil {
		return nil, err
	}
	store := c.vars["storage"]
	if p.kind == "backup" && p.vmid != 0 {
		err = firstError(c.wants("/storage/"+store, "Datastore.AllocateSpace"), c.wants("/vms/"+strconv.Itoa(p.vmid), "VM.Backup"))
	} else {
		err = c.wants("/storage/"+store, "Datastore.Allocate")
	}
	if err != nil {
		return nil, err
	}
	id := store
	if p.vmid != 0 {
		id = strconv.Itoa(p.vmid) + "@" + store
	}
	if c.given("delay") && c.param("delay") != "0" {
		return c.deleteNow(id, volid)
	}
	return c.fork("imgdel", id, func(j *job) error {
		return j.after(deleteTime, func() error { return j.w.removeVolume(j.node, volid, j.log) })
	}), nil
}

// deleteNow is a deletion that the client waits for: it answers null when the task ended well within the delay, its
// error when it failed (13/050).
func (c *call) deleteNow(id, volid string) (any, error) {
	t := c.w.AddTask(c.node.Name, "imgdel", id, c.id.name(), "")
	err := c.w.removeVolume(c.node, volid, func(format string, args ...any) { t.Log = append(t.Log, fmt.Sprintf(format, args...)) })
	c.hold = deleteTime
	if err != nil {
		c.w.endTask(t, c.w.Now(), taskText(err))
		return nil, err
	}
	c.w.endTask(t, c.w.Now(), "OK")
	return nil, nil //nolint:nilnil // the answer is null
}

// removeVolume is the work of a deletion.
func (w *World) removeVolume(n *Node, volid string, log logger) error {
	store, name, _ := strings.Cut(volid, ":")
	if err := w.usable(n, store); err != nil {
		return err
	}
	v := n.volume(volid)
	switch {
	case v == nil:
		log("disk image '%s' does not exist", w.pathOf(volid))
	case truth(v["protected"]):
		return fail("cannot remove protected volume '%s' on '%s'", name, store)
	default:
		if err := w.freeImage(n, volid); err != nil {
			return err
		}
	}
	log("Removed volume '%s'", volid)
	return nil
}

// describeVolume sets the notes and the protection of a backup.
func describeVolume(c *call) (any, error) {
	volid, p, err := c.namedVolume()
	if err != nil {
		return nil, err
	}
	if err := c.mayUseVolume(0, volid); err != nil {
		return nil, err
	}
	if p.kind != "backup" {
		if c.given("notes") {
			return nil, fail("only backups can have notes") // 13/051
		}
		return nil, fail("only backups support attribute 'protected'")
	}
	if c.node.volume(volid) == nil {
		return nil, fail("volume '%s' does not exist", volid)
	}
	with := Object{}
	if c.given("notes") {
		with["notes"] = c.param("notes")
	}
	if c.given("protected") {
		if with["protected"] = any(nil); c.param("protected") == "1" {
			with["protected"] = 1
		}
	}
	c.w.changeVolume(c.node, volid, with)
	return nil, nil //nolint:nilnil // the answer is null
}
