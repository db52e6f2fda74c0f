package pvesim

import (
	"fmt"
	"strconv"
)

// snapshotJob is a task that makes, removes or goes back to a snapshot.
type snapshotJob struct {
	*job
	kind  string
	vmid  int
	name  string
	force bool // delete: go on where a volume is gone
	start bool // rollback: start the guest afterwards
}

// snapshotTask starts the task of a snapshot action (snapshot, rollback, delsnapshot).
func (c *call) snapshotTask(g *Guest, action, name string, work func(*snapshotJob) error) string {
	prefix := "qm"
	if g.Type == typeLXC {
		prefix = "vz"
	}
	s := &snapshotJob{kind: g.Type, vmid: g.VMID, name: name, force: c.param("force") == "1"}
	return c.fork(prefix+action, strconv.Itoa(g.VMID), func(j *job) error {
		s.job = j
		return work(s)
	})
}

// migrationLocked runs the step under the guest's migration lock, which keeps migrations and replications away.
func (s *snapshotJob) migrationLocked(do step) error {
	return s.lockFile(fmt.Sprintf("/var/lock/pve-manager/pve-migrate-%d", s.vmid), do)
}

// locked runs f with the guest under its lock file, which the job gives up when f returns.
func (s *snapshotJob) locked(f func(*Guest) error) error {
	return s.lockFile(lockFileOf(s.kind, s.vmid), func() error {
		defer s.unlockFile(lockFileOf(s.kind, s.vmid))
		g, err := s.guest()
		if err != nil {
			return err
		}
		return f(g)
	})
}

// guest is the guest as it is now.
func (s *snapshotJob) guest() (*Guest, error) { return s.w.guestAt(s.node, s.kind, s.vmid) }

// guestAt looks a guest up again in a step of a task: it may be gone.
func (w *World) guestAt(n *Node, kind string, vmid int) (*Guest, error) {
	g := w.Guest(vmid)
	if g == nil || g.Type != kind || g.Node != n.Name {
		return nil, noConfig(n.Name, kind, vmid)
	}
	return g, nil
}

// note writes a line into the cluster log in the name of the task's user.
func (j *job) note(format string, args ...any) {
	j.w.addLog(LogEntry{Node: j.node.Name, Tag: "pvedaemon", User: j.task.principal(), PID: j.task.PID, Pri: 6, Time: j.w.Now(),
		Msg: fmt.Sprintf(format, args...)})
}

// word is the one of two words that the cluster log has for the kind of guest.
func (s *snapshotJob) word(vm, container string) string {
	if s.kind == typeLXC {
		return container
	}
	return vm
}
