package change

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// cramped is a store whose disk is full from one of its writes on, until there is room again.
type cramped struct {
	Store
	mu   sync.Mutex
	at   int // the write that finds no room, from 1
	n    int
	full bool
	hit  bool
}

func (c *cramped) room(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.full {
		return nil
	}
	return fault.New(fault.StoreFull, "there is no room left for the state store").WithHint("free space on that disk").Retry()
}

func (c *cramped) write(do func() error) error {
	c.mu.Lock()
	c.n++
	if c.at > 0 && c.n == c.at {
		c.full, c.hit = true, true
	}
	c.mu.Unlock()
	if err := c.room(context.Background()); err != nil {
		return err
	}
	return do()
}

func (c *cramped) freed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.full, c.at = false, 0
}

func (c *cramped) SavePlan(ctx context.Context, p store.Plan, steps []store.PlanStep, a store.AuditEntry) (out store.Plan, err error) {
	err = c.write(func() error { out, err = c.Store.SavePlan(ctx, p, steps, a); return err })
	return out, err
}

func (c *cramped) MovePlan(ctx context.Context, v store.PlanMove, a ...store.AuditEntry) (out store.Plan, err error) {
	err = c.write(func() error { out, err = c.Store.MovePlan(ctx, v, a...); return err })
	return out, err
}

func (c *cramped) SaveStep(ctx context.Context, l store.Lease, s store.PlanStep, a ...store.AuditEntry) error {
	return c.write(func() error { return c.Store.SaveStep(ctx, l, s, a...) })
}

func (c *cramped) AppendAudit(ctx context.Context, a store.AuditEntry) (out store.AuditRow, err error) {
	err = c.write(func() error { out, err = c.Store.AppendAudit(ctx, a); return err })
	return out, err
}

// TestDiskFull fills the disk at each write of each action (F45): nothing is sent that was not written down before, whoever asks is told
// with cause and hint, nothing is allowed while it lasts, and with room again the truth is told or the rest is done, each request once.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.sheriff.Rules.Caps = Caps{}
		vmid, points := 1000, 0
		for k, s := range samples() {
			if s.action == nil || (testing.Short() || raceEnabled) && k%4 != 0 {
				continue
			}
			for n := 1; n > 0; n++ {
				vmid++
				if !r.fill(&s, vmid, n) {
					break
				}
				points++
			}
		}
		if v, err := r.db.VerifyAudit(t.Context(), nil); err != nil || !v.OK() {
			t.Errorf("the audit does not hold: %+v, %v", v, err)
		}
		t.Logf("the disk was full at %d writes", points)
	})
}

// fill runs an action whose n-th write finds no room; false when it has no such write.
func (r *rig) fill(s *sample, vmid, n int) bool {
	was := s.make(r, vmid)
	defer r.sim.Update(func(w *pvesim.World) { w.RemoveGuest(vmid) })
	c := &cramped{Store: r.db, at: n}
	e := r.living(c)
	defer func() { _ = e.Close() }()
	r.sheriff.Room = c.room
	defer func() { r.sheriff.Room = nil }()
	q := s.request(r, vmid)
	r.sim.ResetStats()
	label := fmt.Sprintf("%s, full at write %d", s.name, n)
	id, err := goThrough(r.t.Context(), e, q)
	if !c.hit {
		return false
	}
	if f := fault.Of(err); fault.CodeOf(err) != fault.StoreFull || f.Hint == "" {
		r.t.Errorf("%s: %v", label, err)
	}
	if sent, rows := r.sim.Stats().Writes, r.sends(id); sent > rows {
		r.t.Errorf("%s: %d requests, %d of them in the audit", label, sent, rows)
	}
	if level, err := r.sheriff.Level(r.t.Context(), agent); level != Read || fault.CodeOf(err) != fault.StoreFull {
		r.t.Errorf("%s: %s is allowed, %v", label, level, err)
	}
	if _, err := e.Propose(r.t.Context(), q); err == nil && !s.carried(r, was) {
		r.t.Errorf("%s: another change is planned", label)
	}
	c.freed()
	time.Sleep(leaseTTL + time.Second)
	r.goesOn(label, e, q, s, was, id)
	return true
}

// sends counts the requests of a plan that the audit knows.
func (r *rig) sends(plan string) int {
	if plan == "" {
		return 0
	}
	rows, err := r.db.Audit(r.t.Context(), store.AuditFilter{Plan: plan, Events: []string{"send"}})
	if err != nil {
		r.t.Error(err)
	}
	return len(rows)
}

// goesOn asks again when there is room: for the plan, where one was kept, else for the change.
func (r *rig) goesOn(label string, e *Engine, q Request, s *sample, was *then, id string) {
	r.t.Helper()
	p, err := e.Plan(r.t.Context(), id, operator)
	if fault.CodeOf(err) == fault.NotFound {
		if id, err = goThrough(r.t.Context(), e, q); err == nil {
			p, err = e.Plan(r.t.Context(), id, operator)
		}
	}
	if err == nil && (open(p.State) || p.State == Interrupted || p.State == Applying) {
		if err = finishPlan(r.t.Context(), e, p.ID); err == nil {
			p, err = e.Plan(r.t.Context(), p.ID, operator)
		}
	}
	want := 0
	for k := range p.Body.Steps {
		if p.Body.Steps[k].Call.Method != "" && p.Body.Steps[k].Noop == "" {
			want++
		}
	}
	ended := p.State == Done || s.blind && p.State == Unknown // nothing else tells what became of a blind one whose answer was not written down
	if err != nil || !ended || !s.carried(r, was) || r.sim.Stats().Writes != want {
		r.t.Errorf("%s: with room it is %s (%s), %v, carried out: %v, requests: %d", label, p.State, p.Note, err, s.carried(r, was), r.sim.Stats().Writes)
	}
}
