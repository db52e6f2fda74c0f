package change

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// ApplyOptions say how a caller waits. Wait 0 answers at once with what is known then. Agreed says that the client's user accepted the
// plan by elicitation.
type ApplyOptions struct {
	Wait     time.Duration
	Agreed   bool
	Progress func(Progress)
}

// Progress is how far a plan is: steps that ended of all, and the newest words.
type Progress struct {
	Done, Total int
	Percent     *float64 // of the step's task, where its log says so
	Text        string
}

// run is a plan that this process applies.
type run struct {
	e     *Engine
	st    Store
	c     Cluster
	p     Plan
	who   Caller
	lease store.Lease
	done  chan struct{}

	roster roster
	mu     sync.Mutex
	ended  int
	tell   []func(Progress)
	mute   error // why something was not written down
}

// Apply runs a plan once, in the background, and waits for it as long as o says. What is answered is the plan as it is then: state
// applying means that it goes on. A plan that another process applies is waited for, and followed to its end where that process was
// killed. Errors: fault.NotFound, fault.Conflict (already used, expired, waiting for an operator),
// fault.Denied, fault.Stale when nothing was sent because the object changed since.
func (e *Engine) Apply(ctx context.Context, id string, who Caller, o ApplyOptions) (Plan, error) {
	p, st, err := e.load(ctx, id, who)
	if err != nil {
		return Plan{}, err
	}
	if r := e.running(p.ID); r != nil {
		return e.wait(ctx, r, o)
	}
	if p.State == Applying {
		return e.follow(ctx, st, p, who, o)
	}
	if err := e.mayBegin(ctx, &p, who, o); err != nil {
		return Plan{}, err
	}
	r, err := e.claim(ctx, st, p, who)
	if err != nil {
		return Plan{}, err
	}
	r.listen(o.Progress)
	if err := e.begin(func(life context.Context) { r.work(telemetry.Carry(life, ctx)) }); err != nil {
		r.release()
		return Plan{}, err
	}
	return e.wait(ctx, r, o)
}

func (e *Engine) running(id string) *run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runs[id]
}

// mayBegin checks state, age and policy. Policy is asked again on the state of the plan's making; the steps ask it on live state.
func (e *Engine) mayBegin(ctx context.Context, p *Plan, who Caller, o ApplyOptions) error {
	if p.expired(e.now()) {
		return fault.New(fault.Conflict, "plan %s has expired", p.ID).WithHint("ask for the change again: a new plan is made from what is now")
	}
	switch p.State {
	case Planned, Approved, Interrupted:
	case Waiting:
		return fault.New(fault.Conflict, "plan %s waits for an operator's approval", p.ID).WithHint("%s", OwnerRuns(e.opt.Program(), "plan approve "+p.ID))
	default:
		return fault.New(fault.Conflict, "plan %s is %s: a plan is used once", p.ID, p.State).WithNext("get_plan")
	}
	rest := p.Body
	rest.Steps = remaining(p)
	v, err := e.opt.Policy.Judge(ctx, &rest, who, planned(&rest))
	if err != nil {
		return err
	}
	return e.allowed(ctx, p, who, v, o)
}

// remaining are the steps that are still to be sent: those of a plan that was cut off and are done count in the caps of this hour already.
func remaining(p *Plan) []Step {
	var out []Step
	for _, js := range p.Journal {
		if k := js.N - 1; js.State == StepPending && k >= 0 && k < len(p.Body.Steps) {
			out = append(out, p.Body.Steps[k])
		}
	}
	return out
}

func planned(b *Body) []Target {
	var out []Target
	for k := range b.Steps {
		out = append(append(out, b.Steps[k].Target), b.Steps[k].Also...)
	}
	return out
}

func (e *Engine) allowed(ctx context.Context, p *Plan, who Caller, v Verdict, o ApplyOptions) error {
	switch {
	case v.Decision == Deny:
		st, err := e.opt.Store(ctx)
		if err != nil {
			return err
		}
		return e.denied(ctx, st, &Proposal{Plan: *p, Verdict: v}, who)
	case !p.Approved.IsZero(), v.Decision == RunNow, v.Decision == Confirm, v.Decision == Ask && (o.Agreed || !who.Elicits):
		return nil
	case v.Decision == Ask:
		return fault.New(fault.Denied, "the user of this client has not agreed to plan %s", p.ID)
	}
	return fault.New(fault.Conflict, "plan %s needs an operator's approval", p.ID).WithHint("%s", OwnerRuns(e.opt.Program(), "plan approve "+p.ID))
}

