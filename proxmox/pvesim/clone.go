package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

func cloneRoutes() []route {
	qemu, lxc := "/nodes/{node}/qemu/{vmid}", "/nodes/{node}/lxc/{vmid}"
	allocate := need("/vms/{vmid}", "VM.Allocate")
	return daemon(
		post(qemu+"/clone", mayClone, cloneMachine),
		post(lxc+"/clone", mayClone, cloneContainer),
		post(qemu+"/template", allocate, of(typeQEMU, machineTemplate)),
		post(lxc+"/template", allocate, of(typeLXC, containerTemplate)))
}

// mayClone needs a right on the source, and one on the new id or on the pool that it comes into; a refusal of the second
// names no path (11/012, 11/089).
func mayClone(c *call) error {
	if err := need("/vms/{vmid}", "VM.Clone")(c); err != nil {
		return err
	}
	pool := c.param("pool")
	if c.may("/vms/"+c.param("newid"), "VM.Allocate") || pool != "" && c.may("/pool/"+pool, "VM.Allocate") {
		return nil
	}
	return &apiError{status: 403, message: "Permission check failed\n"}
}

// cloning is a clone that is asked for, of either kind of guest.
type cloning struct {
	c             *call
	w             *World
	source, newid int
	// snap, storage, format and pool are empty unless asked for; target is another node, or nil.
	snap, storage, format, pool string
	target                      *Node
	made                        []string // volumes so far
}

// newCloning reads the parameters and checks what does not depend on the source.
func (c *call) newCloning() (*cloning, error) {
	q := &cloning{c: c, w: c.w, source: int(integer(c.vars["vmid"])), newid: int(integer(c.param("newid"))), snap: c.param("snapname"),
		storage: c.param("storage"), format: c.param("format"), pool: c.param("pool")}
	if q.pool != "" && c.w.Pool(q.pool) == nil {
		return nil, &apiError{status: 403, message: "Permission check failed (pool '" + q.pool + "' does not exist)\n"}
	}
	if t := c.param("target"); t != "" && t != "localhost" && t != c.node.Name {
		if q.target = c.w.Node(t); q.target == nil {
			return nil, fail("no such cluster node '%s'", t)
		}
	}
	return q, q.checkStorage()
}

// checkStorage is what the storage for the copies needs on the nodes that use it.
func (q *cloning) checkStorage() error {
	if q.storage == "" {
		return nil
	}
	if err := q.w.enabled(q.c.node, q.storage); err != nil || q.target == nil {
		return err
	}
	if err := q.w.enabled(q.target, q.storage); err != nil {
		return err
	}
	if !sharedStorage(q.w.Storage(q.storage)) {
		return fail("can't clone to non-shared storage '%s'", q.storage)
	}
	return nil
}

// enabled checks that a storage exists and is enabled on a node; it may be offline.
func (w *World) enabled(n *Node, store string) error {
	def := w.Storage(store)
	switch nodes := splitList(text(def["nodes"])); {
	case def == nil:
		return fail("storage '%s' does not exist", store)
	case truth(def["disable"]):
		return fail("storage '%s' is disabled", store)
	case len(nodes) > 0 && !contains(nodes, n.Name):
		return fail("storage '%s' is not available on node '%s'", store, n.Name)
	}
	return nil
}

// from gives the configuration that is cloned: the one in effect, or a snapshot's.
func (q *cloning) from(g *Guest) (Object, error) {
	if q.snap == "" {
		return g.Config, nil
	}
	s := g.snapshot(q.snap)
	if s == nil {
		return nil, noSnapshot(q.snap)
	}
	return s.Config, nil
}

// full is whether disks are copied: as asked for, else for all but templates (facts 45). Linked clones stay where their
// base is.
func (q *cloning) full(g *Guest) (bool, error) {
	full := !g.Template()
	if q.c.given("full") {
		full = truth(q.c.params["full"])
	}
	for _, name := range []string{"storage", "format"} {
		if !full && q.c.given(name) {
			return false, fail("parameter '%s' not allowed for linked clones", name) // 08/094
		}
	}
	return full, nil
}

// notCloned are the keys of a configuration or a snapshot that a clone does not have; unused volumes stay behind too.
var notCloned = append([]string{"parent", "template", "lock", "snaptime", "snapstate", "vmstate", "digest"}, snapshotOnly...)

func isCloned(key string) bool { return !slices.Contains(notCloned, key) && !isUnusedKey(key) }

// storageFor is where the copy of a volume goes.
func (q *cloning) storageFor(volid string) string {
	if q.storage != "" {
		return q.storage
	}
	store, _, _ := strings.Cut(volid, ":")
	return store
}

// mayAllocate is the right that the copy of a volume needs.
func (q *cloning) mayAllocate(volid string) error {
	store := q.storageFor(volid)
	if q.w.Storage(store) == nil {
		return fail("storage '%s' does not exist", store)
	}
	return need("/storage/"+store, "Datastore.AllocateSpace")(q.c)
}

// shared is whether a volume's storage, or the one it is copied to, is on all nodes.
func (q *cloning) shared(volid string) bool {
	store, _, ok := strings.Cut(volid, ":")
	return ok && sharedStorage(q.w.Storage(store))
}

// add puts the new guest into the world, with a copy of the source's firewall.
func (q *cloning) add(kind string, config Object) *Guest {
	g := &Guest{VMID: q.newid, Type: kind, Node: q.c.node.Name, Config: config}
	g.Firewall = q.w.firewallOf(q.source).copied()
	return q.w.AddGuest(g)
}

// withdraw takes the new guest and its volumes away again.
func (q *cloning) withdraw() {
	for _, volid := range q.made {
		q.w.dropVolume(q.c.node, volid)
	}
	q.w.forgetGuest(q.newid)
}

// settle finishes the new guest: it loses its lock, comes into its pool and goes to its node.
func (q *cloning) settle(g *Guest) {
	q.w.storeConfig(g, without(g.Config, "lock"))
	if q.pool != "" {
		g.Pool = q.pool
	}
	if q.target != nil {
		q.w.MoveGuest(g.VMID, q.target.Name)
	}
	q.w.settleIn(g)
}

// link makes a linked clone of a base volume.
func (q *cloning) link(n *Node, volid, kind string, log logger) (string, error) {
	store, name, _ := strings.Cut(volid, ":")
	v := n.volume(volid)
	if v == nil {
		return "", fail("volume '%s' does not exist", volid)
	}
	spec := volumeSpec{vmid: q.newid, kind: kind, format: text(v["format"]), size: integer(v["size"]), base: baseID(volid)}
	storage := text(q.w.Storage(store)["type"])
	if onFiles(storage) && storage != "btrfs" {
		spec.format = "qcow2"
		spec.name = q.w.freeName(n, store, spec) + ".qcow2"
		_, base, _ := strings.Cut(spec.base, ":")
		log("clone %s: images, %s, %d to %s (base=../%s)", name, spec.name, q.newid, spec.name, base)
	}
	made, err := q.w.allocateImage(n, store, spec, log)
	if err == nil {
		q.made = append(q.made, made)
	}
	return made, err
}

// cloneFailed is how a clone fails once the new guest exists.
func cloneFailed(err error) error {
	if err == nil {
		return nil
	}
	return fail("clone failed: %s", taskText(err))
}

// catch makes the task tell how it was interrupted once the new guest exists, and take that away again.
func (q *cloning) catch(j *job) {
	j.onSignal = cloneFailed(fail("interrupted by signal"))
	j.onFail(q.withdraw)
}

func (q *cloning) id() string { return strconv.Itoa(q.source) }
