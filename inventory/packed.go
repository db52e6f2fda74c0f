package inventory

import (
	"maps"
	"slices"
	"strings"
)

// The part of a cluster's rows that may be single pieces of memory before all are packed again: while a sync puts rows in (most ticks change
// most of them), and when it has ended, which counts facets too.
const (
	packShare = 4
	restShare = 50
)

// packedRow is a row with its figures, in one piece.
type packedRow struct {
	row
	floats [2]float64
	ints   [7]int64
}

// own copies the row, the figures that it points to and its lists.
func (p *packedRow) own(r *row, lists *arena) *row {
	p.row = *r
	lists.list(&p.tags)
	lists.list(&p.ips)
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

// packedFacets are facets with the flag that they point to.
type packedFacets struct {
	facets
	agent bool
}

// own copies the facets and what they point to.
func (p *packedFacets) own(f *facets, all *arena) *facets {
	p.facets = *f
	if f.Agent != nil {
		p.agent = *f.Agent
		p.Agent = &p.agent
	}
	for _, s := range []*string{&p.Sum, &p.UUID, &p.CTime, &p.Name, &p.Note, &p.Parent, &p.Doubt} {
		all.text(s)
	}
	for _, l := range []*[]string{&p.Volumes, &p.Loose, &p.Nets, &p.Storages, &p.IPs} {
		all.list(l)
	}
	for _, l := range [][]string{p.Volumes, p.Loose, p.IPs} {
		for k := range l {
			all.text(&l[k])
		}
	}
	return &p.facets
}

// arena copies strings and lists of them into pieces of so many bytes and strings, and each alone where these are zero or it is long beside them.
type arena struct {
	bytes, entries int
	chunk          strings.Builder
	lists          []string
}

// Pieces are large beside a name or a few volumes, and small beside what some hundred guests have of them.
func newArena() *arena { return &arena{bytes: 16 << 10, entries: 512} }

// ofPiece is the part of a piece that one string or list may take.
const ofPiece = 8

// text replaces a string by its copy.
func (a *arena) text(s *string) {
	if len(*s) > a.bytes/ofPiece {
		*s = strings.Clone(*s)
		return
	}
	if a.chunk.Cap()-a.chunk.Len() < len(*s) {
		a.chunk = strings.Builder{}
		a.chunk.Grow(a.bytes)
	}
	from := a.chunk.Len()
	a.chunk.WriteString(*s)
	*s = a.chunk.String()[from:]
}

// list replaces a list by its copy, with the same strings.
func (a *arena) list(l *[]string) {
	n := len(*l)
	if n > a.entries/ofPiece {
		*l = slices.Clone(*l)
		return
	}
	if cap(a.lists)-len(a.lists) < n {
		a.lists = make([]string, 0, a.entries)
	}
	from := len(a.lists)
	a.lists = append(a.lists, *l...)
	if *l != nil {
		*l = a.lists[from:len(a.lists):len(a.lists)]
	}
}

// pack copies the rows, which no reader has yet, into one piece of memory. Rows are replaced one by one, and the collector moves nothing:
// what a tick makes lands between what the tick before it left, and twice the memory stays taken.
func (c *clusterView) pack() {
	slab, lists := make([]packedRow, len(c.rows)), newArena()
	for i, r := range c.rows {
		c.rows[i] = slab[i].own(r, lists)
		c.byID[r.g.VMID] = c.rows[i]
	}
	c.loose = 0
}

// packAll does the same with what seldom changes too, where much of it is scattered. A sync under way has no memory to spare for this.
func (c *clusterView) packAll() {
	if max(c.loose, c.looseFacets)*restShare <= len(c.rows) {
		return
	}
	c.byID, c.rows = maps.Clone(c.byID), slices.Clone(c.rows)
	c.pack()
	slab, all := make([]packedFacets, len(c.rows)), newArena()
	for i, r := range c.rows {
		r.texts(all)
		if r.f != nil {
			r.f = slab[i].own(r.f, all)
		}
	}
	c.looseFacets = 0
}

// texts copies the strings of a row that nobody else has; those that many rows share are interned.
func (r *row) texts(all *arena) {
	lower := r.lower == r.g.Name
	all.text(&r.g.Name)
	if lower {
		r.lower = r.g.Name
	}
	all.text(&r.g.ConfigHash)
	all.text(&r.g.Digest)
	for k := range r.ips {
		all.text(&r.ips[k])
	}
}

// alone is a copy of the row that keeps nothing else in memory: for those that outlive the others.
func (r *row) alone() *row {
	single := new(arena)
	c := new(packedRow).own(r, single)
	c.texts(single)
	if c.f != nil {
		c.f = new(packedFacets).own(c.f, single)
	}
	return c
}
