package pvesim

import "strings"

func hardwareRoutes() []route {
	audit := need("/nodes/{node}", "Sys.Audit")
	info := func(key string) handler {
		return func(c *call) (any, error) {
			if v, ok := c.node.Info[key]; ok {
				return v, nil
			}
			return []Object{}, nil
		}
	}
	open := []route{
		index("/nodes/{node}/apt", "id", "changelog repositories update versions"),
		index("/nodes/{node}/disks", "name", "list initgpt smart lvm lvmthin directory wipedisk zfs"),
		index("/nodes/{node}/hardware", "type", "pci usb"),
		index("/nodes/{node}/capabilities", "name", "qemu"),
		index("/nodes/{node}/capabilities/qemu", "name", "cpu cpu-flags machines migration"),
		index("/nodes/{node}/scan", "method", "cifs iscsi lvm nfs pbs zfs"),
		index("/nodes/{node}/services/{service}", "subdir", "state start stop restart reload"),
		get("/nodes/{node}/apt/versions", audit, info("apt_versions")),
		get("/nodes/{node}/capabilities/qemu/cpu", anyone, info("cpu_models")),
		get("/nodes/{node}/capabilities/qemu/machines", anyone, info("machines")),
		get("/nodes/{node}/aplinfo", anyone, info("aplinfo")),
	}
	return append(open, daemon(
		get("/nodes/{node}/apt/update", need("/nodes/{node}", "Sys.Modify"), aptUpdate),
		get("/nodes/{node}/disks/list", need("/nodes/{node}", "Sys.Audit", "Datastore.Audit"), info("disks")),
		get("/nodes/{node}/disks/zfs", audit, listZFS),
		get("/nodes/{node}/hardware/pci", audit, info("pci")),
		get("/nodes/{node}/hardware/usb", need("/", "Sys.Modify"), info("usb")),
		get("/nodes/{node}/services", audit, listServices),
		get("/nodes/{node}/services/{service}/state", audit, serviceState))...)
}

// aptUpdate: a dump does not hold the list of updates. It follows from the versions that know an older one
// installed, as far as a world does not say it under apt_update.
func aptUpdate(c *call) (any, error) {
	if v, ok := c.node.Info["apt_update"]; ok {
		return v, nil
	}
	versions, _ := objects(c.node.Info["apt_versions"])
	out := []Object{}
	for _, v := range versions {
		if old := text(v["OldVersion"]); old != "" && old != text(v["Version"]) {
			out = append(out, without(v, "CurrentState"))
		}
	}
	return out, nil
}

func listZFS(c *call) (any, error) {
	if v, ok := c.node.Info["zfs"]; ok {
		return v, nil
	}
	return nil, fail("zfsutils-linux not installed")
}

func listServices(c *call) (any, error) { return c.node.Info["services"], nil }

// serviceState names the services that there are when it does not know one (02/059).
func serviceState(c *call) (any, error) {
	list, _ := objects(c.node.Info["services"])
	var names []string
	for _, s := range list {
		if s["service"] == c.vars["service"] {
			return s, nil
		}
		names = append(names, text(s["service"]))
	}
	return nil, badParam("service", "value '"+c.vars["service"]+"' does not have a value in the enumeration '"+strings.Join(names, ", ")+"'")
}
