package pvesim

import "fmt"

func aplinfoRoutes() []route {
	return append(daemon(post("/nodes/{node}/aplinfo", anyone, downloadTemplate)),
		get("/nodes/{node}/aplinfo", anyone, func(c *call) (any, error) {
			list, _ := objects(c.node.Info["aplinfo"])
			return notNil(list), nil
		}))
}

// templateSize is what a template is taken to have where the list does not tell: that of Debian's.
const templateSize = 124 * mib

// downloadTemplate fetches one of the listed templates to a storage, in a task.
func downloadTemplate(c *call) (any, error) {
	id, name := c.param("storage"), c.param("template")
	if err := c.wants("/storage/"+id, "Datastore.AllocateTemplate"); err != nil {
		return nil, err
	}
	list, _ := objects(c.node.Info["aplinfo"])
	row := find(list, func(o Object) bool { return o["template"] == name })
	if row == nil {
		return nil, badParam("template", "no such template")
	}
	if err := c.usableStorage(id); err != nil {
		return nil, err
	}
	if !contains(splitList(text(c.w.Storage(id)["content"])), "vztmpl") {
		return nil, fail("can't upload/download to storage '%s' - wrong content type", id)
	}
	volid := id + ":vztmpl/" + name
	return c.fork("download", id, func(j *job) error {
		file := j.w.pathOf(volid)
		j.log("downloading %s to %s", text(row["location"]), file)
		if j.node.volume(volid) != nil {
			j.log("OK, got correct file already, no need to download")
			return nil
		}
		size := integer(row["size"])
		if size == 0 {
			size = templateSize
		}
		return j.after(copyTime(size), func() error {
			j.w.putFile(j.node, volid, "vztmpl", &upload{size: size})
			j.log("calculating checksum...OK, checksum verified")
			j.log("download of '%s' to '%s' finished", text(row["location"]), file)
			return nil
		})
	}), nil
}

// templateList is what the servers of Proxmox offer, as far as a home needs it.
func templateList() []any {
	var out []any
	for _, t := range []struct{ os, version, release, headline string }{
		{"debian-13", "13.1-2", "debian-13-standard", "Debian 13 Trixie (standard)"}, {"debian-12", "12.12-1", "debian-12-standard", "Debian 12 Bookworm (standard)"},
		{"ubuntu-24.04", "24.04-2", "ubuntu-24.04-standard", "Ubuntu 24.04 Noble (standard)"}, {"alpine", "20250617", "alpine-3.22-default", "LXC default image for alpine 3.22"},
	} {
		file := fmt.Sprintf("%s_%s_amd64.tar.zst", t.release, t.version)
		out = append(out, Object{"template": file, "package": t.release, "version": t.version, "os": t.os, "type": "lxc", "section": "system",
			"architecture": "amd64", "headline": t.headline, "description": t.headline, "source": "http://download.proxmox.com/images/system",
			"location": "http://download.proxmox.com/images/system/" + file, "sha512sum": textSum(file), "infopage": "https://pve.proxmox.com"})
	}
	return out
}
