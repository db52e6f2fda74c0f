package pvesim

import "slices"

// deleteSnapshot removes a snapshot in a task; with force even where a volume is gone.
func deleteSnapshot(c *call, g *Guest) (any, error) {
	return c.snapshotTask(g, "delsnapshot", c.vars["snapname"], func(s *snapshotJob) error {
		work := func() error {
			s.note("delete snapshot VM %d: %s", s.vmid, s.name)
			return s.locked(s.prepareDelete)
		}
		if s.force {
			return work()
		}
		return s.migrationLocked(work)
	}), nil
}

// prepareDelete sets the guest's lock and hands the snapshot's children to its parent (08/030).
func (s *snapshotJob) prepareDelete(g *Guest) error {
	snap := g.snapshot(s.name)
	if snap == nil {
		return noSnapshot(s.name)
	}
	if err := g.lockedError(); err != nil {
		return err
	}
	var parent any
	if snap.Parent != "" {
		parent = snap.Parent
	}
	for _, child := range g.Snapshots {
		if child.Parent == s.name {
			g.putSnapshot(child.with(Object{"parent": parent}))
		}
	}
	config := clone(g.Config)
	if text(config["parent"]) == s.name {
		if config["parent"] = parent; parent == nil {
			delete(config, "parent")
		}
	}
	config["lock"] = "snapshot-delete"
	s.w.storeConfig(g, config)
	g.putSnapshot(snap.with(Object{"snapstate": snapDeleting}))
	return s.after(snapshotTime, s.deleteVolumes)
}

// deleteVolumes removes the snapshots of the volumes and the saved memory. A failure leaves the lock, as the real one
// does.
func (s *snapshotJob) deleteVolumes() error {
	g, err := s.guest()
	if err != nil {
		return err
	}
	snap := g.snapshot(s.name)
	if snap == nil {
		return noSnapshot(s.name)
	}
	s.w.dropVolume(s.node, text(snap.Config["vmstate"]))
	var volids []string
	for _, key := range ownVolumes(snap.Config) {
		volid := driveVolume(text(snap.Config[key]))
		if err := s.volumeThere(volid, "-d"); err != nil {
			if !s.force {
				return err
			}
			s.log("%s", taskText(err))
		}
		s.thinLog(volid, true, "successfully removed")
		volids = append(volids, volid)
	}
	return s.locked(func(g *Guest) error { return s.dropSection(g, volids) })
}

// dropSection takes the snapshot out of the configuration; volumes that nothing else uses become unused.
func (s *snapshotJob) dropSection(g *Guest, volids []string) error {
	g.removeSnapshot(s.name)
	config := without(g.Config, "lock")
	for _, volid := range volids {
		held := slices.ContainsFunc(g.Snapshots, func(o *Snapshot) bool { return o.holds(volid) })
		if held || usesVolume(config, volid) || s.node.volume(volid) == nil {
			continue
		}
		if err := addUnused(config, volid); err != nil {
			return err
		}
	}
	s.w.storeConfig(g, config)
	return nil
}
