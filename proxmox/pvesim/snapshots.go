package pvesim

// currentSnapshot is the pseudo entry at the end of a snapshot list (facts 46).
const currentSnapshot = "current"

func snapshotRoutes() []route {
	var list []route
	for _, kind := range []string{typeQEMU, typeLXC} {
		base := "/nodes/{node}/" + kind + "/{vmid}/snapshot"
		audit := need("/vms/{vmid}", "VM.Audit")
		list = append(list, daemon(get(base, nil, audit, of(kind, listSnapshots)))...)
		list = append(list,
			index(base+"/{snapname}", "cmd", "rollback config"),
			get(base+"/{snapname}/config", nil, need("/vms/{vmid}", "VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"), of(kind, snapshotConfig)))
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

func listSnapshots(_ *call, g *Guest) (any, error) {
	list := []fields{}
	for _, s := range g.Snapshots {
		f := fields{{"name", s.Name}, {"description", s.Description}, {"snaptime", s.Time.Unix()}}
		if g.Type == typeQEMU {
			f.add("vmstate", bit(s.VMState))
		}
		if s.Parent != "" {
			f.add("parent", s.Parent)
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
		return nil, fail("snapshot '%s' does not exist", name)
	}
	return s.Config, nil
}
