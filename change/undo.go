package change

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Undo makes the plan that takes an applied one back, newest step first, out of the inverses that were recorded. It is refused where a
// step has no way back, and where what it would touch is not as the plan left it; a step whose state before holds already sends nothing. The plan
// goes the way of every other: policy, approval, apply.
func (e *Engine) Undo(ctx context.Context, id string, who Caller) (Proposal, error) {
	p, _, err := e.load(ctx, id, who)
	if err != nil {
		return Proposal{}, err
	}
	switch p.State {
	case Done, Failed, Interrupted:
	case Unknown:
		return Proposal{}, fault.New(fault.Conflict, "the outcome of plan %s is not known: look at its guests first", p.ID).WithNext("get_plan")
	default:
		return Proposal{}, fault.New(fault.Conflict, "plan %s is %s: there is nothing to undo", p.ID, p.State).WithNext("get_plan")
	}
	if len(p.Body.Steps) == 0 {
		return Proposal{}, fault.New(fault.Conflict, "what plan %s did is not kept any more: it ended long ago", p.ID).WithNext("get_history")
	}
	c, err := e.opt.Cluster(p.Cluster)
	if err != nil {
		return Proposal{}, err
	}
	body := Body{V: 1, Tool: "undo_change", Title: "undo " + p.ID + ": " + p.Title, Cluster: p.Cluster, Requester: who.Principal, TTL: planTTL,
		Parallel: parallel, Undoes: p.ID}
	var lives []*Live
	for _, done := range lastFirst(&p) {
		l, steps, err := e.inverse(ctx, c, done, body.Steps)
		if err != nil {
			return Proposal{}, err
		}
		if done.step.Chain != "" {
			steps = Chained("undo", steps...)
		}
		body.Steps = append(body.Steps, steps...)
		if l != nil && !slices.ContainsFunc(lives, func(o *Live) bool { return o.VMID == l.VMID }) {
			lives = append(lives, l)
		}
	}
	if len(body.Steps) == 0 {
		return Proposal{}, fault.New(fault.Conflict, "plan %s changed nothing: there is nothing to undo", p.ID)
	}
	body.complete(lives)
	return e.keep(ctx, body, who, lives)
}

// doneStep is a step that was observed to have worked. after is the digest that the guest has to have now: that of the last step that read
// its configuration, "" where none did.
type doneStep struct {
	step   *Step
	before before
	result Result
	after  string
	newest bool // no later step of the plan is about the same guest
}

func lastFirst(p *Plan) []doneStep {
	var out []doneStep
	last := lastDigests(p)
	seen := map[string]bool{}
	for _, js := range slices.Backward(p.Journal) {
		if js.State != StepDone {
			continue
		}
		d := doneStep{step: &p.Body.Steps[js.N-1]}
		if json.Unmarshal(js.Result, &d.result) != nil || len(js.Before) > 0 && json.Unmarshal(js.Before, &d.before) != nil {
			continue // what is no guest, or was made, was nothing before
		}
		d.after = last[js.Object]
		d.newest = !seen[js.Object] && d.result.Digest != ""
		seen[js.Object] = seen[js.Object] || d.newest
		out = append(out, d)
	}
	return out
}

// lastDigests are the digests that a plan's guests were left with.
func lastDigests(p *Plan) map[string]string {
	last := map[string]string{}
	for _, js := range p.Journal {
		if digest := resultOf(js).Digest; js.State == StepDone && digest != "" {
			last[js.Object] = digest
		}
	}
	return last
}

// inverse makes the steps that take one step back, behind those of sofar.
func (e *Engine) inverse(ctx context.Context, c Cluster, d doneStep, sofar []Step) (*Live, []Step, error) {
	s := d.step
	switch {
	case s.Stays != "", s.Target.New && !s.Makes: // what was done to a guest that the plan made goes with it
		return nil, nil, nil
	case s.NoUndo == "" && s.Makes:
		return e.unmake(ctx, c, d)
	case s.NoUndo == "" && kinds[s.Target.Kind].unmake != nil:
		return nil, kinds[s.Target.Kind].unmake(s, d.result), nil
	case s.NoUndo == "" && s.Target.Kind != "" && len(s.Undo) > 0:
		return nil, undoObject(s, d.result.Undo), nil
	case s.NoUndo != "" || len(s.Undo) == 0:
		why := s.NoUndo
		if why == "" {
			why = "no way back is known"
		}
		return nil, nil, fault.New(fault.Conflict, "%s of %s cannot be undone: %s", s.Action, s.Target.Label(), why)
	}
	t := s.Target
	t.Node = cmp.Or(d.result.Node, t.Node)
	return e.back(ctx, c, d, t, sofar)
}

