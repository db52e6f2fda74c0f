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
	part("hint", e.Hint)
	part("next", command(e.Next))
	if e.Retryable {
		_, _ = fmt.Fprintln(w, "retryable: yes")
	}
}

// command is the command that a person runs where a model calls the tool of that name.
func command(next string) string {
	for _, s := range tools.All() {
		if s.Name == next {
			return "proxmox-mcp " + s.Command
		}
	}
	return next
}
