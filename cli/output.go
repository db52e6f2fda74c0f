package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

var outputFormats = []string{"table", "json", "jsonl", "yaml", "csv", "name"}

// printAnswer writes an answer in the chosen format. Warnings go to standard error for the formats that programs read, and are part
// of the value in json and yaml as well.
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
		return writeJSONL(s.Out, value)
	case "csv", "name":
		return writeTable(s.Out, g.Output, view)
	}
	return writeView(s.Out, view, width(s.Out), color(s.Out, g))
}

func printWarnings(w io.Writer, view tools.View) {
	for _, warn := range view.Warnings {
		_, _ = fmt.Fprintf(w, "warning: %s\n", clean.Line(warn.Text, 400))
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

// writeJSONL writes one object per row of a list, or the whole value on one line.
func writeJSONL(w io.Writer, value any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, value, ""); err != nil {
		return err
	}
	var list struct {
		Columns  []string            `json:"columns"`
		Rows     [][]json.RawMessage `json:"rows"`
		Nodes    []json.RawMessage   `json:"nodes"`
		Findings []json.RawMessage   `json:"findings"`
	}
	if err := json.Unmarshal(b.Bytes(), &list); err != nil {
		_, err = w.Write(b.Bytes())
		return err
	}
	items := append(list.Nodes, list.Findings...)
	for _, row := range list.Rows {
		items = append(items, rowObject(list.Columns, row))
	}
	if list.Columns == nil && len(items) == 0 {
		_, err := w.Write(b.Bytes())
		return err
	}
	for _, it := range items {
		if _, err := fmt.Fprintf(w, "%s\n", it); err != nil {
			return err
		}
	}
	return nil
}

func rowObject(columns []string, row []json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	for i, c := range columns {
		key, _ := json.Marshal(c) // a string always encodes
		fmt.Fprintf(&b, "%c%s:%s", ",{"[min(1, 1-min(i, 1))], key, row[i])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// writeTable writes the main table as csv, or its first column (the name that other commands take).
func writeTable(w io.Writer, format string, view tools.View) error {
	for _, b := range view.Blocks {
		if b.Table == nil || !b.Table.Main {
			continue
		}
		if format == "name" {
			for _, r := range b.Table.Rows {
				if _, err := fmt.Fprintln(w, r[0]); err != nil {
					return err
				}
			}
			return nil
		}
		c := csv.NewWriter(w)
		if err := c.Write(b.Table.Columns); err != nil {
			return err
		}
		return c.WriteAll(b.Table.Rows)
	}
	if hasMain(view) {
		return nil
	}
	return usageError{fmt.Errorf("this answer is no list: use -o json or -o yaml")}
}

// hasMain says whether the view is a list that may have been empty: those say so in their first line.
func hasMain(view tools.View) bool {
	return len(view.Blocks) > 0 && strings.HasPrefix(view.Blocks[0].Text, "no ")
}

// writeView writes lines and aligned tables; limit is the terminal's width, 0 = unbounded.
func writeView(w io.Writer, view tools.View, limit int, bold bool) error {
	var b strings.Builder
	for _, block := range view.Blocks {
		if block.Table == nil {
			b.WriteString(block.Text + "\n")
			continue
		}
		b.WriteString("\n")
		alignTable(&b, *block.Table, limit, bold)
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

func alignTable(b *strings.Builder, t tools.Table, limit int, bold bool) {
	widths := columnWidths(t)
	fit(widths, limit)
	if len(t.Columns) > 0 {
		header := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			header[i] = strings.ToUpper(c)
		}
		line := alignRow(header, widths)
		if bold {
			line = "\x1b[1m" + line + "\x1b[0m"
		}
		b.WriteString(line + "\n")
	}
	for _, r := range t.Rows {
		b.WriteString(alignRow(r, widths) + "\n")
	}
}

func columnWidths(t tools.Table) []int {
	n := len(t.Columns)
	for _, r := range t.Rows {
		n = max(n, len(r))
	}
	widths := make([]int, n)
	for i, c := range t.Columns {
		widths[i] = utf8.RuneCountInString(c)
	}
	for _, r := range t.Rows {
		// A row of one cell is a remark that spans the table.
		if len(r) == 1 && n > 1 {
			continue
		}
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	return widths
}

// fit shrinks the widest columns, never below 8, until the table fits.
func fit(widths []int, limit int) {
	const narrowest, gap = 8, 2
	for limit > 0 {
		total, widest := -gap, 0
		for i, w := range widths {
			total += w + gap
			if w > widths[widest] {
				widest = i
			}
		}
		if total <= limit || widths[widest] <= narrowest {
			return
		}
		widths[widest] = max(narrowest, widths[widest]-(total-limit))
	}
}

func alignRow(cells []string, widths []int) string {
	if len(cells) == 1 && len(widths) > 1 {
		return cells[0]
	}
	var b strings.Builder
	for i, c := range cells {
		c = clean.Line(c, widths[i])
		b.WriteString(c)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// width is the terminal's width, 0 when out is no terminal: pipes get whole lines.
func width(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

func color(out io.Writer, g Globals) bool { return !g.NoColor && width(out) > 0 }

// WriteView writes a view for people, unbounded and without colour; demo uses it.
func WriteView(w io.Writer, view tools.View) error {
	if err := writeView(w, view, 0, false); err != nil {
		return err
	}
	printWarnings(w, view)
	_, err := fmt.Fprintln(w)
	return err
}
