package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// taskKept is how long the store keeps ended tasks (package store).
const taskKept = 30 * 24 * time.Hour

// TaskListQuery asks for tasks that began from Since to Until (zero: all that are kept, now). Guest is a vmid or name, also of a guest
// that is gone; Type a task type such as vzdump, or its beginning and *; User user@realm or user, their tokens included; State running,
// ok, warning, failed or unknown. Window is as in ChangeQuery.
type TaskListQuery struct {
	Guest, Node, Type, User, State string
	Since, Until                   time.Time
	Window                         string
	Limit                          int
	Cursor                         string
	ReadOptions
}

// ListedTask is a task with the name of the guest that it works on, where that is known.
type ListedTask struct {
	Task
	Name string
}

// TaskPage is a page of tasks, newest first. Total counts all that match. KnownSince is how far back all tasks are known, where the
// question reaches further back than that; zero otherwise.
type TaskPage struct {
	Meta
	Since, Until time.Time
	KnownSince   time.Time
	Total        int
	Rows         []ListedTask
	NextCursor   string
}

func (q *TaskListQuery) key() string {
	return strings.Join([]string{q.Guest, q.Node, q.Type, q.User, q.State, q.Cluster, q.Window}, "\x00")
}

// Tasks answers which tasks ran, from the store's task log, which a look at the clusters brings up to date first. Errors:
// fault.NotFound for a guest, node or task type that nothing is known of, fault.Ambiguous for a name of several guests, fault.Invalid
// for a window or cursor that breaks a rule.
func (i *Inventory) Tasks(ctx context.Context, q TaskListQuery) (TaskPage, error) {
	offset, err := resumeWindow(q.Cursor, q.key(), &q.Since, &q.Until)
	if err != nil {
		return TaskPage{}, err
	}
	h, err := i.historian(ctx, q.ReadOptions)
	if err != nil {
		return TaskPage{}, err
	}
	if q.Until.IsZero() {
		q.Until = i.now()
	}
	q.Since, q.Until = q.Since.Truncate(time.Millisecond), q.Until.Truncate(time.Millisecond)
	if !q.Since.Before(q.Until) {
		return TaskPage{}, fault.BadField("since", "it must be before until", "24h")
	}
	filters, err := h.taskFilters(&q)
	if err != nil {
		return TaskPage{}, err
	}
	p := TaskPage{Meta: i.meta(h.scope), Since: q.Since, Until: q.Until, KnownSince: h.tasksSince(q.Since)}
	end := offset + pageSize(q.Limit)
	if p.Rows, p.Total, err = h.listTasks(ctx, filters, offset, end); err != nil {
		return TaskPage{}, err
	}
	if p.Total == 0 {
		if err := h.knowsTasksOf(&q); err != nil {
			return TaskPage{}, err
		}
	}
	if end < p.Total {
		p.NextCursor = windowCursor(end, q.key(), q.Since, q.Until)
	}
	return p, nil
}

// taskFilters are what the store is asked for: one filter a cluster. A guest is known by its number, whatever became of it.
func (h *historian) taskFilters(q *TaskListQuery) ([]store.TaskFilter, error) {
	base := store.TaskFilter{Node: q.Node, Type: q.Type, User: q.User, State: q.State, Since: q.Since, Until: q.Until.Add(time.Millisecond)}
	var out []store.TaskFilter
	if q.Guest != "" {
		refs, err := h.i.guestRefs(h.scope, q.Guest)
		if err != nil {
			return nil, err
		}
		for _, r := range refs {
			f := base
			f.Cluster, f.ID = r.Cluster, r.ID
			out = append(out, f)
		}
		if _, number := vmidOf(strings.TrimSpace(q.Guest)); len(refs) > 0 || !number {
			return out, nil
		}
	}
	for _, c := range h.scope {
		f := base
		f.Cluster, f.ID = c.name, strings.TrimSpace(q.Guest)
		out = append(out, f)
	}
	return out, nil
}

// listTasks are the rows from offset to end over all filters, and how many there are.
func (h *historian) listTasks(ctx context.Context, filters []store.TaskFilter, offset, end int) (rows []ListedTask, total int, err error) {
	var all []store.Task
	for _, f := range filters {
		n, err := h.st.CountTasks(ctx, f)
		if err != nil {
			return nil, 0, err
		}
		total += n
		f.Limit = end
		if len(filters) == 1 {
			f.Offset, f.Limit = offset, end-offset
		}
		some, err := h.st.Tasks(ctx, f)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, some...)
	}
	if len(filters) > 1 {
		slices.SortFunc(all, func(a, b store.Task) int { return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.UPID, a.UPID)) })
		all = all[min(offset, len(all)):min(end, len(all))]
	}
	for _, k := range all {
		about := h.about(store.Ref{Cluster: k.Cluster, Kind: store.KindGuest, ID: k.ID}, "", time.Time{}, time.Time{})
		rows = append(rows, ListedTask{taskView(k), about.Name})
	}
	return rows, total, nil
}

// tasksSince is how far back all tasks of the scope are known, zero where since is not before that.
func (h *historian) tasksSince(since time.Time) time.Time {
	known := h.i.now().Add(-taskKept)
	for _, c := range h.scope {
		if first := h.view.clusters[c.name].firstLook(); !first.IsZero() {
			known = maxTime(known, first.Add(-taskBack))
		}
	}
	if since.Before(known) {
		return known
	}
	return time.Time{}
}

// knowsTasksOf tells an empty answer from a question about what is not known.
func (h *historian) knowsTasksOf(q *TaskListQuery) error {
	if q.Guest != "" {
		if refs, err := h.i.guestRefs(h.scope, q.Guest); err != nil || len(refs) == 0 {
			return cmp.Or(err, h.i.unknownGuest(h.view, h.scope, q.Guest))
		}
	}
	types, users := map[string]bool{}, map[string]bool{}
	node := q.Node == ""
	for _, c := range h.scope {
		cv := h.view.clusters[c.name]
		if _, ok := cv.nodeObjs[q.Node]; ok {
			node = true
		}
		for k := range cv.tasks.list {
			types[cv.tasks.list[k].Type], users[cv.tasks.list[k].User] = true, true
		}
	}
	if !node {
		return h.i.unknown(h.view, h.scope, q.Node, "node", h.view.objectNames(h.scope))
	}
	known := sortedNames(types)
	if !slices.ContainsFunc(known, func(t string) bool { return likeName(t, q.Type) }) && q.Type != "" {
		return fault.New(fault.NotFound, "no task of the type %q is known", clean.Line(q.Type, maxTag)).
			WithHint("types that were seen: %s", shortList(known, 30))
	}
	return knowsUser(sortedNames(users), q.User)
}

// knowsUser refuses a user of whom no task was seen. As in the store, user stands for user@realm, and both for their tokens.
func knowsUser(seen []string, user string) error {
	if user == "" || slices.ContainsFunc(seen, func(s string) bool {
		return s == user || strings.HasPrefix(s, user+"@") || strings.HasPrefix(s, user+"!")
	}) {
		return nil
	}
	for k := range seen {
		seen[k] = clean.Line(seen[k], maxName)
	}
	e := fault.New(fault.NotFound, "no task of user %q is known", clean.Line(user, maxName))
	if like := near.Words(user, seen, 3); len(like) > 0 {
		return e.WithHint("did you mean %s?", strings.Join(like, ", "))
	}
	return e.WithHint("users whose tasks were seen: %s", shortList(seen, 10))
}
