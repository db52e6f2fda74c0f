package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Write are the inputs that every writing tool has.
type Write struct {
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Guest   string `json:"guest" example:"104" help:"vmid or name"`
	Query   string `json:"query" example:"tag:web state:stopped" desc:"as find_guests" help:"as find_guests, instead of guest"`
	Planning
}

// WriteOne are the inputs of what changes one guest at a time.
type WriteOne struct {
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Guest   string `json:"guest" req:"true" example:"104" help:"vmid or name"`
	Planning
}

// acting is the request of an action on the guest that the inputs name.
func (in *WriteOne) acting(a change.Action) change.Request { return on(in.Cluster, in.Guest, a) }

// on is the request of an action on one guest.
func on(cluster, guest string, a change.Action) change.Request {
	return change.Request{Cluster: cluster, Guest: strings.TrimSpace(guest), Action: a}
}

// Planning are the inputs of what makes a plan.
type Planning struct {
	DryRun bool `json:"dry_run" help:"plan only, send nothing"`
	Waiting
}

func (p *Planning) onlyPlanned() bool { return p.DryRun }

// Quick are the inputs of what makes a plan that is done at once: how long to wait is no question.
type Quick struct {
	DryRun bool `json:"dry_run" help:"plan only, send nothing"`
}

func (q *Quick) onlyPlanned() bool         { return q.DryRun }
func (q *Quick) wait(d Deps) time.Duration { return (&Waiting{}).wait(d) }

// Waiting are the inputs of what can take long. There is no format to choose: what programs read on is structured in every answer of a
// change, and get_plan gives the whole as JSON.
type Waiting struct {
	Wait *int `json:"wait_s" min:"0" max:"600" quiet:"true" example:"30" desc:"default 30" help:"seconds to wait, default 30"`
}

// defaultWait is how long a call waits for its change unless told otherwise.
const defaultWait = 30 * time.Second

// cliWait is how long a command waits unless told otherwise: nobody ends it, and what it has begun it should see through.
const cliWait = 10 * time.Minute

func (w *Waiting) wait(d Deps) time.Duration {
	limit, usual := callLimit, defaultWait
	if d.Who.Door == "cli" {
		limit, usual = cliWait, cliWait
	}
	if w.Wait == nil {
		return usual
	}
	return min(time.Duration(*w.Wait)*time.Second, limit)
}

// acting is the request of an action on the guests that the inputs name.
func (in *Write) acting(a change.Action) change.Request {
	return change.Request{Cluster: in.Cluster, Guest: strings.TrimSpace(in.Guest), Query: strings.TrimSpace(in.Query), Action: a}
}

// writing is the input of a writing tool: Write, or Planning where no guest is named.
type writing interface {
	onlyPlanned() bool
	wait(d Deps) time.Duration
}

// writes makes a Spec out of what gives a request for the engine: the tool's own call makes it a plan and takes it as far as policy lets it
// go, plan_batch makes it a part of one. request may read; it sends nothing. Tool and caller are filled in.
func writes[In any](s Spec, request func(ctx context.Context, d Deps, in *In) (change.Request, error)) Spec {
	name := s.Name
	s = define(s, func(ctx context.Context, d Deps, in *In) (*planOut, error) {
		w, ok := any(in).(writing)
		if !ok {
			return nil, fault.New(fault.Internal, "the input of %s has neither dry_run nor wait_s", name)
		}
		return perform(ctx, d, w, func() (change.Request, error) {
			r, err := request(ctx, d, in)
			r.Tool, r.Caller = name, d.Who
			return r, err
		})
	})
	s.request = func(ctx context.Context, d Deps, in any) (change.Request, error) {
		typed, ok := in.(*In)
		if !ok {
			return change.Request{}, fault.New(fault.Internal, "input of %s has the wrong type", name)
		}
		return request(ctx, d, typed)
	}
	return s
}

// perform takes a change as far as policy lets it go now: a no-op is said, a dry run planned, what may run now is applied and watched. A
// vmid that was chosen and is taken before it is used is chosen anew, by making the request again.
func perform(ctx context.Context, d Deps, in writing, request func() (change.Request, error)) (*planOut, error) {
	r, err := request()
	if err != nil {
		return nil, err
	}
	p, err := d.Changes.Propose(ctx, r)
	if err != nil {
		return nil, err
	}
	if in.onlyPlanned() {
		return dryRun(d, p), nil
	}
	out, err := carryOn(ctx, d, p, in.wait(d))
	for range takenAtMost {
		again, ok := retaken(ctx, d, request, p, err)
		if !ok {
			break
		}
		p = again
		out, err = carryOn(ctx, d, p, in.wait(d))
	}
	return out, err
}

