package pvesim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// migration is a guest on its way to another node.
type migration struct {
	w        *World
	kind     string
	vmid     int
	from, to *Node
	// What was asked for. limit is in bytes/s, 0 = none; timeout in seconds, negative = none given.
	online, restart, withDisks, force, conntrack bool
	stores                                       storageMap
	limit                                        int64
	timeout                                      int

	j       *job
	began   time.Time
	stage   migrationStage
	told    bool // the reason of the failure is in the log
	moved   bool // the target is the guest's home
	running bool // it ran when the task began
	volumes []*movingVolume
	startup time.Time // when QEMU started on the target
}

// migrationStage is how far a migration has come: what a failure undoes and how it is told depends on it.
type migrationStage int

const (
	stagePreparing migrationStage = iota
	stageCopying                  // the guest is locked, volumes are copied
	stageRunning                  // QEMU runs on both nodes
)

// networkSpeed is how many bytes of memory and volumes go from node to node in a second: a network of 10 Gbit/s.
const networkSpeed = 1 << 30

// migrationSettle is how long the end of a migration takes: the configuration moves, the source's volumes are erased.
const migrationSettle = 500 * time.Millisecond

// work holds two lock files to the end: that of migrations and that of the configuration. Whoever changes the
// configuration meanwhile waits in vain (facts 40).
func (m *migration) work(j *job) error {
	m.j = j
	return j.lockFile(fmt.Sprintf("/var/lock/pve-manager/pve-migrate-%d", m.vmid), func() error {
		return j.lockFile(lockFileOf(m.kind, m.vmid), m.locked)
	})
}

func (m *migration) locked() error {
	m.began = m.w.Now()
	m.j.onSignal = errMigrationAborted
	m.j.onFail(m.restore)
	g, err := m.w.guestAt(m.from, m.kind, m.vmid)
	if err != nil {
		return m.failed(taskText(err))
	}
	if err := g.lockedError(); err != nil {
		return m.failed(taskText(err))
	}
	m.running = g.Live.Running
	if m.kind == typeLXC {
		return m.prepareContainer(g)
	}
	return m.prepareMachine(g)
}

// log writes lines with the time, as migrations do.
func (m *migration) log(format string, args ...any) {
	stamp := m.from.local(m.w.Now()).Format("2006-01-02 15:04:05")
	for _, line := range logLines(format, args...) {
		m.j.log("%s %s", stamp, line)
	}
}

var (
	errMigrationAborted  = fail("migration aborted")
	errMigrationProblems = fail("migration problems")
)

// failed tells in the log why the migration ends here, and gives what the task says. What was done is undone by restore.
func (m *migration) failed(reason string) error {
	m.told = true
	switch m.stage {
	case stagePreparing:
	case stageCopying:
		m.log("ERROR: %s", reason)
		m.log("aborting phase 1 - cleanup resources")
		m.staleCopies()
	case stageRunning:
		m.log("ERROR: online migrate failure - %s", reason)
		m.log("aborting phase 2 - cleanup resources")
		m.log("migrate_cancel")
		m.log("ERROR: migration finished with problems (duration %s)", m.took())
		return errMigrationProblems
	}
	if m.kind == typeLXC && m.stage == stageCopying {
		m.log("start final cleanup")
		if m.running {
			m.log("start container on source node")
		}
	}
	m.log("ERROR: migration aborted (duration %s): %s", m.took(), reason)
	return errMigrationAborted
}

// staleCopies names the copies that a container leaves on the target; those of a VM are erased.
func (m *migration) staleCopies() {
	for _, v := range m.volumes {
		if m.kind == typeLXC && v.there {
			m.log("ERROR: found stale volume copy '%s' on node '%s'", v.made, m.to.Name)
		}
	}
}

