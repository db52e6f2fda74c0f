package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// syncRows is how many sync runs are kept per cluster: a tick every ten seconds adds one, so they must not pile up.
const syncRows = 500

type syncRow struct {
	bun.BaseModel `bun:"table:syncs,alias:s"`

	ID        int64  `bun:"id,pk,autoincrement"`
	Cluster   string `bun:"cluster"`
	Mode      string `bun:"mode"`
	Started   int64  `bun:"started"`
	Finished  int64  `bun:"finished"`
	Complete  bool   `bun:"complete"`
	Calls     int64  `bun:"calls"`
	Created   int64  `bun:"created"`
	Updated   int64  `bun:"updated"`
	Gone      int64  `bun:"gone"`
	Unchanged int64  `bun:"unchanged"`
	Unknown   int64  `bun:"unknown"`
	Warnings  string `bun:"warnings"` // JSON list, "" = none
}

type clusterRow struct {
	bun.BaseModel `bun:"table:clusters"`

	Name      string `bun:"name,pk"`
	FirstSeen int64  `bun:"first_seen"`
}

func newSyncRow(s *Sync) (syncRow, error) {
	row := syncRow{
		ID: s.ID, Cluster: clean(s.Cluster), Mode: clean(s.Mode), Started: millis(s.Started), Finished: millis(s.Finished),
		Complete: s.Complete, Calls: int64(s.Calls), Created: int64(s.Created), Updated: int64(s.Updated), Gone: int64(s.Gone),
		Unchanged: int64(s.Unchanged), Unknown: int64(s.Unknown),
	}
	if len(s.Warnings) == 0 {
		return row, nil
	}
	text, err := json.Marshal(s.Warnings)
	row.Warnings = string(text)
	return row, err
}

func (r *syncRow) sync() (Sync, error) {
	s := Sync{
		ID: r.ID, Cluster: r.Cluster, Mode: r.Mode, Started: moment(r.Started), Finished: moment(r.Finished), Complete: r.Complete,
		Calls: int(r.Calls), Created: int(r.Created), Updated: int(r.Updated), Gone: int(r.Gone), Unchanged: int(r.Unchanged),
		Unknown: int(r.Unknown),
	}
	if r.Warnings == "" {
		return s, nil
	}
	return s, json.Unmarshal([]byte(r.Warnings), &s.Warnings)
}

// BeginSync records that a run has begun and gives its id. Fenced when l is no longer held.
func (d *DB) BeginSync(ctx context.Context, l Lease, s Sync) (int64, error) {
	row, err := newSyncRow(&s)
	if err != nil {
		return 0, d.fault(err)
	}
	row.ID = 0
	err = d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := d.holds(ctx, tx, l); err != nil {
			return err
		}
		cluster := clusterRow{Name: row.Cluster, FirstSeen: row.Started}
		if _, err := tx.NewInsert().Model(&cluster).On("CONFLICT (name) DO NOTHING").Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
	return row.ID, err
}

// FinishSync completes the row of s.ID and forgets runs and tasks beyond what is kept. Fenced when l is no longer held.
func (d *DB) FinishSync(ctx context.Context, l Lease, s Sync) error {
	row, err := newSyncRow(&s)
	if err != nil {
		return d.fault(err)
	}
	return d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := d.holds(ctx, tx, l); err != nil {
			return err
		}
		res, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.NotFound, "there is no sync run %d", s.ID))
		}
		if err := pruneTasks(ctx, tx, row.Cluster, d.clock()); err != nil {
			return err
		}
		return pruneSyncs(ctx, tx, row.Cluster)
	})
}

func pruneSyncs(ctx context.Context, tx bun.Tx, cluster string) error {
	var oldest int64
	err := tx.NewSelect().Model((*syncRow)(nil)).Column("id").Where("cluster = ?", cluster).
		Order("id DESC").Offset(syncRows-1).Limit(1).Scan(ctx, &oldest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = tx.NewDelete().Model((*syncRow)(nil)).Where("cluster = ? AND id < ?", cluster, oldest).Exec(ctx)
	return err
}

// LastSync gives the newest finished run of a cluster; ok is false when there is none.
func (d *DB) LastSync(ctx context.Context, cluster string) (last Sync, ok bool, err error) {
	var row syncRow
	err = d.read.NewSelect().Model(&row).Where("cluster = ? AND finished > 0", clean(cluster)).Order("id DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Sync{}, false, nil
	}
	if err != nil {
		return Sync{}, false, d.fault(err)
	}
	last, err = row.sync()
	return last, err == nil, d.fault(err)
}
