package change

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// mortal is a store whose process dies at one of its writes: before it is written, or after it and before anybody hears of it.
type mortal struct {
	Store
	kill  func()
	at    int // the write at which it dies, from 1; 0 = never
	after bool

	mu   sync.Mutex
	n    int
	what string // the write at which it died
}

var errDead = errors.New("this process is dead")

func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.what != ""
}

// write does a write, unless the process is dead or dies at it.
func (m *mortal) write(what string, do func() error) error {
	m.mu.Lock()
	m.n++
	gone, now := m.what != "", m.n == m.at
	if now {
		m.what = what
	}
	m.mu.Unlock()
	switch {
	case gone:
		return errDead
	case now && m.after:
		m.kill()
		return errors.Join(do(), errDead)
	case now:
		m.kill()
		return errDead
	}
	return do()
}

func (m *mortal) SavePlan(ctx context.Context, p store.Plan, steps []store.PlanStep, a store.AuditEntry) (out store.Plan, err error) {
	err = m.write("SavePlan", func() error { out, err = m.Store.SavePlan(context.WithoutCancel(ctx), p, steps, a); return err })
	return out, err
}

func (m *mortal) MovePlan(ctx context.Context, v store.PlanMove, a ...store.AuditEntry) (out store.Plan, err error) {
	err = m.write("MovePlan to "+v.To, func() error { out, err = m.Store.MovePlan(context.WithoutCancel(ctx), v, a...); return err })
	return out, err
}

func (m *mortal) SaveStep(ctx context.Context, l store.Lease, s store.PlanStep, a ...store.AuditEntry) error {
	return m.write("SaveStep "+s.State, func() error { return m.Store.SaveStep(context.WithoutCancel(ctx), l, s, a...) })
}

func (m *mortal) AppendAudit(ctx context.Context, a store.AuditEntry) (out store.AuditRow, err error) {
	err = m.write("AppendAudit", func() error { out, err = m.Store.AppendAudit(context.WithoutCancel(ctx), a); return err })
	return out, err
}

func (m *mortal) ReleaseLease(ctx context.Context, l store.Lease) error {
	if m.dead() { // the dead release nothing
		return errDead
	}
	return m.Store.ReleaseLease(ctx, l)
}

func (m *mortal) RenewLease(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
	if m.dead() {
		return l, errDead
	}
	return m.Store.RenewLease(ctx, l, ttl)
}

// living is an engine of another process over the same store.
func (r *rig) living(st Store) *Engine {
	return New(Options{Store: func(context.Context) (Store, error) { return st, nil }, Cluster: func(string) (Cluster, error) { return r.client, nil },
		Guests: r.guests, Policy: r.sheriff, Secrets: secretsOf{"ci": "canary"}, Clock: time.Now})
}

// run takes a request to its end, as a person or an agent would, and gives the plan's id.
func goThrough(ctx context.Context, e *Engine, q Request) (string, error) {
	p, err := e.Propose(ctx, q)
	if err != nil {
		return p.ID, err
	}
	return p.ID, finishPlan(ctx, e, p.ID)
}

func finishPlan(ctx context.Context, e *Engine, id string) error {
	p, v, err := e.Judge(ctx, id, agent)
	if err == nil && v.Decision == Operator && p.State == Planned {
		p, err = e.Submit(ctx, id, agent)
	}
	if err != nil {
		return err
	}
	if p.State == Waiting {
		if _, err := e.Approve(ctx, id, operator, "the test"); err != nil {
			return err
		}
	}
	_, err = e.Apply(ctx, id, agent, ApplyOptions{Wait: time.Hour})
	return err
}

// died runs a request in a process that dies at its n-th write and gives the name of that write, "" when it came to its end before.
func (r *rig) died(q Request, n int, after bool) (where string) {
	m := &mortal{Store: r.db, at: n, after: after}
	e := r.living(m)
	m.kill = e.stop
	_, err := goThrough(r.t.Context(), e, q)
	if cerr := e.Close(); cerr != nil {
		r.t.Error(cerr)
	}
	if m.what == "" && err != nil {
		r.t.Errorf("without dying: %v", err)
	}
	return m.what
}

