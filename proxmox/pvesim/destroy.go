package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

// RemoveGuest takes a guest out of the world at once, with all that belongs to it: its volumes, snapshots and firewall, its
// rights, its place in a pool, in backup jobs, in replication and in HA. Its backups stay.
func (w *World) RemoveGuest(vmid int) {
	g := w.guests[vmid]
	if g == nil {
		return
	}
	if n := w.Node(g.Node); n != nil {
		for _, v := range n.guestVolumes(vmid) {
			w.dropVolume(n, text(v["volid"]))
		}
	}
	w.removeRights(vmid)
	w.purge(g)
	w.forgetGuest(vmid)
}

// forgetGuest removes a guest's configuration file and nothing else.
func (w *World) forgetGuest(vmid int) {
	delete(w.guests, vmid)
	w.order = nil
}

// removeRights takes away the ACL entries of a guest's path.
func (w *World) removeRights(vmid int) {
	w.dropPathACL("/vms/" + strconv.Itoa(vmid))
}

// purge takes a guest out of replication jobs, of the lists of backup jobs and of HA; it tells whether HA had it. A
// backup job without guests left is gone too.
func (w *World) purge(g *Guest) (ha bool) {
	lists, id := w.Cluster.Lists, strconv.Itoa(g.VMID)
	lists["replication"] = slices.DeleteFunc(slices.Clone(lists["replication"]), func(o Object) bool { return text(o["guest"]) == id })
	var jobs []Object
	for _, job := range lists["backup_jobs"] {
		if job = withoutGuest(job, "vmid", ",", id); job != nil {
			jobs = append(jobs, job)
		}
	}
	lists["backup_jobs"] = jobs
	r := w.haResource(g)
	if r == nil {
		return false
	}
	sid := text(r["sid"])
	haResources.drop(w, sid)
	w.dropFromRules(sid)
	return true
}

// withoutGuest takes one word out of a list of an object; nil when that was the last one.
func withoutGuest(o Object, key, sep, word string) Object {
	words := splitList(text(o[key]))
	if !slices.Contains(words, word) {
		return o
	}
	words = slices.DeleteFunc(words, func(s string) bool { return s == word })
	if len(words) == 0 {
		return nil
	}
	o = clone(o)
	o[key] = strings.Join(words, sep)
	return o
}

// ownVolumes are the volumes that the guest's configuration, its pending changes and its snapshots name and that belong
// to it: what a destroy removes. CD images stay; cloud-init drives and saved memory go.
func (g *Guest) ownVolumes(n *Node) []string {
	var list []string
	collect := func(config Object) {
		for key, v := range config {
			if volid := driveVolume(text(v)); isOwnable(key, text(v)) && !slices.Contains(list, volid) {
				if row := n.volume(volid); row != nil && ownedBy(row, g.VMID) {
					list = append(list, volid)
				}
			}
		}
	}
	collect(g.Config)
	collect(g.Pending)
	for _, s := range g.Snapshots {
		collect(s.Config)
	}
	slices.Sort(list)
	return list
}

// isOwnable is whether a key holds a volume that may be the guest's own.
func isOwnable(key, value string) bool {
	if key == "vmstate" || strings.HasPrefix(key, "unused") {
		return true
	}
	return isVolume(key) && (!strings.Contains(value, "media=cdrom") || strings.Contains(value, "cloudinit"))
}
