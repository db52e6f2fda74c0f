package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func qemuConfigRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}"
	may := need("/vms/{vmid}", configPrivs...)
	return daemon(
		put(base+"/config", may, func(c *call) (any, error) { return c.updateQEMU(true) }),
		post(base+"/config", may, func(c *call) (any, error) { return c.updateQEMU(false) }),
	)
}

// qemuUpdate is a request to change a VM's configuration.
type qemuUpdate struct {
	c      *call
	g      *Guest
	set    Object            // options that are no drives, as the configuration holds them
	drives map[string]string // as they were sent
	remove []string
	revert []string
	force  bool
	line   string // what the task log begins with

	modified map[string]bool // keys that this request is about
	order    []string        // boot order, nil when there is none
	log      logger
	took     time.Duration // how long devices take to come and go
	failed   map[string]string
}

// updateQEMU answers PUT (at once) and POST (a task) of a VM's configuration. The real one checks the request before
// it looks whether there is such a VM.
func (c *call) updateQEMU(sync bool) (any, error) {
	vmid, err := strconv.Atoi(c.vars["vmid"])
	if err != nil {
		return nil, badParam("vmid", "type check ('integer') failed - got '"+c.vars["vmid"]+"'")
	}
	u := &qemuUpdate{c: c, modified: map[string]bool{}, failed: map[string]string{}, log: func(string, ...any) {}}
	if err := u.read(vmid); err != nil {
		return nil, err
	}
	g := c.w.Guest(vmid)
	if g == nil || g.Type != typeQEMU || g.Node != c.node.Name {
		return nil, noConfig(c.node.Name, typeQEMU, vmid)
	}
	if err := c.free(g); err != nil {
		return nil, err
	}
	u.g = g
	if err := u.admit(); err != nil {
		return nil, err
	}
	c.w.addLog(LogEntry{Node: c.node.Name, Tag: "pvedaemon", User: c.id.name(), Pri: 6, Time: c.w.Now(), Msg: u.line})
	if sync {
		err := u.work()
		c.hold += u.took
		return nil, err
	}
	return u.task()
}

// read takes the request apart and makes the checks that need no VM.
func (u *qemuUpdate) read(vmid int) error {
	c := u.c
	u.line = "update VM " + strconv.Itoa(vmid) + ": " + c.updateLine()
	if c.param("skiplock") == "1" && !c.isRoot() {
		return badParam("skiplock", "Only root may use this option.") // 04/060
	}
	given := maps.Clone(c.params)
	for _, key := range requestParams {
		delete(given, key)
	}
	if given["sshkeys"] != nil {
		if err := checkKeys(unescape(c.param("sshkeys"), false)); err != nil {
			return err
		}
	}
	u.force = c.param("force") == "1"
	remove, revert := listText(c.params["delete"]), listText(c.params["revert"])
	if len(given) == 0 && remove == "" && revert == "" {
		return fail("no options specified") // 04/005, 04/007
	}
	if cdrom := text(given["cdrom"]); cdrom != "" {
		if !strings.Contains(cdrom, "media=") {
			cdrom += ",media=cdrom"
		}
		given["ide2"] = cdrom
		delete(given, "cdrom")
	}
	if err := u.readLists(given, remove, revert); err != nil {
		return err
	}
	return u.readOptions(vmid, given)
}

// readLists checks the keys to remove and to revert (04/013 to 04/016).
func (u *qemuUpdate) readLists(given map[string]any, remove, revert string) error {
	for _, key := range splitList(revert) {
		if !isQEMUOption(key) {
			return badParam("revert", "unknown option '"+key+"'")
		}
		if given[key] != nil {
			return badParam("delete", "you can't use '-"+key+"' and -revert "+key+"' at the same time")
		}
		u.revert = append(u.revert, key)
	}
	for _, key := range splitList(remove) {
		if key == "cdrom" {
			key = "ide2"
		}
		if given[key] != nil {
			return badParam("delete", "you can't use '-"+key+"' and -delete "+key+"' at the same time")
		}
		if contains(u.revert, key) {
			return badParam("revert", "you can't use '-delete "+key+"' and -revert "+key+"' at the same time")
		}
		if !isQEMUOption(key) {
			return badParam("delete", "unknown option '"+key+"'")
		}
		u.remove = append(u.remove, key)
	}
	return nil
}

