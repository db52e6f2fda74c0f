package change

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// skewAllowance is how far a node's clock may stand behind ours when its tasks are compared with the moment of sending.
const skewAllowance = 5 * time.Second

// lost finds out what became of a request whose answer did not come (F01, F13, F14, F46). It is never sent again: the task list or the
// object proves that it was carried out, else its outcome is unknown.
func (r *run) lost(ctx context.Context, k int, s *Step, js store.PlanStep) (Result, error) {
	r.progress(nil, s.Target.Label()+": the answer was lost; looking for what became of it")
	for deadline := r.e.now().Add(r.e.opt.Timing.Lost); ; {
		if upid := r.theirs(ctx, s, js); upid != "" {
			js.State, js.UPID = StepRunning, upid
			r.save(ctx, js)
			return r.follow(ctx, k, s, js)
		}
		if s.Task == "" {
			if o, err := r.e.readBack(ctx, r.c, s, js); err == nil && o.ok && o.proof {
				return r.settle(ctx, k, s, js, Result{Undo: s.Undo}, errLost(s))
			}
		}
		if !r.e.now().Before(deadline) || s.Program != nil || s.Want.Ran { // a program that was cut off does not go on, and one in a guest has no name without its number: one look tells
			break
		}
		if !sleep(ctx, r.e.opt.Timing.Poll) {
			return Result{}, ctx.Err()
		}
	}
	return r.settle(ctx, k, s, js, Result{Undo: s.Undo}, errLost(s))
}

func errLost(s *Step) error {
	if s.Program != nil {
		return fault.New(fault.UnknownOutcome, "%s was cut off: how much of it was done is not known", s.Program.Name).WithHint("check_code says what is left")
	}
	return fault.New(fault.UnknownOutcome, "the answer was lost, and neither the task list nor the object proves what became of the request").
		WithHint("look at the guest and its tasks before it is asked for again")
}

// theirs finds the task that this request began: of its type, on its guest, by our own user, not before it was sent. A task that an
// earlier step of any journal claimed is not it.
func (r *run) theirs(ctx context.Context, s *Step, js store.PlanStep) string {
	if s.Task == "" {
		return ""
	}
	mine := store.StepFilter{Cluster: s.Target.Cluster, Object: s.Target.ID(), Since: js.Sent.Add(-time.Hour)}
	if s.Want.Backups != "" { // the task of a backup of other guests may look the same
		mine.Object = ""
	}
	claimed, err := r.st.Steps(ctx, mine)
	if err != nil {
		return ""
	}
	on := s.Target
	on.Node = cmp.Or(nodeOf(s.Call), on.Node)
	if s.TaskID != "" || s.Want.Backups != "" { // of a kind, or on another guest than the target: the list is not narrowed by vmid
		on.VMID = 0
	}
	for _, t := range r.tasksOf(ctx, on, "all") {
		u, err := pve.ParseUPID(t.UPID)
		if err != nil || (s.TaskID != "" || s.Want.Backups != "") && u.ID != s.TaskID || u.Type != s.Task || u.User != r.c.Identity() || u.Start.Before(js.Sent.Add(-skewAllowance).Truncate(time.Second)) {
			continue
		}
		if !slices.ContainsFunc(claimed, func(c store.PlanStep) bool { return c.UPID == t.UPID && (c.Plan != js.Plan || c.N != js.N) }) {
			return t.UPID
		}
	}
	return ""
}

// nodeOf is the node that a request runs on, "" for one that is none's.
func nodeOf(c Call) string {
	parts := strings.Split(c.Path, "/")
	if len(parts) > 2 && parts[1] == "nodes" {
		return parts[2]
	}
	return ""
}

// tasksOf lists a guest's tasks on its node, newest first; nothing where they cannot be read.
func (r *run) tasksOf(ctx context.Context, t Target, source string) []pve.TaskRow {
	rows, err := r.c.NodeTasks(ctx, t.Node, proxmox.NodeTaskFilter{VMID: t.VMID, Limit: 20, Source: source})
	if err != nil {
		r.e.opt.Logger.Debug("a guest's tasks cannot be read", "guest", t.Label(), "err", err)
		return nil
	}
	return rows
}

