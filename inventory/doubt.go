package inventory

import (
	"context"
	"slices"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// The doubts about a guest whose configuration could not be read when something happened to its vmid. They are kept with its row, since
// another run, or another process, reads it in the end.
const (
	doubtBack   = "back"   // it was gone and is listed again
	doubtTask   = "task"   // a create, restore or destroy task for its vmid has ended
	doubtMaking = "making" // such a task has begun
)

// doubt is what is undecided about a row; "" is nothing.
func (r *row) doubt() string {
	if r.f == nil {
		return ""
	}
	return r.f.Doubt
}

// absent says that the guest was gone when it was last judged.
func (r *row) absent() bool { return r.gone() || r.doubt() == doubtBack }

// doubted is a copy of the row that keeps a doubt. A row whose configuration was never read has nothing that could be mistaken.
func (r *row) doubted(why string) *row {
	next := r.clone()
	if r.f != nil {
		f := *r.f
		f.Doubt = why
		next.f = &f
	}
	return next
}

// undecided is what stays in doubt about a guest whose configuration was read: a task that makes it anew and goes on.
func (r *run) undecided(prev, next *row) string {
	id := next.g.VMID
	if prev != nil && prev.g.Life == next.g.Life && !r.made[id] && (r.making[id] || prev.doubt() == doubtMaking) {
		return doubtMaking
	}
	return ""
}

// unsettled is a configuration whose meaning the task list has to tell.
type unsettled struct {
	target
	cfg pve.Config
}

// doubtful says that a container has another name than before: it was renamed, or it is another one, and only its tasks tell which. They
// were read before its configuration.
func (r *run) doubtful(t target, cfg pve.Config) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	prev := r.before[t.id]
	if t.typ != pve.LXC || prev == nil || prev.f == nil || prev.absent() || prev.doubt() == doubtTask || r.evident[strconv.Itoa(t.id)] ||
		prev.f.Name == clean.Line(cfg.Str("hostname"), maxName) {
		return false
	}
	r.later = append(r.later, unsettled{t, cfg})
	return true
}

// settleLater asks for the tasks once more and settles what waits for their word. What is still being made, and all of it while tasks
// cannot be read, waits for the next run.
func (r *run) settleLater(ctx context.Context) {
	list := r.later
	r.later = nil
	if len(list) == 0 {
		return
	}
	rows, err := r.src.ClusterTasks(ctx)
	r.noteFailure("tasks", err)
	r.seesTasks(r.contiguous(ctx, rows), map[int]bool{}, map[int]bool{})
	blind := r.blind || err != nil && !refused(err)
	for _, u := range list {
		if making := !r.made[u.id] && (r.making[u.id] || r.before[u.id].doubt() == doubtMaking && u.cfg.Str("lock") == "create"); blind || making && !r.evident[strconv.Itoa(u.id)] {
			r.incomplete()
			continue
		}
		if _, snaps := r.settle(u.id, u.cfg); snaps || u.snaps {
			r.readSnapshots(ctx, u.target)
		}
	}
}

// refused says that an answer will not come at all: lives are then judged without it.
func refused(err error) bool {
	code := fault.CodeOf(err)
	return code == fault.Forbidden || code == fault.Unsupported
}

// listedPerNode is how many tasks of a node cluster/tasks holds (faults.md 3.4).
const listedPerNode = 25

// contiguous fills the gap between the tasks that are known and those of a full list of which none is known (faults.md F48): the tasks
// of such a node come from its own list. While that cannot be read they count as unread altogether.
func (r *run) contiguous(ctx context.Context, rows []pve.TaskRow) []pve.TaskRow {
	if !r.v.synced {
		return rows
	}
	listed, joined := map[string]int{}, map[string]bool{}
	for _, t := range rows {
		node := string(t.Node)
		listed[node]++
		_, known := r.v.tasks.byUPID[t.UPID]
		joined[node] = joined[node] || known && t.EndTime != nil || r.filled[node]
	}
	for _, node := range sortedNames(listed) {
		if listed[node] < listedPerNode || joined[node] {
			continue
		}
		more, err := r.src.NodeTasks(ctx, node, TaskListFilter{Since: r.v.asOf().Add(-clockSkew), Limit: taskRows})
		switch {
		case err == nil:
			r.filled[node] = true
			rows = append(rows, more...)
		case !refused(err):
			r.blind = true
			rows = slices.DeleteFunc(rows, func(t pve.TaskRow) bool { return string(t.Node) == node })
		}
		if isSilent(err) {
			r.markSilent(node, err)
		}
	}
	return rows
}

// doubts stores what stays undecided, and with it the tasks that are the evidence.
func (r *run) doubts() {
	r.mu.Lock()
	defer r.mu.Unlock()
	mark := func(id int, why string) {
		n := r.next[id]
		if n == nil || n.g.ConfigAt.Equal(r.started) || n.doubt() == why || n.doubt() == doubtBack {
			return
		}
		r.next[id] = n.doubted(why)
		r.w.guest(r.next[id], nil, nil)
	}
	for _, id := range sortedIDs(r.making) {
		mark(id, doubtMaking)
	}
	for _, id := range sortedNames(r.evident) {
		if n, ok := vmidOf(id); ok {
			mark(n, doubtTask)
		}
	}
	if len(r.evidence) > 0 {
		r.w.tasks(r.evidence)
	}
}
