package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// auditLimit is how many audit rows a filter without limit gives.
const auditLimit = 100

// auditRow is a row of the audit as it is stored. Its JSON, keys in alphabetical order, is what the chain's hashes are made of: a
// field that is added here must be omitted where it is empty, else no older row has its hash any more.
type auditRow struct {
	bun.BaseModel `bun:"table:audit,alias:a" json:"-"`

	At        int64  `bun:"at" json:"at"` // Unix milliseconds
	Cluster   string `bun:"cluster" json:"cluster"`
	Detail    string `bun:"detail" json:"detail"`
	Door      string `bun:"door" json:"door"`
	Event     string `bun:"event" json:"event"`
	Object    string `bun:"object" json:"object"`
	Outcome   string `bun:"outcome" json:"outcome"`
	Plan      string `bun:"plan" json:"plan"`
	Principal string `bun:"principal" json:"principal"`
	Seq       int64  `bun:"seq,pk" json:"seq"`
	Step      int64  `bun:"step" json:"step"`
	Tier      int64  `bun:"tier" json:"tier"`
	Tool      string `bun:"tool" json:"tool"`
	Prev      string `bun:"prev" json:"-"`
	Hash      string `bun:"hash" json:"-"`
}

func newAuditRow(e *AuditEntry) auditRow {
	return auditRow{
		At: millis(e.At), Cluster: clean(e.Cluster), Detail: clean(e.Detail), Door: clean(e.Door), Event: clean(e.Event),
		Object: clean(e.Object), Outcome: clean(e.Outcome), Plan: clean(e.Plan), Principal: clean(e.Principal), Step: int64(e.Step),
		Tier: int64(e.Tier), Tool: clean(e.Tool),
	}
}

func (r *auditRow) row() AuditRow {
	return AuditRow{
		Seq: r.Seq, Prev: r.Prev, Hash: r.Hash,
		AuditEntry: AuditEntry{
			At: moment(r.At), Cluster: r.Cluster, Detail: r.Detail, Door: r.Door, Event: r.Event, Object: r.Object, Outcome: r.Outcome,
			Plan: r.Plan, Principal: r.Principal, Step: int(r.Step), Tier: int(r.Tier), Tool: r.Tool,
		},
	}
}

