package tools

import (
	"context"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

type plansIn struct {
	Status string `json:"status" enum:"planned,waiting,approved,applying,done,failed,unknown,interrupted,cancelled,rejected,stale,undone"`
	Since  string `json:"since" example:"2h" desc:"default 24h"`
	Format string `json:"format" enum:"text,json"`
}

func (in *plansIn) wantsJSON() bool { return in.Format == "json" }

type plansOut struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Total   int        `json:"total"`
}

// plansShown is a page of plans; older ones are found with since.
const plansShown = 50

func listPlans() Spec {
	return define(Spec{
		Name: "list_plans", Title: "Plans", Family: "change", Command: "plan list", Tier: R1,
		Needs:    []Need{needGuests},
		Summary:  "Your planned and applied changes, newest first.",
		Examples: []Example{{CLI: "plan list", Args: map[string]any{}, Why: "the last day"}},
	}, func(ctx context.Context, d Deps, in *plansIn) (*plansOut, error) {
		since, err := when(d, "since", in.Since)
		if err != nil {
			return nil, err
		}
		if since.IsZero() {
			since = d.Now().Add(-24 * time.Hour)
		}
		f := store.PlanFilter{Since: since, Limit: plansShown}
		if in.Status != "" {
			f.States = []string{in.Status}
		}
		list, err := d.Changes.Plans(ctx, f, d.Who)
		if err != nil {
			return nil, err
		}
		return plansOf(d, list), nil
	})
}

func plansOf(d Deps, list []store.Plan) *plansOut {
	out := &plansOut{Columns: []string{"plan", "made", "state", "tier", "change", "note"}, Rows: [][]string{}, Total: len(list)}
	for k := range list {
		p := &list[k]
		out.Rows = append(out.Rows, []string{p.ID, shortStamp(d, p.Created), change.StateAt(p, d.Now()), Tier(p.Tier).String(), clean.Line(p.Title, 120), clean.Line(p.Note, 120)})
	}
	return out
}

// View implements Answer.
func (o *plansOut) View(Deps) View {
	v := View{}
	v.Text(counted(o.Total, "plan"))
	v.Table(Table{Name: "plans", Main: true, Columns: o.Columns, Rows: o.Rows})
	return v
}

type planIn struct {
	Plan string `json:"plan" req:"true" rule:"must be a plan's id" example:"p-7k3f9q2m"`
	Waiting
	Format string `json:"format" enum:"text,json"`
}

func (in *planIn) wantsJSON() bool { return in.Format == "json" }

func getPlan() Spec {
	return define(Spec{
		Name: "get_plan", Title: "Plan", Family: "change", Command: "plan show", Args: []string{"plan"}, Tier: R1,
		Needs:    []Need{needGuests},
		Summary:  "One plan: steps, what is lost, what was observed; can wait while it runs.",
		Examples: []Example{{CLI: "plan show p-xxxxxxxx", Args: map[string]any{"plan": "p-xxxxxxxx"}, Why: "how a change went"}},
	}, func(ctx context.Context, d Deps, in *planIn) (*planOut, error) {
		p, err := d.Changes.Plan(ctx, in.Plan, d.Who)
		if err == nil && p.State == change.Applying && in.Wait != nil {
			p, err = d.Changes.Apply(ctx, in.Plan, d.Who, change.ApplyOptions{Wait: in.wait(d)})
		}
		if err != nil {
			return nil, err
		}
		return told(planOf(d, p, nextOf(d, &p))), nil
	})
}

// told marks an answer that tells of a plan and was not to apply it.
func told(o *planOut) *planOut {
	o.dry = true
	return o
}

// nextOf is what can be done with a plan as it stands.
func nextOf(d Deps, p *change.Plan) string {
	switch p.State {
	case change.Planned, change.Approved:
		return call(d, "apply_plan", p.ID) + " runs it"
	case change.Waiting:
		return waits(d, p.ID)
	case change.Interrupted:
		return call(d, "apply_plan", p.ID) + " goes on with the rest"
	}
	return ""
}

