package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// createTime is what making a VM takes beside its disks.
const createTime = 200 * time.Millisecond

// startLinger is how long a create goes on after it had another task start its guest; the guest runs by then (03/018).
const startLinger = 2 * forkTime

// qemuControls are the parameters of a create that are no part of the configuration.
var qemuControls = []string{"node", "vmid", "archive", "bwlimit", "force", "ha-managed", "import-working-storage", "live-restore",
	"pool", "start", "storage", "unique"}

// qemuRequest is what is asked for by POST /nodes/{node}/qemu.
type qemuRequest struct {
	vmid                   int
	pool, storage, archive string
	start, force, ha       bool
	over                   bool // a restore that replaces a VM
	// drives are the values of drive keys, given all others of the configuration.
	drives map[string]string
	given  map[string]any
}

func (c *call) qemuRequest() *qemuRequest {
	r := &qemuRequest{vmid: int(integer(c.params["vmid"])), pool: c.param("pool"), storage: c.param("storage"), archive: c.param("archive"),
		start: truth(c.params["start"]), force: truth(c.params["force"]), ha: truth(c.params["ha-managed"]),
		drives: map[string]string{}, given: without(c.params, qemuControls...)}
	if v := text(r.given["cdrom"]); v != "" { // an old name of the second IDE drive
		delete(r.given, "cdrom")
		if !strings.Contains(v, "media=") {
			v += ",media=cdrom"
		}
		r.given["ide2"] = v
	}
	for k, v := range r.given {
		if isDriveKey(k) {
			r.drives[k] = withStorage(text(v), r.storage)
			delete(r.given, k)
		}
	}
	return r
}

// withStorage puts the default storage before a size, or before the word cloudinit, that names none.
func withStorage(drive, storage string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(drive, "file="), ",")
	if _, err := strconv.ParseFloat(first, 64); storage == "" || err != nil && first != "cloudinit" {
		return drive
	}
	return storage + ":" + strings.TrimPrefix(drive, "file=")
}

// verb begins the errors of a create and of a restore.
func (r *qemuRequest) verb() string {
	if r.archive != "" {
		return fmt.Sprintf("unable to restore VM %d - ", r.vmid)
	}
	return fmt.Sprintf("unable to create VM %d - ", r.vmid)
}

func createQemu(c *call) (any, error) {
	r := c.qemuRequest()
	if err := c.mayCreate(r.vmid, r.pool, r.archive != "" && r.force); err != nil {
		return nil, err
	}
	if r.archive != "" {
		return c.restoreQemu(r)
	}
	options, err := c.checkNewQemu(r)
	if err != nil {
		return nil, err
	}
	if err := c.reserve(r); err != nil {
		return nil, err
	}
	m := &qemuMaker{w: c.w, n: c.node, r: r, g: c.w.Guest(r.vmid), options: options, by: c.id.name()}
	return c.fork("qmcreate", strconv.Itoa(r.vmid), m.work), nil
}

// mayCreate looks for the pool (03/037) and for the right to make a guest, on its path or on its pool; without it the
// refusal names no path (11/083). Those who may back a guest up may restore over it.
func (c *call) mayCreate(vmid int, pool string, over bool) error {
	if pool != "" && c.w.Pool(pool) == nil {
		return &apiError{status: 403, message: "Permission check failed (pool '" + pool + "' does not exist)\n"}
	}
	at := "/vms/" + strconv.Itoa(vmid)
	switch {
	case c.may(at, "VM.Allocate"), pool != "" && c.may("/pool/"+pool, "VM.Allocate"):
		return nil
	case over && c.w.Guest(vmid) != nil && c.may(at, "VM.Backup"):
		return nil
	}
	return &apiError{status: 403, message: "Permission check failed\n"}
}

// checkNewQemu makes all checks that a create fails at once, and gives the options as the configuration will hold them.
func (c *call) checkNewQemu(r *qemuRequest) (Object, error) {
	if r.ha && !c.may("/", "Sys.Console") {
		return nil, forbidden("/", "Sys.Console")
	}
	blank := &Guest{VMID: r.vmid, Type: typeQEMU, Node: c.node.Name, Pool: r.pool, Config: Object{}, Pending: Object{}}
	if err := c.checkDrives(blank, r.drives); err != nil {
		return nil, err
	}
	if err := c.mayGive(r); err != nil {
		return nil, err
	}
	return c.qemuOptions(blank, r.given, true)
}

