package pvesim

// clusterListRoutes are collections that are stored as the API shows them.
func clusterListRoutes() []route {
	return []route{
		index("/cluster/metrics", "name", "server export"),
		get("/cluster/acme/plugins", anyone, clusterList("acme_plugins")),
		index("/cluster/jobs", "subdir", "schedule-analyze realm-sync"),
	}
}

func clusterList(name string) handler {
	return func(c *call) (any, error) { return notNil(c.w.Cluster.Lists[name]), nil }
}

// clusterItem answers with one entry of a collection, without the keys that the real one leaves out.
func clusterItem(name, key, missing string, leaveOut ...string) handler {
	return func(c *call) (any, error) {
		for _, o := range c.w.Cluster.Lists[name] {
			if o[key] == c.vars[key] {
				return without(o, leaveOut...), nil
			}
		}
		return nil, fail(missing, c.vars[key])
	}
}
