package pvesim

import (
	"slices"
	"strings"
	"time"
)

// emptyDigest is the SHA-1 of nothing: the digest of a configuration file that does not exist.
const emptyDigest = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

// AddGuest puts a guest into the world; it replaces one of the same vmid. Missing parts are filled: an empty
// configuration, a firewall, a process id when it runs, the digest.
func (w *World) AddGuest(g *Guest) *Guest {
	if g.Config == nil {
		g.Config = Object{}
	}
	if g.Pending == nil {
		g.Pending = Object{}
	}
	if g.Firewall == nil {
		g.Firewall = w.firewallOf(g.VMID)
	}
	delete(w.strays, g.VMID)
	if g.Live.Running && g.Live.PID == 0 {
		g.Live.PID = w.nextPID()
	}
	if g.Behaviour == (Behaviour{}) {
		g.Behaviour = w.Inside
	}
	g.redigest()
	if w.guests == nil {
		w.guests = map[int]*Guest{}
	}
	if g.Pool == "" {
		g.Pool = w.awaits(g.VMID)
	}
	w.guests[g.VMID], w.order = g, nil
	w.setPool(g.VMID, g.Pool)
	g.prev, g.changedAt = &shown{}, w.Now()
	return g
}

// SetStatus starts ("running") or stops ("stopped") a guest at the world's present time. An unknown vmid is ignored.
func (w *World) SetStatus(vmid int, status string) {
	g := w.guests[vmid]
	if g == nil || g.Status() == status {
		return
	}
	if status == "running" {
		w.powerOn(g)
		w.applyPending(g)
		g.Live.Disk, g.Live.DiskSize = w.rootFigures(g)
		return
	}
	w.touch(g)
	g.Live = Live{}
}

// applyPending makes waiting values the ones in effect, as a start does.
func (w *World) applyPending(g *Guest) {
	if g.Type == typeQEMU {
		w.coldPlug(g, nil)
		w.writeCloudInit(g)
		return
	}
	w.applyWaiting(g, func(string, ...any) {})
}

// SetConfig sets one key of a guest's configuration, or removes it when val is nil, and computes the digest anew.
func (w *World) SetConfig(vmid int, key string, val any) {
	g := w.guests[vmid]
	if g == nil {
		return
	}
	w.touch(g)
	g.Config = clone(g.Config)
	if val == nil {
		delete(g.Config, key)
	} else {
		g.Config[key] = val
	}
	g.redigest()
}

// SetPending makes a value wait for the next start; nil makes the key wait for removal.
func (w *World) SetPending(vmid int, key string, val any) {
	g := w.guests[vmid]
	if g == nil {
		return
	}
	if val == nil {
		g.Deleted = append(g.Deleted, key)
	} else {
		g.Pending = clone(g.Pending)
		g.Pending[key] = val
	}
	g.redigest()
}

// MoveGuest makes another node the guest's home, as a migration does.
func (w *World) MoveGuest(vmid int, node string) {
	if g := w.guests[vmid]; g != nil {
		from := g.Node
		g.Node = node
		w.turnReplications(g, from)
	}
}

// AddSnapshot takes a snapshot of the guest's present configuration, as a task of the API does but at once and without
// its checks. It becomes the parent of what follows.
func (w *World) AddSnapshot(vmid int, name, description string) *Snapshot {
	g := w.guests[vmid]
	if g == nil {
		return nil
	}
	g.putSnapshot(snapshotOf(name, w.snapshotSection(g, description)))
	w.commitSnapshot(g, name)
	return g.snapshot(name)
}

// touch remembers how the statistics show a guest that is about to change; see StatLag.
func (w *World) touch(g *Guest) {
	if w.StatLag > 0 && (g.prev == nil || w.statTick(g.changedAt) != w.statTick(w.Now())) {
		g.prev = &shown{known: true, guest: *g}
		g.prev.guest.prev = nil
	}
	g.changedAt = w.Now()
}

// AddACL grants a role on a path. ugid is a user, a group (kind "group") or a token (kind "token").
func (w *World) AddACL(path, kind, ugid, role string, propagate bool) {
	w.Access.ACL = append(w.Access.ACL, Object{"path": path, "type": kind, "ugid": ugid, "roleid": role, "propagate": bit(propagate)})
	w.accessChanged()
}

