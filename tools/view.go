package tools

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// View is an answer for people and models: blocks in order. Each door renders it once (a model gets compact text, a terminal
// aligned tables); no door adds or drops information.
type View struct {
	Blocks   []Block
	Warnings []inventory.Warning
}

// Block is a line of text or a table.
type Block struct {
	Text  string
	Table *Table
}

// Table is columns and rows of text. Name says what the rows are; Main marks the one that csv, jsonl and name formats print. Dense
// is for long lists whose cells hold no blanks: one blank then separates them.
type Table struct {
	Name    string
	Columns []string
	Rows    [][]string
	Main    bool
	Dense   bool
	Wrap    bool // on a terminal a cell that is too long goes on below; without it is cut
}

// in gives each row its cluster, in a last column, where there is more than one to be from.
func (t *Table) in(d Deps, clusters []string) Table {
	if !d.Several && len(slices.Compact(slices.Clone(clusters))) < 2 {
		return *t
	}
	t.Columns = append(t.Columns, "cluster")
	for k := range t.Rows {
		t.Rows[k] = append(t.Rows[k], cell(clusters[k], 40))
	}
	return *t
}

// warningLimit leaves room for a certificate's fingerprints and the line that pins it.
const warningLimit = 900

// Line appends a line of text.
func (v *View) Line(format string, args ...any) { v.Text(fmt.Sprintf(format, args...)) }

// Text appends a line as it is.
func (v *View) Text(line string) {
	if v.Blocks == nil {
		v.Blocks = make([]Block, 0, usualBlocks)
	}
	v.Blocks = append(v.Blocks, Block{Text: line})
}

// usualBlocks is room for what most answers have.
const usualBlocks = 12

// Table appends a table unless it has no rows.
func (v *View) Table(t Table) {
	if len(t.Rows) > 0 {
		v.Blocks = append(v.Blocks, Block{Table: &t})
	}
}

// room is about how long the text comes to: most cells have fewer than eight letters.
func (v View) room() int {
	n := 128
	for _, block := range v.Blocks {
		n += len(block.Text)
		if t := block.Table; t != nil {
			n += 8 * (len(t.Rows) + 1) * max(1, len(t.Columns))
		}
	}
	return n
}

// Compact is the view in the fewest tokens: tables as tab-separated lines (a tab costs a token where " | " costs two), dense ones
// with blanks (most tokenizers join a blank with the word behind it: 17 tokens a guest in place of 19) and "-" for an empty cell;
// empty cells at the end of a row dropped, warnings last.
func (v View) Compact() string {
	var b strings.Builder
	b.Grow(v.room())
	for _, block := range v.Blocks {
		if block.Table == nil {
			b.WriteString(block.Text)
			b.WriteByte('\n')
			continue
		}
		if block.Table.Name != "" && !block.Table.Main {
			b.WriteString(block.Table.Name)
			b.WriteString(":\n")
		}
		row := compactRow
		if block.Table.Dense {
			row = denseRow
		}
		if len(block.Table.Columns) > 0 {
			row(&b, block.Table.Columns)
		}
		for _, r := range block.Table.Rows {
			row(&b, r)
		}
	}
	for _, w := range v.Warnings {
		b.WriteString("! ")
		b.WriteString(clean.Line(w.Text, warningLimit))
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func compactRow(b *strings.Builder, cells []string) {
	for i, c := range filled(cells) {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(c)
	}
	b.WriteByte('\n')
}

// blanks would begin a cell of their own in a dense row.
var blanks = strings.NewReplacer(" ", "_", "\t", "_")

func denseRow(b *strings.Builder, cells []string) {
	for i, c := range filled(cells) {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch {
		case c == "":
			b.WriteByte('-')
		case strings.IndexByte(c, ' ') >= 0 || strings.IndexByte(c, '\t') >= 0:
			b.WriteString(blanks.Replace(c))
		default:
			b.WriteString(c)
		}
	}
	b.WriteByte('\n')
}

// filled is a row without the empty cells at its end.
func filled(cells []string) []string {
	for len(cells) > 1 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

// stamp is a point in time in the configured zone with its offset; "never" for the zero time.
func stamp(d Deps, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(zone(d)).Format("2006-01-02T15:04:05Z07:00")
}

func zone(d Deps) *time.Location {
	if d.Zone == nil {
		return time.UTC
	}
	return d.Zone
}

// asOf is the freshness of an answer in words: "as of 2026-11-21T20:15:03+01:00 (12s old)".
func asOf(d Deps, m inventory.Meta) string {
	if m.AsOf.IsZero() {
		return "never observed"
	}
	return "as of " + stamp(d, m.AsOf) + " (" + span(m.Age) + " old)"
}

// span is a duration in its largest unit: 45s, 12m, 3h, 9d. Whole units are enough to judge an age by.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + "d"
}

// ago is the age of t; "" for the zero time.
func ago(d Deps, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(d.Now().Sub(t))
}

// size is a number of bytes in IEC units with at most three digits: 512M, 1.5G, 32G.
func size(n int64) string {
	const units = "BKMGTPE"
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	digits := 0
	if f < 10 {
		digits = 1
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', digits, 64), ".0") + units[u:u+1]
}

// amounts is "used/total"; "" when neither is known, "?" for the unknown one.
func amounts(used, total *int64) string {
	if used == nil && total == nil {
		return ""
	}
	u, t := "?", "?"
	if used != nil {
		u = size(*used)
	}
	if total != nil {
		t = size(*total)
	}
	return u + "/" + t
}

// usage is "used/total (percent)"; "" when neither is known, "?" for the unknown one.
func usage(used, total *int64) string {
	if p := percent(used, total); p != "" {
		return amounts(used, total) + " (" + p + "%)"
	}
	return amounts(used, total)
}

// percent is used of total in whole percent; "" when either is unknown or total is 0.
func percent(used, total *int64) string {
	if used == nil || total == nil || *total <= 0 {
		return ""
	}
	return strconv.Itoa(int(math.Round(float64(*used) / float64(*total) * 100)))
}

// fraction is a load of 0..1 in whole percent (Proxmox VE's cpu is of the whole guest or node: 0.2 = 20 %); "" when unknown.
func fraction(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.Itoa(int(math.Round(*f * 100)))
}

// cell makes text from a guest safe inside a row: one line, no tabs, capped.
func cell(s string, limit int) string { return clean.Line(s, limit) }

// counted is "1 node", "3 nodes".
func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// nonzero joins "12 running, 3 stopped" out of the counts that are not 0.
func nonzero(pairs ...any) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if n, ok := pairs[i].(int); ok && n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, pairs[i+1]))
		}
	}
	return strings.Join(out, ", ")
}

func guestCounts(c inventory.GuestCounts) string {
	return nonzero(c.Running, "running", c.Stopped, "stopped", c.Paused, "paused", c.Suspended, "suspended",
		c.Unknown, "unknown", c.Templates, "templates")
}
