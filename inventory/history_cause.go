package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// The states of a step that may have changed something, as package change writes them into the journal.
const (
	stepDone    = "done"
	stepUnknown = "unknown"
)

// journalRows bounds the steps of this program that one question reads.
const journalRows = 5000

// cause is what makes a change of a kind: tasks of Proxmox VE by their type, steps of this program by their action (its beginning and *).
type cause struct{ tasks, actions []string }

// causes of what happens to a guest. A change of status has them by the state that it led to: what starts a guest does not stop it.
var causes = map[string]cause{
	"appeared": {[]string{"qmcreate", "qmclone", "qmrestore", "vzcreate", "vzclone", "vzrestore"}, []string{"guest.create", "guest.clone", "guest.restore"}},
	"gone": {[]string{"qmdestroy", "vzdestroy"},
		[]string{"guest.destroy", "guest.create.undo", "guest.clone.undo", "guest.restore.undo"}},
	"status " + stRunning: {[]string{"qmstart", "qmresume", "qmreboot", "vzstart", "vzresume", "vzreboot", "hastart", "vzdump", "qmrollback", "vzrollback", "qmigrate", "vzmigrate",
		"qmcreate", "vzcreate", "qmrestore", "vzrestore"}, []string{"guest.start", "guest.resume", "guest.reboot", "guest.stop.undo", "guest.shutdown.undo", "guest.suspend.undo", "guest.migrate*", "guest.backup", "snapshot.rollback"}},
	"status " + stStopped: {[]string{"qmstop", "qmshutdown", "qmsuspend", "qmreboot", "vzstop", "vzshutdown", "vzsuspend", "vzreboot", "hastop", "vzdump", "qmrollback", "vzrollback", "vzmigrate"},
		[]string{"guest.stop", "guest.shutdown", "guest.start.undo", "guest.reboot", "guest.migrate*", "guest.backup", "snapshot.rollback"}}, // a container moves by a restart
	"status": {[]string{"qmpause", "qmsuspend", "qmresume", "vzsuspend", "vzresume", "vzdump", "qmrollback"}, []string{"guest.suspend", "guest.resume"}},
	"moved":  {[]string{"qmigrate", "vzmigrate", "hamigrate"}, []string{"guest.migrate", "guest.migrate.undo"}},
	// What is being made is called "VM 110" until its configuration is there.
	"renamed": {[]string{"qmconfig", "qmcreate", "qmclone", "qmrestore", "vzcreate", "vzclone", "vzrestore"},
		[]string{"guest.configure*", "guest.create", "guest.clone", "guest.restore*"}},
	"pool appeared": {actions: []string{"pool.create"}},
	"pool gone":     {actions: []string{"pool.delete", "pool.create.undo"}},
	whatPool:        {actions: []string{"guest.pool*"}}, // answered at once, without a task
	"changed": {[]string{"qmconfig", "qmmove", "qmtemplate", "qmsnapshot", "qmrollback", "qmdelsnapshot", "qmrestore", "resize", "move_volume", "vzsnapshot", "vzrollback", "vzdelsnapshot",
		"vztemplate", "vzrestore", "qmclone", "vzclone", "imgdel", "qmcreate", "vzcreate"},
		[]string{"guest.create", "guest.clone", "guest.configure*", "guest.tags*", "guest.template", "guest.restore*", "disk.*", "nic.*", "snapshot.*"}},
}

// causeOf are the causes of a change.
func causeOf(what string, c *Change) cause {
	if what == "status" {
		if k, ok := causes["status "+c.New]; ok {
			return k
		}
	}
	return causes[what]
}

// makes says that steps of an action make such a change.
func (k *cause) makes(action string) bool {
	return slices.ContainsFunc(k.actions, func(a string) bool { return likeName(action, a) })
}

// explain says by whom a guest was changed, or a pool made or deleted: the step of this program that fits the change's kind and time, with its plan and who asked for
// it, and the newest task about the guest that does. A change of a configuration that is answered at once leaves no task: of
// one that was not made here nobody is named.
func (h *historian) explain(ctx context.Context, c *Change, what string) error {
	switch c.Kind {
	case string(store.KindGuest):
	case string(store.KindPool):
		what = "pool " + what
	default:
		return nil
	}
	why := causeOf(what, c)
	t := h.task(c, what, &why)
	s, err := h.ownStep(ctx, c, t, &why)
	if err != nil {
		return err
	}
	if t != nil && (s == nil || s.UPID == t.UPID) {
		c.Task, c.TaskType, c.User = pve.TaskHandle(t.UPID), clean.Line(t.Type, maxTag), name(t.User)
	}
	if s == nil {
		return nil
	}
	p, err := h.plan(ctx, s.Plan)
	if err != nil {
		return err
	}
	c.Plan, c.Principal, c.Tool = s.Plan, name(p.Requester), clean.Line(p.Tool, maxTag)
	return nil
}

