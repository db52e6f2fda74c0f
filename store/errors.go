package store

import (
	"context"
	"errors"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// fault makes err a *fault.Error: as it is when it is one already, the engine's judgement for errors of the database, Cancelled or
// Timeout for contexts, Store for the rest.
func (d *DB) fault(err error) error {
	if err == nil {
		return nil
	}
	out := d.judged(err)
	d.room.noted(out)
	return out
}

func (d *DB) judged(err error) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Of(err)
	}
	if known := d.eng.fault(err); known != nil {
		return known
	}
	return fault.Wrap(fault.Store, err, "the state store %s failed", d.eng.place())
}
