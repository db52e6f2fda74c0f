package change

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/argv"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Result is what is written down of a step that was sent.
type Result struct {
	Observed string            `json:"observed"`          // in words, for whoever asks
	Status   string            `json:"status,omitempty"`  // of the guest afterwards
	Digest   string            `json:"digest,omitempty"`  // of its configuration afterwards
	Life     string            `json:"life,omitempty"`    // of a guest that it made
	Node     string            `json:"node,omitempty"`    // where the guest is afterwards, when it was moved
	Diff     []Diff            `json:"diff,omitempty"`    // what really changed in the configuration
	Left     map[string]string `json:"left,omitempty"`    // hashes of the values that were changed, by key: what an undo has to find
	Taken    int64             `json:"taken,omitempty"`   // time of a snapshot that was made, as Proxmox VE keeps it
	Pending  []string          `json:"pending,omitempty"` // keys that wait for a restart
	Task     string            `json:"task,omitempty"`    // handle
	Outcome  string            `json:"outcome,omitempty"` // of the task: ok, warnings, error, unknown
	Warnings []string          `json:"warnings,omitempty"`
	Log      []string          `json:"log,omitempty"`  // last lines
	Undo     []Call            `json:"undo,omitempty"` // the way back, as planned
	ByState  bool              `json:"by_state,omitempty"`
	PID      int               `json:"pid,omitempty"`    // of a program that was started in the guest
	Output   *Output           `json:"output,omitempty"` // what it wrote
}

// left is what the steps that are done left of an object: what the next one has to find.
type left struct{ digest, life, node string }

func (l left) after(r Result) left {
	return left{cmp.Or(r.Digest, l.digest), cmp.Or(r.Life, l.life), cmp.Or(r.Node, l.node)}
}

// chain works on steps in order, each under the lease of its object. Behind one that did not end well nothing is sent but what cleans up.
func (r *run) chain(ctx context.Context, steps []int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var held leases
	defer held.giveBack(ctx, r)
	now, bad := map[string]left{}, 0
	for _, k := range steps {
		s := &r.p.Body.Steps[k]
		js, err := r.journalled(ctx, k)
		if err != nil {
			return
		}
		if was := now[s.Target.key()]; finished(js.State) {
			now[s.Target.key()] = was.after(resultOf(js))
			continue
		}
		if js.State != StepPending { // it was sent in an earlier run and did not end well: it is never sent again
			bad = k + 1
			continue
		}
		if bad > 0 && !(s.Always && now[s.Target.key()].life != "") {
			r.skip(ctx, k, fault.New(fault.Conflict, "step %d before it did not end well; nothing was sent", bad))
			continue
		}
		if err := held.takeAll(ctx, r, s); err != nil {
			r.skip(ctx, k, err)
			return
		}
		res, err := r.step(ctx, k, js, now[s.Target.key()])
		now[s.Target.key()] = now[s.Target.key()].after(res)
		if err != nil {
			if !r.over(ctx, k) {
				return
			}
			bad = k + 1
		}
	}
}

// over says whether a step can never be sent again. One that may still be leaves what follows it as it is: that was planned on its result.
func (r *run) over(ctx context.Context, k int) bool {
	js, err := r.journalled(ctx, k)
	return err == nil && js.State != StepPending && js.State != StepSent && js.State != StepRunning
}

// leases are those of the objects that a chain works on, by key.
type leases map[string]store.Lease

// take waits for the lease of an object, unless it is held already, and keeps it until ctx ends.
func (h *leases) take(ctx context.Context, r *run, t Target) error {
	if _, ok := (*h)[t.key()]; ok {
		return nil
	}
	l, err := r.guestLease(ctx, t)
	if err != nil {
		return err
	}
	if *h == nil {
		*h = leases{}
	}
	(*h)[t.key()] = l
	go r.keepLease(ctx, l)
	return nil
}

// takeAll takes the lease of a step's object, and for a program those of all guests that it changes, in the order of their numbers.
func (h *leases) takeAll(ctx context.Context, r *run, s *Step) error {
	if err := h.take(ctx, r, s.Target); err != nil || s.Program == nil {
		return err
	}
	for _, t := range s.Also {
		if err := h.take(ctx, r, t); err != nil {
			return err
		}
	}
	return nil
}

func (h *leases) giveBack(ctx context.Context, r *run) {
	for key, l := range *h {
		if err := r.st.ReleaseLease(context.WithoutCancel(ctx), l); err != nil {
			r.e.opt.Logger.Debug("the lease of an object was not given back; it ends by itself", "object", key, "err", err)
		}
	}
}

func finished(state string) bool { return state == StepDone || state == StepNoop }

