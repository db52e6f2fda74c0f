package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// AuditReport is what a walk along the audit's chain found.
type AuditReport struct {
	Rows    int64     `json:"rows"`              // that were read and found in order
	Head    AuditHead `json:"head"`              // the last of them
	Bad     int64     `json:"bad,omitempty"`     // sequence number of the first row that is not as it was written, 0 = none
	Problem string    `json:"problem,omitempty"` // one sentence about it
	Noted   int64     `json:"noted,omitempty"`   // sequence number of the row that the head file notes, 0 = there is none
}

// OK says whether every row is there and as it was written.
func (r AuditReport) OK() bool { return r.Problem == "" }

// VerifyAudit walks along the whole chain, one row in memory at a time, and names the first row that was changed, moved or taken
// away. The chain has to reach its own head, the one that the head file notes and, when it is not nil, the given one. What is
// wrong is in the report; the error says that it could not be read.
func (d *DB) VerifyAudit(ctx context.Context, head *AuditHead) (AuditReport, error) {
	noted, err := d.head.read() // before the chain: it can only be behind
	if err != nil {
		return AuditReport{}, err
	}
	var w auditWalk
	if noted != nil {
		w.Noted = noted.Seq
		w.known = append(w.known, knownHead{string(d.head) + " notes", *noted})
	}
	if head != nil {
		w.known = append(w.known, knownHead{"you named", *head})
	}
	err = d.walkAudit(ctx, &w)
	return w.AuditReport, d.fault(err)
}

// auditWalk is a walk on its way; known are the heads that the chain has to have.
type auditWalk struct {
	AuditReport
	known []knownHead
}

// knownHead is a head and who says so.
type knownHead struct {
	who string
	at  AuditHead
}

// walkAudit reads rows and head in one query, so that both are of one moment while others append.
func (d *DB) walkAudit(ctx context.Context, w *auditWalk) (err error) {
	rows, err := d.read.QueryContext(ctx, "SELECT at, cluster, detail, door, event, object, outcome, plan, principal, seq, step, tier, "+
		"tool, prev, hash, coalesce((SELECT seq FROM audit_head), 0), coalesce((SELECT hash FROM audit_head), '') FROM audit ORDER BY seq")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var end AuditHead
	for w.OK() && rows.Next() {
		var r auditRow
		if err := rows.Scan(&r.At, &r.Cluster, &r.Detail, &r.Door, &r.Event, &r.Object, &r.Outcome, &r.Plan, &r.Principal, &r.Seq, &r.Step,
			&r.Tier, &r.Tool, &r.Prev, &r.Hash, &end.Seq, &end.Hash); err != nil {
			return err
		}
		w.step(&r)
	}
	if err := rows.Err(); err != nil || !w.OK() {
		return err
	}
	if w.Rows == 0 {
		if end, err = d.lonelyHead(ctx); err != nil {
			return err
		}
	}
	w.finish(end)
	return nil
}

// lonelyHead is the head of an audit without rows, which has to be zero.
func (d *DB) lonelyHead(ctx context.Context) (end AuditHead, err error) {
	err = d.read.NewRaw("SELECT seq, hash FROM audit_head WHERE NOT EXISTS (SELECT 1 FROM audit)").Scan(ctx, &end.Seq, &end.Hash)
	if errors.Is(err, sql.ErrNoRows) { // the first row was appended since
		err = nil
	}
	return end, err
}

// step takes in the next row, or says why it is not what has to come.
func (w *auditWalk) step(r *auditRow) {
	switch want := w.Head.Seq + 1; {
	case r.Seq < 1:
		w.bad(r.Seq, "row %d was not written by this program", r.Seq)
		return
	case r.Seq > want:
		w.bad(want, "row %d is missing: row %d comes after row %d", want, r.Seq, w.Head.Seq)
		return
	case r.sum() != r.Hash:
		w.bad(r.Seq, "row %d is not as it was written: its hash does not fit", r.Seq)
		return
	case r.Prev != w.Head.Hash:
		w.bad(r.Seq, "row %d does not follow row %d: one of them was replaced", r.Seq, w.Head.Seq)
		return
	}
	for _, k := range w.known {
		if k.at.Seq == r.Seq && k.at.Hash != r.Hash {
			w.bad(r.Seq, "row %d is not the one that %s", r.Seq, k.who)
			return
		}
	}
	w.Rows++
	w.Head = AuditHead{r.Seq, r.Hash}
}

// finish looks whether the chain goes as far as it has to, and no further.
func (w *auditWalk) finish(end AuditHead) {
	for _, k := range append(w.known, knownHead{"the store itself notes", end}) {
		if k.at.Seq > w.Head.Seq {
			w.bad(w.Head.Seq+1, "the audit ends at row %d, its end is missing: %s row %d", w.Head.Seq, k.who, k.at.Seq)
			return
		}
	}
	if end != w.Head {
		w.bad(w.Head.Seq, "row %d was not appended by this program: the store itself notes row %d as the last one", w.Head.Seq, end.Seq)
	}
}

func (w *auditWalk) bad(seq int64, format string, args ...any) {
	w.Bad, w.Problem = seq, fmt.Sprintf(format, args...)
}
