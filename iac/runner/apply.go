package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// Applied is what an apply did.
type Applied struct {
	Import, Add, Change, Remove int
	Errors                      []Diagnostic // why it did not do all of it
}

// settling is how long an apply that is told to end may take for it: it finishes what it has begun and writes its state.
const settling = time.Minute

// Apply carries a saved plan out, once, and nothing beside it. tell hears what it does. What went wrong in the cluster is in Applied, and what
// was done before it stands. Errors: fault.UnknownOutcome where it was cut off.
func (r *Runner) Apply(ctx context.Context, file string, tell func(string)) (*Applied, error) {
	cmd := r.command(ctx, []string{"apply", "-input=false", "-json", "-lock-timeout=10s", file})
	cmd.WaitDelay = settling
	done := &Applied{}
	out := &lines{each: func(line []byte) { done.hear(r.withoutSecrets(line), tell) }}
	var errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &errOut
	err := cmd.Run()
	out.end()
	what := filepath.Base(r.Program) + " apply"
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return done, fault.Wrap(fault.UnknownOutcome, errors.Join(err, cause), "%s was cut off", what)
	case err == nil:
		return done, nil
	case exitCode(err) == 1 && len(done.Errors) > 0:
		return done, nil
	case exitCode(err) == 1:
		e := fault.Wrap(fault.CheckFailed, err, "%s failed", what)
		e.Cause = clean.Line(redact.Text(firstError(r.withoutSecrets(errOut.Bytes()))), maxDetail)
		return done, e
	}
	return done, fault.Wrap(fault.UnknownOutcome, err, "%s was ended", what)
}

// hear takes one message of the program's stream.
func (a *Applied) hear(line []byte, tell func(string)) {
	var m struct {
		Message    string `json:"@message"`
		Type       string
		Diagnostic rawDiagnostic
		Changes    struct {
			Operation                   string
			Import, Add, Change, Remove int
		}
	}
	if json.Unmarshal(line, &m) != nil {
		return
	}
	switch {
	case m.Type == "diagnostic" && m.Diagnostic.Severity == "error":
		a.Errors = append(a.Errors, m.Diagnostic.clean())
	case m.Type == "change_summary" && m.Changes.Operation == "apply":
		a.Import, a.Add, a.Change, a.Remove = m.Changes.Import, m.Changes.Add, m.Changes.Change, m.Changes.Remove
	case strings.HasPrefix(m.Type, "apply_") && tell != nil:
		tell(clean.Line(redact.Text(m.Message), maxSummary))
	}
}

// lines gives what is written into it line by line.
type lines struct {
	rest []byte
	each func(line []byte)
}

// maxLine bounds what is kept of a line that does not end.
const maxLine = 1 << 20

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			l.rest = l.rest[max(0, len(l.rest)-maxLine):]
			return len(p), nil
		}
		l.each(line)
		l.rest = rest
	}
}

func (l *lines) end() {
	if len(l.rest) > 0 {
		l.each(l.rest)
	}
}
