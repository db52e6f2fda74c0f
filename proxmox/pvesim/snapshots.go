package pvesim

import (
	"slices"
	"strings"
	"time"
)

// currentSnapshot is the pseudo entry at the end of a snapshot list (facts 46).
const currentSnapshot = "current"

// States that a snapshot has while a task works on it (its key snapstate).
const (
	snapPreparing = "prepare"
	snapDeleting  = "delete"
)

func snapshotRoutes() []route {
	var list []route
	for _, kind := range []string{typeQEMU, typeLXC} {
		vm := "/vms/{vmid}"
		base := "/nodes/{node}/" + kind + "/{vmid}"
		one := base + "/snapshot/{snapname}"
		list = append(list, daemon(
			get(base+"/feature", need(vm, "VM.Audit"),
				of(kind, guestFeature)),
			get(base+"/snapshot", need(vm, "VM.Audit"), of(kind, listSnapshots)),
			post(base+"/snapshot", need(vm, "VM.Snapshot"), of(kind, createSnapshot)),
			del(one, need(vm, "VM.Snapshot"), of(kind, deleteSnapshot)),
			put(one+"/config", need(vm, "VM.Snapshot"), of(kind, describeSnapshot)),
			post(one+"/rollback", need(vm, "VM.Snapshot", "VM.Snapshot.Rollback"), of(kind, rollBack)))...)
		list = append(list,
			index(one, "cmd", "rollback config"),
			get(one+"/config", need(vm, "VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"), of(kind, snapshotConfig)))
	}
	return list
}

func (g *Guest) snapshot(name string) *Snapshot {
	for _, s := range g.Snapshots {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func noSnapshot(name string) error { return fail("snapshot '%s' does not exist", name) }

// snapshotOf makes a snapshot from its section of the configuration file.
func snapshotOf(name string, section Object) *Snapshot {
	return &Snapshot{Name: name, Description: text(section["description"]), Parent: text(section["parent"]),
		Time: time.Unix(integer(section["snaptime"]), 0), VMState: has(section, "vmstate"), Config: section}
}

// putSnapshot adds a snapshot or replaces the one of its name; removeSnapshot takes it away. Readers may hold the old
// list.
func (g *Guest) putSnapshot(s *Snapshot) {
	list := slices.Clone(g.Snapshots)
	if i := slices.IndexFunc(list, func(o *Snapshot) bool { return o.Name == s.Name }); i >= 0 {
		list[i] = s
	} else {
		list = append(list, s)
	}
	g.Snapshots = list
	g.redigest()
}

func (g *Guest) removeSnapshot(name string) {
	g.Snapshots = slices.DeleteFunc(slices.Clone(g.Snapshots), func(s *Snapshot) bool { return s.Name == name })
	g.redigest()
}

// with gives a copy of the snapshot with some keys of its section replaced; nil removes a key.
func (s *Snapshot) with(keys Object) *Snapshot {
	section := clone(s.Config)
	for k, v := range keys {
		if section[k] = v; v == nil {
			delete(section, k)
		}
	}
	return snapshotOf(s.Name, section)
}

// storeConfig replaces a guest's configuration in effect.
func (w *World) storeConfig(g *Guest, config Object) {
	w.touch(g)
	g.Config = config
	g.redigest()
}

func listSnapshots(_ *call, g *Guest) (any, error) {
	list := []fields{}
	for _, s := range g.Snapshots {
		f := fields{{"name", s.Name}, {"description", s.Description}, {"snaptime", s.Time.Unix()}}
		if g.Type == typeQEMU {
			f.add("vmstate", bit(s.VMState))
		}
		for _, k := range []string{"parent", "snapstate"} {
			if v := text(s.Config[k]); v != "" {
				f.add(k, v)
			}
		}
		list = append(list, f)
	}
	now := fields{{"name", currentSnapshot}, {"description", "You are here!"}, {"running", bit(g.Live.Running)}, {"digest", g.Digest}}
	if p := text(g.Config["parent"]); p != "" {
		now.add("parent", p)
	}
	return append(list, now), nil
}

// snapshotConfig returns cipassword in clear, as the real one does even to an auditor (facts 50, 11/005).
func snapshotConfig(c *call, g *Guest) (any, error) {
	name := c.vars["snapname"]
	s := g.snapshot(name)
	if s == nil {
		return nil, noSnapshot(name)
	}
	return s.Config, nil
}

// describeSnapshot changes the description, the only key of a snapshot that can be changed (08/016). Without one nothing is
// looked at.
func describeSnapshot(c *call, g *Guest) (any, error) {
	if !c.given("description") {
		return nil, nil
	}
	if err := c.free(g); err != nil {
		return nil, err
	}
	if err := g.lockedError(); err != nil {
		return nil, err
	}
	s := g.snapshot(c.vars["snapname"])
	if s == nil {
		return nil, noSnapshot(c.vars["snapname"])
	}
	g.putSnapshot(s.with(Object{"description": g.comment(c.param("description"))}))
	return nil, nil
}

// comment is a description as the guest's configuration gives it back: containers end it with a newline (facts 27), an
// empty one is none.
func (g *Guest) comment(s string) any {
	switch {
	case s == "":
		return nil
	case g.Type == typeLXC && !strings.HasSuffix(s, "\n"):
		return s + "\n"
	}
	return s
}
