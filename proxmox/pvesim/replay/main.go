package replay

import (
	"context"
	"fmt"
	"io"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Main replays scenarios and writes a line per difference, a line per scenario and, last, "N of M exchanges agree
// (P %)" after the other ways to count. With opts.Min it is an error when any scenario or the total agrees less.
func Main(ctx context.Context, w io.Writer, dirs []string, opts Options) error {
	opts.Out = w
	p := printer{w: w}
	var total Tally
	var low error
	for _, dir := range dirs {
		r, err := Run(ctx, dir, opts)
		if err != nil {
			return err
		}
		p.line("scenario %s: %d of %d exchanges agree (%.1f %%)", r.Scenario, r.All.Agree, r.All.Total, r.All.Percent())
		total.merge(r.Tally)
		if r.All.Percent() < opts.Min && low == nil {
			low = fault.New(fault.CheckFailed, "scenario %s agrees by %.1f %%, at least %.1f %% are asked for", r.Scenario, r.All.Percent(), opts.Min)
		}
	}
	p.line("writes alone: %s; errors alone: %s; distinct (method, path, status class): %s", total.Writes, total.Errors, total.Distinct())
	p.line("%d of %d exchanges agree (%.1f %%)", total.All.Agree, total.All.Total, total.All.Percent())
	if total.All.Percent() < opts.Min && low == nil {
		low = fault.New(fault.CheckFailed, "%.1f %% agree in total, at least %.1f %% are asked for", total.All.Percent(), opts.Min)
	}
	if p.err != nil {
		return p.err
	}
	return low
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
