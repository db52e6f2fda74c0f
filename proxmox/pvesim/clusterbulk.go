package pvesim

func clusterBulkRoutes() []route {
	base := "/cluster/bulk-action"
	return append([]route{index(base, "name", "guest"), index(base+"/guest", "name", "migrate shutdown start suspend")}, daemon(
		post(base+"/guest/suspend", mayPowerAll, bulkSuspend))...)
}

// bulkSuspend pauses VMs of all nodes, or hibernates them.
func bulkSuspend(c *call) (any, error) {
	return c.clusterFork("bulk-suspend", c.bulkEach(true, func(b *bulk, item *bulkItem, then step) error {
		if item.kind == typeLXC {
			b.j.warn("%s cannot be suspended", item.label())
			return then()
		}
		b.j.log("Suspending %s", item.label())
		params := map[string]any{}
		if truth(c.params["to-disk"]) {
			params["todisk"] = 1
		}
		if id := c.param("statestorage"); id != "" {
			params["statestorage"] = id
		}
		return b.begin(item, "suspend", params, then)
	})), nil
}
