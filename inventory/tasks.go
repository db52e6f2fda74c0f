package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// waitCap bounds one call (DESIGN §2): who waits longer asks again.
	waitCap = 45 * time.Second
	// Polling starts quickly, as most tasks end within a second, and slows down for the long ones.
	pollFirst = 300 * time.Millisecond
	pollLast  = 3 * time.Second
	// storeBound is how long a task that may still run is asked for before the store answers.
	taskBound = 5 * time.Second
)

// Task answers one task by UPID or handle; with Wait it waits for its end, 45 s at most. A running task is asked live, an ended
// one comes from the store. Errors: fault.NotFound for a task that neither the store nor Proxmox VE knows, fault.Forbidden when
// it may exist but is not shown to this token.
func (i *Inventory) Task(ctx context.Context, q TaskQuery) (TaskDetail, error) {
	ctx = i.opt.Waiting(ctx)
	scope, err := i.scope(ctx, q.Cluster)
	if err != nil {
		return TaskDetail{}, err
	}
	refreshErr := i.proj.refresh(ctx)
	known, err := i.findTask(ctx, scope, q.ID)
	if err != nil {
		return TaskDetail{}, err
	}
	if known.task.UPID == "" {
		return TaskDetail{}, fault.New(fault.NotFound, "no task %q is known", clean.Line(q.ID, maxName)).
			WithHint("handles are shown by get_guest and check_health; a UPID works too").WithNext("check_health")
	}
	if refreshErr != nil && !known.stored {
		return TaskDetail{}, refreshErr
	}
	w := &taskWatch{c: i.clusterOf(known.cluster), q: q, known: known}
	return w.answer(ctx)
}

// knownTask is a task as far as the store knows it.
type knownTask struct {
	cluster string
	task    store.Task
	stored  bool
}

// findTask resolves a handle by the store, a UPID by its own text.
func (i *Inventory) findTask(ctx context.Context, scope []*cluster, id string) (knownTask, error) {
	id = strings.TrimSpace(id)
	if strings.HasPrefix(id, "UPID:") {
		return i.findUPID(scope, id)
	}
	if !strings.HasPrefix(id, "t-") || len(id) != 10 {
		return knownTask{}, fault.BadField("task", "it must be a UPID or a task handle", "t-7k3f9q2m")
	}
	st, err := i.openStore(ctx)
	if err != nil {
		return knownTask{}, err
	}
	k, ok, err := st.TaskByHandle(ctx, id)
	if err != nil || !ok || !slices.ContainsFunc(scope, func(c *cluster) bool { return c.name == k.Cluster }) {
		return knownTask{}, err
	}
	return knownTask{k.Cluster, k, true}, nil
}

func (i *Inventory) findUPID(scope []*cluster, id string) (knownTask, error) {
	u, err := pve.ParseUPID(id)
	if err != nil {
		return knownTask{}, fault.BadField("task", err.Error(), "UPID:pve1:0000ABCD:00112233:65A1B2C3:vzdump:100:root@pam:")
	}
	cluster := scope[0].name
	for _, c := range scope {
		cv := i.proj.cluster(c.name)
		if k, ok := cv.tasks.byUPID[id]; ok {
			return knownTask{c.name, cv.tasks.list[k], true}, nil
		}
		if _, ok := cv.nodeObjs[u.Node]; ok {
			cluster = c.name
		}
	}
	return knownTask{cluster, store.Task{Cluster: cluster, UPID: id, Node: u.Node, Type: u.Type, ID: u.ID, User: u.User, Start: u.Start}, false}, nil
}

// taskWatch follows one task for one call.
type taskWatch struct {
	c     *cluster
	q     TaskQuery
	known knownTask
}

func (w *taskWatch) answer(ctx context.Context) (TaskDetail, error) {
	if w.known.stored && taskState(w.known.task) != taskRunning && !w.q.Fresh {
		d := w.fromStore()
		w.addLog(ctx, &d)
		return d, nil
	}
	d, err := w.follow(ctx)
	if err == nil {
		return d, nil
	}
	return w.fallBack(ctx, err)
}

