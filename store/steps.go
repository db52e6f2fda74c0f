package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// stepLimit is how many steps a filter without limit gives.
	stepLimit = 500
	// StepSent is the state of a step whose intent is written and that may be dispatched from then on.
	StepSent = "sent"
)

type stepRow struct {
	bun.BaseModel `bun:"table:plan_steps,alias:s"`

	Plan    string `bun:"plan,pk"`
	N       int64  `bun:"n,pk"`
	State   string `bun:"state"`
	Cluster string `bun:"cluster"`
	Node    string `bun:"node"`
	Object  string `bun:"object"`
	Action  string `bun:"action"`
	Tier    int64  `bun:"tier"`
	UPID    string `bun:"upid"`
	Sent    int64  `bun:"sent"`
	Ended   int64  `bun:"ended"`
	Before  string `bun:"before"`
	Result  string `bun:"result"`
	Error   string `bun:"error"`
	Code    string `bun:"code"`
}

func newStepRow(s *PlanStep) stepRow {
	return stepRow{
		Plan: clean(s.Plan), N: int64(s.N), State: clean(s.State), Cluster: clean(s.Cluster), Node: clean(s.Node), Object: clean(s.Object),
		Action: clean(s.Action), Tier: int64(s.Tier), UPID: clean(s.UPID), Sent: millis(s.Sent), Ended: millis(s.Ended),
		Before: clean(string(s.Before)), Result: clean(string(s.Result)), Error: clean(s.Error), Code: clean(s.Code),
	}
}

func (r *stepRow) step() PlanStep {
	return PlanStep{
		Plan: r.Plan, N: int(r.N), State: r.State, Cluster: r.Cluster, Node: r.Node, Object: r.Object, Action: r.Action, Tier: int(r.Tier),
		UPID: r.UPID, Sent: moment(r.Sent), Ended: moment(r.Ended), Before: rawOf(r.Before), Result: rawOf(r.Result), Error: r.Error,
		Code: r.Code,
	}
}

// SaveStep overwrites the journal row of a step, every field of it, and appends its audit entries: all or nothing, and on the disk
// when it returns. Fenced when l is no longer held; NotFound when the plan has no such step. A step that becomes "sent" is refused
// with ReadOnly while the emergency stop is on: after SetStop has returned, no intent is written any more. With the end of a step that was
// sent the generation grows: readers of all processes look what it changed.
func (d *DB) SaveStep(ctx context.Context, l Lease, s PlanStep, a ...AuditEntry) error {
	row := newStepRow(&s)
	return d.audited(ctx, a, s.Ended, func(ctx context.Context, tx bun.Tx) error {
		if err := d.holds(ctx, tx, l); err != nil {
			return err
		}
		var was string
		err := tx.NewRaw("SELECT state FROM plan_steps WHERE plan = ? AND n = ? "+d.eng.rowLock(), row.Plan, row.N).Scan(ctx, &was)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "plan %s has no step %d", s.Plan, s.N)
		}
		if err == nil && row.State == StepSent && was != StepSent {
			err = d.notStopped(ctx, tx)
		}
		if err != nil {
			return err
		}
		if _, err = tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil || row.Sent == 0 || row.Ended == 0 {
			return err
		}
		return d.turn(ctx, tx)
	}, nil)
}

// Steps gives the steps that f selects: those of one plan in their order, else the last sent first.
func (d *DB) Steps(ctx context.Context, f StepFilter) ([]PlanStep, error) {
	var rows []stepRow
	q := d.read.NewSelect().Model(&rows)
	if f.Plan == "" {
		q.Order("sent DESC")
	}
	if f.Plan == "" || f.Limit > 0 { // a journal with its end missing would be a wrong one
		q.Limit(int64(limitOr(f.Limit, stepLimit)))
	}
	f.where(q.Order("plan", "n"))
	if err := q.Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*stepRow).step), nil
}

// CountSteps counts the steps that f selects, whatever its limit.
func (d *DB) CountSteps(ctx context.Context, f StepFilter) (int, error) {
	q := d.read.NewSelect().Model((*stepRow)(nil))
	f.where(q)
	n, err := q.Count(ctx)
	return int(n), d.fault(err)
}

func (f *StepFilter) where(q *bun.SelectQuery) {
	whereEqual(q, "plan", f.Plan, "cluster", f.Cluster, "node", f.Node, "object", f.Object, "action", f.Action)
	whereIn(q, "state", f.States)
	if f.MinTier > 0 {
		q.Where("tier >= ?", f.MinTier)
	}
	if !f.Since.IsZero() {
		q.Where("sent >= ?", millis(f.Since))
	}
	if !f.Ended.IsZero() {
		q.Where("ended > 0 AND ended >= ? AND sent > 0", millis(f.Ended))
	}
}
