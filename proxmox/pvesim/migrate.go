package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Guests move between the nodes of a cluster. The recordings are of a single node, so nothing of this is recorded: the
// checks and their order, the wordings and the logs are those of the sources (qemu-server API2/Qemu.pm and QemuMigrate.pm,
// pve-container API2/LXC.pm and LXC/Migrate.pm, pve-guest-common AbstractMigrate.pm).

func migrateRoutes() []route {
	qemu, lxc, may := "/nodes/{node}/qemu/{vmid}/migrate", "/nodes/{node}/lxc/{vmid}/migrate", need("/vms/{vmid}", "VM.Migrate")
	return daemon(
		get(qemu, may, of(typeQEMU, machinePreconditions)),
		post(qemu, may, migrateMachine),
		get(lxc, may, of(typeLXC, containerPreconditions)),
		post(lxc, may, migrateContainer),
		post("/nodes/{node}/migrateall", mayMigrateAll, migrateAll),
		post("/cluster/bulk-action/guest/migrate", mayMigrateAll, bulkMigrate))
}

// migrationTarget is the node that the request names, which has to be another one of the cluster. That it is off shows in
// the task.
func (c *call) migrationTarget() (*Node, error) {
	name := c.param("target")
	if c.node != nil && name == c.node.Name {
		return nil, badParam("target", "target is local node.")
	}
	n := c.w.Node(name)
	if n == nil {
		return nil, fail("no such cluster node '%s'", name)
	}
	return n, nil
}

// newMigration reads what both kinds of guests have in common.
func (c *call) newMigration(kind string) (*migration, error) {
	to, err := c.migrationTarget()
	if err != nil {
		return nil, err
	}
	return &migration{w: c.w, kind: kind, vmid: c.vmid(), from: c.node, to: to, online: truth(c.params["online"]), restart: truth(c.params["restart"]),
		withDisks: truth(c.params["with-local-disks"]), force: truth(c.params["force"]), conntrack: truth(c.params["with-conntrack-state"]),
		limit: int64(number(c.param("bwlimit"))) << 10, timeout: c.timeoutParam()}, nil
}

// migrateMachine makes the checks that fail at once; what disks and devices stand in the way shows in the task.
func migrateMachine(c *call) (any, error) {
	m, err := c.newMigration(typeQEMU)
	if err != nil {
		return nil, err
	}
	if err := c.rootOnly("force", "migration_type", "migration_network"); err != nil {
		return nil, err
	}
	g, err := c.w.guestAt(c.node, typeQEMU, m.vmid)
	if err != nil {
		return nil, err
	}
	if err := firstError(g.lockedError(), m.mayRun(g)); err != nil {
		return nil, err
	}
	if m.stores, err = c.storageMap("targetstorage", contentImages, "storage '%s' does not support vm images"); err != nil {
		return nil, err
	}
	if !c.given("targetstorage") || m.stores.identity {
		if err := m.drivesAvailable(g); err != nil {
			return nil, err
		}
	}
	return c.beginMigration(m, "qmigrate"), nil
}

// mayRun refuses a VM that runs where it cannot be moved so.
func (m *migration) mayRun(g *Guest) error {
	if !g.Live.Running {
		m.online = false
		return nil
	}
	if !m.online {
		return fail("can't migrate running VM without --online")
	}
	if jobs := m.w.replicationsOf(m.vmid); len(jobs) > 0 && !m.force && !slices.Contains(jobs, m.to.Name) {
		return fail("Cannot live-migrate replicated VM to node '%s' - not a replication target. Use 'force' to override.", m.to.Name)
	}
	return nil
}

// replicationsOf are the nodes that a guest is replicated to.
func (w *World) replicationsOf(vmid int) []string {
	var list []string
	for _, job := range w.Cluster.Lists["replication"] {
		if text(job["guest"]) == strconv.Itoa(vmid) {
			list = append(list, text(job["target"]))
		}
	}
	return list
}

// drivesAvailable checks the storages of the drives on both nodes.
func (m *migration) drivesAvailable(g *Guest) error {
	for _, key := range driveKeys(g.Config) {
		volid := driveVolume(text(g.Config[key]))
		store, _, ok := strings.Cut(volid, ":")
		if !ok || strings.HasPrefix(volid, "/") {
			continue
		}
		if err := firstError(m.w.enabled(m.from, store), m.w.enabled(m.to, store)); err != nil {
			return err
		}
		if p, err := m.w.volumeOf(volid); err == nil && !m.w.isFor(store, p.kind) {
			return fail("%s: content type '%s' is not available on storage '%s'", volid, p.kind, store)
		}
	}
	return nil
}

// isFor is whether a storage is meant for a kind of content.
func (w *World) isFor(store, kind string) bool {
	return contains(splitList(text(w.Storage(store)["content"])), kind)
}