func resultOf(js store.PlanStep) Result {
	var res Result
	if json.Unmarshal(js.Result, &res) != nil {
		return Result{}
	}
	return res
}

// guestLease waits for the guest: one change at a time, whichever process makes it.
func (r *run) guestLease(ctx context.Context, t Target) (store.Lease, error) {
	name := "guest/" + t.Cluster + "/" + cmp.Or(t.Kind, "guest") + "/" + t.ID() // one namespace: a name tells what it leases
	for deadline := r.e.now().Add(r.e.opt.Timing.Lock); ; {
		l, ok, err := r.st.AcquireLease(ctx, name, r.lease.Owner, leaseTTL)
		if ok || err != nil {
			return l, err
		}
		if !r.e.now().Before(deadline) || !sleep(ctx, r.e.opt.Timing.Poll) {
			return l, fault.New(fault.Locked, "another plan works on %s", t.Label()).Retry().WithNext("list_plans")
		}
	}
}

func (r *run) keepLease(ctx context.Context, l store.Lease) {
	for sleep(ctx, leaseTTL/3) {
		if _, err := r.st.RenewLease(ctx, l, leaseTTL); err != nil {
			return
		}
	}
}

func (r *run) journalled(ctx context.Context, k int) (store.PlanStep, error) {
	steps, err := r.st.Steps(ctx, store.StepFilter{Plan: r.p.ID})
	if err != nil {
		return store.PlanStep{}, err
	}
	for _, s := range steps {
		if s.N == k+1 {
			return s, nil
		}
	}
	return store.PlanStep{}, fault.New(fault.StoreCorrupt, "plan %s has no journal for step %d", r.p.ID, k+1)
}

// skip writes down that a step was not sent. What may heal stays pending, so that the plan can be resumed.
func (r *run) skip(ctx context.Context, k int, err error) {
	js, jerr := r.journalled(ctx, k)
	if jerr != nil {
		return
	}
	fail(&js, StepSkipped, err)
	js.Ended = r.e.now()
	if fault.Of(err).Retryable || fault.CodeOf(err) == fault.ReadOnly {
		js.State = StepPending
	}
	r.save(ctx, js, r.entry("refused", "denied", &r.p.Body.Steps[k], k, coded(js)))
}

// entry is an audit row about a step.
func (r *run) entry(event, outcome string, s *Step, k int, detail string) store.AuditEntry {
	a := r.e.audit(event, outcome, r.who, &r.p.Plan, detail)
	a.Step, a.Object, a.Tier = k+1, s.Target.ID(), int(s.Tier)
	return a
}

// save writes the journal; it logs what cannot be written, because the caller can do nothing better.
func (r *run) save(ctx context.Context, js store.PlanStep, a ...store.AuditEntry) {
	if err := r.st.SaveStep(ctx, r.lease, js, a...); err != nil {
		r.e.opt.Logger.Error("a step's journal was not written", "plan", js.Plan, "step", js.N, "state", js.State, "err", err)
	}
}

// step does one step; was is what the steps before it left of its object.
func (r *run) step(ctx context.Context, k int, js store.PlanStep, was left) (Result, error) {
	s := &r.p.Body.Steps[k]
	if s.Noop != "" {
		js.State, js.Ended = StepNoop, r.e.now()
		r.save(ctx, js)
		r.ending(s.Target.Label() + ": " + s.Noop)
		return Result{}, nil
	}
	live, err := r.check(ctx, s, js, was)
	if errors.Is(err, errThere) {
		res := Result{Observed: "it was moved to " + s.Want.Node + " meanwhile; nothing was sent", Node: s.Want.Node}
		js.State, js.Ended, js.Result = StepNoop, r.e.now(), marshal(res)
		r.save(ctx, js)
		r.ending(s.Target.Label() + ": " + res.Observed)
		return res, nil
	}
	if err != nil {
		r.skip(ctx, k, err)
		r.ending(s.Target.Label() + ": " + fault.Of(err).Error())
		return Result{}, err
	}
	if live != nil {
		js.Before = marshal(beforeOf(live))
	}
	res, err := r.send(ctx, k, s, js)
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	r.ending(s.Target.Label() + ": " + res.Observed)
	return res, err
}

func (r *run) ending(text string) {
	r.mu.Lock()
	r.ended++
	r.mu.Unlock()
	r.progress(nil, text)
}

func marshal(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}