// claim takes the plan for this process: the lease first, then the state, once.
func (e *Engine) claim(ctx context.Context, st Store, p Plan, who Caller) (*run, error) {
	c, err := e.opt.Cluster(p.Cluster)
	if err != nil {
		return nil, err
	}
	lease, ok, err := st.AcquireLease(ctx, "plan/"+p.ID, e.opt.Owner+"/"+p.ID, leaseTTL)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.Conflict, "plan %s is being applied by another process", p.ID).WithNext("get_plan")
	}
	r := &run{e: e, st: st, c: c, p: p, who: who, lease: lease, done: make(chan struct{})}
	began := p.Began
	if began.IsZero() {
		began = e.now()
	}
	r.p.Plan, err = st.MovePlan(ctx, store.PlanMove{ID: p.ID, From: []string{Planned, Approved, Interrupted}, To: Applying, At: e.now(), Began: began,
		Owner: lease.Owner}, e.audit("apply", "", who, &p.Plan, p.Title))
	if err != nil {
		return nil, errors.Join(err, st.ReleaseLease(ctx, lease))
	}
	e.mu.Lock()
	e.runs[p.ID] = r
	e.mu.Unlock()
	return r, nil
}

// wait answers the plan when its run has ended, or as it is when the caller's patience has.
func (e *Engine) wait(ctx context.Context, r *run, o ApplyOptions) (Plan, error) {
	t := time.NewTimer(o.Wait)
	defer t.Stop()
	select {
	case <-r.done:
	case <-t.C:
	case <-ctx.Done():
		return Plan{}, fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "waiting for plan %s ended; the plan itself goes on", r.p.ID).WithNext("get_plan")
	}
	row, ok, err := r.st.PlanByID(ctx, r.p.ID)
	if err != nil || !ok {
		return Plan{}, errors.Join(err, fault.New(fault.Store, "plan %s cannot be read back", r.p.ID))
	}
	if err := r.muted(); err != nil && row.State == Applying {
		return Plan{}, err
	}
	p := Plan{Plan: row, Body: r.p.Body}
	p.Journal, err = r.st.Steps(ctx, store.StepFilter{Plan: row.ID})
	return p, err
}

// muted is why a run that is over could not write down how it ended, nil while it goes on.
func (r *run) muted() error {
	select {
	case <-r.done:
	default:
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mute == nil {
		return nil
	}
	f := *fault.Of(r.mute)
	f.Message = "how plan " + r.p.ID + " ended could not be written down; asked again, it is looked at and told: " + f.Message
	f.Next, f.Err = "get_plan", r.mute
	return &f
}

func (r *run) notWritten(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mute = err
}

func (r *run) listen(f func(Progress)) {
	if f != nil {
		r.mu.Lock()
		r.tell = append(r.tell, f)
		r.mu.Unlock()
	}
}

func (r *run) progress(percent *float64, text string) {
	r.mu.Lock()
	p, tell := Progress{Done: r.ended, Total: len(r.p.Body.Steps), Percent: percent, Text: text}, slices.Clone(r.tell)
	r.mu.Unlock()
	for _, f := range tell {
		f(p)
	}
}

// work applies the steps, guest by guest, and writes down how it ended. When ctx ends (the process shuts down) the plan stays in
// state applying, for the next process to go on following.
func (r *run) work(ctx context.Context) {
	defer close(r.done)
	defer r.release()
	ctx, span := telemetry.Start(ctx, "change.apply")
	span.Set("proxmox_mcp.plan", r.p.ID)
	defer span.End()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var renewing sync.WaitGroup
	renewing.Go(func() { r.renew(ctx, cancel) })
	defer renewing.Wait()
	defer cancel(nil)

	err := r.quorum(ctx)
	if err == nil {
		r.guests(ctx)
	}
	if context.Cause(ctx) == nil {
		r.finish(ctx, err)
	}
}

// renew keeps the plan's lease; a lease that was lost ends the run: another process has taken over.
func (r *run) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	for sleep(ctx, leaseTTL/3) {
		if _, err := r.st.RenewLease(ctx, r.lease, leaseTTL); fault.CodeOf(err) == fault.Fenced {
			cancel(err)
			return
		}
	}
}

func (r *run) release() {
	r.e.mu.Lock()
	delete(r.e.runs, r.p.ID)
	r.e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.e.ctx), 5*time.Second)
	defer cancel()
	if err := r.st.ReleaseLease(ctx, r.lease); err != nil && fault.CodeOf(err) != fault.Fenced {
		r.e.opt.Logger.Warn("a plan's lease was not given back; it ends by itself", "plan", r.p.ID, "err", err)
	}
}

