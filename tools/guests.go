package tools

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type guestsIn struct {
	Query  string   `json:"query" example:"state:running cpu>80 -tag:test order:mem" desc:"text, node: tag:web state:running type:vm|ct pool: ip: os: storage: cpu>80 mem>4G disk> backup:none backup>7d snapshot>30d agent:none onboot:yes ha:yes lock: name:web* vmid:100-199; - negates; order:cpu"`
	Fields []string `json:"fields" desc:"columns to add: mem disk cpus uptime pool ip os ha lock onboot cluster" rule:"must be of mem, disk, cpus, uptime, pool, ip, os, ha, lock, onboot, cluster" example:"mem,ip"`
	Limit  int      `json:"limit" min:"1" max:"500" example:"100"`
	Cursor string   `json:"cursor" desc:"next_cursor of the page before"`
	Common
}

type guestsOut struct {
	Envelope
	Total      int       `json:"total"`
	Counts     countsOut `json:"counts"`
	Columns    []string  `json:"columns"`
	Rows       guestRows `json:"rows"`
	NextCursor string    `json:"next_cursor,omitempty"`
	src        inventory.GuestPage
	cols       []guestColumn
	empty      string
}

// guestRows become values only when they are encoded: most answers go out as text.
type guestRows struct {
	guests []inventory.Guest
	cols   []guestColumn
}

// MarshalJSON implements json.Marshaler: a list of rows in the order of the columns.
func (r guestRows) MarshalJSON() ([]byte, error) {
	rows := make([][]any, 0, len(r.guests))
	for i := range r.guests {
		row := make([]any, 0, len(r.cols))
		for _, c := range r.cols {
			row = append(row, c.value(&r.guests[i]))
		}
		rows = append(rows, row)
	}
	return json.Marshal(rows)
}