// heir is the next process: it waits for the leases of the dead one to end, goes on with what that left, and gives the newest plan.
func (r *rig) heir() (*Engine, *Plan) {
	r.t.Helper()
	time.Sleep(leaseTTL + time.Second)
	e := r.living(r.db)
	if err := e.Recover(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	e.group.Wait()
	list, err := r.db.Plans(r.t.Context(), store.PlanFilter{Limit: 1})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(list) == 0 {
		return e, nil
	}
	p, err := e.Plan(r.t.Context(), list[0].ID, operator)
	if err != nil {
		r.t.Fatal(err)
	}
	return e, &p
}

// TestCrash cuts the process off before and after each of its writes, for every action: the next process follows what runs, says what is
// true, and nothing is ever sent twice.
func TestCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.sheriff.Rules.Caps = Caps{}
		vmid, points := 1000, map[string]int{}
		for k, s := range samples() {
			if s.slow { // its plans are about the one node that is off: a test cannot tell one from the next
				continue
			}
			if (testing.Short() || raceEnabled) && k%4 != 0 {
				continue
			}
			for n, where := 1, "first"; where != ""; n++ {
				for _, after := range []bool{false, true} {
					vmid++
					if where = r.crash(&s, vmid, n, after); where != "" {
						points[where]++
					}
				}
			}
		}
		if v, err := r.db.VerifyAudit(t.Context(), nil); err != nil || !v.OK() {
			t.Errorf("the audit does not hold: %+v, %v", v, err)
		}
		for _, want := range []string{"SavePlan", "MovePlan to applying", "MovePlan to done", "SaveStep sent", "SaveStep running", "SaveStep done"} {
			if points[want] == 0 {
				t.Errorf("nothing died at %s", want)
			}
		}
		t.Logf("died at: %v", points)
	})
}

func (r *rig) crash(s *sample, vmid, n int, after bool) string {
	was := s.make(r, vmid)
	defer r.sim.Update(func(w *pvesim.World) { w.RemoveGuest(vmid); w.RemoveGuest(madeOf(vmid)) })
	q := s.request(r, vmid)
	r.sim.ResetStats()
	where := r.died(q, n, after)
	e, p := r.heir()
	defer func() { _ = e.Close() }()
	label := fmt.Sprintf("%s, died at write %d (%s, after: %v)", s.name, n, where, after)
	if p == nil || !s.about(p, was) {
		return r.again(label, e, q, s, was, where) // nothing was kept: it is asked for again
	}
	sent, steps := r.sim.Stats().Writes, sending(p)
	if sent > steps {
		r.t.Errorf("%s: %d requests", label, sent)
	}
	switch carried := s.carried(r, was); {
	case p.State == Interrupted && slices.ContainsFunc(p.Journal, func(js store.PlanStep) bool { return js.State == StepUnknown }):
		if sent >= begun(p) || carried { // nothing behind a step of unknown outcome is ever sent
			r.t.Errorf("%s: a step is unknown although there are traces of it", label)
		}
	case open(p.State) || p.State == Interrupted:
		if sent == steps || sent > 0 && p.State != Interrupted {
			r.t.Errorf("%s: it is %s after %d requests were sent", label, p.State, sent)
		}
		return r.again(label, e, q, s, was, where)
	case p.State == Done != carried && p.State != Unknown, p.State != Done && p.State != Unknown && p.State != Failed:
		r.t.Errorf("%s: it is %s (%s), carried out: %v", label, p.State, p.Note, carried)
	case p.State == Unknown && sent >= begun(p) && !s.blind:
		r.t.Errorf("%s: it is unknown (%s) although there are traces of it", label, p.Note)
	}
	return where
}

// about says whether a plan is that of a sample's guest, or, of a node, was made since.
func (s *sample) about(p *Plan, was *then) bool {
	t, vmid := &p.Body.Steps[0].Target, was.vmid
	if s.made {
		vmid = madeOf(vmid)
	}
	return strings.Contains(t.ID(), fmt.Sprint(vmid)) || t.Kind == "node" && !p.Created.Before(was.at.Truncate(time.Second))
}

// sending counts the steps that send a request: one that only looks sends none.
func sending(p *Plan) (n int) {
	for k := range p.Body.Steps {
		if p.Body.Steps[k].Call.Method != "" {
			n++
		}
	}
	return n
}

// begun counts the steps that send a request and whose intent was written down.
func begun(p *Plan) (n int) {
	for _, js := range p.Journal {
		if !js.Sent.IsZero() && p.Body.Steps[js.N-1].Call.Method != "" {
			n++
		}
	}
	return n
}

// again lets the heir do what was not begun: it is done once.
func (r *rig) again(label string, e *Engine, q Request, s *sample, was *then, where string) string {
	r.t.Helper()
	_, p := r.heir()
	var err error
	steps := 1
	if p != nil && s.about(p, was) {
		steps = sending(p)
	}
	if p != nil && p.State == Interrupted && s.about(p, was) {
		err = finishPlan(r.t.Context(), e, p.ID)
		if done, perr := r.Plan(r.t.Context(), p.ID, operator); perr == nil && done.State == Unknown && r.sim.Stats().Writes < begun(&done) {
			return where // a step of several of which nobody knows whether it was sent: the rest never is
		}
	} else {
		var id string
		id, err = goThrough(r.t.Context(), e, q)
		if done, perr := r.Plan(r.t.Context(), id, operator); perr == nil {
			steps = sending(&done)
		}
	}
	if err != nil || !s.carried(r, was) || r.sim.Stats().Writes != steps {
		r.t.Errorf("%s: the next process could not do it: %v, carried out: %v, requests: %d", label, err, s.carried(r, was), r.sim.Stats().Writes)
	}
	return where
}