// send writes the intent, sends the request once, and follows it to its end.
func (r *run) send(ctx context.Context, k int, s *Step, js store.PlanStep) (Result, error) {
	js.State, js.Sent, js.Error, js.Code = StepSent, r.e.now(), "", ""
	if err := r.st.SaveStep(ctx, r.lease, js, r.entry("send", "", s, k, s.described())); err != nil {
		r.skip(ctx, k, err)
		return Result{Observed: "not sent: " + fault.Of(err).Error()}, err
	}
	raw, err := r.dispatch(ctx, s, js.Before)
	if s.Want.Ran && started(err) {
		err = fault.Wrap(fault.UnknownOutcome, err, "the guest agent did not answer in its time")
	}
	switch {
	case err != nil && ctx.Err() != nil: // this process ends: the journal says sent, and the next one finds out
		return Result{}, ctx.Err()
	case fault.CodeOf(err) == fault.UnknownOutcome:
		return r.lost(ctx, k, s, js)
	case err != nil:
		return r.refused(ctx, k, s, js, err)
	}
	js.State, js.UPID = StepRunning, taskIn(raw)
	if s.Want.Ran {
		js.Result = marshal(Result{PID: pidIn(raw)})
	}
	r.save(ctx, js)
	return r.follow(ctx, k, s, js)
}

// described is what a step sends, for the audit.
func (s *Step) described() string {
	if s.Program != nil {
		return s.Program.shown()
	}
	if s.Want.Ran { // what was run is what an audit is read for
		return s.Call.Method + " " + s.Call.Path + " " + clean.Line(argv.Quote(s.command()), 300)
	}
	return describe(s.Call)
}

// describe names a request for the audit: parameter names, no values, because a value may be anything.
func describe(c Call) string {
	keys := make([]string, len(c.Params))
	for k, p := range c.Params {
		keys[k] = p.Key
	}
	return strings.TrimSpace(c.Method + " " + c.Path + " " + strings.Join(keys, " "))
}

// dispatch is the only place that sends a write. Secrets are resolved here and go no further.
func (r *run) dispatch(ctx context.Context, s *Step, before json.RawMessage) (raw json.RawMessage, err error) {
	switch {
	case s.Program != nil:
		return nil, r.program(ctx, s)
	case s.Call.Method == "":
		return nil, nil
	}
	if _, ok := TierOfCall(s.Call); !ok {
		return nil, fault.New(fault.Internal, "%s %s is not a write that this server knows", s.Call.Method, s.Call.Path)
	}
	var params proxmox.Params
	for _, p := range s.Call.Params {
		value := p.Value
		if name, ok := p.reference(); ok {
			if value, err = r.e.opt.Secrets.Resolve(ctx, name); err != nil {
				return nil, err
			}
		}
		if p.Key == "digest" && value == lastSeen {
			value = digestIn(before)
		}
		params = params.Str(p.Key, value)
	}
	return r.write(proxmox.WithPermit(ctx), &s.Call, params)
}

func (r *run) write(ctx context.Context, c *Call, params proxmox.Params) (json.RawMessage, error) {
	if c.Upload != nil {
		return r.c.Upload(ctx, c.Path, params, proxmox.File{Name: c.Upload.Filename, Content: c.Upload.Content})
	}
	return r.c.Raw(ctx, c.Method, c.Path, params)
}

// taskIn is the task that an answer names, "" for one that names none.
func taskIn(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	if _, err := pve.ParseUPID(text); err != nil {
		return ""
	}
	return text
}

// refused writes down what Proxmox VE said no to. A configuration may have been changed in part all the same: keys are written before one
// that cannot be plugged is refused (04: hotplug problem).
func (r *run) refused(ctx context.Context, k int, s *Step, js store.PlanStep, err error) (Result, error) {
	fail(&js, StepFailed, err)
	js.Ended = r.e.now()
	res := Result{Observed: "refused: " + fault.Of(err).Error()}
	if code := fault.CodeOf(err); s.Pending && (code == fault.Invalid || code == fault.Upstream) {
		if now, rerr := r.e.readBack(ctx, r.c, s, js); rerr == nil && len(now.diff) > 0 {
			res.Diff, res.Digest, res.Status, res.Pending = now.diff, now.target.Digest, now.target.Status, now.pending
			js.Error += "; changed was all the same: " + fields(now.diff)
		}
	}
	if s.Program != nil { // what it did before it failed stands
		res.Observed = fault.Of(err).Error()
		r.resync(ctx, s)
	}
	js.Result = marshal(res)
	r.save(ctx, js, r.entry("failed", "failed", s, k, coded(js)))
	return res, err
}

func fields(diff []Diff) string {
	var out []string
	for _, d := range diff {
		out = append(out, d.Field)
	}
	return strings.Join(out, ", ")
}