// Recover goes on with what a killed process left: plans in state applying whose lease nobody holds. It follows tasks and looks for
// lost answers; it never sends anything. What was not begun stays for apply_plan to go on with.
func (e *Engine) Recover(ctx context.Context) error {
	st, err := e.opt.Store(ctx)
	if err != nil {
		return err
	}
	rows, err := st.Plans(ctx, store.PlanFilter{States: []string{Applying}, Limit: 500})
	if err != nil {
		return err
	}
	for k := range rows {
		if e.running(rows[k].ID) != nil {
			continue
		}
		if err := e.recover(ctx, st, rows[k].ID); err != nil {
			e.opt.Logger.Warn("a plan that was cut off cannot be followed", "plan", rows[k].ID, "err", err)
		}
	}
	return nil
}

// follow waits for a plan that is being applied, here or by another process; where that one was killed it goes on following.
func (e *Engine) follow(ctx context.Context, st Store, p Plan, who Caller, o ApplyOptions) (Plan, error) {
	for deadline := e.now().Add(o.Wait); ; {
		if e.running(p.ID) == nil {
			if err := e.recover(ctx, st, p.ID); err != nil {
				return Plan{}, err
			}
		}
		left := deadline.Sub(e.now())
		if r := e.running(p.ID); r != nil {
			r.listen(o.Progress)
			return e.wait(ctx, r, ApplyOptions{Wait: max(0, left)})
		}
		var err error
		if p, _, err = e.load(ctx, p.ID, who); err != nil || p.State != Applying || left <= 0 {
			return p, err
		}
		if !sleep(ctx, min(e.opt.Timing.Poll, left)) {
			return Plan{}, fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "waiting for plan %s ended; the plan itself goes on", p.ID).WithNext("get_plan")
		}
	}
}

// lookAfter bounds how long a plan that a killed process left is followed before it is shown as it is: its task has mostly ended by then.
const lookAfter = 10 * time.Second

func (e *Engine) recover(ctx context.Context, st Store, id string) error {
	who := Caller{Principal: OperatorPrincipal, Door: "recovery"}
	lease, ok, err := st.AcquireLease(ctx, "plan/"+id, e.opt.Owner+"/"+id, leaseTTL)
	if err != nil || !ok {
		return err
	}
	p, _, err := e.load(ctx, id, who)
	if err != nil {
		return err
	}
	if p.State != Applying { // its process ended it between the two looks
		return st.ReleaseLease(ctx, lease)
	}
	c, err := e.opt.Cluster(p.Cluster)
	if err != nil {
		return errors.Join(err, st.ReleaseLease(ctx, lease))
	}
	r := &run{e: e, st: st, c: c, p: p, who: who, lease: lease, done: make(chan struct{})}
	e.mu.Lock()
	e.runs[id] = r
	e.mu.Unlock()
	if err := e.begin(r.reattach); err != nil {
		r.release()
		return err
	}
	return nil
}

// reattach follows each step that was sent and not seen to end.
func (r *run) reattach(ctx context.Context) {
	defer close(r.done)
	defer r.release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go r.renew(ctx, cancel)
	for _, js := range r.p.Journal {
		k := js.N - 1
		if k < 0 || k >= len(r.p.Body.Steps) || ctx.Err() != nil {
			continue
		}
		s := &r.p.Body.Steps[k]
		var err error
		switch js.State {
		case StepSent:
			_, err = r.lost(ctx, k, s, js)
		case StepRunning:
			_, err = r.follow(ctx, k, s, js)
		}
		if err != nil {
			r.e.opt.Logger.Info("a step that was cut off did not end well", "plan", r.p.ID, "step", js.N, "err", cmp.Or(strings.TrimSpace(err.Error()), "unknown"))
		}
	}
	if context.Cause(ctx) == nil {
		r.finish(ctx, nil)
	}
}
