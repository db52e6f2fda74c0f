package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

var outputFormats = []string{"table", "json", "jsonl", "yaml", "csv", "name"}

// printAnswer writes an answer in the chosen format. Warnings go to standard error, except for json and yaml, whose value holds them.
func printAnswer(s Streams, g Globals, value any, view tools.View) error {
	if g.Output != "json" && g.Output != "yaml" {
		defer printWarnings(s.Err, view)
	}
	switch g.Output {
	case "json":
		return writeJSON(s.Out, value, "  ")
	case "yaml":
		return writeYAML(s.Out, value)
	case "jsonl":
		return writeRecords(s, value, view, jsonlRecords)
	case "csv":
		return writeRecords(s, value, view, csvRecords)
	case "name":
		return writeRecords(s, value, view, nameRecords)
	}
	return writeView(s.Out, view, width(s.Out), color(s.Out, g))
}

func printWarnings(w io.Writer, view tools.View) {
	for _, warn := range view.Warnings {
		_, _ = fmt.Fprintf(w, "warning: %s\n", clean.Line(warn.Text, 900))
	}
}

func writeJSON(w io.Writer, value any, indent string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	return enc.Encode(value)
}

func writeYAML(w io.Writer, value any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, value, ""); err != nil {
		return err
	}
	out, err := yaml.JSONToYAML(b.Bytes())
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the answer could not be written as YAML")
	}
	_, err = w.Write(out)
	return err
}

// list is what the value of a list has in common: rows under columns, or one list of objects; reports of a sync are a list by
// themselves. NextCursor says that it goes on.
type list struct {
	bare       []json.RawMessage
	Columns    []string            `json:"columns"`
	Rows       [][]json.RawMessage `json:"rows"`
	Nodes      []json.RawMessage   `json:"nodes"`
	Findings   []json.RawMessage   `json:"findings"`
	Checks     []json.RawMessage   `json:"checks"`
	NextCursor string              `json:"next_cursor"`
}

// isList says that the value is a list, empty or not; overviews and single objects are none.
func (l list) isList() bool {
	return l.bare != nil || l.Columns != nil || l.Nodes != nil || l.Findings != nil || l.Checks != nil
}

// items are the rows of a list as objects, in their order.
func (l list) items() []json.RawMessage {
	items := slices.Concat(l.bare, l.Nodes, l.Findings, l.Checks)
	for _, row := range l.Rows {
		items = append(items, rowObject(l.Columns, row))
	}
	return items
}

func rowObject(columns []string, row []json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	for i, c := range columns[:min(len(columns), len(row))] {
		key, _ := json.Marshal(c) // a string always encodes
		b.WriteByte("{,"[min(i, 1)])
		b.Write(key)
		b.WriteByte(':')
		b.Write(row[i])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// record is an answer for the formats that programs read line by line: its JSON, what of it is a list, and its view.
type record struct {
	raw  []byte
	list list
	view tools.View
}

// writeRecords writes an answer line by line. What a page leaves out is said on standard error, because such output ends up in loops.
func writeRecords(s Streams, value any, view tools.View, write func(w io.Writer, r record) error) error {
	var b bytes.Buffer
	if err := writeJSON(&b, value, ""); err != nil {
		return err
	}
	r := record{raw: b.Bytes(), view: view}
	// What is neither a list nor an object has none of its members, and is written as it is.
	if json.Unmarshal(r.raw, &r.list.bare) != nil {
		_ = json.Unmarshal(r.raw, &r.list)
	}
	if err := write(s.Out, r); err != nil {
		return err
	}
	if r.list.NextCursor != "" {
		_, _ = fmt.Fprintf(s.Err, "warning: only the first rows are shown; go on with --cursor %s, or ask for up to 500 with --limit\n", r.list.NextCursor)
	}
	return nil
}

// jsonlRecords writes one object per row of a list, or the whole value on one line.
func jsonlRecords(w io.Writer, r record) error {
	if !r.list.isList() {
		_, err := w.Write(r.raw)
		return err
	}
	for _, it := range r.list.items() {
		if _, err := fmt.Fprintf(w, "%s\n", it); err != nil {
			return err
		}
	}
	return nil
}

// csvRecords writes the main table; a single object as one row of its plain fields.
func csvRecords(w io.Writer, r record) error {
	c := csv.NewWriter(w)
	t := r.main()
	if t == nil {
		if r.list.isList() {
			return nil
		}
		t = r.fields()
	}
	if err := c.Write(t.Columns); err != nil {
		return err
	}
	return c.WriteAll(t.Rows)
}

// nameColumns are the columns that name a row, where that is not the first one.
var nameColumns = []string{"object", "check"}

// nameRecords writes what other commands take: the column that names a row of the main table, or the id of a single object.
func nameRecords(w io.Writer, r record) error {
	t := r.main()
	if t == nil {
		if r.list.isList() {
			return nil
		}
		t = r.fields()
	}
	at := max(0, slices.IndexFunc(t.Columns, func(c string) bool { return slices.Contains(nameColumns, c) }))
	for _, row := range t.Rows {
		if at >= len(row) {
			continue
		}
		if _, err := fmt.Fprintln(w, row[at]); err != nil {
			return err
		}
	}
	return nil
}

// main is the table that csv and name print.
func (r record) main() *tools.Table {
	for _, b := range r.view.Blocks {
		if b.Table != nil && b.Table.Main {
			return b.Table
		}
	}
	return nil
}

// envelopeFields go with every answer and are not part of the object.
var envelopeFields = map[string]bool{"as_of": true, "age_s": true, "warnings": true}

// fields are the plain fields of a single object in their order, as a table of one row.
func (r record) fields() *tools.Table {
	t := &tools.Table{Rows: [][]string{{}}}
	dec := json.NewDecoder(bytes.NewReader(r.raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return t
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return t
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return t
		}
		name, _ := key.(string)
		if envelopeFields[name] || v[0] == '{' || v[0] == '[' {
			continue
		}
		t.Columns = append(t.Columns, name)
		t.Rows[0] = append(t.Rows[0], scalar(v))
	}
	return t
}

// scalar is a plain JSON value as text; null is empty.
func scalar(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return strings.TrimSpace(string(v))
}

// WriteView writes a view for people, unbounded and without colour; demo uses it.
func WriteView(w io.Writer, view tools.View) error {
	if err := writeView(w, view, 0, false); err != nil {
		return err
	}
	printWarnings(w, view)
	_, err := fmt.Fprintln(w)
	return err
}