// readOptions normalises the values and checks the rights on the VM, on storages and on what else they name.
func (u *qemuUpdate) readOptions(vmid int, given map[string]any) error {
	c := u.c
	u.drives = map[string]string{}
	for key, v := range given {
		if isDriveKey(key) {
			u.drives[key] = text(v)
		}
	}
	keys := slices.Sorted(maps.Keys(given))
	maps.DeleteFunc(given, func(key string, _ any) bool { return isDriveKey(key) })
	var err error
	if u.set, err = c.qemuOptions(nil, given, false); err != nil {
		return err
	}
	return firstError(
		c.mayConfigure(vmid, "", u.remove),
		c.mayConfigure(vmid, "", keys),
		c.checkDrives(&Guest{VMID: vmid, Type: typeQEMU, Node: c.node.Name}, u.drives),
		c.mayUseDevices(u.set))
}

// admit makes the checks that compare the request with the VM as it is.
func (u *qemuUpdate) admit() error {
	c, g := u.c, u.g
	if d := c.param("digest"); d != "" && d != g.Digest {
		return fail("checksum mismatch (file change by other user?)") // 04/003
	}
	if err := u.customCPU(); err != nil {
		return err
	}
	lock := g.lockedError()
	if contains(u.remove, "vmstate") {
		if text(g.Config["lock"]) == "suspended" { // throwing the state away lifts the lock
			lock = nil
			u.remove = append(u.remove, "lock")
		}
		for _, key := range []string{"runningmachine", "runningcpu"} {
			if has(g.Config, key) {
				u.remove = append(u.remove, key)
			}
		}
	}
	if lock != nil && c.param("skiplock") != "1" {
		return lock
	}
	for _, key := range u.revert {
		if old, ok := g.Config[key]; ok && isDriveKey(key) {
			u.drives[key] = text(old)
		} else if ok {
			u.set[key] = old
		} else if has(g.Pending, key) {
			u.remove = append(u.remove, key)
		}
	}
	return g.checkBalloon(u.set)
}

// customCPU checks the right to see models that the cluster defines.
func (u *qemuUpdate) customCPU() error {
	kind, _, _ := strings.Cut(strings.TrimPrefix(text(u.set["cpu"]), "cputype="), ",")
	if u.c.isRoot() || !strings.HasPrefix(kind, "custom-") || strings.HasPrefix(text(u.g.Config["cpu"]), kind) {
		return nil
	}
	return u.c.wants("/nodes", "Sys.Audit")
}

// updateLine lists the request's parameters as the task log shows them.
func (c *call) updateLine() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(c.params)) {
		value := listText(c.params[key])
		switch key {
		case "node", "vmid", "digest", "background_delay":
			continue
		case "cipassword":
			value = "<hidden>"
		}
		parts = append(parts, "-"+key, value)
	}
	return strings.Join(parts, " ")
}

// task makes the change in a task. With background_delay the answer waits for it so many seconds and says nothing
// when it ended well by then.
func (u *qemuUpdate) task() (any, error) {
	c, vmid := u.c, u.g.VMID
	if delay := time.Duration(integer(c.params["background_delay"])) * time.Second; delay > 0 {
		return u.waitedTask(delay)
	}
	return c.fork("qmconfig", strconv.Itoa(vmid), func(j *job) error {
		u.log = j.log
		return j.lock(u.g, func() error {
			if u.g = c.w.Guest(vmid); u.g == nil {
				return noConfig(c.node.Name, typeQEMU, vmid)
			}
			err := u.work()
			return j.after(u.took, func() error { return err })
		})
	}), nil
}

// waitedTask does the work before it answers. What takes longer than the client waits is left to the task.
func (u *qemuUpdate) waitedTask(delay time.Duration) (any, error) {
	c, id := u.c, strconv.Itoa(u.g.VMID)
	var lines []string
	u.log = func(format string, args ...any) { lines = append(lines, logLines(format, args...)...) }
	err := u.work()
	if u.took > delay {
		c.hold += delay
		return c.fork("qmconfig", id, func(j *job) error {
			j.task.Log = append(j.task.Log, lines...)
			return j.after(u.took, func() error { return err })
		}), nil
	}
	exit := "OK"
	if err != nil {
		exit = taskText(err)
	}
	c.hold += max(u.took, forkTime)
	c.w.AddTaskAt(c.w.Now(), max(u.took, forkTime), c.node.Name, "qmconfig", id, c.id.name(), exit, lines...)
	if err != nil {
		return nil, fail("failed to update VM %s: %s", id, exit)
	}
	return nil, nil
}
