package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// record is an answer for the formats that programs read line by line: its JSON, what of it is a list, and its view.
type record struct {
	raw    []byte
	list   bool              // it is a list, empty or not; overviews and single objects are none
	items  []json.RawMessage // the rows of a list as objects, in their order
	view   tools.View
	cursor string // where the list goes on, "" where it ends
}

// listKeys are the members of answers that are lists of objects; their main table has the same name.
var listKeys = []string{"nodes", "findings", "checks", "storages", "interfaces", "points", "metrics", "clusters", "recipes"}

// recordOf reads an answer's JSON: rows under columns, one list of objects, or a list by itself as reports of a sync are.
func recordOf(raw []byte, view tools.View) record {
	r := record{raw: raw, view: view}
	if json.Unmarshal(raw, &r.items) == nil {
		r.list = true
		return r
	}
	var rows struct {
		Columns    []string            `json:"columns"`
		Rows       [][]json.RawMessage `json:"rows"`
		NextCursor string              `json:"next_cursor"`
	}
	// What is neither a list nor an object, or has other things under these names, is written as it is.
	_ = json.Unmarshal(raw, &rows)
	r.list, r.cursor = rows.Columns != nil, rows.NextCursor
	for _, row := range rows.Rows {
		r.items = append(r.items, rowObject(rows.Columns, row))
	}
	t := r.main()
	for _, key := range listKeys {
		// An object has lists besides; without a table the list that it is must be empty.
		if items, ok := r.member(key); ok && !r.list && (t == nil && len(items) == 0 || t != nil && t.Name == key) {
			r.list, r.items = true, items
		}
	}
	return r
}

// member is a list of objects that the answer has under a key.
func (r record) member(key string) ([]json.RawMessage, bool) {
	var all map[string]json.RawMessage
	var items []json.RawMessage
	if json.Unmarshal(r.raw, &all) != nil || json.Unmarshal(all[key], &items) != nil || items == nil {
		return nil, false
	}
	return items, !slices.ContainsFunc(items, func(it json.RawMessage) bool { return it[0] != '{' })
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

// writeRecords writes an answer line by line. What a page leaves out is said on standard error, because such output ends up in loops.
func writeRecords(s Streams, value any, view tools.View, write func(w io.Writer, r record) error) error {
	var b bytes.Buffer
	if err := writeJSON(&b, value, ""); err != nil {
		return err
	}
	r := recordOf(b.Bytes(), view)
	if err := write(s.Out, r); err != nil {
		return err
	}
	if r.cursor != "" {
		_, _ = fmt.Fprintf(s.Err, "warning: only the first rows are shown; go on with --cursor %s, or ask for up to 500 with --limit\n", r.cursor)
	}
	return nil
}

// jsonlRecords writes one object per row of a list, or the whole value on one line.
func jsonlRecords(w io.Writer, r record) error {
	if !r.list {
		_, err := w.Write(r.raw)
		return err
	}
	for _, it := range r.items {
		if _, err := fmt.Fprintf(w, "%s\n", it); err != nil {
			return err
		}
	}
	return nil
}

// csvRecords writes the rows with their values as JSON has them (bytes, seconds, empty where unknown); a single object as the list that its
// table shows, or as one row of its plain fields.
func csvRecords(w io.Writer, r record) error {
	c := csv.NewWriter(w)
	t := r.values()
	if t == nil {
		return nil
	}
	if err := c.Write(t.Columns); err != nil {
		return err
	}
	return c.WriteAll(t.Rows)
}

// values is the table that csv prints, nil for an empty list.
func (r record) values() *tools.Table {
	items, t := r.items, r.main()
	if !r.list && t != nil {
		items, _ = r.member(t.Name)
	}
	switch {
	case len(items) > 0:
		return flatTable(items)
	case r.list:
		return nil
	case t != nil:
		return &tools.Table{Columns: t.Columns, Rows: whole(t)}
	}
	return r.fields()
}

// whole are the rows of a table without remarks, which have one cell.
func whole(t *tools.Table) [][]string {
	return slices.DeleteFunc(slices.Clone(t.Rows), func(row []string) bool { return len(row) == 1 && len(t.Columns) > 1 })
}

// flatTable has a column for each plain value of the objects, in the order in which they come: guests.running for an object in the object.
func flatTable(items []json.RawMessage) *tools.Table {
	t := &tools.Table{}
	at := map[string]int{}
	for _, it := range items {
		row := map[int]string{}
		eachField(it, func(key, value string) {
			if _, known := at[key]; !known {
				at[key] = len(t.Columns)
				t.Columns = append(t.Columns, key)
			}
			row[at[key]] = value
		})
		cells := make([]string, len(t.Columns))
		for i, v := range row {
			cells[i] = v
		}
		t.Rows = append(t.Rows, cells)
	}
	for i, row := range t.Rows {
		t.Rows[i] = append(row, make([]string, len(t.Columns)-len(row))...)
	}
	return t
}

// eachField calls f for each value of an object, in order. A list of plain values is joined by semicolons, one of objects stays JSON.
func eachField(object json.RawMessage, f func(key, value string)) {
	members(object, func(key string, v json.RawMessage) {
		switch v[0] {
		case '{':
			eachField(v, func(inner, value string) { f(key+"."+inner, value) })
		case '[':
			f(key, joined(v))
		default:
			f(key, scalar(v))
		}
	})
}

func joined(v json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(v, &list) != nil || slices.ContainsFunc(list, func(it json.RawMessage) bool { return it[0] == '{' || it[0] == '[' }) {
		return string(v)
	}
	texts := make([]string, len(list))
	for i, it := range list {
		texts[i] = scalar(it)
	}
	return strings.Join(texts, ";")
}

// members calls f for each member of an object in its order; of anything else for none.
func members(object json.RawMessage, f func(key string, v json.RawMessage)) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return
		}
		name, _ := key.(string)
		f(name, v)
	}
}

// nameColumn is the column that names a row, where that is not the first one.
func nameColumn(t *tools.Table) int {
	name := map[string]string{"tasks": "task", "interfaces": "name", "points": "id", "operations": "plan"}[t.Name]
	return max(0, slices.IndexFunc(t.Columns, func(c string) bool { return c == name || name == "" && (c == "object" || c == "check") }))
}

// nameRecords writes what other commands take, each once: the column that names a row of the main table, or the id of a single object.
func nameRecords(w io.Writer, r record) error {
	t := r.main()
	if t == nil {
		if r.list {
			return nil
		}
		t = r.fields()
	}
	at, seen := nameColumn(t), map[string]bool{"": true}
	for _, row := range whole(t) {
		if at >= len(row) || seen[row[at]] {
			continue
		}
		seen[row[at]] = true
		if _, err := fmt.Fprintln(w, row[at]); err != nil {
			return err
		}
	}
	return nil
}

// main is the view's main table.
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
	members(r.raw, func(name string, v json.RawMessage) {
		if envelopeFields[name] || v[0] == '{' || v[0] == '[' {
			return
		}
		t.Columns = append(t.Columns, name)
		t.Rows[0] = append(t.Rows[0], scalar(v))
	})
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