// task is the newest one about the guest that fits in kind and time.
func (h *historian) task(c *Change, what string, why *cause) *store.Task {
	tasks := h.view.clusters[c.Cluster].tasks
	for _, k := range tasks.byID[c.ID] {
		t := &tasks.list[k]
		if t.Start.After(c.At) || !c.NotBefore.IsZero() && !t.End.IsZero() && t.End.Before(c.NotBefore) || !slices.Contains(why.tasks, t.Type) ||
			what == "status" && taskState(*t) == taskFailed {
			continue
		}
		if c.NotBefore.IsZero() && c.At.Sub(t.Start) > changeWindow {
			return nil
		}
		return t
	}
	return nil
}

// seenAfter is how long after the begin of a look a step may have been sent and still be seen by it: a look takes as long.
const seenAfter = 10 * time.Second

// ownStep is the step of this program that made a change: the one that changed this very field, to this value if there is one, the one of the task that fits, or the
// newest of a kind that does. What was sent before the look began goes before what it may have seen still. A step that someone else's later task may have undone does not count.
func (h *historian) ownStep(ctx context.Context, c *Change, t *store.Task, why *cause) (*store.PlanStep, error) {
	steps, err := h.steps(ctx, c.Cluster, c.ID)
	if err != nil {
		return nil, err
	}
	var same, named, fits *store.PlanStep
	for k := range steps {
		s := &steps[k]
		switch {
		case s.Object != c.ID || s.State != stepDone && s.State != stepUnknown || s.Sent.After(c.At.Add(seenAfter)) || !s.Ended.IsZero() && s.Ended.Before(c.NotBefore) || !why.makes(s.Action),
			c.NotBefore.IsZero() && c.At.Sub(s.Sent) > changeWindow:
			continue
		case t != nil && s.UPID == t.UPID:
			return s, nil
		}
		names, exact, err := h.names(ctx, s, c)
		if err != nil {
			return nil, err
		}
		if exact && !s.Sent.After(c.At) {
			return s, nil
		}
		if exact {
			same = s
		}
		if names && (named == nil || named.Sent.After(c.At)) {
			named = s
		}
		if fits == nil && (t == nil || s.Sent.After(t.Start)) {
			fits = s
		}
	}
	return cmp.Or(same, named, fits), nil
}

// diffs are the fields that a step is to change, or changed, as package change writes them.
type diffs []struct {
	Field string `json:"field"`
	New   string `json:"new"`
}

// of is what a field becomes.
func (d diffs) of(field string) (value string, named bool) {
	for k := range d {
		if d[k].Field == field {
			return d[k].New, true
		}
	}
	return "", false
}

// names says that a step was to change the very field, and, exact, that it was to become what it became, or was read back as that:
// Proxmox VE writes some values its own way, tags in lower case and sorted (schema: tag-style).
func (h *historian) names(ctx context.Context, s *store.PlanStep, c *Change) (names, exact bool, err error) {
	if c.Field == "" || c.Field == "status" {
		return false, false, nil
	}
	p, err := h.plan(ctx, s.Plan)
	if err != nil {
		return false, false, err
	}
	var body struct {
		Steps []struct {
			Diff diffs `json:"diff"`
		} `json:"steps"`
	}
	readable := json.Unmarshal(p.Body, &body) == nil // bodies of old plans are kept no more
	if !readable || s.N < 1 || s.N > len(body.Steps) {
		return false, false, nil
	}
	meant, names := body.Steps[s.N-1].Diff.of(c.Field)
	if !names || meant == c.New {
		return names, names, nil
	}
	var result struct {
		Diff diffs `json:"diff"`
	}
	read := json.Unmarshal(s.Result, &result) == nil // without a result nothing was read back
	got, found := result.Diff.of(c.Field)
	return true, read && found && got == c.New, nil
}

// steps are what this program did to the objects of a cluster, newest first, or, where the question is about one object, to that one.
func (h *historian) steps(ctx context.Context, cluster, object string) ([]store.PlanStep, error) {
	f := store.StepFilter{Cluster: cluster, Ended: h.q.Since.Add(-changeWindow), Limit: journalRows}
	if h.q.Since.IsZero() {
		f.Object, f.Ended = object, time.UnixMilli(1)
	}
	key := cluster + "/" + f.Object
	if list, ok := h.journal[key]; ok {
		return list, nil
	}
	list, err := h.st.Steps(ctx, f)
	if err != nil {
		return nil, err
	}
	if h.journal == nil {
		h.journal, h.plans = map[string][]store.PlanStep{}, map[string]store.Plan{}
	}
	h.journal[key] = list
	return list, nil
}

func (h *historian) plan(ctx context.Context, id string) (store.Plan, error) {
	if p, ok := h.plans[id]; ok {
		return p, nil
	}
	p, _, err := h.st.PlanByID(ctx, id)
	if err == nil {
		h.plans[id] = p
	}
	return p, err
}
