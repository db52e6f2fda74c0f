package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// operator is who looks at plans and, with the passphrase, decides about them.
func operator(door string) change.Caller {
	return change.Caller{Principal: change.OperatorPrincipal, Door: door}
}

// desk is what deciding about plans takes: the whole program, and the operator's side of its store.
type desk struct {
	*parts
	app    *App
	db     *store.DB
	keeper *change.Keeper
	deps   tools.Deps
}

func (a *App) withDesk(ctx context.Context, g cli.Globals, f func(*desk) error) error {
	cfg, log, err := a.loadConfig(ctx, g, a.Stderr)
	if err != nil {
		return err
	}
	p, err := a.build(cfg, log)
	if err != nil {
		return err
	}
	p.program = a.ownLine(g)
	d := &desk{parts: p, app: a, deps: a.deps(p, server.LocalPrincipal(), "cli")}
	d.deps.Who = operator("cli")
	if d.db, err = p.openStore(ctx, a.Clock); err == nil {
		d.keeper = a.keeper(d.db)
		err = f(d)
	}
	if cerr := p.Close(); err == nil {
		err = cerr
	}
	return err
}

// planReport is a plan as tools show it.
func (d *desk) planReport(p change.Plan) cli.Report {
	answer := tools.Review(d.deps, p)
	bad := p.State == change.Failed || p.State == change.Unknown || p.State == change.Stale || p.State == change.Interrupted
	return cli.Report{Value: answer, View: answer.View(d.deps), Failed: bad}
}

// Approve implements cli.Owner.
func (a *App) Approve(ctx context.Context, g cli.Globals, o cli.ApproveOptions, t cli.Terminal) (cli.Report, error) {
	var r cli.Report
	err := a.withDesk(ctx, g, func(d *desk) (err error) {
		switch {
		case o.ID == "":
			r, err = d.waiting(ctx)
		case o.Browser:
			r, err = d.approveByPage(ctx, o.ID, t)
		default:
			r, err = d.approve(ctx, o, t)
		}
		return err
	})
	return r, err
}

// waiting lists the plans of everybody that wait for an operator.
func (d *desk) waiting(ctx context.Context) (cli.Report, error) {
	plans, err := d.eng.Plans(ctx, store.PlanFilter{States: []string{change.Waiting}}, operator("cli"))
	if err != nil {
		return cli.Report{}, err
	}
	now := d.app.Clock()
	plans = slices.DeleteFunc(plans, func(p store.Plan) bool { return !now.Before(p.Expires) })
	t := tools.Table{Name: "plans", Main: true, Columns: []string{"plan", "tier", "what", "asked by", "expires in"}}
	for _, p := range plans {
		t.Rows = append(t.Rows, []string{p.ID, change.Tier(p.Tier).String(), clean.Line(strings.TrimSuffix(p.Title+"; "+p.Note, "; "), 160), p.Requester, p.Expires.Sub(now).Round(time.Second).String()})
	}
	v := tools.View{}
	if len(plans) == 0 {
		v.Line("No plan waits for approval.")
	} else {
		v.Table(t)
		v.Line("to decide: proxmox-mcp plan approve PLAN, proxmox-mcp plan reject PLAN")
	}
	return cli.Report{Value: map[string]any{"columns": t.Columns, "rows": slices.Concat([][]string{}, t.Rows)}, View: v}, nil
}

// undecided reads a plan that an operator can still decide about.
func (d *desk) undecided(ctx context.Context, id string) (change.Plan, error) {
	p, err := d.eng.Plan(ctx, id, operator("cli"))
	switch {
	case err != nil:
		return p, err
	case p.State == change.Planned:
		return p, p.Unasked(d.program)
	case p.State != change.Waiting:
		return p, fault.New(fault.Conflict, "plan %s is %s: there is nothing to approve", p.ID, p.State)
	case !d.app.Clock().Before(p.Expires):
		return p, fault.New(fault.Conflict, "plan %s has expired", p.ID).WithHint("it has to be asked for again")
	}
	return p, nil
}

func (d *desk) approve(ctx context.Context, o cli.ApproveOptions, t cli.Terminal) (cli.Report, error) {
	p, err := d.undecided(ctx, o.ID)
	if err != nil {
		return cli.Report{}, err
	}
	if o.Shown {
		return d.approveNow(ctx, p, t)
	}
	if err := cli.WriteView(t.Out, d.planReport(p).View); err != nil {
		return cli.Report{}, err
	}
	t.Say("asked by %s", p.Requester)
	typed := ""
	if doomed(&p) != "" {
		if typed, err = t.Ask(askIDs + ": "); err != nil {
			return cli.Report{}, err
		}
	}
	if err := rightIDs(&p, typed); err != nil {
		return cli.Report{}, err
	}
	if err := prove(ctx, d.keeper, t); err != nil {
		return cli.Report{}, err
	}
	return d.carryOut(ctx, p, "on a terminal", func(pr change.Progress) { t.Progress(pr.Text, pr.Done, pr.Total) })
}

