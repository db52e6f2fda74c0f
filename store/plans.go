package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	// planLimit is how many plans a filter without limit gives.
	planLimit = 50
	// planBodyAge is how long an ended plan keeps its body, by far its largest part. The row, its outcome, its steps with what they
	// found, and the audit stay: who did what to which guest can be told for good.
	planBodyAge = 90 * 24 * time.Hour
)

type planRow struct {
	bun.BaseModel `bun:"table:plans,alias:p"`

	ID        string `bun:"id,pk"`
	Hash      string `bun:"hash"`
	Cluster   string `bun:"cluster"`
	Requester string `bun:"requester"`
	Tool      string `bun:"tool"`
	Title     string `bun:"title"`
	Tier      int64  `bun:"tier"`
	State     string `bun:"state"`
	Body      string `bun:"body"`
	Outcome   string `bun:"outcome"`
	Note      string `bun:"note"`
	Approver  string `bun:"approver"`
	UndoOf    string `bun:"undo_of"`
	Created   int64  `bun:"created"`
	Expires   int64  `bun:"expires"`
	Approved  int64  `bun:"approved"`
	Began     int64  `bun:"began"`
	Ended     int64  `bun:"ended"`
	Owner     string `bun:"owner"`
}

func newPlanRow(p *Plan) planRow {
	return planRow{
		ID: clean(p.ID), Hash: clean(p.Hash), Cluster: clean(p.Cluster), Requester: clean(p.Requester), Tool: clean(p.Tool),
		Title: clean(p.Title), Tier: int64(p.Tier), State: clean(p.State), Body: clean(string(p.Body)), Outcome: clean(string(p.Outcome)),
		Note: clean(p.Note), Approver: clean(p.Approver), UndoOf: clean(p.UndoOf), Created: millis(p.Created), Expires: millis(p.Expires),
		Approved: millis(p.Approved), Began: millis(p.Began), Ended: millis(p.Ended), Owner: clean(p.Owner),
	}
}

func (r *planRow) plan() Plan {
	return Plan{
		ID: r.ID, Hash: r.Hash, Cluster: r.Cluster, Requester: r.Requester, Tool: r.Tool, Title: r.Title, Tier: int(r.Tier),
		State: r.State, Body: rawOf(r.Body), Outcome: rawOf(r.Outcome), Note: r.Note, Approver: r.Approver, UndoOf: r.UndoOf,
		Created: moment(r.Created), Expires: moment(r.Expires), Approved: moment(r.Approved), Began: moment(r.Began),
		Ended: moment(r.Ended), Owner: r.Owner,
	}
}

// rawOf is a stored JSON text, nil for "".
func rawOf(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// SavePlan keeps a new plan with its steps and its audit entry, all or nothing, and gives the plan as it is kept. A plan without
// Created gets the store's time, steps get its id. Conflict when the id is taken, Invalid when Hash is not pve.Hash of Body.
func (d *DB) SavePlan(ctx context.Context, p Plan, steps []PlanStep, a AuditEntry) (Plan, error) {
	if p.Created.IsZero() {
		p.Created = d.clock()
	}
	row := newPlanRow(&p)
	if row.ID == "" || row.Body != string(p.Body) || pve.Hash(p.Body) != p.Hash {
		return Plan{}, fault.New(fault.Invalid, "the plan %q has no id, or its hash is not that of its body", p.ID)
	}
	journal := make([]stepRow, len(steps))
	for i := range steps {
		journal[i] = newStepRow(&steps[i])
		journal[i].Plan = row.ID
	}
	err := d.audited(ctx, []AuditEntry{a}, p.Created, func(ctx context.Context, tx bun.Tx) error {
		isNew, err := changed(tx.NewInsert().Model(&row).On("CONFLICT (id) DO NOTHING").Exec(ctx))
		if err != nil {
			return err
		}
		if !isNew {
			return fault.New(fault.Conflict, "there is a plan %s already", row.ID)
		}
		if err := bulkInsert(ctx, d, tx, journal, fail); err != nil {
			return err
		}
		return prunePlans(ctx, tx, d.clock())
	}, nil)
	return row.plan(), err
}

// prunePlans forgets the bodies of plans that ended long ago.
func prunePlans(ctx context.Context, tx bun.Tx, now time.Time) error {
	_, err := tx.NewUpdate().Model((*planRow)(nil)).Set("body = ''").
		Where("ended > 0 AND body <> '' AND ended < ?", millis(now.Add(-planBodyAge))).Exec(ctx)
	return err
}

// PlanByID gives a plan; ok is false when there is none of that id. Its Body is nil once it ended more than 90 days ago.
func (d *DB) PlanByID(ctx context.Context, id string) (p Plan, ok bool, err error) {
	var row planRow
	err = d.read.NewSelect().Model(&row).Where("id = ?", clean(id)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Plan{}, false, nil
	}
	return row.plan(), err == nil, d.fault(err)
}

// Plans gives the plans that f selects, newest first.
func (d *DB) Plans(ctx context.Context, f PlanFilter) ([]Plan, error) {
	var rows []planRow
	q := d.read.NewSelect().Model(&rows).Order("created DESC", "id DESC").Limit(int64(limitOr(f.Limit, planLimit)))
	whereEqual(q, "cluster", f.Cluster, "requester", f.Requester, "hash", f.Hash, "undo_of", f.UndoOf)
	whereIn(q, "state", f.States)
	if !f.Since.IsZero() {
		q.Where("created >= ?", millis(f.Since))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*planRow).plan), nil
}

// MovePlan brings a plan from one of m.From to m.To with its audit entries, all or nothing, and gives the plan as it then is. Of
// several processes that try, one succeeds: NotFound when there is no such plan, Conflict, which names the state, when it is in
// another one.
func (d *DB) MovePlan(ctx context.Context, m PlanMove, a ...AuditEntry) (Plan, error) {
	var row planRow
	err := d.audited(ctx, a, m.At, func(ctx context.Context, tx bun.Tx) error {
		from := make([]string, len(m.From))
		for i, s := range m.From {
			from[i] = clean(s)
		}
		q := tx.NewUpdate().Model(&row).Set("state = ?", clean(m.To)).
			Where("id = ? AND state IN (?)", clean(m.ID), bun.List(from)).Returning("*")
		m.set(q)
		err := q.Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return notMoved(ctx, tx, m.ID)
		}
		return err
	}, nil)
	if err != nil {
		return Plan{}, err
	}
	return row.plan(), nil
}

// set adds what is not zero.
func (m *PlanMove) set(q *bun.UpdateQuery) {
	for _, s := range []struct{ column, value string }{
		{"owner", m.Owner}, {"approver", m.Approver}, {"note", m.Note}, {"outcome", string(m.Outcome)},
	} {
		if s.value != "" {
			q.Set("? = ?", bun.Ident(s.column), clean(s.value))
		}
	}
	for _, s := range []struct {
		column string
		value  time.Time
	}{{"approved", m.Approved}, {"began", m.Began}, {"ended", m.Ended}} {
		if !s.value.IsZero() {
			q.Set("? = ?", bun.Ident(s.column), millis(s.value))
		}
	}
}

// notMoved says why a plan did not move.
func notMoved(ctx context.Context, tx bun.Tx, id string) error {
	var state string
	err := tx.NewRaw("SELECT state FROM plans WHERE id = ?", clean(id)).Scan(ctx, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "there is no plan %s", id)
	}
	if err != nil {
		return err
	}
	return fault.New(fault.Conflict, "plan %s is %s already", id, state)
}
