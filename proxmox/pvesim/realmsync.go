package pvesim

// syncRealm reads users and groups from a realm's directory in a task. There is no directory that could be asked, so the
// task fails as where the server's name is not known (source; the text is inferred).
func syncRealm(c *call) (any, error) {
	if err := c.wants("/access/realm/"+c.vars["realm"], "Realm.AllocateUser"); err != nil {
		return nil, err
	}
	r := c.w.Access.realm(c.vars["realm"])
	if r == nil {
		return nil, badParam("realm", "Realm does not exist.")
	}
	if kind := text(r["type"]); kind != "ldap" && kind != "ad" {
		return nil, fail("Cannot sync realm type '%s'! Only LDAP/AD realms can be synced.", kind)
	}
	detail, _ := r["detail"].(Object)
	if !c.given("scope") && driveOption(text(detail["sync-defaults-options"]), "scope") == "" {
		return nil, badParam("scope", "Not passed as parameter and not defined in realm default sync options.")
	}
	return c.w.syncFork(c.node, c.vars["realm"], c.id.name(), truth(c.params["dry-run"])).UPID, nil
}

// syncFork starts the task of a synchronisation.
func (w *World) syncFork(n *Node, realm, by string, dry bool) *Task {
	kind := "auth-realm-sync"
	if dry {
		kind = "auth-realm-sync-test"
	}
	return w.fork(n, kind, realm, by, func(j *job) error {
		if dry {
			j.log("(dry test run) starting sync for realm %s", realm)
		} else {
			j.log("starting sync for realm %s", realm)
		}
		server := ""
		if r := j.w.Access.realm(realm); r != nil {
			detail, _ := r["detail"].(Object)
			server = text(detail["server1"])
		}
		return fail("IO::Socket::INET6: getaddrinfo: %s", resolverError(server))
	})
}

// openIDTarget gives the address of a realm's provider. None can be reached.
func openIDTarget(c *call) (any, error) {
	realm := c.param("realm")
	r := c.w.Access.realm(realm)
	if r == nil {
		return nil, fail("authentication domain '%s' does not exist", realm)
	}
	if kind := text(r["type"]); kind != "openid" {
		return nil, fail("wrong realm type (%s != openid)", kind)
	}
	detail, _ := r["detail"].(Object)
	return nil, fail("discovery of %s failed: %s", text(detail["issuer-url"]), resolverError(realm)) // the text is inferred
}

// unlockTFA is whether the user's second factor was locked: nobody has any.
func unlockTFA(c *call) (any, error) {
	if c.w.Access.user(c.vars["userid"]) == nil {
		return nil, fail("no such user ('%s')", c.vars["userid"])
	}
	return 0, nil
}
