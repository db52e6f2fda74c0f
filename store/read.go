package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// changeLimit is how many changes are given when no limit is asked for.
const changeLimit = 1000

func limitOr(limit, standard int) int {
	if limit <= 0 {
		return standard
	}
	return limit
}

func convert[R, T any](rows []R, to func(*R) T) []T {
	out := make([]T, len(rows))
	for i := range rows {
		out[i] = to(&rows[i])
	}
	return out
}

// Guests gives the guest rows that f selects, by cluster, vmid and life. To follow changes ask WithGone with the last generation
// seen: a guest that went is a changed row.
func (d *DB) Guests(ctx context.Context, f GuestFilter) ([]Guest, error) {
	var rows []guestRow
	q := d.read.NewSelect().Model(&rows).Order("cluster", "vmid", "life")
	if f.Cluster != "" {
		q.Where("cluster = ?", clean(f.Cluster))
	}
	if f.AfterGen > 0 {
		q.Where("gen > ?", f.AfterGen)
	}
	if !f.WithGone {
		q.Where("gone_at = 0")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*guestRow).guest), nil
}

// Objects gives the other objects of a cluster ("" = all) that changed after a generation, gone ones too, by kind and id.
func (d *DB) Objects(ctx context.Context, cluster string, afterGen int64) ([]Object, error) {
	var rows []objectRow
	q := d.read.NewSelect().Model(&rows).Order("cluster", "kind", "id").Where("gen > ?", afterGen)
	if cluster != "" {
		q.Where("cluster = ?", clean(cluster))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*objectRow).object), nil
}

// Content gives the canonical JSON that a hash names; NotFound when there is none.
func (d *DB) Content(ctx context.Context, hash string) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, d.fault(err)
	}
	var body string
	err := d.conStm.QueryRowContext(d.pointRead(ctx), clean(hash)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "the state store has no content %q", hash)
	}
	return json.RawMessage(body), d.fault(err)
}

// Versions gives the versions of an object, all lives, oldest first.
func (d *DB) Versions(ctx context.Context, ref Ref) ([]Version, error) {
	var rows []versionRow
	err := d.read.NewSelect().Model(&rows).Order("life", "seq").
		Where("cluster = ? AND kind = ? AND id = ?", clean(ref.Cluster), clean(string(ref.Kind)), clean(ref.ID)).Scan(ctx)
	if err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*versionRow).version), nil
}

// Revision is a version of an object that took the place of another one.
type Revision struct {
	Version
	Old string // content hash of the version before
}

// Revisions gives the versions that replaced others and that f selects by when they became known, newest first.
func (d *DB) Revisions(ctx context.Context, f HistoryFilter) ([]Revision, error) {
	var rows []struct {
		versionRow `bun:",extend"`
		Old        string `bun:"old"`
	}
	q := d.read.NewSelect().TableExpr("object_versions AS v").ColumnExpr("v.*, p.hash AS old").
		Join("JOIN object_versions AS p ON p.cluster = v.cluster AND p.kind = v.kind AND p.id = v.id AND p.life = v.life AND p.seq = v.seq - 1").
		OrderExpr("v.seen_at DESC, v.kind, v.id, v.seq DESC")
	if err := f.narrow(q, "v", "id", "seen_at").Scan(ctx, &rows); err != nil {
		return nil, d.fault(err)
	}
	out := make([]Revision, len(rows))
	for i := range rows {
		out[i] = Revision{rows[i].version(), rows[i].Old}
	}
	return out, nil
}

// Changes gives what happened and f selects, newest first.
func (d *DB) Changes(ctx context.Context, f HistoryFilter) ([]Change, error) {
	var rows []changeRow
	q := d.read.NewSelect().Model(&rows).Order("at DESC", "id DESC")
	if f.Field != "" {
		q.Where("?.? = ?", bun.Ident("c"), bun.Ident("field"), clean(f.Field))
	}
	if err := f.narrow(q, "c", "object", "at").Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*changeRow).change), nil
}

// narrow adds the filter to a query over the table t, which has the object's id and the time in columns of these names.
func (f HistoryFilter) narrow(q *bun.SelectQuery, t, id, at string) *bun.SelectQuery {
	for column, value := range map[string]string{"cluster": f.Cluster, "kind": string(f.Kind), id: f.ID} {
		if value != "" {
			q.Where("?.? = ?", bun.Ident(t), bun.Ident(column), clean(value))
		}
	}
	if !f.Since.IsZero() {
		q.Where("?.? >= ?", bun.Ident(t), bun.Ident(at), millis(f.Since))
	}
	if !f.Until.IsZero() {
		q.Where("?.? < ?", bun.Ident(t), bun.Ident(at), millis(f.Until))
	}
	return q.Limit(int64(limitOr(f.Limit, changeLimit)))
}
