package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// longest bounds one part of an error on a terminal: all problems of a configuration fit, an answer in HTML does not.
const longest = 4000

// printError writes what went wrong for people, each part on lines of its own: message, cause, hint, what to run next.
func printError(w io.Writer, err error) {
	var usage usageError
	switch {
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(w, "error: %s\n", clean.Block(strings.TrimSpace(usage.Error()), longest))
		return
	case errors.Is(err, errInterrupted):
		_, _ = fmt.Fprintln(w, err)
		return
	}
	e := fault.Of(err)
	part := func(label, text string) {
		if text != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", label, clean.Block(redact.Text(text), longest))
		}
	}
	part("error "+string(e.Code), e.Message)
	if !strings.Contains(e.Message, e.Cause) {
		part("cause", e.Cause)
	}
	part("example", e.Example)
	part("hint", hint(e.Hint))
	part("next", commanded(e.Next))
	if e.Retryable {
		_, _ = fmt.Fprintln(w, "retryable: yes")
	}
}

// commanded is a text of ours with commands for what a model calls tools.
func commanded(text string) string { return tools.Commanded(text, "proxmox-mcp ") }

// hint is commanded, except where a tool's name was typed: in a recipe and among the steps of a batch.
func hint(text string) string {
	if strings.HasPrefix(text, "did you mean ") {
		return text
	}
	return commanded(text)
}
