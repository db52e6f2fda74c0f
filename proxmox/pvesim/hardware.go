package pvesim

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
		get("/nodes/{node}/apt/versions", audit, info("apt_versions")),
		get("/nodes/{node}/capabilities/qemu/cpu", anyone, info("cpu_models")),
		get("/nodes/{node}/capabilities/qemu/machines", anyone, info("machines")),
	}
	return append(open, daemon(
		get("/nodes/{node}/apt/update", need("/nodes/{node}", "Sys.Modify"), aptUpdate),
		get("/nodes/{node}/hardware/pci", audit, info("pci")),
		get("/nodes/{node}/hardware/usb", need("/", "Sys.Modify"), info("usb")))...)
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
