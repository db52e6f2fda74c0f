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
	return nil, nil
}

func changeRealmSync(c *call) (any, error) {
	o := c.w.Cluster.section(realmSyncs, "id", c.vars["id"])
	if o == nil {
		return nil, fail("no such job '%s'", c.vars["id"])
	}
	c.w.Cluster.putSection(realmSyncs, "id", merged(o, c.list("delete"), c.stored("delete")))
	return nil, nil
}

func removeRealmSync(c *call) (any, error) {
	if !c.w.Cluster.dropSection(realmSyncs, "id", c.vars["id"]) {
		return nil, inFileLock(badParam("id", "No such job '"+c.vars["id"]+"'"))
	}
	return nil, nil
}
