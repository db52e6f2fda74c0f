package pvesim

import "strings"

func scanRoutes() []route {
	allocate := need("/storage", "Datastore.Allocate")
	base := "/nodes/{node}/scan"
	return append([]route{index(base, "method", "cifs iscsi lvm nfs pbs zfs")}, daemon(
		get(base+"/nfs", allocate, scanNFS), get(base+"/cifs", allocate, scanCIFS), get(base+"/iscsi", allocate, scanISCSI),
		get(base+"/pbs", allocate, scanPBS), get(base+"/lvm", allocate, scanLVM), get(base+"/lvmthin", allocate, scanThin), get(base+"/zfs", allocate, scanZFS))...)
}

// offers are the options of storages on a server, each value once: what the server is known to have.
func (c *call) offers(server string, key string) []string {
	var out []string
	for _, def := range c.w.Storages {
		if v := text(def[key]); serverOf(def) == server && v != "" && !contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func (c *call) knowsServer(server string) bool { return c.w.answers(Object{"server": server}) }

func scanNFS(c *call) (any, error) {
	server := c.param("server")
	if !c.knowsServer(server) {
		return nil, fail("command '/sbin/showmount --no-headers --exports %s' failed: exit code 1", server)
	}
	out := []Object{}
	for _, path := range c.offers(server, "export") {
		out = append(out, Object{"path": path, "options": "*"})
	}
	return out, nil
}

func scanCIFS(c *call) (any, error) {
	server := c.param("server")
	if !c.knowsServer(server) {
		return nil, fail("error: NT_STATUS_HOST_UNREACHABLE")
	}
	out := []Object{}
	for _, share := range c.offers(server, "share") {
		out = append(out, Object{"share": share, "description": ""})
	}
	return out, nil
}

func scanISCSI(c *call) (any, error) {
	portal := c.param("portal")
	if !c.knowsServer(portal) {
		return nil, fail("iscsi: could not connect to portal %s", portal)
	}
	out := []Object{}
	for _, target := range c.offers(portal, "target") {
		out = append(out, Object{"target": target, "portal": portal})
	}
	return out, nil
}

func scanPBS(c *call) (any, error) {
	server := c.param("server")
	if !c.knowsServer(server) {
		return nil, fail("error fetching datastores - %s", c.w.unreachable(backupServer(Object{"server": server, "port": c.params["port"]})).client)
	}
	out := []Object{}
	for _, store := range c.offers(server, "datastore") {
		out = append(out, Object{"store": store, "comment": ""})
	}
	return out, nil
}

func scanLVM(c *call) (any, error) {
	out := []Object{}
	for _, o := range c.node.volumeGroups(c.w, "lvm", "vgname") {
		out = append(out, Object{"vg": o["name"]})
	}
	return out, nil
}

func scanThin(c *call) (any, error) {
	pools, err := listThinPools(c)
	out := []Object{}
	list, _ := pools.([]Object)
	for _, o := range list {
		if o["vg"] == c.param("vg") {
			out = append(out, Object{"lv": o["lv"]})
		}
	}
	return out, err
}

// scanZFS lists pools and the file systems that storages are on.
func scanZFS(c *call) (any, error) {
	pools, err := listZFS(c)
	if err != nil {
		return nil, err
	}
	var names []string
	list, _ := pools.([]Object)
	for _, o := range list {
		names = append(names, text(o["name"]))
	}
	for _, def := range c.w.Storages {
		if pool := text(def["pool"]); def["type"] == "zfspool" && strings.Contains(pool, "/") && storedOn(def, c.node.Name) {
			names = append(names, pool)
		}
	}
	out := []Object{}
	for _, name := range names {
		out = append(out, Object{"pool": name})
	}
	return out, nil
}