func (m *migration) took() string {
	s := int(m.w.Now().Sub(m.began) / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// restore leaves the guest at its source as it was: without the lock, running if it ran.
func (m *migration) restore() {
	if m.moved {
		return
	}
	if !m.told {
		_ = m.failed("interrupted by signal")
	}
	for _, v := range m.volumes {
		if v.made != "" && (m.kind == typeQEMU || !v.there) {
			m.w.dropVolume(m.to, v.made)
		}
	}
	g, err := m.w.guestAt(m.from, m.kind, m.vmid)
	if err != nil || m.stage == stagePreparing {
		return
	}
	if text(g.Config["lock"]) == "migrate" {
		m.w.setLock(g, "")
	}
	if m.kind == typeLXC && m.running && !g.Live.Running {
		m.w.SetStatus(m.vmid, "running")
	}
}

// source gives the guest while it is where it was and the target answers; the reason otherwise.
func (m *migration) source() (*Guest, error) {
	g, err := m.w.guestAt(m.from, m.kind, m.vmid)
	if err == nil && !m.w.reaches(m.from, m.to) {
		err = fail("Can't connect to destination address using public key")
	}
	return g, err
}

// ssh is how a node runs a command on another one.
func (m *migration) ssh(command string) string {
	return fmt.Sprintf("/usr/bin/ssh -e none -o 'BatchMode=yes' -o 'HostKeyAlias=%s' -o 'UserKnownHostsFile=/etc/pve/nodes/%s/ssh_known_hosts' "+
		"-o 'GlobalKnownHostsFile=none' root@%s %s", m.to.Name, m.to.Name, m.to.IP, command)
}

// connect tries whether the target answers.
func (m *migration) connect() error {
	if m.w.reaches(m.from, m.to) {
		return nil
	}
	m.log("# %s", m.ssh("/bin/true"))
	m.log("ssh: connect to host %s port 22: No route to host", m.to.IP)
	return fail("Can't connect to destination address using public key")
}

// begin takes the lock that tells others what happens to the guest.
func (m *migration) begin(g *Guest) {
	m.log("starting migration of %s %d to node '%s' (%s)", guestWord(g), m.vmid, m.to.Name, m.to.IP)
	m.stage = stageCopying
	m.w.setLock(g, "migrate")
}

// movingTime is how long bytes need from node to node.
func (m *migration) movingTime(bytes int64) time.Duration {
	speed := int64(networkSpeed)
	if m.limit > 0 {
		speed = min(speed, m.limit)
	}
	return time.Duration(float64(bytes) / float64(speed) * float64(time.Second))
}

// progressLines is how many lines at most tell how far a copy has come; the real one writes one a second at first.
const progressLines = 10

// progress lets time pass in steps and tells after each how much is done.
func (m *migration) progress(bytes int64, tell func(done int64, elapsed time.Duration), then step) error {
	total := m.movingTime(bytes)
	steps := int(min(progressLines, max(1, total/time.Second)))
	var next func(i int) step
	next = func(i int) step {
		return func() error {
			tell(bytes/int64(steps)*int64(i), total/time.Duration(steps)*time.Duration(i))
			if i == steps {
				return then()
			}
			if _, err := m.source(); err != nil {
				return m.failed(taskText(err))
			}
			return m.j.after(total/time.Duration(steps), next(i+1))
		}
	}
	return m.j.after(total/time.Duration(steps), next(1))
}

// finish makes the target the guest's home: its configuration moves with the new names of its volumes, those of the source
// are erased. change does to it what its kind needs.
func (m *migration) finish(change func(*Guest)) error {
	g, err := m.source()
	if err != nil {
		return m.failed(taskText(err))
	}
	m.w.touch(g)
	names := map[string]string{}
	for _, v := range m.volumes {
		names[v.volid] = v.made
	}
	g.renameVolumes(names)
	g.Config = without(g.Config, "lock")
	g.Node, m.moved = m.to.Name, true
	change(g)
	g.redigest()
	m.switchReplication()
	for _, v := range m.volumes {
		if v.replicated {
			continue
		}
		m.w.dropVolume(m.from, v.volid)
		if strings.HasPrefix(text(m.w.Storage(v.from)["type"]), "lvm") {
			m.j.log("  Logical volume %q successfully removed.", volumeName(v.volid))
		}
	}
	m.j.unlockFile(lockFileOf(m.kind, m.vmid)) // lock files are the node's own: the target knows nothing of it
	return nil
}

// switchReplication makes the old node the target of a replication that went to the new one.
func (m *migration) switchReplication() {
	list := slices.Clone(m.w.Cluster.Lists["replication"])
	for i, job := range list {
		if text(job["guest"]) == fmt.Sprint(m.vmid) && text(job["target"]) == m.to.Name {
			list[i] = clone(job)
			list[i]["target"], list[i]["source"] = m.from.Name, m.to.Name
		}
	}
	if len(list) > 0 {
		m.w.Cluster.Lists["replication"] = list
	}
}

// done is the last line.
func (m *migration) done() error {
	m.log("migration finished successfully (duration %s)", m.took())
	return nil
}

// renameVolumes puts new names of volumes into the configuration, what waits and the snapshots.
func (g *Guest) renameVolumes(names map[string]string) {
	g.Config, g.Pending = renamedVolumes(g.Config, names), renamedVolumes(g.Pending, names)
	list := make([]*Snapshot, len(g.Snapshots))
	for i, s := range g.Snapshots {
		twin := *s
		twin.Config = renamedVolumes(s.Config, names)
		list[i] = &twin
	}
	g.Snapshots = list
}

func renamedVolumes(config Object, names map[string]string) Object {
	out := clone(config)
	for key, v := range config {
		if !isVolume(key) && !isUnusedKey(key) && key != "vmstate" {
			continue
		}
		old := driveVolume(text(v))
		if name := names[old]; name != "" && name != old {
			out[key] = strings.Replace(text(v), old, name, 1)
		}
	}
	return out
}