// told is an error as the journal keeps it: what went wrong, and what to do about it.
func told(err error) string {
	f := fault.Of(err)
	if f.Hint == "" {
		return f.Error()
	}
	return f.Error() + " (" + f.Hint + ")"
}

// fail writes down how a step ended, and why.
func fail(js *store.PlanStep, state string, err error) {
	js.State, js.Error, js.Code = state, told(err), string(fault.CodeOf(err))
}

// coded is a step's error for the audit, with its code before it.
func coded(js store.PlanStep) string {
	if js.Code == "" {
		return js.Error
	}
	return js.Code + ": " + js.Error
}

// follow waits for the task, if there is one, and reads back.
func (r *run) follow(ctx context.Context, k int, s *Step, js store.PlanStep) (Result, error) {
	res := Result{Undo: s.Undo}
	var terr error
	if js.UPID != "" {
		res.Task = pve.TaskHandle(js.UPID)
		var tr proxmox.TaskResult
		tr, terr = r.c.WaitTask(ctx, js.UPID, func(p proxmox.TaskProgress) { r.progress(p.Percent, taskWords(s, p)) })
		if ctx.Err() != nil {
			return res, ctx.Err() // the journal says running: the next process goes on
		}
		res.Outcome, res.Log = string(tr.Outcome), tail(tr.Log, 5)
		if tr.Outcome == proxmox.TaskWarnings {
			res.Warnings = warningLines(tr.Log)
		}
	}
	return r.settle(ctx, k, s, js, res, terr)
}

func taskWords(s *Step, p proxmox.TaskProgress) string {
	if n := len(p.Lines); n > 0 {
		return s.Target.Label() + ": " + cleanLine(p.Lines[n-1])
	}
	return fmt.Sprintf("%s: %s runs since %s", s.Target.Label(), s.Action, p.Elapsed.Round(time.Second))
}

// settle reads back and writes down what was observed. A task that failed is believed; one whose end is not known is judged by the
// state that it should have made.
func (r *run) settle(ctx context.Context, k int, s *Step, js store.PlanStep, res Result, terr error) (Result, error) {
	patient := terr == nil || js.UPID != "" && fault.CodeOf(terr) != fault.TaskFailed
	seen, err := r.e.observe(ctx, r.c, s, js, patient)
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	seen.into(&res)
	js.Ended = r.e.now()
	switch {
	case err != nil:
		fail(&js, StepUnknown, fault.Wrap(fault.UnknownOutcome, fault.Of(err), "the state afterwards cannot be read"))
	case fault.CodeOf(terr) == fault.TaskFailed:
		fail(&js, StepFailed, terr)
		if s.Want.Backups != "" { // which of its guests have one all the same
			js.Error += "; " + seen.text
		}
	case terr != nil && seen.ok && seen.proof:
		js.State, res.ByState = StepDone, true
	case terr != nil:
		fail(&js, StepUnknown, terr)
	case !seen.ok && (s.Want.Ran || kinds[s.Target.Kind].unsure):
		fail(&js, StepUnknown, fault.New(fault.UnknownOutcome, "Proxmox VE accepted it; so far reading back shows: %s", seen.text))
	case !seen.ok:
		fail(&js, StepFailed, fault.New(fault.Upstream, "Proxmox VE accepted it, but reading back shows: %s", seen.text))
	default:
		js.State = StepDone
	}
	if s.Makes && js.State == StepDone { // before the journal: an undo asks which life this made
		r.resync(ctx, s)
		res.Life = r.lifeMade(ctx, s, seen)
	}
	js.Result = marshal(res)
	r.save(ctx, js, r.entry(js.State, outcomeOf(js.State), s, k, cmp.Or(coded(js), res.Observed)))
	if !s.Makes {
		r.resync(ctx, s)
	}
	if js.State != StepDone {
		return res, fault.New(fault.Code(js.Code), "%s", js.Error)
	}
	return res, nil
}

// resync lets the inventory read again what a step changed.
func (r *run) resync(ctx context.Context, s *Step) {
	for _, t := range append([]Target{s.Target}, s.Also...) {
		if t.VMID != 0 || t.Kind != "" {
			r.e.opt.Guests.Resync(ctx, t.Cluster, t.VMID)
		}
	}
}

// lifeMade is the life of a guest that a step made: what was read of a VM, the inventory's count for a container, "" where it has not seen it.
func (r *run) lifeMade(ctx context.Context, s *Step, o seen) string {
	if s.Target.Type == pve.Qemu {
		return o.target.Life
	}
	f, err := r.e.opt.Guests.FindOne(ctx, s.Target.Cluster, s.Target.ID())
	if err != nil {
		return ""
	}
	return lifeOf(pve.LXC, nil, f.Life)
}