// migrateContainer makes the checks that fail at once: few.
func migrateContainer(c *call) (any, error) {
	m, err := c.newMigration(typeLXC)
	if err != nil {
		return nil, err
	}
	g, err := c.w.guestAt(c.node, typeLXC, m.vmid)
	if err != nil {
		return nil, err
	}
	if g.Live.Running && !m.online && !m.restart {
		return nil, fail("can't migrate running container without --online or --restart")
	}
	if m.stores, err = c.storageMap("target-storage", contentRootDir, "storage '%s' does not support CT rootdirs"); err != nil {
		return nil, err
	}
	return c.beginMigration(m, "vzmigrate"), nil
}

// beginMigration starts the task, or for a guest that HA takes care of one that tells the manager.
func (c *call) beginMigration(m *migration, kind string) string {
	if r := c.w.haManaged(m.kind, m.vmid); r != nil {
		return c.requestHAMigration(m, r)
	}
	return c.fork(kind, strconv.Itoa(m.vmid), m.work)
}

// requestHAMigration asks HA to move a guest: the end of the task does not mean that it is moved (F26). Where a manager is
// at work, it begins a little later, as root@pam, with the guest running on if it can.
func (c *call) requestHAMigration(m *migration, r Object) string {
	word := guestWord(c.w.Guest(m.vmid))
	return c.fork("hamigrate", strconv.Itoa(m.vmid), func(j *job) error {
		j.log("Requesting HA migration for %s %d to node %s", word, m.vmid, m.to.Name)
		j.w.orderHA(haOrder{sid: text(r["sid"]), what: haMigrate, node: m.to.Name})
		return nil
	})
}

// relocate moves a guest as the local resource manager of its node does: VMs that run go on running, containers are
// restarted.
func (w *World) relocate(vmid int, to *Node) *Task {
	g := w.Guest(vmid)
	if g == nil || g.Node == to.Name || w.Node(g.Node) == nil {
		return nil
	}
	m := &migration{w: w, kind: g.Type, vmid: vmid, from: w.Node(g.Node), to: to, online: g.Type == typeQEMU && g.Live.Running, restart: true,
		withDisks: true, timeout: -1}
	kind := "qmigrate"
	if g.Type == typeLXC {
		kind = "vzmigrate"
	}
	return w.fork(m.from, kind, strconv.Itoa(vmid), rootUser, m.work)
}

// storageMap says which storage of the target node takes the place of one of the source.
type storageMap struct {
	identity bool
	other    string // where all go that have no entry of their own; "" = the storage of the same name
	entries  map[string]string
}

// of is the storage that takes the place of another.
func (s storageMap) of(store string) string {
	if to, ok := s.entries[store]; ok {
		return to
	}
	if s.other != "" {
		return s.other
	}
	return store
}

// storageMap reads and checks a parameter such as "1", "nas" or "local:nas,tank:nas".
func (c *call) storageMap(name, content, unfit string) (storageMap, error) {
	s, err := parseStorageMap(splitList(listText(c.params[name])))
	if err != nil || !c.given(name) {
		if err != nil {
			err = badParam(name, "failed to parse storage map: "+err.Error()+"\n")
		}
		return s, err
	}
	if g := c.w.Guest(c.vmid()); !s.identity && g != nil {
		if err := c.wantsVM(g.VMID, g.Pool, "VM.Config.Disk"); err != nil {
			return s, err
		}
	}
	return s, c.mayStoreOn(s, content, unfit)
}

func parseStorageMap(list []string) (storageMap, error) {
	s := storageMap{entries: map[string]string{}}
	for _, entry := range list {
		from, to, pair := strings.Cut(entry, ":")
		switch {
		case entry == "1":
			s.identity = true
		case pair && s.entries[from] != "":
			return s, fmt.Errorf("duplicate mapping for source '%s'", from)
		case pair:
			s.entries[from] = to
		case s.other != "":
			return s, fmt.Errorf("default target ID can only be provided once")
		default:
			s.other = entry
		}
	}
	if s.identity && len(list) > 1 {
		return s, fmt.Errorf("identity mapping cannot be combined with other mappings")
	}
	return s, nil
}

// mayStoreOn checks the storages of a map: that the target node has them, that the caller may use them, and that they are
// for guests.
func (c *call) mayStoreOn(s storageMap, content, unfit string) error {
	var list []string
	for _, to := range s.entries {
		list = append(list, to)
	}
	slices.Sort(list)
	if s.other != "" {
		list = append(list, s.other)
	}
	for _, store := range list {
		if err := firstError(c.w.enabled(c.w.Node(c.param("target")), store), c.wants("/storage/"+store, "Datastore.AllocateSpace")); err != nil {
			return err
		}
		if !c.w.isFor(store, content) {
			return fail(unfit, store)
		}
	}
	return nil
}