func (w *taskWatch) fromStore() TaskDetail {
	m := w.c.meta(w.c.inv.now())
	if taskState(w.known.task) != taskRunning {
		// An ended task does not change any more: its age is no lack.
		m.Warnings = nil
	}
	return TaskDetail{Meta: m, Task: taskView(w.known.task)}
}

// fallBack answers from the store when Proxmox VE cannot be asked; a task that it does not know any more has vanished.
func (w *taskWatch) fallBack(ctx context.Context, err error) (TaskDetail, error) {
	code := fault.CodeOf(err)
	if !w.known.stored || ctx.Err() != nil {
		return TaskDetail{}, err
	}
	d := w.fromStore()
	switch code {
	case fault.NotFound:
		if taskState(w.known.task) != taskRunning {
			d.Warnings = append(d.Warnings, Warning{"partial", "Proxmox VE does not know the task any more; its end was seen before"})
			return d, nil
		}
		d.State = taskUnknown
		d.Warnings = append(d.Warnings, Warning{"partial", "Proxmox VE does not know the task any more; how it ended was not seen"})
	case fault.Forbidden:
		d.Warnings = append(d.Warnings, Warning{"forbidden", "the task is not shown to this token: " + fault.Of(err).Error()})
	case fault.NodeSilent:
		d.Warnings = append(d.Warnings, Warning{"node_silent", fmt.Sprintf("node %s does not answer; what is shown is last known: %s", d.Node, fault.Of(err).Error())})
	default:
		d.Warnings = append(d.Warnings, unreachable(err, d.Meta))
	}
	if d.State == taskRunning {
		d.State = taskUnknown
	}
	return d, nil
}

// follow asks for the task until it ends or the wait is over.
func (w *taskWatch) follow(ctx context.Context) (TaskDetail, error) {
	src, err := w.c.source(ctx)
	if err != nil {
		return TaskDetail{}, err
	}
	deadline := w.c.inv.now().Add(min(max(w.q.Wait, 0), waitCap))
	for pause := pollFirst; ; pause = min(pause*3/2, pollLast) {
		d, err := w.poll(ctx, src)
		if err != nil {
			return d, err
		}
		left := deadline.Sub(w.c.inv.now())
		if d.State != taskRunning || left <= 0 {
			return d, nil
		}
		if err := sleep(ctx, min(pause, left)); err != nil {
			// Cancelling ends the waiting, not the task.
			return TaskDetail{}, fault.Of(err)
		}
	}
}

func (w *taskWatch) poll(ctx context.Context, src Source) (TaskDetail, error) {
	askCtx, cancel := context.WithTimeout(ctx, taskBound)
	defer cancel()
	st, err := src.TaskStatus(askCtx, w.known.task.UPID)
	if err != nil {
		return TaskDetail{}, err
	}
	k := w.known.task
	if st.User != "" {
		k.User = string(st.User)
		if st.TokenID != "" && !strings.Contains(k.User, "!") {
			k.User += "!" + string(st.TokenID)
		}
	}
	now := w.c.inv.now()
	if st.Running() {
		k.End, k.Exit = time.Time{}, ""
	} else {
		k.Exit = string(st.ExitStatus)
		if k.End.IsZero() {
			k.End = w.ended(askCtx, src)
		}
	}
	d := TaskDetail{Meta: Meta{AsOf: now}, Task: taskView(k)}
	if !st.Running() && k.Exit == "" {
		d.State = taskUnknown
	}
	w.addLog(ctx, &d)
	if w.q.OnProgress != nil {
		w.q.OnProgress(d.Task)
	}
	return d, nil
}

// ended looks the end time up in the task list: the task's own status does not tell it (facts: pve-api.md 32-33).
func (w *taskWatch) ended(ctx context.Context, src Source) time.Time {
	rows, err := src.ClusterTasks(ctx)
	if err != nil {
		return time.Time{}
	}
	for _, r := range rows {
		if k, ok := taskFromRow(w.c.name, r); ok && k.UPID == w.known.task.UPID {
			return k.End
		}
	}
	return time.Time{}
}
