package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// ApplyBatch writes one step of a sync in one transaction: all of it or nothing. It fails with Fenced when l is no longer held,
// and with Invalid when a content's hash is not pve.Hash of its bytes. Rows take the batch's cluster and the new generation;
// the generation grows by one when something was written, and stays when nothing was (an empty batch, contents already known).
// A guest of a new life ends the older lives of its vmid: their rows become gone at b.At.
func (d *DB) ApplyBatch(ctx context.Context, l Lease, b Batch) (Applied, error) {
	b.Cluster = clean(b.Cluster)
	if b.At.IsZero() {
		b.At = d.clock()
	}
	var done Applied
	err := d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := d.holds(ctx, tx, l); err != nil {
			return err
		}
		a := applier{d: d, tx: tx, b: &b}
		var err error
		done, err = a.apply(ctx)
		return err
	})
	if err != nil {
		return Applied{}, err
	}
	return done, nil
}

// applier writes one batch within its transaction.
type applier struct {
	d   *DB
	tx  bun.Tx
	b   *Batch
	gen int64
}

func (a *applier) apply(ctx context.Context) (Applied, error) {
	gen, err := a.generation(ctx)
	if err != nil {
		return Applied{}, err
	}
	versions, bodies, err := a.newVersions(ctx)
	if err != nil {
		return Applied{}, err
	}
	b := a.b
	if len(versions)+len(b.Guests)+len(b.Objects)+len(b.Changes)+len(b.Tasks) == 0 {
		return Applied{Generation: gen}, nil
	}
	if err := a.nextGeneration(ctx); err != nil {
		return Applied{}, err
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return a.writeVersions(ctx, versions, bodies) },
		a.guests, a.objects, a.changes, a.tasks,
	} {
		if err := step(ctx); err != nil {
			return Applied{}, err
		}
	}
	return Applied{Generation: a.gen, NewVersions: len(versions)}, nil
}

// generation gives the generation as it is. Its row is also what batches queue for: one after the other they compare contents, and
// become visible in the order of their generations, whichever database is behind.
func (a *applier) generation(ctx context.Context) (gen int64, err error) {
	err = a.tx.NewRaw("SELECT value FROM meta WHERE key = 'generation' "+a.d.eng.rowLock()).Scan(ctx, &gen)
	return gen, err
}

func (a *applier) nextGeneration(ctx context.Context) error {
	return a.tx.NewRaw("UPDATE meta SET value = value + 1 WHERE key = 'generation' RETURNING value").Scan(ctx, &a.gen)
}

func (a *applier) guests(ctx context.Context) error {
	rows := make([]guestRow, len(a.b.Guests))
	var reborn []int64
	for i := range a.b.Guests {
		rows[i] = newGuestRow(&a.b.Guests[i], a.b.Cluster, a.gen)
		if rows[i].Life > 1 {
			reborn = append(reborn, rows[i].VMID)
		}
	}
	if err := bulkInsert(ctx, a.d, a.tx, rows, replace); err != nil || len(reborn) == 0 {
		return err
	}
	return a.endOldLives(ctx, reborn)
}

// endOldLives marks what was left of earlier lives as gone: one vmid never has two present guests.
func (a *applier) endOldLives(ctx context.Context, vmids []int64) error {
	_, err := a.tx.NewUpdate().Model((*guestRow)(nil)).
		Set("gone_at = ?", millis(a.b.At)).Set("gen = ?", a.gen).
		Where("cluster = ? AND gone_at = 0 AND vmid IN (?)", a.b.Cluster, bun.List(vmids)).
		Where("life < (SELECT max(n.life) FROM guests AS n WHERE n.cluster = ?TableAlias.cluster AND n.vmid = ?TableAlias.vmid)").
		Exec(ctx)
	return err
}

func (a *applier) objects(ctx context.Context) error {
	rows := make([]objectRow, len(a.b.Objects))
	for i := range a.b.Objects {
		rows[i] = newObjectRow(&a.b.Objects[i], a.b.Cluster, a.gen)
	}
	return bulkInsert(ctx, a.d, a.tx, rows, replace)
}

func (a *applier) changes(ctx context.Context) error {
	rows := make([]changeRow, len(a.b.Changes))
	for i := range a.b.Changes {
		rows[i] = newChangeRow(&a.b.Changes[i], a.b)
	}
	return bulkInsert(ctx, a.d, a.tx, rows, fail)
}

func (a *applier) tasks(ctx context.Context) error {
	rows := make([]taskRow, len(a.b.Tasks))
	for i := range a.b.Tasks {
		rows[i] = newTaskRow(&a.b.Tasks[i], a.b.Cluster, a.gen)
	}
	return bulkInsert(ctx, a.d, a.tx, rows, replace)
}

func badContent(c *Content, why string) error {
	return fault.New(fault.Invalid, "the content of %s %s of cluster %q %s", c.Kind, c.ID, c.Cluster, why)
}