// takenAtMost is how often another vmid is chosen: who makes that many guests at the same time has to try again.
const takenAtMost = 3

// retaken plans again what was refused because the vmid that it chose was taken meanwhile.
func retaken(ctx context.Context, d Deps, request func() (change.Request, error), p change.Proposal, err error) (change.Proposal, bool) {
	was := makesID(p)
	if fault.CodeOf(err) != fault.Stale || was == 0 {
		return p, false
	}
	r, rerr := request()
	if rerr != nil {
		return p, false
	}
	again, perr := d.Changes.Propose(ctx, r)
	if perr != nil || again.ID == "" {
		return p, false
	}
	if makesID(again) != was {
		return again, true
	}
	_, _ = d.Changes.Cancel(ctx, again.ID, d.Who) // something else was stale: the caller looks at it first
	return p, false
}

// makesID is the vmid of the guest that a plan begins with making, 0 for one that makes none.
func makesID(p change.Proposal) int {
	if len(p.Body.Steps) == 0 || !p.Body.Steps[0].Makes {
		return 0
	}
	return p.Body.Steps[0].Target.VMID
}

// carryOn does with a plan what its verdict says.
func carryOn(ctx context.Context, d Deps, p change.Proposal, wait time.Duration) (*planOut, error) {
	switch {
	case p.ID == "":
		return planned(d, p, "nothing to do"), nil
	case p.Verdict.Decision == change.RunNow:
		return apply(ctx, d, p.ID, wait, false)
	case p.Verdict.Decision == change.Ask && d.Agreed == p.ID && d.Accepted:
		return apply(ctx, d, p.ID, wait, true)
	case p.Verdict.Decision == change.Ask && d.Agreed == p.ID:
		if _, err := d.Changes.Cancel(ctx, p.ID, d.Who); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Denied, "the user did not agree; nothing was sent and plan %s is cancelled", p.ID)
	case p.Verdict.Decision == change.Ask:
		out := planned(d, p, "not applied yet: "+call(d, "apply_plan", p.ID)+" runs it") // what is read where the user does not answer in time
		out.question = question(p)
		return out, nil
	case p.Verdict.Decision == change.Confirm:
		return planned(d, p, "not applied yet: "+call(d, "apply_plan", p.ID)+" runs it"), nil
	}
	p, err := submitted(ctx, d, p)
	if err != nil {
		return nil, err
	}
	return planned(d, p, waits(d, p.ID)), nil
}

// submitted is a plan that waits for an operator from now on, where one has to agree.
func submitted(ctx context.Context, d Deps, p change.Proposal) (change.Proposal, error) {
	if p.Verdict.Decision != change.Operator || p.State != change.Planned {
		return p, nil
	}
	asked, err := d.Changes.Submit(ctx, p.ID, d.Who)
	if err == nil {
		p.Plan.Plan = asked.Plan
	}
	return p, err
}

func apply(ctx context.Context, d Deps, id string, wait time.Duration, agreed bool) (*planOut, error) {
	o := change.ApplyOptions{Wait: wait, Agreed: agreed}
	if d.Progress != nil {
		o.Progress = func(p change.Progress) { d.Progress(float64(p.Done), float64(p.Total), p.Text) }
	}
	p, err := d.Changes.Apply(ctx, id, d.Who, o)
	if err != nil {
		return nil, err
	}
	return outcome(d, p)
}

// call is how a tool is called with an id, in the words of the caller's door.
func call(d Deps, tool, id string) string {
	return worded(d, tool) + " " + id
}

// waits is the line that a person pastes to decide about a plan.
func waits(d Deps, id string) string {
	return "waits for an operator; " + change.OwnerRuns(d.Program, "plan approve "+id)
}

// question is what the client's user is asked: the effect and the exact targets, free of control characters.
func question(p change.Proposal) string {
	title, what := clean.Line(p.Title, 200), []string(nil)
	for _, s := range p.Body.Steps {
		if label := clean.Line(s.Target.Label(), 80); s.Noop == "" && !strings.Contains(title, label) && !slices.Contains(what, label) {
			what = append(what, label)
		}
	}
	if len(what) > 0 {
		title += " (" + asManyAs(what, ", ", roomForLost) + ")"
	}
	return fmt.Sprintf("Plan %s: %s?", p.ID, title)
}

