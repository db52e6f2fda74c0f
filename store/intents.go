package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Want is what a person means an object to be.
type Want string

// The wants. WantAwake is said of a node: its disks never sleep, so that asking them for their health wakes none.
const (
	WantOff         Want = "off"
	WantMaintenance Want = "maintenance"
	WantAwake       Want = "awake"
)

// Intent is what a person said of one object: at most one per object. Life is that of a guest, so that another guest under the same vmid
// does not inherit it; 0 for other objects. Until is when it ends by itself, zero = it stays.
type Intent struct {
	Ref
	Life  int
	Want  Want
	Until time.Time
	Note  string // in the person's own words
	Who   string // principal, such as local:1000
	SetAt time.Time
}

type intentRow struct {
	bun.BaseModel `bun:"table:intents,alias:i"`

	Cluster string `bun:"cluster,pk"`
	Kind    string `bun:"kind,pk"`
	ID      string `bun:"id,pk"`
	Life    int64  `bun:"life"`
	Want    string `bun:"want"`
	Until   int64  `bun:"until"`
	Note    string `bun:"note"`
	Who     string `bun:"who"`
	SetAt   int64  `bun:"set_at"`
}

func newIntentRow(i *Intent) intentRow {
	return intentRow{Cluster: clean(i.Cluster), Kind: clean(string(i.Kind)), ID: clean(i.ID), Life: int64(i.Life), Want: clean(string(i.Want)),
		Until: millis(i.Until), Note: clean(i.Note), Who: clean(i.Who), SetAt: millis(i.SetAt)}
}

func (r *intentRow) intent() Intent {
	return Intent{Ref: Ref{r.Cluster, Kind(r.Kind), r.ID}, Life: int(r.Life), Want: Want(r.Want), Until: moment(r.Until), Note: r.Note, Who: r.Who,
		SetAt: moment(r.SetAt)}
}

// Intents gives the intents of a cluster ("" = all), those that have ended too, by cluster, kind and id.
func (d *DB) Intents(ctx context.Context, cluster string) ([]Intent, error) {
	var rows []intentRow
	q := d.read.NewSelect().Model(&rows).Order("cluster", "kind", "id")
	if cluster != "" {
		q.Where("cluster = ?", clean(cluster))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*intentRow).intent), nil
}

// SetIntent keeps an intent in place of the object's earlier one. The generation grows, so that running servers notice. It needs no lease:
// an intent is a person's act and no sync's.
func (d *DB) SetIntent(ctx context.Context, i Intent) error {
	return d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := d.turn(ctx, tx); err != nil {
			return err
		}
		return bulkInsert(ctx, d, tx, []intentRow{newIntentRow(&i)}, replace)
	})
}

// ClearIntent forgets an object's intent; ok is false when it had none.
func (d *DB) ClearIntent(ctx context.Context, ref Ref) (ok bool, err error) {
	err = d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		ok = false
		res, err := tx.NewDelete().Model((*intentRow)(nil)).
			Where("cluster = ? AND kind = ? AND id = ?", clean(ref.Cluster), clean(string(ref.Kind)), clean(ref.ID)).Exec(ctx)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		ok = true
		return d.turn(ctx, tx)
	})
	return ok, err
}

// turn begins the next generation outside of a batch.
func (d *DB) turn(ctx context.Context, tx bun.Tx) error {
	a := applier{d: d, tx: tx}
	if _, err := a.generation(ctx); err != nil {
		return err
	}
	return a.nextGeneration(ctx)
}