func findGuests() Spec {
	return define(Spec{
		Name: "find_guests", Title: "Find guests", Family: "guest", Command: "guest list", Args: []string{"query"},
		Needs:   []Need{needGuests, needPools},
		Summary: "VMs and containers that match a query, with counts over all matches; pages of 50.",
		Examples: []Example{
			{CLI: "guest list", Args: map[string]any{}, Why: "all guests"},
			{CLI: "guest list 'state:running cpu>50 order:cpu'", Args: map[string]any{"query": "state:running cpu>50 order:cpu"}, Why: "busy ones first"},
			{CLI: "guest list backup:none -o json", Args: map[string]any{"query": "backup:none", "format": "json"}, Why: "guests that no backup job covers"},
		},
	}, func(ctx context.Context, d Deps, in *guestsIn) (*guestsOut, error) {
		cols, err := guestColumns(withSizes(in.Fields, in.Query))
		if err != nil {
			return nil, err
		}
		p, err := d.Inventory.FindGuests(ctx, inventory.GuestQuery{Query: in.Query, Limit: in.Limit, Cursor: in.Cursor, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		return guestsOf(d, p, cols, in.Query), nil
	})
}

func guestsOf(d Deps, p inventory.GuestPage, cols []guestColumn, query string) *guestsOut {
	out := &guestsOut{Envelope: envelope(d, p.Meta), Total: p.Counts.Total, Counts: countsOf(p.Counts), Rows: guestRows{p.Rows, cols},
		NextCursor: p.NextCursor, src: p, cols: cols, empty: query}
	if (d.Several || spansClusters(p.Rows)) && !slices.ContainsFunc(cols, func(c guestColumn) bool { return c.name == "cluster" }) {
		cols = append(cols, extraColumns[len(extraColumns)-1])
		out.cols = cols
	}
	out.Rows.cols = valueColumns(cols)
	for _, c := range out.Rows.cols {
		out.Columns = append(out.Columns, c.name)
	}
	return out
}

// valueColumns are the columns for programs: what text shows as used/total is two.
func valueColumns(cols []guestColumn) []guestColumn {
	var out []guestColumn
	for _, c := range cols {
		if c.name != "mem" {
			out = append(out, c)
			continue
		}
		out = append(out, guestColumn{name: "mem_bytes", value: memUsed}, guestColumn{name: "maxmem_bytes", value: c.value})
	}
	return out
}

// spansClusters says that a vmid alone does not name a guest of this page.
func spansClusters(rows []inventory.Guest) bool {
	return slices.ContainsFunc(rows, func(g inventory.Guest) bool { return g.Cluster != rows[0].Cluster })
}

// View implements Answer.
func (o *guestsOut) View(d Deps) View {
	v := View{Warnings: o.src.Warnings}
	c := o.src.Counts
	if c.Total == 0 {
		what := "no guests are visible"
		if o.empty != "" {
			what = "no guest matches " + strconv.Quote(cell(o.empty, 200))
		}
		v.Line("%s, %s", what, asOf(d, o.src.Meta))
		return v
	}
	v.Line("%s (%d vm, %d ct): %s, %s", counted(c.Total, "guest"), c.VMs, c.CTs, guestCounts(c), asOf(d, o.src.Meta))
	t := Table{Name: "guests", Main: true, Dense: true, Rows: make([][]string, 0, len(o.src.Rows))}
	for _, c := range o.cols {
		t.Columns = append(t.Columns, c.name)
	}
	cells := make([]string, 0, len(o.src.Rows)*len(o.cols))
	for i := range o.src.Rows {
		from := len(cells)
		for _, col := range o.cols {
			cells = append(cells, col.text(d, &o.src.Rows[i]))
		}
		t.Rows = append(t.Rows, cells[from:len(cells):len(cells)])
	}
	v.Table(t)
	if o.NextCursor != "" {
		v.Line("%d more, cursor %s", c.Total-cursorDone(o.NextCursor, len(o.src.Rows)), o.NextCursor)
	}
	return v
}

// cursorDone is how many rows are behind the cursor, which begins with that number ("50" or "50-..."); else this page's rows.
func cursorDone(cursor string, page int) int {
	head, _, _ := strings.Cut(cursor, "-")
	if n, err := strconv.Atoi(head); err == nil {
		return n
	}
	return page
}

// guestColumn is one column of a guest list: its JSON value (sizes in bytes, loads 0..1) and its text.
type guestColumn struct {
	name  string
	value func(g *inventory.Guest) any
	text  func(d Deps, g *inventory.Guest) string
}

func plainColumn(name string, limit int, get func(g *inventory.Guest) string) guestColumn {
	return guestColumn{name, func(g *inventory.Guest) any { return get(g) },
		func(_ Deps, g *inventory.Guest) string { return cell(get(g), limit) }}
}

// optional is nil for a nil pointer, so that JSON says null and not 0 where a value is not known.
func optional[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

var baseColumns = []guestColumn{
	{"vmid", func(g *inventory.Guest) any { return g.VMID }, func(_ Deps, g *inventory.Guest) string { return strconv.Itoa(g.VMID) }},
	plainColumn("name", 63, func(g *inventory.Guest) string { return g.Name }),
	plainColumn("type", 4, func(g *inventory.Guest) string { return g.Type.Short() }),
	plainColumn("node", 63, func(g *inventory.Guest) string { return g.Node }),
	plainColumn("state", 12, func(g *inventory.Guest) string { return g.State }),
	{"cpu%", func(g *inventory.Guest) any { return percentOf(g.CPU, g.State) }, func(_ Deps, g *inventory.Guest) string {
		return ifRunning(g, fraction(g.CPU))
	}},
	{"mem%", memPercent, func(_ Deps, g *inventory.Guest) string {
		return ifRunning(g, percent(g.Mem, g.MaxMem))
	}},
	plainColumn("tags", 80, func(g *inventory.Guest) string { return strings.Join(g.Tags, ";") }),
}

var extraColumns = []guestColumn{
	{"mem", func(g *inventory.Guest) any { return optional(g.MaxMem) }, func(_ Deps, g *inventory.Guest) string { return amounts(g.Mem, g.MaxMem) }},
	{"disk", func(g *inventory.Guest) any { return optional(g.MaxDisk) }, func(_ Deps, g *inventory.Guest) string {
		if g.Disk == nil {
			return sizeOf(g.MaxDisk)
		}
		return amounts(g.Disk, g.MaxDisk)
	}},
	{"cpus", func(g *inventory.Guest) any { return optional(g.MaxCPU) }, func(_ Deps, g *inventory.Guest) string { return whole(g.MaxCPU) }},
	{"uptime", func(g *inventory.Guest) any { return optional(g.Uptime) }, func(_ Deps, g *inventory.Guest) string { return seconds(g.Uptime) }},
	plainColumn("pool", 63, func(g *inventory.Guest) string { return g.Pool }),
	plainColumn("ip", 90, func(g *inventory.Guest) string { return strings.Join(g.IPs, ",") }),
	plainColumn("os", 20, func(g *inventory.Guest) string { return g.OS }),
	plainColumn("ha", 20, func(g *inventory.Guest) string { return g.HA }),
	plainColumn("lock", 20, func(g *inventory.Guest) string { return g.Lock }),
	{"onboot", func(g *inventory.Guest) any { return optional(g.OnBoot) }, func(_ Deps, g *inventory.Guest) string { return yesNo(g.OnBoot) }},
	plainColumn("cluster", 40, func(g *inventory.Guest) string { return g.Cluster }),
}

// withSizes adds the column of the bytes that a query sorts by: the base has shares alone.
func withSizes(fields []string, query string) []string {
	for _, column := range []string{"mem", "disk"} {
		asked := slices.ContainsFunc(strings.Fields(query), func(word string) bool {
			order, ok := strings.CutPrefix(word, "order:")
			return ok && slices.Contains([]string{column + "used", "max" + column}, strings.TrimPrefix(order, "-"))
		})
		if asked && !slices.Contains(fields, column) {
			fields = append(slices.Clip(fields), column)
		}
	}
	return fields
}

// guestColumns is the base and the asked-for columns, in the order of the table above.
func guestColumns(names []string) ([]guestColumn, error) {
	var known []string
	for _, c := range extraColumns {
		known = append(known, c.name)
	}
	cols := slices.Clone(baseColumns)
	for _, n := range names {
		i := slices.Index(known, strings.ToLower(strings.TrimSpace(n)))
		if i < 0 {
			return nil, fieldNamed[guestsIn]("fields").bad("")
		}
		cols = append(cols, extraColumns[i])
	}
	return cols, nil
}

// fieldNamed finds an input by name; the caller names one of its own struct.
func fieldNamed[In any](name string) field {
	all := fieldsOf(reflect.TypeFor[In]())
	return all[slices.IndexFunc(all, func(f field) bool { return f.name == name })]
}

// ifRunning leaves out the load of guests that are off: Proxmox VE sends 0 for them, which is no measurement.
func ifRunning(g *inventory.Guest, s string) string {
	if g.State != "running" && g.State != "paused" {
		return ""
	}
	return s
}

func percentOf(f *float64, state string) any {
	if f == nil || (state != "running" && state != "paused") {
		return nil
	}
	return float64(int(*f*1000+0.5)) / 10
}

// memUsed is nil for a guest that is off: its 0 is no measurement.
func memUsed(g *inventory.Guest) any {
	if ifRunning(g, "on") == "" {
		return nil
	}
	return optional(g.Mem)
}

func memPercent(g *inventory.Guest) any {
	if g.Mem == nil || g.MaxMem == nil || *g.MaxMem <= 0 {
		return nil
	}
	f := float64(*g.Mem) / float64(*g.MaxMem)
	return percentOf(&f, g.State)
}

func sizeOf(n *int64) string {
	if n == nil {
		return ""
	}
	return size(*n)
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}
