package cli

import (
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// writeView writes lines and aligned tables; limit is the terminal's width, 0 = unbounded.
func writeView(w io.Writer, view tools.View, limit int, bold bool) error {
	var b strings.Builder
	for _, block := range view.Blocks {
		if block.Table == nil {
			b.WriteString(block.Text + "\n")
			continue
		}
		b.WriteString("\n")
		if block.Table.Name != "" && !block.Table.Main {
			b.WriteString(block.Table.Name + ":\n")
		}
		alignTable(&b, *block.Table, limit, bold)
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, strings.Trim(b.String(), "\n")+"\n")
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
		line := alignRow(header, widths, limit)
		if bold {
			line = "\x1b[1m" + line + "\x1b[0m"
		}
		b.WriteString(line + "\n")
	}
	for _, r := range t.Rows {
		if !t.Wrap || limit <= 0 {
			b.WriteString(alignRow(r, widths, limit) + "\n")
			continue
		}
		for _, line := range wrapRow(r, widths) {
			b.WriteString(alignRow(line, widths, limit) + "\n")
		}
	}
}

// wrapRow breaks the cells of a row at spaces, and words that are too long for their column anywhere.
func wrapRow(cells []string, widths []int) [][]string {
	if len(cells) == 1 {
		return [][]string{cells}
	}
	var out [][]string
	for i, c := range cells {
		for k, part := range wrapCell(c, widths[i]) {
			if k == len(out) {
				out = append(out, make([]string, len(cells)))
			}
			out[k][i] = part
		}
	}
	return out
}

func wrapCell(text string, width int) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(clean.Line(text, wrapLimit)) {
		for utf8.RuneCountInString(word) > width {
			if line != "" {
				out, line = append(out, line), ""
			}
			r := []rune(word)
			out, word = append(out, string(r[:width])), string(r[width:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			out, line = append(out, line), word
		}
	}
	return append(out, line)
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

// narrowest is the width below which a cut cell tells nothing any more; gap stands between columns.
const narrowest, gap = 6, 2

// wrapLimit bounds a cell that is broken into lines.
const wrapLimit = 1000

// fit shrinks the widest columns alike, until the table fits or all are at their narrowest.
func fit(widths []int, limit int) {
	if limit <= 0 || len(widths) == 0 {
		return
	}
	total := gap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > limit; total-- {
		widest := 0
		for i, w := range widths {
			if w >= widths[widest] {
				widest = i // the rightmost of equals: what identifies a row stands left
			}
		}
		if widths[widest] <= narrowest {
			return
		}
		widths[widest]--
	}
}

// alignRow pads the cells; a line that is still too long for the terminal is cut rather than wrapped into the next row.
func alignRow(cells []string, widths []int, limit int) string {
	if len(cells) == 1 && len(widths) > 1 {
		return cells[0]
	}
	var b strings.Builder
	for i, c := range cells {
		c = clean.Line(c, widths[i])
		b.WriteString(c)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+gap))
		}
	}
	line := strings.TrimRight(b.String(), " ")
	if limit > 0 {
		return clean.Line(line, limit)
	}
	return line
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

// color says whether escape sequences are welcome: on terminals that know them, unless the user said no.
func color(out io.Writer, g Globals) bool {
	return !g.NoColor && os.Getenv("TERM") != "dumb" && width(out) > 0
}
