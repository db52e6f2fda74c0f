package inventory

// packShare is the part of a cluster's rows that may be single pieces of memory before all are packed again: most ticks change most rows.
const packShare = 4

// packedRow is a row with its figures, in one piece.
type packedRow struct {
	row
	floats [2]float64
	ints   [7]int64
}

// own copies the row and the figures that it points to.
func (p *packedRow) own(r *row) *row {
	p.row = *r
	g := &p.row.g
	for i, f := range []**float64{&g.CPU, &g.MaxCPU} {
		if *f != nil {
			p.floats[i] = **f
			*f = &p.floats[i]
		}
	}
	for i, n := range []**int64{&g.Mem, &g.MaxMem, &g.Disk, &g.MaxDisk, &g.Uptime, &g.NetIn, &g.NetOut} {
		if *n != nil {
			p.ints[i] = **n
			*n = &p.ints[i]
		}
	}
	return &p.row
}

// pack copies the rows into one piece of memory. Rows are replaced one by one, and the collector moves nothing: what a tick makes
// lands between what the tick before it left, and twice the memory stays taken.
func (c *clusterView) pack() {
	slab := make([]packedRow, len(c.rows))
	for i, r := range c.rows {
		c.rows[i] = slab[i].own(r)
		c.byID[r.g.VMID] = c.rows[i]
	}
	c.loose = 0
}

// alone is a copy of the row that keeps no other row in memory: for those that outlive the others.
func (r *row) alone() *row { return new(packedRow).own(r) }
