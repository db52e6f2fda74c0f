package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

type leaseRow struct {
	bun.BaseModel `bun:"table:leases,alias:l"`

	Name    string `bun:"name,pk"`
	Owner   string `bun:"owner"`
	Epoch   int64  `bun:"epoch"`
	Expires int64  `bun:"expires"`
}

func (r *leaseRow) lease() Lease {
	return Lease{Name: r.Name, Owner: r.Owner, Epoch: r.Epoch, Expires: moment(r.Expires)}
}

// AcquireLease takes the lease if it is free, released or expired (with the next epoch) and renews it when owner holds it already
// (same epoch). Otherwise it answers false and the lease as its holder has it. An owner names one run, not a process: two runs of
// one owner would both hold the lease.
func (d *DB) AcquireLease(ctx context.Context, name, owner string, ttl time.Duration) (Lease, bool, error) {
	row := leaseRow{Name: clean(name), Owner: clean(owner), Epoch: 1}
	var taken bool
	err := d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		now := d.clock()
		row.Expires = millis(now.Add(ttl))
		err := tx.NewInsert().Model(&row).
			On("CONFLICT (name) DO UPDATE").
			Set("epoch = CASE WHEN ?TableAlias.owner = EXCLUDED.owner AND ?TableAlias.expires > ? THEN ?TableAlias.epoch "+
				"ELSE ?TableAlias.epoch + 1 END", millis(now)).
			Set("owner = EXCLUDED.owner").Set("expires = EXCLUDED.expires").
			Where("?TableAlias.owner = EXCLUDED.owner OR ?TableAlias.expires <= ?", millis(now)).
			Returning("*").Scan(ctx)
		if taken = err == nil; taken || !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return tx.NewSelect().Model(&row).Where("name = ?", row.Name).Scan(ctx)
	})
	if err != nil {
		return Lease{}, false, err
	}
	return row.lease(), taken, nil
}

// RenewLease extends a lease that its owner still has, even one that ran out while nobody took it. Fenced when it was taken over
// or released.
func (d *DB) RenewLease(ctx context.Context, l Lease, ttl time.Duration) (Lease, error) {
	l.Expires = moment(millis(d.clock().Add(ttl)))
	return l, d.setLease(ctx, l, l.Owner)
}

// ReleaseLease gives a lease back at once; its epoch stays, so that what still runs under it is refused. Fenced when it was lost.
func (d *DB) ReleaseLease(ctx context.Context, l Lease) error {
	l.Expires = time.Time{}
	return d.setLease(ctx, l, "")
}

func (d *DB) setLease(ctx context.Context, l Lease, owner string) error {
	return d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model((*leaseRow)(nil)).
			Set("owner = ?", owner).Set("expires = ?", millis(l.Expires)).
			Where("name = ? AND owner = ? AND epoch = ?", clean(l.Name), clean(l.Owner), l.Epoch).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return fenced(l)
	})
}

// holds fails with Fenced unless l is the lease as it stands. Expiry alone does not fence: nobody else has begun.
// Where writers are many the lease's row is kept as it is until the transaction ends, so that nobody takes it over meanwhile.
func (d *DB) holds(ctx context.Context, tx bun.Tx, l Lease) error {
	var epoch int64
	err := tx.NewRaw("SELECT epoch FROM leases WHERE name = ? AND owner = ? AND epoch = ? AND owner <> '' "+d.eng.rowLock(),
		clean(l.Name), clean(l.Owner), l.Epoch).Scan(ctx, &epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return fenced(l)
	}
	return err
}

func fenced(l Lease) error {
	return fault.New(fault.Fenced, "the lease %q (epoch %d) was taken over by another process; nothing was written", l.Name, l.Epoch).Retry()
}
