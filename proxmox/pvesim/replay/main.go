package replay

import (
	"context"
	"fmt"
	"io"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Main replays scenarios and writes a line per difference, a line per scenario and, last, "N of M exchanges agree
// (P %)". With opts.Min it is an error when any scenario or the total agrees less.
func Main(ctx context.Context, w io.Writer, dirs []string, opts Options) error {
	opts.Out = w
	var total Result
	low := ""
	for _, dir := range dirs {
		r, err := Run(ctx, dir, opts)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "scenario %s: %d of %d exchanges agree (%.1f %%)\n", r.Scenario, r.Agree, r.Total, r.Percent()); err != nil {
			return err
		}
		total.Agree, total.Total = total.Agree+r.Agree, total.Total+r.Total
		if r.Percent() < opts.Min && low == "" {
			low = fmt.Sprintf("scenario %s agrees by %.1f %%, at least %.1f %% are asked for", r.Scenario, r.Percent(), opts.Min)
		}
	}
	if _, err := fmt.Fprintf(w, "%d of %d exchanges agree (%.1f %%)\n", total.Agree, total.Total, total.Percent()); err != nil {
		return err
	}
	if total.Percent() < opts.Min && low == "" {
		low = fmt.Sprintf("%.1f %% agree in total, at least %.1f %% are asked for", total.Percent(), opts.Min)
	}
	if low != "" {
		return fault.New(fault.CheckFailed, "%s", low)
	}
	return nil
}
