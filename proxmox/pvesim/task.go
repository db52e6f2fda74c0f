package pvesim

import (
	"fmt"
	"strings"
	"time"
)

// Task is one task of a node. End is zero and Exit empty while it runs.
type Task struct {
	UPID, Node, Type, ID string
	// User is user@realm, TokenID the token's name when a token started it (facts 22).
	User, TokenID string
	PID, PStart   int
	Start, End    time.Time
	Exit          string
	// Log are its lines; the last one of a finished task is TASK OK, TASK WARNINGS: n or TASK ERROR: text.
	Log []string

	order int // of ends at one time: the later is the greater

	job *job // nil unless it runs and the simulator does its work
}

// Running is whether the task has not ended.
func (t *Task) Running() bool { return t.End.IsZero() }

func (t *Task) principal() string {
	if t.TokenID != "" {
		return t.User + "!" + t.TokenID
	}
	return t.User
}

func (w *World) newTask(n *Node, at time.Time, kind, id, principal string) *Task {
	pid := w.nextPID()
	pstart := max(0, int(at.Sub(n.Booted)/(10*time.Millisecond)))
	user, token, _ := strings.Cut(principal, "!")
	return &Task{
		UPID: fmt.Sprintf("UPID:%s:%08X:%08X:%08X:%s:%s:%s:", n.Name, pid, pstart, at.Unix(), kind, id, principal),
		Node: n.Name, Type: kind, ID: id, User: user, TokenID: token, PID: pid, PStart: pstart, Start: at,
	}
}

// find gives a task of a node by UPID.
func (n *Node) task(upid string) *Task {
	for _, t := range n.Tasks {
		if t.UPID == upid {
			return t
		}
	}
	return nil
}

// row is the task as task lists show it (10/001); source all and active show running ones with status RUNNING.
func (t *Task) row() fields {
	f := fields{{"upid", t.UPID}, {"node", t.Node}, {"pid", t.PID}, {"pstart", t.PStart}, {"starttime", t.Start.Unix()},
		{"type", t.Type}, {"id", t.ID}, {"user", t.User}}
	if t.TokenID != "" {
		f.add("tokenid", t.TokenID)
	}
	if t.Running() {
		f.add("status", "RUNNING")
		f.add("saved", "0")
		return f
	}
	f.add("endtime", t.End.Unix())
	f.add("status", t.Exit)
	return f
}

// kind classes an exit status as PVE's statusfilter does (facts 37): ok, warning, error, unknown.
func (t *Task) kind() string {
	switch {
	case t.Exit == "OK":
		return "ok"
	case strings.HasPrefix(t.Exit, "WARNINGS: "):
		return "warning"
	case t.Exit == "" || t.Exit == "unexpected status":
		return "unknown"
	}
	return "error"
}