func (e *Engine) asLeft(ctx context.Context, c Cluster, t Target, n Needs) (*Live, error) {
	f, err := e.known(ctx, t)
	if err != nil {
		return nil, err
	}
	return e.look(ctx, c, f, n)
}

// unmake removes a guest that the plan made, as it left it: stopped first where it runs. It takes nothing else with it.
func (e *Engine) unmake(ctx context.Context, c Cluster, d doneStep) (*Live, []Step, error) {
	s, t := d.step, d.step.Target
	t.New, t.Life, t.Node = false, d.result.Life, cmp.Or(d.result.Node, t.Node)
	if t.Life == "" {
		return nil, nil, fault.New(fault.Conflict, "%s of %s cannot be undone: which guest it made was not seen", s.Action, t.Label()).WithNext("delete_guest")
	}
	l, err := e.asLeft(ctx, c, t, Needs{})
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return nil, []Step{{Action: s.Action + ".undo", Tier: s.Tier, Target: t, Noop: "it does not exist any more"}}, nil
	case err != nil:
		return nil, nil, err
	case l.Lock != "":
		return nil, nil, lockedNow(l)
	case l.Life != t.Life:
		return nil, nil, notAsLeft(s, "another guest has its vmid now")
	case d.after != "" && l.Digest != d.after:
		return nil, nil, notAsLeft(s, "its configuration was changed since")
	}
	var steps []Step
	if l.Target.Status == "running" || l.Target.Status == "paused" {
		if steps, err = (Power{Verb: "stop"}).Steps(l); err != nil {
			return nil, nil, err
		}
		l.Target.Status = "stopped" // as the second step finds it
	}
	gone, err := Destroy{}.Steps(l)
	steps = append(steps, gone...)
	for k := range steps {
		steps[k].Action, steps[k].Undo, steps[k].NoUndo = s.Action+".undo", nil, "it is an undo itself; ask for the change again"
	}
	return l, steps, err
}

// undoObject takes back what made something that is no guest: what it made is gone afterwards.
func undoObject(s *Step, calls []Call) []Step {
	var out []Step
	for _, call := range calls {
		tier, _ := TierOfCall(call)
		u := Step{Action: s.Action + ".undo", Tier: max(tier, s.Tier), Target: s.Target, Call: call, Task: taskOfCall(call, &Live{Target: s.Target}),
			NoUndo: "it is an undo itself; ask for the change again"}
		u.Want.Gone = !s.Want.Gone
		for _, f := range s.Diff {
			u.Diff = append(u.Diff, Diff{Field: f.Field, Old: f.New, New: f.Old})
		}
		out = append(out, u)
	}
	return out
}

// inPool looks whether a guest that was moved to a pool is still there, or where it came from, which no digest tells.
func inPool(ctx context.Context, c Cluster, s *Step, l *Live) error {
	row, err := resource(ctx, c, s.Target.VMID)
	if err != nil {
		return err
	}
	if row == nil || string(row.Pool) != *s.Want.Pool && string(row.Pool) != s.Target.Pool {
		return notAsLeft(s, "it is in another pool now")
	}
	l.Target.Pool = string(row.Pool)
	return nil
}

func notAsLeft(s *Step, how string) error {
	return fault.New(fault.Stale, "guest %s is not as the change left it: %s; an undo would take that back too", s.Target.Label(), how).WithNext("find_changes")
}

// undoStep is one inverse request, with what reading back has to show: the state before.
//
// The first request about a guest carries the digest that it has now; what that makes of it is not known beforehand, and apply compares
// what the step before left.
func undoStep(s *Step, l *Live, call Call, d doneStep, first bool) Step {
	tier, _ := TierOfCall(call)
	u := Step{Action: s.Action + ".undo", Tier: max(tier, s.Tier), Target: l.Target, Call: call, Task: taskOfCall(call, l), NoUndo: "it is an undo itself; ask for the change again",
		Pending: s.Pending}
	for _, f := range s.Diff {
		u.Diff = append(u.Diff, Diff{Field: f.Field, Old: f.New, New: f.Old})
	}
	if call.Method == "PUT" && call.Path == l.path("/config") && first && l.Digest != "" {
		u.Call.Params = append(slices.Clone(call.Params), Param{"digest", l.Digest})
	}
	switch {
	case s.Want.Snapshot != "":
		u.Want.NoSnapshot = s.Want.Snapshot
	case s.Want.Pool != nil:
		pool := s.Target.Pool
		u.Want.Pool = &pool
	case s.Want.Node != "":
		u.Want.Node, u.Want.Status, u.Patience, u.Task = s.Target.Node, d.before.Status, s.Patience, s.Task
		u.Diff = []Diff{{"node", l.Node, s.Target.Node}}
	case len(s.Want.Moved) > 0:
		u.Want.Moved = movedBack(s.Want.Moved, d.before, l)
	case s.Want.Status != "":
		u.Want.Status = d.before.Status
	default:
		u.Want.Set, u.Want.Unset = wantBefore(call, d.before)
	}
	return u
}

