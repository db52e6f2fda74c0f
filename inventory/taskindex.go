package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// taskWindow and taskLimit bound the tasks in memory: the month that the store keeps, at 250 bytes each 1 MB at most.
	taskWindow = 31 * 24 * time.Hour
	taskLimit  = 4000
	// lastTasks is how many tasks a guest's detail shows.
	lastTasks = 5
	// abandoned is after how long a task that nobody reports any more stops counting as running: its node died with it.
	abandoned = 24 * time.Hour
)

// taskIndex holds recent tasks of a cluster, newest first; it never changes once made.
type taskIndex struct {
	list   []store.Task
	byUPID map[string]int
	byID   map[string][]int // object id: positions in list, newest first
}

func newTaskIndex() *taskIndex { return indexTasks(nil) }

func indexTasks(list []store.Task) *taskIndex {
	t := &taskIndex{list: list, byUPID: make(map[string]int, len(list)), byID: map[string][]int{}}
	for i := range list {
		t.byUPID[list[i].UPID] = i
		if list[i].ID != "" {
			t.byID[list[i].ID] = append(t.byID[list[i].ID], i)
		}
	}
	return t
}

// advance reads the tasks that may have changed: those as new as the newest known one or the oldest that still ran.
func (t *taskIndex) advance(ctx context.Context, st Store, cluster string, now time.Time) (*taskIndex, error) {
	since := now.Add(-taskWindow)
	if len(t.list) > 0 {
		since = t.list[0].Start.Add(-time.Hour)
		for _, k := range t.list {
			if k.End.IsZero() && k.Start.Before(since) && now.Sub(k.Start) < abandoned {
				since = k.Start
			}
		}
	}
	fresh, err := st.Tasks(ctx, store.TaskFilter{Cluster: cluster, Since: since, Limit: taskLimit})
	if err != nil {
		return nil, err
	}
	if t.contains(fresh) {
		return t, nil
	}
	return t.merged(fresh, now), nil
}

func (t *taskIndex) contains(fresh []store.Task) bool {
	for _, k := range fresh {
		if i, ok := t.byUPID[k.UPID]; !ok || t.list[i].Exit != k.Exit || !t.list[i].End.Equal(k.End) {
			return false
		}
	}
	return true
}

func (t *taskIndex) merged(fresh []store.Task, now time.Time) *taskIndex {
	all := make(map[string]store.Task, len(t.list)+len(fresh))
	for _, k := range t.list {
		if now.Sub(k.Start) < taskWindow {
			all[k.UPID] = k
		}
	}
	for _, k := range fresh {
		k.Cluster, k.Node, k.Type, k.User = intern(k.Cluster), intern(k.Node), intern(k.Type), intern(k.User)
		all[k.UPID] = k
	}
	list := make([]store.Task, 0, len(all))
	for _, k := range all {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b store.Task) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(a.UPID, b.UPID))
	})
	return indexTasks(list[:min(len(list), taskLimit)])
}

// of are the last tasks on an object, newest first.
func (t *taskIndex) of(id string, limit int) []Task {
	var out []Task
	for _, i := range t.byID[id] {
		if len(out) == limit {
			break
		}
		out = append(out, taskView(t.list[i]))
	}
	return out
}

// lastBackup is when the newest good backup task of a guest ended. Jobs that back up several guests name none of them: unknown.
func (t *taskIndex) lastBackup(id string) (time.Time, bool) {
	for _, i := range t.byID[id] {
		if k := t.list[i]; k.Type == "vzdump" && taskState(k) == taskOK {
			return k.End, true
		}
	}
	return time.Time{}, false
}

// The states of a task in answers.
const (
	taskRunning = "running"
	taskOK      = "ok"
	taskWarning = "warning"
	taskFailed  = "failed"
	taskUnknown = "unknown"
)

// taskState reads an exit text: OK, "WARNINGS: n", "unexpected status" (the task vanished without a word), else an error.
func taskState(k store.Task) string {
	switch exit := k.Exit; {
	case exit == "" && k.End.IsZero():
		return taskRunning
	case exit == "OK":
		return taskOK
	case len(exit) >= 8 && exit[:8] == "WARNINGS":
		return taskWarning
	case exit == "" || exit == "unexpected status" || exit == "unknown":
		return taskUnknown
	}
	return taskFailed
}

func taskView(k store.Task) Task {
	return Task{Cluster: k.Cluster, UPID: k.UPID, Handle: pve.TaskHandle(k.UPID), Type: clean.Line(k.Type, maxTag), Object: name(k.ID),
		Node: k.Node, User: name(k.User), State: taskState(k), Exit: clean.Line(k.Exit, maxLine), Start: k.Start, End: k.End}
}

// taskFromRow is a task of a task list; ok is false for rows that are no task (an odd UPID).
func taskFromRow(cluster string, r pve.TaskRow) (store.Task, bool) {
	u, err := pve.ParseUPID(r.UPID)
	if err != nil {
		return store.Task{}, false
	}
	k := store.Task{Cluster: cluster, UPID: r.UPID, Node: u.Node, Type: u.Type, ID: u.ID, User: string(r.User), Start: u.Start,
		Exit: string(r.Status)}
	if k.User == "" {
		k.User = u.User
	}
	if r.TokenID != "" && !strings.Contains(k.User, "!") {
		k.User += "!" + string(r.TokenID)
	}
	if r.EndTime != nil && *r.EndTime > 0 {
		k.End = time.Unix(int64(*r.EndTime), 0).UTC()
	}
	return k, true
}
