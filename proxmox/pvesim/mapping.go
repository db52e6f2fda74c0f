package pvesim

import (
	"path"
	"strings"
	"sync"
)

func mappingRoutes() []route {
	var list []route
	for _, kind := range []string{"dir", "pci", "usb"} {
		base := "/cluster/mapping/" + kind
		m := mapping{kind}
		see := need("/mapping/"+kind+"/{id}", "Mapping.Audit", "Mapping.Use", "Mapping.Modify")
		list = append(list,
			get(base, anyone, m.list), get(base+"/{id}", see, m.get),
			post(base, need("/mapping/"+kind, "Mapping.Modify"), m.create),
			put(base+"/{id}", need("/mapping/"+kind+"/{id}", "Mapping.Modify"), m.update),
			del(base+"/{id}", need("/mapping/"+kind, "Mapping.Modify"), m.remove))
	}
	return daemon(list...)
}

// mapping is one kind of resource mappings: names that stand for a device or directory on each node.
type mapping struct{ kind string }

func (m mapping) lists() string { return "mapping_" + m.kind }

// named is how errors of locked changes begin.
func (m mapping) named() string {
	if m.kind == "dir" {
		return "directory mapping failed"
	}
	return "hardware mapping failed"
}

// list shows the mappings that the caller may see; with check-node also what is wrong with them on that node.
func (m mapping) list(c *call) (any, error) {
	out := []Object{}
	node := c.param("check-node")
	for _, o := range c.w.Cluster.Lists[m.lists()] {
		if !c.may("/mapping/"+m.kind+"/"+text(o["id"]), "Mapping.Audit", "Mapping.Use", "Mapping.Modify") {
			continue
		}
		if node != "" {
			o = clone(o)
			o["checks"] = m.checks(c.w, o, node)
		}
		out = append(out, o)
	}
	return out, nil
}

func (m mapping) get(c *call) (any, error) {
	o := c.w.Cluster.section(m.lists(), "id", c.vars["id"])
	if o == nil {
		return nil, fail("mapping '%s' not found", c.vars["id"])
	}
	return without(o, "id"), nil
}

// entries are the property strings of a mapping, one for each node or device.
func (m mapping) entries(v any) []props {
	var out []props
	list, _ := v.([]any)
	for _, e := range list {
		if p, err := parseProperty(propertyFormat(m.kind+"-map"), "map", text(e)); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// verify refuses directories that are not there; only the node that was asked can look (15/110).
func (m mapping) verify(c *call, v any) error {
	nodes := map[string]int{}
	for _, e := range m.entries(v) {
		nodes[e["node"]]++
		n := c.w.Node(e["node"])
		if m.kind == "dir" && nodes[e["node"]] > 1 {
			return fail("Node '%s' is specified %d times.", e["node"], nodes[e["node"]])
		}
		if n == nil || n.Name != c.entry {
			continue
		}
		if wrong := m.wrong(c.w, n, e); m.kind == "dir" && wrong != "" {
			return fail("%s", wrong)
		}
	}
	return nil
}

// wrong is what a node says against an entry, "" where it is right.
func (m mapping) wrong(w *World, n *Node, e props) string {
	switch m.kind {
	case "dir":
		if !w.hasDirectory(n, e["path"]) {
			return "Path " + e["path"] + " does not exist"
		}
	case "pci":
		first, _, _ := strings.Cut(e["path"], ";")
		if list, _ := objects(n.Info["pci"]); find(list, func(o Object) bool { return strings.HasPrefix(text(o["id"]), first) }) == nil {
			return "pci device '" + first + "' not found"
		}
	}
	return ""
}

func (m mapping) checks(w *World, o Object, node string) []Object {
	out := []Object{}
	n := w.Node(node)
	found := false
	for _, e := range m.entries(o["map"]) {
		if e["node"] != node || n == nil {
			continue
		}
		found = true
		if wrong := m.wrong(w, n, e); wrong != "" {
			out = append(out, Object{"severity": "error", "message": "Invalid configuration: " + wrong + "\n"})
		}
	}
	if !found {
		out = append(out, Object{"severity": "warning", "message": "No mapping for node " + node + "."})
	}
	return out
}

func (m mapping) create(c *call) (any, error) {
	id := c.param("id")
	if err := m.verify(c, c.params["map"]); err != nil {
		return nil, err
	}
	if c.w.Cluster.section(m.lists(), "id", id) != nil {
		what := "mapping"
		if m.kind == "dir" {
			what = "dir"
		}
		return nil, locked("create "+m.named(), fail("%s ID '%s' already defined", what, id))
	}
	o := c.stored()
	o["type"] = m.kind
	c.w.Cluster.putSection(m.lists(), "id", o)
	return nil, nil
}

func (m mapping) update(c *call) (any, error) {
	id := c.vars["id"]
	if err := m.verify(c, c.params["map"]); err != nil {
		return nil, err
	}
	if err := c.unmodified(c.w.Cluster.sectionDigest(m.lists())); err != nil {
		return nil, locked("update "+m.named(), err)
	}
	old := c.w.Cluster.section(m.lists(), "id", id)
	if old == nil {
		return nil, locked("update "+m.named(), fail("%s mapping '%s' does not exist", m.kind, id))
	}
	c.w.Cluster.putSection(m.lists(), "id", merged(old, c.list("delete"), c.stored("digest", "delete")))
	return nil, nil
}

// remove forgets a mapping; one that is not there is no error (15/114).
func (m mapping) remove(c *call) (any, error) {
	c.w.Cluster.dropSection(m.lists(), "id", c.vars["id"])
	return nil, nil
}

// systemDirectories are there on every node.
var systemDirectories = sync.OnceValue(func() []string {
	return strings.Fields("/ /bin /boot /dev /etc /home /media /mnt /mnt/pve /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/lib " +
		"/usr/share /var /var/backups /var/cache /var/lib /var/lib/vz /var/log /var/tmp")
})

// hasDirectory is whether a node has a directory: one of the system, or one that belongs to a storage of the node.
func (w *World) hasDirectory(n *Node, dir string) bool {
	dir = path.Clean(dir)
	if contains(systemDirectories(), dir) {
		return true
	}
	for _, def := range w.Storages {
		row := n.storage(text(def["storage"]))
		base := text(def["path"])
		if base == "" {
			base = text(def["mountpoint"])
		}
		if base == "" || !storedOn(def, n.Name) || row == nil || !truth(row["active"]) {
			continue
		}
		if dir == base || strings.HasPrefix(base, dir+"/") {
			return true
		}
		for _, sub := range []string{"images", "template", "template/iso", "template/cache", "dump", "private", "snippets", "import"} {
			if dir == base+"/"+sub {
				return true
			}
		}
	}
	return false
}