func applyPlan() Spec {
	return define(Spec{
		Name: "apply_plan", Title: "Apply", Family: "change", Command: "plan apply", Args: []string{"plan"}, Tier: R1,
		Needs:    []Need{needGuests},
		Summary:  "Run a plan once, exactly as it was shown; refused when its guests changed since.",
		Examples: []Example{{CLI: "plan apply p-xxxxxxxx", Args: map[string]any{"plan": "p-xxxxxxxx"}, Why: "after reading it"}},
	}, func(ctx context.Context, d Deps, in *planIn) (*planOut, error) {
		return applying(ctx, d, in.Plan, &in.Waiting)
	})
}

// applying runs a plan, after the client's user was asked where policy says so.
func applying(ctx context.Context, d Deps, id string, w *Waiting) (*planOut, error) {
	p, v, err := d.Changes.Judge(ctx, id, d.Who)
	if err != nil {
		return nil, err
	}
	if kept, err := submitted(ctx, d, change.Proposal{Plan: p, Verdict: v}); err != nil {
		return nil, err
	} else if kept.State == change.Waiting && p.State == change.Planned {
		return planned(d, kept, waits(d, p.ID)), nil
	}
	if v.Decision == change.Ask && d.Who.Elicits && p.Approved.IsZero() && d.Agreed != p.ID {
		out := planOf(d, p, nextOf(d, &p))
		out.question = question(change.Proposal{Plan: p})
		return out, nil
	}
	return apply(ctx, d, p.ID, w.wait(d), d.Agreed == p.ID && d.Accepted)
}

func cancelPlan() Spec {
	return define(Spec{
		Name: "cancel_plan", Title: "Cancel plan", Family: "change", Command: "plan cancel", Args: []string{"plan"}, Tier: R1,
		Needs:    []Need{needGuests},
		Summary:  "Drop a plan that has not begun.",
		Examples: []Example{{CLI: "plan cancel p-xxxxxxxx", Args: map[string]any{"plan": "p-xxxxxxxx"}, Why: "it is not wanted any more"}},
	}, func(ctx context.Context, d Deps, in *planIn) (*planOut, error) {
		p, err := d.Changes.Cancel(ctx, in.Plan, d.Who)
		if err != nil {
			return nil, err
		}
		return told(planOf(d, p, "")), nil
	})
}

type undoIn struct {
	Plan string `json:"plan" req:"true" rule:"must be a plan's id" example:"p-7k3f9q2m"`
	Planning
}

func undoChange() Spec {
	return define(Spec{
		Name: "undo_change", Title: "Undo", Family: "change", Command: "plan undo", Args: []string{"plan"}, Tier: R1,
		Needs:    []Need{needGuests},
		Summary:  "Take an applied plan back; refused when that was changed since.",
		Examples: []Example{{CLI: "plan undo p-xxxxxxxx", Args: map[string]any{"plan": "p-xxxxxxxx"}, Why: "bring back what was"}},
	}, func(ctx context.Context, d Deps, in *undoIn) (*planOut, error) {
		p, err := d.Changes.Undo(ctx, in.Plan, d.Who)
		if err != nil {
			return nil, err
		}
		if in.DryRun {
			return dryRun(d, p), nil
		}
		return carryOn(ctx, d, p, in.wait(d))
	})
}

type cancelTaskIn struct {
	Task    string `json:"task" req:"true" rule:"must be a UPID or a task handle" example:"t-7k3f9q2m" desc:"UPID or handle (t-...)"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

func cancelTask() Spec {
	return writes(Spec{
		Name: "cancel_task", Title: "Cancel task", Family: "change", Command: "task cancel", Args: []string{"task"}, Tier: R2,
		Needs:    []Need{needTask, needEndTasks},
		Summary:  "End a running Proxmox task; what it did so far stands.",
		Examples: []Example{{CLI: "task cancel t-xxxxxxxx --dry-run", Args: map[string]any{"task": "t-xxxxxxxx", "dry_run": true}, Why: "plan to end a backup that hangs"}},
	}, func(ctx context.Context, d Deps, in *cancelTaskIn) (change.Request, error) {
		task, err := d.Inventory.Task(ctx, inventory.TaskQuery{ID: strings.TrimSpace(in.Task), ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}})
		if err != nil {
			return change.Request{}, err
		}
		if task.State != "running" {
			return change.Request{}, fault.New(fault.Conflict, "task %s does not run: it is %s", task.Handle, task.State)
		}
		return change.Request{Cluster: task.Cluster, Guest: task.Object,
			Direct: change.CancelTask{Cluster: task.Cluster, UPID: task.UPID, Handle: task.Handle}}, nil
	})
}
