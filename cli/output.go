package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

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
		_, _ = fmt.Fprintf(w, "warning: %s\n", clean.Line(commanded(warn.Text), 900))
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

// WriteView writes a view for people, unbounded and without colour; demo uses it.
func WriteView(w io.Writer, view tools.View) error {
	if err := writeView(w, view, 0, false); err != nil {
		return err
	}
	printWarnings(w, view)
	_, err := fmt.Fprintln(w)
	return err
}
