package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// defaultRoot is the root volume, in GiB, of a container that is made without one (06/018).
const defaultRoot = "4"

// lxcRequest is what a POST asks for: a container from a template, or the restore of a backup.
type lxcRequest struct {
	vmid                  int
	archive, storage      string
	pool                  string
	restore, force, start bool
	unique, ha            bool
	unprivileged          bool
	// privilegeGiven is whether the request says which kind of container it is to be; a new one is unprivileged by default
	// (06/020).
	privilegeGiven bool
	options        map[string]string // all but volumes
	mounts         map[string]string // rootfs and mpN
}

// lxcSwitches are parameters of a create that are no options of the container.
var lxcSwitches = []string{"vmid", "ostemplate", "storage", "pool", "restore", "force", "start", "unique", "ha-managed", "unprivileged",
	"password", "ssh-public-keys", "bwlimit", "ignore-unpack-errors", "node"}

func (c *call) lxcRequest() *lxcRequest {
	r := &lxcRequest{vmid: int(integer(c.params["vmid"])), archive: c.param("ostemplate"), storage: c.param("storage"), pool: c.param("pool"),
		restore: truth(c.params["restore"]), force: truth(c.params["force"]), start: truth(c.params["start"]),
		unique: truth(c.params["unique"]), ha: truth(c.params["ha-managed"]),
		privilegeGiven: c.given("unprivileged"), options: map[string]string{}, mounts: map[string]string{}}
	r.unprivileged = truth(c.params["unprivileged"]) || !r.privilegeGiven && !r.restore
	if r.storage == "" {
		r.storage = "local"
	}
	for key, v := range c.textParams(lxcSwitches...) {
		switch {
		case isMount(key):
			r.mounts[key] = v
		case !isUnusedKey(key): // new containers have no unused volumes
			r.options[key] = v
		}
	}
	return r
}

// verb begins the errors of the task.
func (r *lxcRequest) verb() string {
	if r.restore {
		return "unable to restore CT " + strconv.Itoa(r.vmid) + " - "
	}
	return "unable to create CT " + strconv.Itoa(r.vmid) + " - "
}

// createContainer makes the checks that fail at once, takes the vmid and begins the task.
func createContainer(c *call) (any, error) {
	r := c.lxcRequest()
	if err := c.vmidFor(r); err != nil {
		return nil, err
	}
	if keys := c.param("ssh-public-keys"); keys != "" && !validKeys(keys) {
		return nil, fail("SSH public key validation error")
	}
	if err := c.mayCreate(r.vmid, r.pool, r.restore && r.force); err != nil {
		return nil, err
	}
	if err := c.mayBeSuch(r); err != nil {
		return nil, err
	}
	if err := c.checkSources(r); err != nil {
		return nil, err
	}
	blank := &Guest{VMID: r.vmid, Type: typeLXC, Node: c.node.Name, Config: Object{}, Pending: Object{}}
	options, err := c.containerOptions(blank, r.options)
	if err != nil {
		return nil, err
	}
	if r.restore {
		return c.restoreLXC(r, options)
	}
	if file := lockFileOf(typeLXC, r.vmid); c.w.flocks[file] != nil {
		return nil, &busyError{file}
	}
	g := c.w.AddGuest(&Guest{VMID: r.vmid, Type: typeLXC, Node: c.node.Name, Config: Object{"lock": "create"}})
	m := &ctMaker{w: c.w, n: c.node, r: r, g: g, options: options, by: c.id.name()}
	return c.fork("vzcreate", strconv.Itoa(r.vmid), m.work), nil
}

// vmidFor looks whether the vmid is free (06/007, 06/008), or for a forced restore that its container may be replaced.
func (c *call) vmidFor(r *lxcRequest) error {
	g := c.w.Guest(r.vmid)
	switch {
	case g == nil:
		return nil
	case !r.restore || !r.force || g.Type != typeLXC || g.Node != c.node.Name: // 09/068
		return fail("%s %d already exists on node '%s'", guestWord(g), r.vmid, g.Node)
	case g.Live.Running:
		return fail("can't overwrite running container")
	case truth(g.Config["protection"]):
		return fail("unable to restore CT %d - protection mode enabled", r.vmid)
	}
	return nil
}

// sshKeyTypes are the beginnings of public keys.
var sshKeyTypes = []string{"ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
	"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"}

// validKeys is whether each line is a public key, with options before it or not, or a comment.
func validKeys(keys string) bool {
	for line := range strings.SplitSeq(keys, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		i := slices.IndexFunc(words, func(s string) bool { return slices.Contains(sshKeyTypes, s) })
		if i < 0 || i+1 == len(words) || !strings.HasPrefix(words[i+1], "AAAA") {
			return false
		}
	}
	return true
}

// mayBeSuch checks the rights on the options, on HA, and on a container whose root is the node's root.
func (c *call) mayBeSuch(r *lxcRequest) error {
	if r.ha && !c.may("/", "Sys.Console") {
		return forbidden("/", "Sys.Console")
	}
	set := maps.Clone(r.options)
	maps.Copy(set, r.mounts)
	if err := c.mayChangeContainer(&ctChange{vmid: r.vmid, pool: r.pool, old: Object{}, set: set, unprivileged: r.unprivileged}); err != nil {
		return err
	}
	if !r.restore && !r.unprivileged {
		return c.wants("/", "Sys.Modify")
	}
	return nil
}

// checkSources checks what the container is made from and the storages that it goes to (06/012, 06/017).
func (c *call) checkSources(r *lxcRequest) error {
	if r.archive == "-" {
		return fail("pipe requires cli environment")
	}
	kind := "vztmpl"
	if r.restore {
		kind = "backup"
	}
	if err := c.mayUseKind(r.vmid, r.archive, kind); err != nil {
		return err
	}
	if len(r.mounts) > 0 && !has(r.mounts, "rootfs") {
		return fail("mount points configured, but 'rootfs' not set - aborting")
	}
	for _, key := range mountKeys(r.mounts) {
		m, err := parseMountPoint(key, r.mounts[key])
		if err != nil {
			return err
		}
		if m.kind() != mountVolume {
			if !c.isRoot() {
				return fail("Only root can pass arbitrary filesystem paths.")
			}
			continue
		}
		if err := c.mayHoldContainers(m.store()); err != nil {
			return err
		}
	}
	if !has(r.mounts, "rootfs") {
		return c.mayHoldContainers(r.storage)
	}
	return nil
}

// mayHoldContainers checks that a storage can be used for containers, and the right to do so.
func (c *call) mayHoldContainers(store string) error {
	err := c.w.usable(c.node, store)
	if s := c.node.storage(store); err != nil && (s == nil || !truth(s["enabled"])) {
		return err
	}
	if !contains(splitList(text(c.w.Storage(store)["content"])), contentRootDir) {
		return badParam("storage", "storage '"+store+"' does not support container directories")
	}
	return firstError(c.wants("/storage/"+store, "Datastore.AllocateSpace"), err)
}