// TestCrashOfBatch: a plan over many guests that was cut off says how far it came, and goes on with the rest after a look at it.
func TestCrashOfBatch(t *testing.T) {
	t.Parallel()
	const guests = 8
	change := sample{of: likeRunning, action: Configure{Set: map[string]string{"memory": "3072"}}}
	for n := 3; n < 3+3*guests; n += 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, r *rig) {
				for k := range guests {
					change.make(r, 1000+k)
				}
				r.sim.Update(func(w *pvesim.World) {
					for k := range guests {
						w.SetConfig(1000+k, "tags", "batch")
					}
				})
				r.sim.ResetStats()
				if where := r.died(Request{Tool: "test", Cluster: "home", Query: "tag:batch", Action: change.action, Caller: agent}, n, n%2 == 0); where == "" {
					t.Fatal("it did not die")
				}
				e, p := r.heir()
				defer func() { _ = e.Close() }()
				done := 0
				for _, j := range p.Journal {
					if j.State == StepDone {
						done++
					}
				}
				if want := fmt.Sprintf("interrupted, %d of %d done", done, guests); p.State == Interrupted && !strings.HasPrefix(p.Note, want) || p.State == Applying {
					t.Errorf("%s: %q, want %q", p.State, p.Note, want)
				}
				if p.State != Interrupted {
					if n < 3+2*parallel { // beyond that no guest may be left that was not begun
						t.Errorf("it is %s: %s", p.State, p.Note)
					}
					return
				}
				r.sim.Update(func(w *pvesim.World) { w.SetConfig(1000+guests-1, "cores", 3) }) // the last one changes meanwhile, where it is not done
				if err := finishPlan(t.Context(), e, p.ID); err != nil {
					t.Fatal(err)
				}
				r.wholeBatch(e, p.ID, guests)
			})
		})
	}
}

// wholeBatch wants every guest's memory changed where its step is done, and one request for each step at most.
func (r *rig) wholeBatch(e *Engine, id string, guests int) {
	r.t.Helper()
	p, err := e.Plan(r.t.Context(), id, agent)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, j := range p.Journal {
		var memory string
		r.guest(p.Body.Steps[j.N-1].Target.VMID, func(g *pvesim.Guest) { memory = valueOf(g, "memory") })
		if want := memory == "3072"; want != (j.State == StepDone) && j.State != StepUnknown || j.State == StepPending {
			r.t.Errorf("guest %s: step %s, memory %s", j.Object, j.State, memory)
		}
	}
	var paths []string
	for _, q := range r.sim.Requests() {
		if q.Method != "GET" {
			paths = append(paths, q.Path)
		}
	}
	slices.Sort(paths)
	if n := len(slices.Compact(slices.Clone(paths))); n != len(paths) || n > guests {
		r.t.Errorf("sent were %v", paths)
	}
	if err := r.applies(id, agent); fault.CodeOf(err) != fault.Conflict {
		r.t.Errorf("it can be applied once more: %v", err)
	}
}

// TestFollow: who asks for a plan that another process applies waits for it, and where that one was killed is told how it ended.
func TestFollow(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		slow := sample{of: likeRunning, prep: func(w *pvesim.World, vmid int) { w.Guest(vmid).Behaviour.Shutdown = 40 * time.Second }}
		for k, killed := range []bool{false, true} {
			slow.make(r, 1000+k)
			p := r.propose(1000+k, Power{Verb: "shutdown"})
			other := r.living(r.db)
			if got, err := other.Apply(t.Context(), p.ID, agent, ApplyOptions{}); err != nil || got.State != Applying {
				t.Fatalf("%s, %v", got.State, err)
			}
			time.Sleep(3 * time.Second)
			if got, err := r.Plan(t.Context(), p.ID, agent); err != nil || got.State != Applying {
				t.Errorf("while another process applies it: %s, %v", got.State, err)
			}
			if killed {
				if err := other.Close(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if got, err := r.Plan(t.Context(), p.ID, agent); err != nil || got.State != Done {
					t.Errorf("after it was killed: %s %s, %v", got.State, got.Note, err)
				}
				continue
			}
			if got, err := r.Apply(t.Context(), p.ID, agent, ApplyOptions{Wait: 2 * time.Minute}); err != nil || got.State != Done {
				t.Errorf("waited for: %s, %v", got.State, err)
			}
			_ = other.Close()
		}
		if n := r.sim.Stats().Writes; n != 2 {
			t.Errorf("%d requests were sent", n)
		}
	})
}
