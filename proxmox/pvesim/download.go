package pvesim

import (
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
)

func downloadRoutes() []route {
	base := "/nodes/{node}/storage/{storage}"
	use := need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")
	return daemon(
		post(base+"/download-url", mayDownload, downloadFile),
		get("/nodes/{node}/query-url-metadata", mayReachOut, urlMetadata),
		get(base+"/identity", use, storageIdentity),
		get(base+"/import-metadata", anyone, importMetadata),
		get(base+"/file-restore/list", anyone, listBackupFiles), get(base+"/file-restore/download", anyone, downloadBackupFile))
}

// mayReachOut is the right to make a node connect to anywhere.
func mayReachOut(c *call) error {
	if c.may("/", "Sys.Audit") && c.may("/", "Sys.Modify") || c.may("/nodes/"+c.vars["node"], "Sys.AccessNetwork") {
		return nil
	}
	return &apiError{status: 403, message: "Permission check failed\n"}
}

func mayDownload(c *call) error {
	if err := c.wants("/storage/"+c.vars["storage"], "Datastore.AllocateTemplate"); err != nil {
		return err
	}
	return mayReachOut(c)
}

// downloadFile fetches a file in a task. What can be fetched is in World.Downloads; all else fails as it does from a
// network that leads nowhere (13/036).
func downloadFile(c *call) (any, error) {
	name, volid, err := c.newFile()
	if err != nil {
		return nil, err
	}
	from, content := c.param("url"), c.param("content")
	return c.fork("download", name, func(j *job) error {
		file := j.w.pathOf(volid)
		if j.node.volume(volid) != nil {
			return fail("refusing to override existing file '%s'", file)
		}
		j.log("downloading %s to %s", from, file)
		size, ok := j.w.Downloads[from]
		if !ok {
			return fail("download failed: %s", j.w.unreachable(from).tool)
		}
		return j.after(copyTime(size), func() error {
			j.w.putFile(j.node, volid, content, &upload{size: size})
			j.log("download of '%s' to '%s' finished", from, file)
			return nil
		})
	}), nil
}

// failedConnection is how a connection fails: the line of the download tool, and what the node's own client says.
type failedConnection struct{ tool, client string }

// unreachable words why an address cannot be reached: names do not resolve, the nodes have no server there, and there is
// no way to anywhere else.
func (w *World) unreachable(address string) failedConnection {
	u, err := url.Parse(address)
	if err != nil {
		return failedConnection{"Invalid URL " + address, "500 " + err.Error()}
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	reason := "No route to host"
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil && host != "localhost":
		return failedConnection{"wget: unable to resolve host address '" + host + "'",
			"500 Can't connect to " + host + ":" + port + " (Temporary failure in name resolution)"}
	case err != nil || ip.IsLoopback() || slices.ContainsFunc(w.Nodes, func(n *Node) bool { return n.IP == host }):
		reason = "Connection refused"
	}
	at := host + ":" + port
	return failedConnection{"Connecting to " + at + "... failed: " + reason + ".", "500 Can't connect to " + at + " (" + reason + ")"}
}

// urlMetadata tells the size and the name of a file that could be downloaded (13/039).
func urlMetadata(c *call) (any, error) {
	from := c.param("url")
	size, ok := c.w.Downloads[from]
	if !ok {
		return nil, fail("invalid server response: '%s'", c.w.unreachable(from).client)
	}
	file, _, _ := strings.Cut(from, "?")
	return Object{"filename": path.Base(file), "size": size, "mimetype": "application/octet-stream"}, nil
}

// storageIdentity is what only backup servers have (13/076).
func storageIdentity(c *call) (any, error) {
	if err := c.usableStorage(c.vars["storage"]); err != nil {
		return nil, err
	}
	return nil, fail("get_identity not implemented for this plugin at /usr/share/perl5/PVE/Storage/Plugin.pm line 2681.")
}

// importMetadata describes machines in files to import; images of single disks are none (13/078).
func importMetadata(c *call) (any, error) {
	volid := c.vars["storage"] + ":" + c.param("volume")
	p, err := c.w.volumeOf(volid)
	if err != nil {
		return nil, err
	}
	if err := c.mayUseVolume(0, volid); err != nil {
		return nil, err
	}
	if p.kind != "import" {
		return nil, fail("invalid content type '%s'", p.kind)
	}
	return nil, fail("invalid format")
}
