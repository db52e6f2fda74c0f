package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func splitPath(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}

func indexRoutes() []route {
	return []route{
		index("/", "subdir", "version cluster nodes storage access pools"),
		index("/cluster", "name", "acme backup backup-info bulk-action ceph config firewall ha jobs log mapping metrics "+
			"notifications nextid options qemu replication resources status tasks sdn"),
		index("/cluster/config", "name", "nodes totem join qdevice apiversion"),
		index("/cluster/mapping", "name", "dir pci usb"),
		index("/nodes/{node}", "name", "aplinfo apt capabilities ceph certificates config disks dns firewall hardware hosts "+
			"journal lxc migrateall netstat network qemu query-oci-repo-tags query-url-metadata replication report rrd rrddata "+
			"scan sdn services spiceshell startall status stopall storage subscription suspendall syslog tasks termproxy time "+
			"version vncshell vzdump wakeonlan"),
		index("/access", "subdir", "users groups roles acl domains openid tfa ticket password"),
		get("/version", anyone, func(c *call) (any, error) { return c.w.Version, nil }),
	}
}

func clusterRoutes() []route {
	audit := need("/", "Sys.Audit")
	return append(daemon(
		get("/cluster/status", audit, clusterStatus),
		get("/cluster/config/nodes", audit, clusterMembers),
		get("/cluster/config/totem", audit, clusterTotem),
		get("/cluster/config/join", audit, clusterJoin),
		get("/cluster/ceph/status", anyone, cephMissing),
		get("/nodes/{node}/ceph/status", anyone, cephMissing)),
		get("/cluster/options", anyone, clusterOptions),
		get("/cluster/nextid", anyone, nextID),
		get("/cluster/log", anyone, clusterLog),
		get("/cluster/tasks", anyone, clusterTasks))
}

// clusterStatus is the cluster entry, which a standalone node lacks (F18), and a row per node.
func clusterStatus(c *call) (any, error) {
	list := []fields{}
	if name := c.w.Cluster.Name; name != "" {
		list = append(list, fields{{"type", "cluster"}, {"id", "cluster"}, {"name", name}, {"nodes", len(c.w.Nodes)},
			{"quorate", bit(c.w.quorate(c.entry))}, {"version", len(c.w.Nodes)}})
	}
	for _, n := range c.w.Nodes {
		f := fields{{"type", "node"}, {"id", "node/" + n.Name}, {"name", n.Name}, {"nodeid", n.ID}, {"ip", n.IP},
			{"local", bit(n.Name == c.entry)}, {"level", ""}, {"online", bit(c.w.reaches(c.w.Node(c.entry), n))}}
		list = append(list, f)
	}
	return list, nil
}

func clusterMembers(c *call) (any, error) {
	list := []fields{}
	if c.w.Cluster.Name == "" {
		return list, nil
	}
	for _, n := range c.w.Nodes {
		list = append(list, fields{{"node", n.Name}, {"name", n.Name}, {"nodeid", strconv.Itoa(n.ID)},
			{"quorum_votes", "1"}, {"ring0_addr", n.IP}})
	}
	return list, nil
}

func clusterTotem(c *call) (any, error) {
	if c.w.Cluster.Name == "" {
		return nil, nil
	}
	return Object{"cluster_name": c.w.Cluster.Name, "config_version": strconv.Itoa(len(c.w.Nodes)),
		"interface": Object{"0": Object{"linknumber": "0"}}, "ip_version": "ipv4-6", "link_mode": "passive",
		"secauth": "on", "version": "2"}, nil
}

func clusterJoin(c *call) (any, error) {
	if c.w.Cluster.Name == "" {
		return nil, &apiError{status: 424, message: "node is not in a cluster, no join info available!"}
	}
	list := []Object{}
	for _, n := range c.w.Nodes {
		list = append(list, Object{"name": n.Name, "nodeid": strconv.Itoa(n.ID), "pve_addr": n.IP, "pve_fp": c.fingerprint(n),
			"quorum_votes": "1", "ring0_addr": n.IP})
	}
	totem, err := clusterTotem(c)
	return Object{"config_digest": emptyDigest, "nodelist": list, "preferred_node": c.entry, "totem": totem}, err
}

func cephMissing(*call) (any, error) { return nil, fail("binary not installed: /usr/bin/ceph-mon") }

// clusterOptions adds the tags in use, which depend on the guests that the caller sees (11/060), and hides the
// settings from those without Sys.Audit.
func clusterOptions(c *call) (any, error) {
	out := Object{"description": "", "mac_prefix": defaultMACPrefix} // computed where they are not set (15/123, facts 95)
	maps.Copy(out, c.w.Cluster.Options)
	if !c.may("/", "Sys.Audit", "Sys.Modify") {
		for k := range out {
			if k != "tag-style" {
				delete(out, k)
			}
		}
	}
	tags := []string{}
	for _, g := range c.w.Guests() {
		if c.seesGuest(g) {
			tags = append(tags, splitList(text(g.Config["tags"]))...)
		}
	}
	slices.Sort(tags)
	out["allowed-tags"] = slices.Compact(tags)
	return out, nil
}

// lowestVMID is where the search for a free one begins unless the options say otherwise.
const lowestVMID = 100

func nextID(c *call) (any, error) {
	if c.given("vmid") {
		id := int(integer(c.params["vmid"]))
		if c.w.Guest(id) != nil {
			return nil, badParam("vmid", "VM "+strconv.Itoa(id)+" already exists")
		}
		return strconv.Itoa(id), nil
	}
	lower, upper := lowestVMID, nextIDEnd
	bounds := c.w.clusterOption("next-id")
	if n := int(integer(bounds["lower"])); n > 0 {
		lower = n
	}
	if n := int(integer(bounds["upper"])); n > 0 {
		upper = n
	}
	for id := lower; id < upper; id++ {
		if c.w.Guest(id) == nil {
			return strconv.Itoa(id), nil
		}
	}
	return nil, fail("unable to get any free VMID in range [%d, %d]", lower, upper)
}

// nextIDEnd is where the search for a free vmid ends, unless the datacenter's option next-id says otherwise (source).
const nextIDEnd = 1000 * 1000

// logDefault is how many log lines come without max (faults.md 3.4).
const logDefault = 50

func clusterLog(c *call) (any, error) {
	most := logDefault
	if c.given("max") {
		most = int(integer(c.params["max"]))
	}
	all := c.may("/", "Sys.Syslog")
	list := []fields{}
	for _, e := range c.w.Cluster.Log {
		if len(list) == most {
			break
		}
		if !all && e.User != c.id.name() {
			continue
		}
		uid := strconv.Itoa(e.uid)
		list = append(list, fields{{"id", uid + ":" + e.Node}, {"uid", uid}, {"node", e.Node}, {"tag", e.Tag},
			{"user", e.User}, {"msg", e.Msg}, {"pid", e.PID}, {"pri", e.Pri}, {"time", e.Time.Unix()}})
	}
	return list, nil
}