// outcome is the answer about a plan that was applied: a refusal before anything was sent is an error.
func outcome(d Deps, p change.Plan) (*planOut, error) {
	if p.State == change.Stale {
		return nil, fault.New(fault.Stale, "%s", clean.Line(p.Note, 600)) // the note says what to do
	}
	return planOf(d, p, ""), nil
}

type planOut struct {
	ID      string    `json:"plan,omitempty"`
	State   string    `json:"state"`
	Tier    string    `json:"tier"`
	Title   string    `json:"title"`
	Hash    string    `json:"hash,omitempty"`
	Expires string    `json:"expires,omitempty"`
	Note    string    `json:"note,omitempty"`
	Next    string    `json:"next,omitempty"`
	Steps   []stepOut `json:"steps"`
	Lost    []string  `json:"lost,omitempty"`
	Skipped []string  `json:"skipped,omitempty"`
	Undo    string    `json:"undo,omitempty"`
	// Addresses are those of a guest that was made and asked for them.
	Addresses []string   `json:"addresses,omitempty"`
	Blast     [][]string `json:"blast,omitempty"`
	// NoUndo are the steps that keep the plan from being taken back, where others of it could be.
	NoUndo []string `json:"no_undo,omitempty"`

	cluster  string
	question string
	dry      bool // only a plan was asked for
}

type stepOut struct {
	N       int        `json:"n"`
	Guest   string     `json:"guest"`
	Action  string     `json:"action"`
	State   string     `json:"state"`
	Call    string     `json:"call,omitempty"`
	Diff    [][]string `json:"diff,omitempty"` // field, old, new
	Seen    string     `json:"observed,omitempty"`
	Task    string     `json:"task,omitempty"`
	Pending []string   `json:"pending_restart,omitempty"`
	Error   string     `json:"error,omitempty"`
	Code    string     `json:"code,omitempty"` // of the error
	Output  *outputOut `json:"output,omitempty"`
}

func planned(d Deps, p change.Proposal, next string) *planOut {
	out := planOf(d, p.Plan, next)
	for _, r := range p.Verdict.Reasons {
		out.Note = strings.TrimPrefix(out.Note+"; "+r, "; ")
	}
	return out
}

func dryRun(d Deps, p change.Proposal) *planOut {
	next := "dry run: nothing was sent"
	switch {
	case p.ID == "":
	case p.State == change.Waiting: // the same was asked for before
		next += "; it " + waits(d, p.ID)
	case p.Verdict.Decision == change.Operator:
		next += "; " + call(d, "apply_plan", p.ID) + " asks its owner for it"
	default:
		next += "; " + call(d, "apply_plan", p.ID) + " runs it"
	}
	out := planned(d, p, next)
	out.dry = true
	return out
}

// nothingToDo is the state of what needs no plan.
const nothingToDo = "nothing to do"

// unsaved is the line of the guests that no snapshot was made of: what was done to them was done without one.
const unsaved = "no snapshot possible"

// planOf is a plan as it is, with what was observed of each step.
func planOf(d Deps, p change.Plan, next string) *planOut {
	out := &planOut{ID: p.ID, State: p.State, Tier: p.Body.Tier.String(), Title: clean.Line(p.Title, 200), Note: clean.Line(p.Note, 600), Next: next, Steps: []stepOut{}, cluster: p.Cluster}
	if p.ID == "" {
		out.State = nothingToDo
	} else {
		if out.State = change.StateAt(&p.Plan, d.Now()); out.State == change.Expired {
			out.Next = "it was not applied in time: ask for the change again"
		}
		out.Hash, out.Expires = p.Hash[:min(16, len(p.Hash))], stamp(d, p.Expires)
	}
	journal := map[int]store.PlanStep{}
	for _, j := range p.Journal {
		journal[j.N] = j
	}
	for k := range p.Body.Steps {
		out.Steps = append(out.Steps, stepOf(&p.Body.Steps[k], k+1, journal[k+1]))
	}
	for _, l := range p.Body.Lost {
		out.Lost = append(out.Lost, clean.Line(l, 200))
	}
	for _, s := range p.Body.Skipped {
		why := s.Reason
		if rest, ok := strings.CutPrefix(why, s.Guest+" "); ok { // its name stands before it
			why = "it " + rest
		}
		out.Skipped = append(out.Skipped, clean.Line(s.Guest, 80)+": "+clean.Line(why, 400))
	}
	for _, n := range p.Body.Notes {
		out.Note = strings.TrimPrefix(out.Note+"; "+clean.Line(n, 400), "; ")
	}
	out.Blast, out.NoUndo = blastRows(d, &p.Body.Blast), oneWay(&p.Body)
	if p.State == change.Done && undoable(&p) || p.State == change.Failed && partlyUndoable(&p) {
		out.Undo = call(d, "undo_change", p.ID)
	}
	if p.State == change.Applying {
		out.Next = "it runs; " + call(d, "get_plan", p.ID) + " follows it"
	}
	return out
}