// mayGive checks the rights for the options of a new VM: for the options themselves, and for what their values name
// outside of it.
func (c *call) mayGive(r *qemuRequest) error {
	keys := slices.Sorted(maps.Keys(r.given))
	if err := c.mayConfigure(r.vmid, r.pool, keys); err != nil {
		return err
	}
	for _, key := range keys {
		if err := c.mayAddDevice(r, key, text(r.given[key])); err != nil {
			return err
		}
	}
	if err := c.mayUseDevices(r.given); err != nil {
		return err
	}
	return c.mayChangeTags(r.vmid, "", listText(r.given["tags"]))
}

// mayAddDevice is the right to give a new VM a device of the node.
func (c *call) mayAddDevice(r *qemuRequest, key, value string) error {
	switch {
	case c.isRoot():
		return nil
	case serialShape().MatchString(key) && value != "socket":
		return fail("only root can set '%s' config for real devices", key)
	case serialShape().MatchString(key), usbShape().MatchString(key), hostpciShape().MatchString(key), virtiofsShape().MatchString(key):
		return c.wantsVM(r.vmid, r.pool, "VM.Config.HWType")
	}
	return nil
}

// reserve takes the vmid: from now on the guest exists, locked, with nothing in it (10/061).
func (c *call) reserve(r *qemuRequest) error {
	if file := lockFileOf(typeQEMU, r.vmid); c.w.flocks[file] != nil {
		return &busyError{file}
	}
	if g := c.w.Guest(r.vmid); g != nil {
		return fail("%s%s %d already exists on node '%s'", r.verb(), guestWord(g), r.vmid, g.Node)
	}
	c.w.AddGuest(&Guest{VMID: r.vmid, Type: typeQEMU, Node: c.node.Name, Config: Object{"lock": "create"}})
	return nil
}

// guestWord is the kind of a guest as texts have it.
func guestWord(g *Guest) string {
	if g.Type == typeLXC {
		return "CT"
	}
	return "VM"
}

// qemuMaker is the work of a qmcreate task.
type qemuMaker struct {
	w       *World
	n       *Node
	r       *qemuRequest
	g       *Guest // what was reserved
	options Object
	by      string
}

func (m *qemuMaker) work(j *job) error {
	j.onFail(func() {
		if m.there() == nil {
			m.w.forgetGuest(m.r.vmid)
		}
	})
	return j.lock(m.g, func() error { return m.disks(j) })
}

// there fails when somebody removed the guest while it was made.
func (m *qemuMaker) there() error {
	if m.w.Guest(m.r.vmid) == m.g {
		return nil
	}
	return fail("%s%s", m.r.verb(), taskText(noConfig(m.n.Name, typeQEMU, m.r.vmid)))
}

// disks makes what the drives need. A create that fails leaves nothing (03/046).
func (m *qemuMaker) disks(j *job) error {
	if err := m.there(); err != nil {
		return err
	}
	j.onSignal = fail("%s%v", m.r.verb(), errInterrupted)
	values, undo, err := m.w.placeDrives(m.n, m.g, m.r.drives, j.log)
	if err != nil {
		return fail("%s%s", m.r.verb(), taskText(err))
	}
	j.onFail(undo)
	return j.after(createTime, func() error { return m.commit(j, values) })
}

// commit writes the configuration, which also gives up the lock, and starts the VM where that was asked for.
func (m *qemuMaker) commit(j *job, values Object) error {
	if err := m.there(); err != nil {
		return err
	}
	g, config := m.g, clone(m.options)
	maps.Copy(config, values)
	m.w.identify(m.n, config)
	g.Config, g.Pool = config, m.r.pool
	g.redigest()
	m.w.settleIn(g)
	j.undo, j.onSignal = nil, nil
	if m.r.ha {
		m.w.manage(g, m.r.start)
	}
	j.unlock(g)
	if !m.r.start {
		return nil
	}
	m.w.startGuest(m.n, g, m.by)
	return j.after(startLinger, func() error { return nil })
}