// RemoveACL takes away all entries of a path for ugid; an empty path means all paths.
func (w *World) RemoveACL(path, ugid string) {
	w.Access.ACL = slices.DeleteFunc(slices.Clone(w.Access.ACL), func(o Object) bool {
		return o["ugid"] == ugid && (path == "" || o["path"] == path)
	})
	w.accessChanged()
}

// AddUser adds an account that is enabled; an empty password means that it cannot log in by password.
func (w *World) AddUser(id, password string) *User {
	u := &User{ID: id, Enabled: true, Password: password}
	w.Access.Users = append(w.Access.Users, u)
	w.accessChanged()
	return u
}

// AddToken adds a token to a user and gives the string that the Authorization header and clients take, or "" when
// there is no such user.
func (w *World) AddToken(user, name, secret string, privsep bool) string {
	u := w.Access.user(user)
	if u == nil {
		return ""
	}
	u.Tokens = append(u.Tokens, &Token{ID: name, Secret: secret, PrivSep: privsep})
	w.accessChanged()
	return user + "!" + name + "=" + secret
}

// AddTask puts a task on its node's list at the world's present time and writes the line of its start into the
// cluster log. id is the guest's number or empty; with an empty exit the task runs until FinishTask.
func (w *World) AddTask(node, kind, id, user, exit string, log ...string) *Task {
	return w.AddTaskAt(w.Now(), 0, node, kind, id, user, exit, log...)
}

// AddTaskAt is AddTask for a task that started at a given time and, if exit is not empty, took a given time.
func (w *World) AddTaskAt(at time.Time, took time.Duration, node, kind, id, user, exit string, log ...string) *Task {
	n := w.Node(node)
	if n == nil {
		return nil
	}
	t := w.newTask(n, at, kind, id, user)
	t.Log = log
	w.addLog(LogEntry{Node: node, Tag: "pvedaemon", User: user, PID: t.PID, Pri: 6, Time: at, Msg: "starting task " + t.UPID})
	n.Tasks = slices.Insert(n.Tasks, w.taskPlace(n, at), t)
	n.latest = t
	if exit != "" {
		w.endTask(t, at.Add(took), exit)
	}
	return t
}

func (w *World) taskPlace(n *Node, at time.Time) int {
	for i, t := range n.Tasks {
		if !t.Start.After(at) {
			return i
		}
	}
	return len(n.Tasks)
}

// FinishTask ends a running task with an exit status: OK, "WARNINGS: n" or an error text.
func (w *World) FinishTask(upid, exit string) {
	for _, n := range w.Nodes {
		for _, t := range n.Tasks {
			if t.UPID == upid && t.Running() {
				w.endTask(t, w.Now(), exit)
			}
		}
	}
}

func (w *World) endTask(t *Task, at time.Time, exit string) {
	exit = w.spoil(t, exit)
	t.End, t.Exit = at, exit
	t.order = w.serial
	if n := w.Node(t.Node); n != nil {
		n.latest = t
	}
	if exit != unexpectedStatus {
		t.Log = append(t.Log, lastLine(exit))
	}
	pri := 6
	if exit != "OK" {
		pri = 3
	}
	w.addLog(LogEntry{Node: t.Node, Tag: "pvedaemon", User: t.principal(), PID: t.PID, Pri: pri, Time: at,
		Msg: "end task " + t.UPID + " " + exit})
}

// lastLine is what a task's log ends with (facts 36).
func lastLine(exit string) string {
	switch {
	case exit == "OK":
		return "TASK OK"
	case strings.HasPrefix(exit, "WARNINGS: "):
		return "TASK " + exit
	}
	return "TASK ERROR: " + exit
}

// logEntries bounds the cluster log: its ring holds 128 KiB (faults.md 3.4), about a thousand lines of tasks.
const logEntries = 1000

func (w *World) addLog(e LogEntry) {
	w.serial++
	e.uid = w.serial
	i := 0
	for i < len(w.Cluster.Log) && w.Cluster.Log[i].Time.After(e.Time) {
		i++
	}
	w.Cluster.Log = slices.Insert(w.Cluster.Log, i, e)
	if len(w.Cluster.Log) > logEntries {
		w.Cluster.Log = w.Cluster.Log[:logEntries]
	}
}

func (w *World) nextPID() int {
	w.taskSeq++
	return 1000 + w.taskSeq
}
