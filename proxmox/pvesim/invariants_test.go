package pvesim

import (
	"fmt"
	"strings"
	"time"
)

// check holds what is true at any moment.
func (o *operator) check() {
	o.sim.Update(func(w *World) {
		o.owners(w)
		o.homes(w)
		o.digests(w)
		o.locks(w)
	})
}

// owners: a volume of a guest's disk exists, belongs to that guest's vmid and is in no other guest's configuration.
func (o *operator) owners(w *World) {
	users := map[string]int{}
	for _, g := range w.Guests() {
		if inFlux(w, g) {
			continue
		}
		for where, volid := range g.references1() {
			if v := w.Node(g.Node).volume(volid); v == nil {
				o.t.Fatalf("guest %d (%s): %s is not there\n%s", g.VMID, where, volid, g.file())
			} else if int(integer(v["vmid"])) != g.VMID {
				o.t.Fatalf("guest %d (%s): %s belongs to %v", g.VMID, where, volid, v["vmid"])
			}
			key := g.Node + " " + volid
			if other, ok := users[key]; ok && other != g.VMID {
				o.t.Fatalf("guests %d and %d both use %s", other, g.VMID, volid)
			}
			users[key] = g.VMID
		}
	}
}

// homes: no node but a guest's own has local volumes that its configuration could name. A container whose migration was
// interrupted may leave copies.
func (o *operator) homes(w *World) {
	for _, n := range w.Nodes {
		for store, rows := range n.Content {
			if sharedStorage(w.Storage(store)) {
				continue
			}
			for _, v := range rows {
				g := w.Guest(int(integer(v["vmid"])))
				if g == nil || !ownedBy(v, g.VMID) || g.Node == n.Name || inFlux(w, g) || o.interrupted[fmt.Sprint(g.VMID)] {
					continue
				}
				o.t.Fatalf("guest %d is on %s, %s is left on %s\n%s", g.VMID, g.Node, v["volid"], n.Name, g.file())
			}
		}
	}
}

// inFlux is whether a task works on the guest: only then may its parts not fit together.
func inFlux(w *World, g *Guest) bool {
	for _, n := range w.Nodes {
		for _, t := range n.Tasks {
			if t.Running() && (t.ID == fmt.Sprint(g.VMID) || t.Type == "vzdump") {
				return true
			}
		}
	}
	return g.Config["lock"] != nil
}

// references1 are the volumes that a guest's configuration, what is pending and its snapshots name, by where.
func (g *Guest) references1() map[string]string {
	out := map[string]string{}
	add := func(where string, o Object) {
		for k, v := range o {
			if !isDisk(k) && !isVolume(k) && !strings.HasPrefix(k, "unused") && k != "vmstate" {
				continue
			}
			volid := driveVolume(text(v))
			if store, _, ok := strings.Cut(volid, ":"); ok && store != "none" && !strings.Contains(volid, ":iso/") && !newRootShape().MatchString(volid) { // a new volume that waits
				out[where+" "+k] = volid
			}
		}
	}
	add("config", g.Config)
	add("pending", g.Pending)
	for _, s := range g.Snapshots {
		add("snapshot "+s.Name, s.Config)
	}
	return out
}

// digests: a configuration's digest changes exactly when its content does.
func (o *operator) digests(w *World) {
	for _, g := range w.Guests() {
		now := g.file() + "\x00" + g.Digest
		before, ok := o.seen[g.VMID]
		o.seen[g.VMID] = now
		if !ok {
			continue
		}
		file, digest, _ := strings.Cut(before, "\x00")
		if (file == g.file()) != (digest == g.Digest) {
			o.t.Fatalf("guest %d: digest %s then %s\n%s\n--- then\n%s", g.VMID, digest, g.Digest, file, g.file())
		}
	}
	for id := range o.seen {
		if w.Guest(id) == nil {
			delete(o.seen, id)
		}
	}
}

// locks: a lock file is held by a task that runs.
func (o *operator) locks(w *World) {
	for file, j := range w.flocks {
		if j.task != nil && !j.task.Running() {
			o.t.Fatalf("%s is held by %s, which has ended", file, j.task.UPID)
		}
	}
}

// settled holds what is true when nothing has been asked for long: every UPID has ended, no lock is left, and there is
// nothing of guests that are gone.
func (o *operator) settled() {
	o.now = o.now.Add(24 * time.Hour)
	o.sim.Update(func(w *World) {
		for _, n := range w.Nodes {
			for _, t := range n.Tasks {
				if t.Running() {
					o.t.Fatalf("%s still runs", t.UPID)
				}
			}
		}
		if len(w.flocks) > 0 {
			o.t.Fatalf("lock files are left: %v", w.flocks)
		}
		for _, g := range w.Guests() {
			if lock := text(g.Config["lock"]); lock != "" && lock != "suspended" && !o.interrupted[fmt.Sprint(g.VMID)] {
				o.t.Fatalf("guest %d is left locked (%s)", g.VMID, lock)
			}
		}
		o.leftovers(w)
	})
	o.check()
}

// leftovers: volumes and ACLs of guests that are not there.
func (o *operator) leftovers(w *World) {
	for _, n := range w.Nodes {
		for _, rows := range n.Content {
			for _, v := range rows {
				kind := v["content"]
				if id := int(integer(v["vmid"])); (kind == contentImages || kind == contentRootDir) && w.Guest(id) == nil {
					o.t.Fatalf("%s is left of guest %d on %s", v["volid"], id, n.Name)
				}
			}
		}
	}
	for _, a := range w.Access.ACL {
		var id int
		if n, _ := fmt.Sscanf(text(a["path"]), "/vms/%d", &id); n == 1 && w.Guest(id) == nil {
			o.t.Fatalf("an ACL is left at %s", a["path"])
		}
	}
}