func undoable(p *change.Plan) bool {
	return len(p.Body.Steps) > 0 && !slices.ContainsFunc(p.Body.Steps, func(s change.Step) bool { return stands(&s) != "" })
}

// partlyUndoable says that a plan which failed did something, and that all that it did can be taken back.
func partlyUndoable(p *change.Plan) bool {
	some := false
	for _, j := range p.Journal {
		if j.State != change.StepDone || j.N > len(p.Body.Steps) { // bodies of plans that ended long ago are not kept
			continue
		}
		s := &p.Body.Steps[j.N-1]
		if stands(s) != "" {
			return false
		}
		some = some || s.Stays == "" && (s.Makes || !s.Target.New)
	}
	return some
}

// stands is why a step cannot be taken back, "" where it can, or where nothing is to be taken back.
func stands(s *change.Step) string {
	switch {
	case s.Noop != "", s.Stays != "", s.Target.New && !s.Makes: // nothing to take back, or it goes with what was made
		return ""
	case s.NoUndo == "" && len(s.Undo) == 0 && !s.Makes && !s.Finds:
		return "no way back is known"
	}
	return s.NoUndo
}

// oneWay are the steps of a plan that cannot be taken back, where the rest could be: one of them keeps the whole from it.
func oneWay(b *change.Body) []string {
	var out []string
	others := false
	for k := range b.Steps {
		s := &b.Steps[k]
		if why := stands(s); why != "" {
			out = append(out, clean.Line(fmt.Sprintf("%s %s (%s)", s.Target.Label(), s.Action, why), 160))
		} else {
			others = others || s.Noop == "" && s.Stays == ""
		}
	}
	if !others || b.Undoes != "" {
		return nil
	}
	return out
}

func stepOf(s *change.Step, n int, j store.PlanStep) stepOut {
	out := stepOut{N: n, Guest: clean.Line(s.Target.Label(), 80), Action: s.Action, State: j.State, Error: clean.Line(j.Error, 400), Code: j.Code}
	if s.Noop != "" {
		out.State, out.Seen = change.StepNoop, s.Noop
		return out
	}
	out.Call = s.Call.Method + " " + s.Call.Path
	if s.Program != nil {
		out.Call = s.Program.Name + " apply " + s.Program.SHA256[:min(12, len(s.Program.SHA256))]
	}
	for _, f := range s.Diff {
		out.Diff = append(out.Diff, []string{f.Field, clean.Line(f.Old, 80), clean.Line(f.New, 80)})
	}
	var res change.Result
	if len(j.Result) > 0 && json.Unmarshal(j.Result, &res) == nil {
		out.Seen, out.Task, out.Pending = clean.Line(res.Observed, 200), res.Task, res.Pending
		if res.Output != nil {
			o := outputOut(*res.Output)
			out.Output = &o
		}
	}
	return out
}

func blastRows(d Deps, b *change.Blast) [][]string {
	var rows [][]string
	add := func(name string, list []string) {
		if len(list) > 0 {
			rows = append(rows, []string{name, clean.Line(asManyAs(list, ", ", roomForBlast), 200)})
		}
	}
	add("running", b.Running)
	add("ha", b.HA)
	add("linked clones", b.Dependants)
	add("snapshots", b.Snapshots)
	add("no backup", b.NoBackup)
	add(unsaved, b.Unsaved)
	add("not known", b.Unknown)
	if b.LastBackup != nil {
		rows = append(rows, []string{"last backup", shortStamp(d, *b.LastBackup)})
	}
	return rows
}
