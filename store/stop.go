package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// StopState is the emergency stop as it is now. The other fields are zero while it is off.
type StopState struct {
	On     bool
	Since  time.Time
	Until  time.Time // when it ends by itself; zero = when somebody ends it
	By     string
	Reason string
}

type stopRow struct {
	bun.BaseModel `bun:"table:emergency_stop"`

	ID     int64  `bun:"id,pk"`
	Active bool   `bun:"active"`
	Since  int64  `bun:"since"`
	Until  int64  `bun:"until"`
	Author string `bun:"author"`
	Reason string `bun:"reason"`
}

// state is the stop at a time.
func (r *stopRow) state(now time.Time) StopState {
	if !r.Active || r.Until > 0 && millis(now) >= r.Until {
		return StopState{}
	}
	return StopState{On: true, Since: moment(r.Since), Until: moment(r.Until), By: r.Author, Reason: r.Reason}
}

// SetStop turns the emergency stop on, until a time (zero: for good) by the store's clock, or off, with its audit entry. When it
// has returned, SaveStep lets no step be sent, in any process.
func (d *DB) SetStop(ctx context.Context, on bool, until time.Time, by, reason string, a AuditEntry) error {
	row := stopRow{ID: 1}
	if on {
		row = stopRow{ID: 1, Active: true, Since: millis(d.clock()), Until: millis(until), Author: clean(by), Reason: clean(reason)}
	}
	return d.audited(ctx, []AuditEntry{a}, time.Time{}, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").Exec(ctx)
		return err
	}, nil)
}

// Stopped says whether the emergency stop is on.
func (d *DB) Stopped(ctx context.Context) (StopState, error) {
	var row stopRow
	if err := d.read.NewSelect().Model(&row).Where("id = 1").Scan(ctx); err != nil {
		return StopState{}, d.fault(err)
	}
	return row.state(d.clock()), nil
}

// notStopped fails with ReadOnly while the stop is on. Where writers are many its row is kept as it is until the transaction ends:
// who turns it on waits for the intents before.
func (d *DB) notStopped(ctx context.Context, tx bun.Tx) error {
	var row stopRow
	err := tx.NewRaw("SELECT * FROM emergency_stop WHERE id = 1 "+d.eng.rowLock()).Scan(ctx, &row)
	if err != nil {
		return err
	}
	s := row.state(d.clock())
	if !s.On {
		return nil
	}
	return fault.New(fault.ReadOnly, "the emergency stop is on since %s: nothing is sent", s.Since.Format(time.RFC3339)).
		WithHint("turned on by %s; its owner ends it on a terminal", s.By)
}

type settingRow struct {
	bun.BaseModel `bun:"table:settings"`

	Key   string `bun:"key,pk"`
	Value string `bun:"value"`
}

// Setting gives a setting that all processes share; ok is false when it was never set.
func (d *DB) Setting(ctx context.Context, key string) (value string, ok bool, err error) {
	var row settingRow
	err = d.read.NewSelect().Model(&row).Where("? = ?", bun.Ident("key"), clean(key)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return row.Value, err == nil, d.fault(err)
}

// SetSetting sets one, with its audit entry, which does not show the value.
func (d *DB) SetSetting(ctx context.Context, key, value string, a AuditEntry) error {
	row := settingRow{Key: clean(key), Value: clean(value)}
	return d.audited(ctx, []AuditEntry{a}, time.Time{}, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (key) DO UPDATE").Exec(ctx)
		return err
	}, nil)
}
