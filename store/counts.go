package store

import (
	"context"
	"time"
)

// Counts is how much the store holds, for metrics: counted by the database, no rows are read.
type Counts struct {
	Bytes  int64                // on disk, its log included
	Plans  map[string]int64     // by state
	Guests []GuestCount         // those that are not gone
	Synced map[string]time.Time // end of the newest run, by cluster; a cluster that never had one is not in it
}

// GuestCount is how many guests of a cluster are of a type (qemu, lxc) and in a state as last seen (running, stopped).
type GuestCount struct {
	Cluster string `bun:"cluster"`
	Type    string `bun:"type"`
	Status  string `bun:"status"`
	N       int64  `bun:"n"`
}

// Counts counts.
func (d *DB) Counts(ctx context.Context) (Counts, error) {
	c := Counts{Plans: map[string]int64{}, Synced: map[string]time.Time{}}
	var err error
	if c.Bytes, err = d.eng.size(ctx, d.read.DB); err != nil {
		return c, d.fault(err)
	}
	var plans []struct {
		State string `bun:"state"`
		N     int64  `bun:"n"`
	}
	if err := d.read.NewSelect().Table("plans").Column("state").ColumnExpr("count(*) AS n").Group("state").Scan(ctx, &plans); err != nil {
		return c, d.fault(err)
	}
	for _, p := range plans {
		c.Plans[p.State] = p.N
	}
	err = d.read.NewSelect().Table("guests").Column("cluster", "type", "status").ColumnExpr("count(*) AS n").Where("gone_at = 0").
		Group("cluster", "type", "status").Order("cluster", "type", "status").Scan(ctx, &c.Guests)
	if err != nil {
		return c, d.fault(err)
	}
	c.Synced, err = d.Synced(ctx)
	return c, err
}

// Synced gives the end of each cluster's newest finished run; a cluster that never had one is not in it.
func (d *DB) Synced(ctx context.Context) (map[string]time.Time, error) {
	var runs []struct {
		Cluster  string `bun:"cluster"`
		Finished int64  `bun:"finished"`
	}
	err := d.read.NewSelect().Table("syncs").Column("cluster").ColumnExpr("max(finished) AS finished").Where("finished > 0").
		Group("cluster").Scan(ctx, &runs)
	out := make(map[string]time.Time, len(runs))
	for _, r := range runs {
		out[r.Cluster] = moment(r.Finished)
	}
	return out, d.fault(err)
}
