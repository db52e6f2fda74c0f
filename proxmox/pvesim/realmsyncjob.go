package pvesim

// realmSyncs is the list of jobs that bring users from directories.
const realmSyncs = "realm_sync"

func realmSyncRoutes() []route {
	audit, modify := need("/", "Sys.Audit"), need("/", "Sys.Modify")
	users := func(c *call) error {
		if realm := c.param("realm"); realm != "" {
			if err := c.wants("/access/realm/"+realm, "Realm.AllocateUser"); err != nil {
				return err
			}
		}
		return c.wants("/access/groups", "User.Modify")
	}
	base := "/cluster/jobs/realm-sync"
	return append(daemon(
		post(base+"/{id}", users, addRealmSync), put(base+"/{id}", users, changeRealmSync), del(base+"/{id}", modify, removeRealmSync)),
		get(base, audit, listRealmSyncs), get(base+"/{id}", audit, clusterItem(realmSyncs, "id", "no such job '%s'")))
}

func listRealmSyncs(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.w.Cluster.Lists[realmSyncs] {
		o = clone(o)
		if cal, err := parseCalendar(text(o["schedule"])); err == nil {
			if next := cal.next(c.w.schedulerTime(c.entry, c.now)); !next.IsZero() {
				o["next-run"] = next.Unix()
			}
		}
		out = append(out, o)
	}
	return out, nil
}

func addRealmSync(c *call) (any, error) {
	id, realm := c.vars["id"], c.param("realm")
	r := c.w.Access.realm(realm)
	switch {
	case realm == "":
		return nil, badParam("realm", textMissing)
	case r == nil:
		return nil, fail("authentication domain '%s' does not exist", realm)
	case !contains([]string{"ldap", "ad"}, text(r["type"])):
		return nil, fail("Realm '%s' does not support sync", realm)
	case c.w.Cluster.section(realmSyncs, "id", id) != nil:
		return nil, fail("Job '%s' already exists", id)
	}
	o := c.stored()
	o["id"], o["type"] = id, "realm-sync"
	if !has(o, "enabled") {
		o["enabled"] = 1
	}
	c.w.Cluster.putSection(realmSyncs, "id", o)
	c.w.jobChanged(id)
	return nil, nil
}

func changeRealmSync(c *call) (any, error) {
	o := c.w.Cluster.section(realmSyncs, "id", c.vars["id"])
	if o == nil {
		return nil, fail("no such job '%s'", c.vars["id"])
	}
	c.w.Cluster.putSection(realmSyncs, "id", merged(o, c.list("delete"), c.stored("delete")))
	c.w.jobChanged(c.vars["id"])
	return nil, nil
}

func removeRealmSync(c *call) (any, error) {
	if !c.w.Cluster.dropSection(realmSyncs, "id", c.vars["id"]) {
		return nil, inFileLock(badParam("id", "No such job '"+c.vars["id"]+"'"))
	}
	return nil, nil
}

// syncDuties are the jobs that bring users. A job is the cluster's: it runs on the first node that is there and has quorum.
func (w *World) syncDuties(n *Node) []duty {
	for _, first := range w.Nodes {
		if first.Online && w.quorate(first.Name) {
			if first != n {
				return nil
			}
			break
		}
	}
	var list []duty
	for _, o := range w.Cluster.Lists[realmSyncs] {
		if has(o, "enabled") && !truth(o["enabled"]) {
			continue
		}
		realm := text(o["realm"])
		list = append(list, duty{id: text(o["id"]), schedule: text(o["schedule"]), run: func(n *Node) *Task { return w.syncFork(n, realm, rootUser, false) }})
	}
	return list
}