// sum is the hash that the row has to have: the SHA-256, in hexadecimal, of prev and the canonical JSON.
func (r *auditRow) sum() string {
	var b bytes.Buffer
	b.WriteString(r.Prev)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(r) // texts and numbers: nothing that JSON cannot hold
	return pve.Hash(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// Sum is the hash that the row has to have: the SHA-256, in hexadecimal, of Prev (hexadecimal; "" for the first row), followed by a
// JSON object with the row's sequence number and fields: keys in alphabetical order, no spaces, at in Unix milliseconds.
func (r AuditRow) Sum() string {
	row := newAuditRow(&r.AuditEntry)
	row.Seq, row.Prev = r.Seq, r.Prev
	return row.sum()
}

type auditHeadRow struct {
	bun.BaseModel `bun:"table:audit_head"`

	ID   int64  `bun:"id,pk"`
	Seq  int64  `bun:"seq"`
	Hash string `bun:"hash"`
}

// AppendAudit appends one entry to the audit; an entry without a time gets that of the store's clock. Invalid when it names no event,
// StoreCorrupt when the end of the audit is missing, StoreFull when there is no room.
func (d *DB) AppendAudit(ctx context.Context, a AuditEntry) (AuditRow, error) {
	var rows []AuditRow
	err := d.audited(ctx, []AuditEntry{a}, time.Time{}, func(context.Context, bun.Tx) error { return nil }, &rows)
	if err != nil {
		return AuditRow{}, err
	}
	return rows[0], nil
}

// audited runs fn and appends the entries in one transaction that outlasts a power failure; without a time they get at, else now.
// The head file is written, but not yet in its place, before the commit: where there is no room for it nothing is kept. into takes
// the rows (nil: not wanted).
func (d *DB) audited(ctx context.Context, entries []AuditEntry, at time.Time, fn func(context.Context, bun.Tx) error, into *[]AuditRow) error {
	if at.IsZero() {
		at = d.clock()
	}
	rows := make([]auditRow, len(entries))
	for i := range entries {
		if rows[i] = newAuditRow(&entries[i]); rows[i].At == 0 {
			rows[i].At = millis(at)
		}
		if rows[i].Event == "" {
			return fault.New(fault.Invalid, "an audit entry names no event")
		}
	}
	var staged stagedHead
	defer func() { staged.discard() }()
	err := d.inTxOf(ctx, d.durable, func(ctx context.Context, tx bun.Tx) error {
		staged.discard() // of a run that gave way
		if s := d.eng.durably(); s != "" {
			if _, err := tx.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		if err := fn(ctx, tx); err != nil || len(rows) == 0 {
			return err
		}
		if err := d.link(ctx, tx, rows); err != nil {
			return err
		}
		last := &rows[len(rows)-1]
		var err error
		staged, err = d.head.stage(AuditHead{last.Seq, last.Hash})
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	d.room.found()
	d.publish(ctx, &staged)
	for i := range rows {
		d.tell(ctx, &rows[i])
	}
	if into != nil {
		*into = convert(rows, (*auditRow).row)
	}
	return nil
}

// link appends rows to the chain. It comes last in a transaction: its lock is the one that all audited writes queue for.
func (d *DB) link(ctx context.Context, tx bun.Tx, rows []auditRow) error {
	var head auditHeadRow
	if err := tx.NewRaw("SELECT id, seq, hash FROM audit_head WHERE id = 1 "+d.eng.rowLock()).Scan(ctx, &head); err != nil {
		return err
	}
	if err := d.uncut(ctx, tx, AuditHead{head.Seq, head.Hash}); err != nil {
		return err
	}
	for i := range rows {
		rows[i].Seq, rows[i].Prev = head.Seq+1, head.Hash
		rows[i].Hash = rows[i].sum()
		head.Seq, head.Hash = rows[i].Seq, rows[i].Hash
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return err
	}
	_, err := tx.NewUpdate().Model(&head).WherePK().Exec(ctx)
	return err
}

// publish puts the noted head in its place, after the commit. Failing that is no failure of the write: the next one catches up.
func (d *DB) publish(ctx context.Context, staged *stagedHead) {
	if err := d.head.publish(staged); err != nil {
		d.log.WarnContext(ctx, "the audit's head file was not brought up to date", "path", string(d.head), "error", err)
	}
}

// tell logs a row that was written, with its place in the chain: a copy of the log shows what was cut off the end. What was refused is
// told in the channel of security as well.
func (d *DB) tell(ctx context.Context, r *auditRow) {
	attrs := []slog.Attr{slog.Int64("seq", r.Seq), slog.String("hash", r.Hash), slog.String("event", r.Event), slog.String("principal", r.Principal)}
	for _, a := range []struct{ key, text string }{{"outcome", r.Outcome}, {"door", r.Door}, {"cluster", r.Cluster}, {"plan", r.Plan}, {"tool", r.Tool},
		{"object", r.Object}, {"detail", r.Detail}} {
		if a.text != "" {
			attrs = append(attrs, slog.String(a.key, a.text))
		}
	}
	d.log.LogAttrs(ctx, slog.LevelInfo, "audit", append(attrs, telemetry.Channel(telemetry.ChannelAudit))...)
	if r.Outcome == "denied" {
		d.log.LogAttrs(ctx, slog.LevelInfo, "refused", append(attrs, telemetry.Channel(telemetry.ChannelSecurity))...)
	}
}

// Audit gives the rows that f selects.
func (d *DB) Audit(ctx context.Context, f AuditFilter) ([]AuditRow, error) {
	var rows []auditRow
	q := d.read.NewSelect().Model(&rows).Limit(int64(limitOr(f.Limit, auditLimit)))
	if f.Forward {
		q.Order("seq").Where("seq > ?", f.After)
	} else if q.Order("seq DESC"); f.After > 0 {
		q.Where("seq < ?", f.After)
	}
	if !f.Since.IsZero() {
		q.Where("at >= ?", millis(f.Since))
	}
	if !f.Until.IsZero() {
		q.Where("at < ?", millis(f.Until))
	}
	whereEqual(q, "principal", f.Principal, "cluster", f.Cluster, "tool", f.Tool, "plan", f.Plan)
	if f.Object != "" {
		one := clean(f.Object)
		q.Where("(object = ? OR ',' || object || ',' LIKE ? ESCAPE '\\')", one, "%,"+escapeLike.Replace(one)+",%")
	}
	whereIn(q, "event", f.Events)
	whereIn(q, "outcome", f.Outcomes)
	if err := q.Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*auditRow).row), nil
}

// AuditHead gives the end of the chain; zero while the audit is empty.
func (d *DB) AuditHead(ctx context.Context) (AuditHead, error) {
	var row auditHeadRow
	err := d.read.NewSelect().Model(&row).Where("id = 1").Scan(ctx)
	return AuditHead{row.Seq, row.Hash}, d.fault(err)
}

// escapeLike makes a text mean itself in LIKE.
var escapeLike = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// whereEqual adds a condition for each pair of column and value whose value is not "".
func whereEqual(q *bun.SelectQuery, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Where("? = ?", bun.Ident(pairs[i]), clean(pairs[i+1]))
		}
	}
}

// whereIn asks that a column has one of the values, if there are any.
func whereIn(q *bun.SelectQuery, column string, values []string) {
	if len(values) == 0 {
		return
	}
	cleaned := make([]string, len(values))
	for i, v := range values {
		cleaned[i] = clean(v)
	}
	q.Where("? IN (?)", bun.Ident(column), bun.List(cleaned))
}

// changed says whether a statement met a row.
func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
