package tools

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type tasksIn struct {
	Guest  string `json:"guest" example:"104" help:"vmid or name"`
	Node   string `json:"node" help:"node that ran it"`
	Type   string `json:"type" example:"vzdump" desc:"or qm*" help:"such as vzdump, or its beginning: qm*"`
	User   string `json:"user" example:"root@pam" help:"user or user@realm, their tokens too"`
	Status string `json:"status" enum:"running,ok,warning,failed"` // state is a global flag of the command line
	Since  string `json:"since" example:"2h" desc:"2h, yesterday" help:"time: 2h, yesterday, 2026-11-20 18:00"`
	Until  string `json:"until" example:"2026-11-20 18:00" help:"time, default now"`
	Cursor string `json:"cursor"`
	Common
}

type tasksOut struct {
	Envelope
	KnownSince string      `json:"known_since,omitempty"`
	Total      int         `json:"total"`
	Columns    []string    `json:"columns"`
	Rows       [][]*string `json:"rows"`
	NextCursor string      `json:"next_cursor,omitempty"`
	src        inventory.TaskPage
}

var taskColumns = []string{"task", "upid", "cluster", "started", "ended", "type", "object", "name", "node", "user", "state", "exit"}

func findTasks() Spec {
	return define(Spec{
		Name: "find_tasks", Title: "Tasks", Family: "task", Command: "task list", Args: []string{"guest"},
		Needs:   []Need{needGuests, needTasks, needRunning},
		Summary: "Proxmox tasks (backups, starts, ...), newest first, with their errors.",
		Examples: []Example{
			{CLI: "task list --since 24h --status failed", Args: map[string]any{"since": "24h", "status": "failed"}, Why: "what failed since yesterday"},
			{CLI: "task list 104", Args: map[string]any{"guest": "104"}, Why: "what was done to a guest"},
		},
	}, func(ctx context.Context, d Deps, in *tasksIn) (*tasksOut, error) {
		q := inventory.TaskListQuery{Guest: strings.TrimSpace(in.Guest), Node: in.Node, Type: in.Type, User: in.User, State: in.Status, Cursor: in.Cursor,
			Window: in.Since + " to " + in.Until, ReadOptions: in.read()}
		var err error
		if q.Since, q.Until, err = between(d, in.Since, in.Until); err != nil {
			return nil, err
		}
		p, err := d.Inventory.Tasks(ctx, q)
		if err != nil {
			return nil, err
		}
		return tasksOf(d, p), nil
	})
}

func tasksOf(d Deps, p inventory.TaskPage) *tasksOut {
	out := &tasksOut{Envelope: envelope(d, p.Meta), KnownSince: stampOrNone(d, p.KnownSince), Total: p.Total, Columns: taskColumns, Rows: [][]*string{},
		NextCursor: p.NextCursor, src: p}
	for k := range p.Rows {
		t := &p.Rows[k]
		out.Rows = append(out.Rows, present([]string{t.Handle, t.UPID, t.Cluster, stamp(d, t.Start), stampOrNone(d, t.End), t.Type, t.Object, t.Name, t.Node, t.User,
			t.State, t.Exit}))
	}
	return out
}

// taskExit is how much of an exit text a list shows: the cause stands at its beginning, get_task has it whole.
const taskExit = 100

// View implements Answer.
func (o *tasksOut) View(d Deps) View {
	p := o.src
	v := View{Warnings: p.Warnings}
	v.Line("%s, %s", counted(p.Total, "task"), asOf(d, p.Meta))
	if o.KnownSince != "" {
		v.Line("older tasks than %s are not all known", shortStamp(d, p.KnownSince))
	}
	var at []string
	t := Table{Name: "tasks", Main: true, Columns: []string{"task", "started", "took", "type", "object", "node", "user", "state"}}
	for k := range p.Rows {
		r := &p.Rows[k]
		at = append(at, r.Cluster)
		state := r.State
		if r.Exit != "" && r.Exit != "OK" {
			state += ": " + cell(r.Exit, taskExit)
		}
		took := ""
		if !r.End.IsZero() {
			took = span(r.End.Sub(r.Start))
		}
		t.Rows = append(t.Rows, []string{r.Handle, shortStamp(d, r.Start), took, r.Type, strings.TrimSpace(cell(r.Object, 40) + " " + cell(r.Name, 40)), r.Node,
			cell(r.User, 60), state})
	}
	v.Table(t.in(d, at))
	if p.NextCursor != "" {
		v.Line("more: cursor %s", p.NextCursor)
	}
	return v
}