// movedBack are disks on the storages that they came from.
func movedBack(moved map[string]Moved, b before, l *Live) map[string]Moved {
	out := map[string]Moved{}
	for slot := range moved {
		out[slot] = Moved{Storage: storageOf(&Live{Config: b.Config}, slot), Not: volumeOf(l.Config, slot)}
	}
	return out
}

// wantBefore are the keys of an inverse request as they were.
func wantBefore(call Call, b before) (set map[string]string, unset []string) {
	set = map[string]string{}
	for _, p := range call.Params {
		switch {
		case p.Key == "delete":
			unset = append(unset, strings.Split(p.Value, ",")...)
		case p.Key != "digest" && b.Config[p.Key] != nil:
			set[p.Key] = p.Value
		}
	}
	return set, unset
}

// Cancel ends a plan that has not begun, by who asked for it.
func (e *Engine) Cancel(ctx context.Context, id string, who Caller) (Plan, error) {
	return e.move(ctx, id, who, "cancel", store.PlanMove{From: []string{Planned, Waiting, Approved, Interrupted}, To: Cancelled, Note: "by " + who.Principal})
}

// Submit asks the operator for a plan: from now on it waits for an approval. What was planned alone, by a dry run, waits for nobody.
func (e *Engine) Submit(ctx context.Context, id string, who Caller) (Plan, error) {
	return e.move(ctx, id, who, "submit", store.PlanMove{From: []string{Planned}, To: Waiting})
}

// Approve lets a waiting plan run; who must be an operator that proved the passphrase. Errors: fault.Conflict for one that nobody asked for.
func (e *Engine) Approve(ctx context.Context, id string, who Caller, by string) (Plan, error) {
	return e.move(ctx, id, who, "approve", store.PlanMove{From: []string{Waiting}, To: Approved, Approver: by, Approved: e.now()})
}

// Reject refuses a plan for good.
func (e *Engine) Reject(ctx context.Context, id string, who Caller, why string) (Plan, error) {
	return e.move(ctx, id, who, "reject", store.PlanMove{From: []string{Waiting, Planned, Approved, Interrupted}, To: Rejected, Note: why})
}

// operatorOnly are the moves that the requester cannot make.
var operatorOnly = []string{"approve", "reject"}

// Unasked is why a plan cannot be approved that was only looked at. program is how the owner starts this one.
func (p *Plan) Unasked(program string) error {
	return fault.New(fault.Conflict, "plan %s was only planned (a dry run): nobody asked for it to be done", p.ID).
		WithHint("who made it asks for it: %s plan apply %s", program, p.ID)
}

func (e *Engine) move(ctx context.Context, id string, who Caller, event string, m store.PlanMove) (Plan, error) {
	if slices.Contains(operatorOnly, event) && who.Principal != OperatorPrincipal {
		return Plan{}, fault.New(fault.Denied, "only an operator can %s a plan", event)
	}
	p, st, err := e.load(ctx, id, who)
	if err != nil {
		return Plan{}, err
	}
	switch {
	case m.To != Approved && m.To != Waiting:
	case p.expired(e.now()):
		return Plan{}, fault.New(fault.Conflict, "plan %s has expired", p.ID).WithHint("it has to be asked for again")
	case m.To == Approved && p.State == Planned:
		return Plan{}, p.Unasked(e.opt.Program())
	}
	m.ID, m.At = p.ID, e.now()
	if m.To != Approved && m.To != Waiting {
		m.Ended = m.At
	}
	a := e.audit(event, "ok", who, &p.Plan, m.Note)
	if m.To == Waiting {
		a.Outcome = "" // it only begins something, as its plan did
	}
	a.Object = p.Body.object()
	p.Plan, err = st.MovePlan(ctx, m, a)
	return p, err
}