const askIDs = "Type the id of each guest that is destroyed or rolled back"

// approveNow is approve for who has just made the plan and read it: an empty answer leaves it waiting, and so does a missing passphrase.
func (d *desk) approveNow(ctx context.Context, p change.Plan, t cli.Terminal) (cli.Report, error) {
	known, err := d.keeper.Known(ctx)
	if err != nil {
		return cli.Report{}, err
	}
	if !known {
		return cli.Report{}, cli.ErrLeft
	}
	prompt := askPassphrase
	if doomed(&p) == "" {
		prompt = "To approve it now: " + prompt
	} else {
		typed, err := t.Ask("To approve it now: " + strings.ToLower(askIDs[:1]) + askIDs[1:] + " (Enter leaves it waiting): ")
		switch {
		case err != nil:
			return cli.Report{}, err
		case typed == "":
			return cli.Report{}, cli.ErrLeft
		}
		if err := rightIDs(&p, typed); err != nil {
			return cli.Report{}, err
		}
	}
	pass, err := t.Secret(prompt)
	switch {
	case err != nil:
		return cli.Report{}, err
	case pass == "":
		return cli.Report{}, cli.ErrLeft
	}
	if err := d.keeper.Prove(ctx, pass); err != nil {
		return cli.Report{}, err
	}
	return d.carryOut(ctx, p, "on a terminal", func(pr change.Progress) { t.Progress(pr.Text, pr.Done, pr.Total) })
}

// doomed are the ids of what a plan destroys, sorted; "" when it destroys nothing.
func doomed(p *change.Plan) string {
	var ids []string
	for k := range p.Body.Steps {
		if s := &p.Body.Steps[k]; s.Noop == "" && s.Tier >= change.Destructive && !slices.Contains(ids, s.Target.ID()) {
			ids = append(ids, s.Target.ID())
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// rightIDs compares what was typed with what is destroyed (S06).
func rightIDs(p *change.Plan, typed string) error {
	ids := strings.FieldsFunc(typed, func(r rune) bool { return r == ' ' || r == ',' })
	slices.Sort(ids)
	if strings.Join(slices.Compact(ids), " ") != doomed(p) {
		return fault.New(fault.Invalid, "that is not what plan %s destroys; nothing was approved", p.ID).WithHint("read the review again: the ids are in its first column")
	}
	return nil
}

// carryOut approves and applies a plan and waits for its end. The passphrase was proved.
func (d *desk) carryOut(ctx context.Context, p change.Plan, how string, progress func(change.Progress)) (cli.Report, error) {
	who := operator("cli")
	if _, err := d.eng.Approve(ctx, p.ID, who, server.LocalPrincipal().String()+" "+how); err != nil {
		return cli.Report{}, err
	}
	done, err := d.eng.Apply(ctx, p.ID, who, change.ApplyOptions{Wait: applyLimit, Progress: progress})
	if err != nil {
		return cli.Report{}, err
	}
	return d.planReport(done), nil
}

// applyLimit is how long plan approve follows what it began; what takes longer goes on in Proxmox VE, and plan watch follows it again.
const applyLimit = 12 * time.Hour

// Reject implements cli.Owner.
func (a *App) Reject(ctx context.Context, g cli.Globals, id, why string, t cli.Terminal) (cli.Report, error) {
	var r cli.Report
	err := a.withDesk(ctx, g, func(d *desk) error {
		p, err := d.eng.Plan(ctx, id, operator("cli"))
		if err != nil {
			return err
		}
		t.Say("Plan %s: %s, asked by %s", p.ID, clean.Line(p.Title, 200), p.Requester)
		if err := prove(ctx, d.keeper, t); err != nil {
			return err
		}
		p, err = d.eng.Reject(ctx, id, operator("cli"), cmp.Or(why, "by the operator"))
		r = d.planReport(p)
		return err
	})
	return r, err
}

// watchEvery is how often a plan that another process works on is looked at.
const watchEvery = 500 * time.Millisecond

// Watch implements cli.Owner.
func (a *App) Watch(ctx context.Context, g cli.Globals, id string, t cli.Terminal) (cli.Report, error) {
	var r cli.Report
	err := a.withDesk(ctx, g, func(d *desk) error {
		for {
			p, err := d.eng.Plan(ctx, id, operator("cli"))
			if err != nil {
				return err
			}
			open := p.State == change.Planned || p.State == change.Waiting || p.State == change.Approved
			if p.State != change.Applying && (!open || !d.app.Clock().Before(p.Expires)) {
				r = d.planReport(p)
				return nil
			}
			done := 0
			for _, s := range p.Journal {
				if !s.Ended.IsZero() {
					done++
				}
			}
			t.Progress(fmt.Sprintf("%s %s", p.ID, p.State), done, len(p.Journal))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(watchEvery):
			}
		}
	})
	return r, err
}