// quorum refuses to begin without it (F17); a standalone node has none to lose (F18).
func (r *run) quorum(ctx context.Context) error {
	members, err := r.c.ClusterStatus(ctx)
	if err != nil {
		if fault.CodeOf(err) == fault.Forbidden { // without Sys.Audit on / it cannot be asked; Proxmox VE itself refuses writes without quorum
			return nil
		}
		return err
	}
	for _, m := range members {
		if m.Type == "cluster" && m.Quorate != nil && !bool(*m.Quorate) {
			return fault.New(fault.Conflict, "cluster not ready - no quorum: nothing was sent").WithHint("changes work again when enough members are back").Retry()
		}
	}
	return nil
}

// guests works on each chain's steps in order, several chains at a time: those of one guest are one.
func (r *run) guests(ctx context.Context) {
	slots := make(chan struct{}, max(1, r.p.Body.Parallel))
	var group sync.WaitGroup
	for _, steps := range chains(r.p.Body.Steps) {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r.chain(ctx, steps)
		})
	}
	group.Wait()
}

// chains groups the numbers of steps that run in order, by order of first appearance.
func chains(steps []Step) [][]int {
	return grouped(steps, func(s *Step) string { return cmp.Or(s.Chain, s.Target.key()) })
}

// byObject groups the numbers of steps by their object.
func byObject(steps []Step) [][]int {
	return grouped(steps, func(s *Step) string { return s.Target.key() })
}

func grouped(steps []Step, by func(*Step) string) [][]int {
	var out [][]int
	at := map[string]int{}
	for k := range steps {
		key := by(&steps[k])
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key], out = i, append(out, nil)
		}
		out[i] = append(out[i], k)
	}
	return out
}

// finish says how the plan ended, from its journal.
func (r *run) finish(ctx context.Context, refused error) {
	steps, err := r.st.Steps(ctx, store.StepFilter{Plan: r.p.ID})
	if err != nil {
		r.e.opt.Logger.Error("a plan's journal cannot be read", "plan", r.p.ID, "err", err)
		return
	}
	state, note := ending(steps)
	if refused != nil {
		state, note = Interrupted, told(refused)
		if len(steps) > 1 {
			note = howFar(counts(steps), len(steps), note)
		}
	}
	m := store.PlanMove{ID: r.p.ID, From: []string{Applying}, To: state, At: r.e.now(), Note: note, Outcome: tally(steps)}
	if state != Interrupted {
		m.Ended = r.e.now()
	}
	if _, err := r.st.MovePlan(ctx, m, r.e.audit(state, outcomeOf(state), r.who, &r.p.Plan, note)); err != nil {
		r.notWritten(err)
		r.e.opt.Logger.Error("a plan's end was not written down", "plan", r.p.ID, "state", state, "err", err)
	}
	if state == Done && r.p.UndoOf != "" {
		r.takenBack(ctx)
	}
}

// takenBack marks the plan that this one undid.
func (r *run) takenBack(ctx context.Context) {
	m := store.PlanMove{ID: r.p.UndoOf, From: []string{Done, Failed, Interrupted, Unknown}, To: Undone, At: r.e.now(), Note: "undone by " + r.p.ID}
	if _, err := r.st.MovePlan(ctx, m); err != nil {
		r.e.opt.Logger.Warn("the plan that was undone is not marked so", "plan", r.p.UndoOf, "err", err)
	}
}

// ending is the state that follows from a journal: what can still be done keeps a plan open, then what is not known weighs most.
func ending(steps []store.PlanStep) (state, note string) {
	count := counts(steps)
	for k := range steps {
		if steps[k].Error != "" && note == "" {
			note = steps[k].Error
		}
	}
	switch {
	case count[StepPending] > 0:
		return Interrupted, howFar(count, len(steps), note)
	case count[StepUnknown] > 0:
		return Unknown, note
	case count[StepFailed] > 0:
		return Failed, note
	case count[StepSkipped] == len(steps):
		return Stale, note
	case count[StepSkipped] > 0:
		return Failed, note
	}
	return Done, ""
}

// howFar is how much of a plan that was cut off is done: "interrupted, 7 of 20 done, 1 failed: why".
func howFar(count map[string]int, all int, note string) string {
	parts := []string{fmt.Sprintf("interrupted, %d of %d done", count[StepDone]+count[StepNoop], all)}
	for _, state := range []string{StepFailed, StepUnknown, StepSkipped} {
		if count[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[state], state))
		}
	}
	return strings.TrimSuffix(strings.Join(parts, ", ")+": "+note, ": ")
}

func outcomeOf(state string) string {
	switch state {
	case Done:
		return "ok"
	case Unknown:
		return "unknown"
	}
	return "failed"
}

func counts(steps []store.PlanStep) map[string]int {
	count := map[string]int{}
	for k := range steps {
		count[steps[k].State]++
	}
	return count
}

// tally counts the steps by state: what lists show.
func tally(steps []store.PlanStep) json.RawMessage {
	raw, err := json.Marshal(counts(steps))
	if err != nil {
		return nil
	}
	return raw
}
