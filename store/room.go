package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// roomEvery is how often a full disk is tried again: soon enough that nobody has to restart anything, seldom enough to cost nothing.
const roomEvery = time.Second

// room remembers that the store found no room for a write.
type room struct {
	mu    sync.Mutex
	full  *fault.Error // nil: there is room
	tried time.Time
}

// noted keeps that a write found no room.
func (r *room) noted(err error) {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Code == fault.StoreFull {
		r.mu.Lock()
		r.full = e
		r.mu.Unlock()
	}
}

// found forgets it: a row of the audit was written.
func (r *room) found() {
	r.mu.Lock()
	r.full = nil
	r.mu.Unlock()
}

// due gives the error while there is no room, and whether it is time for another try.
func (r *room) due(now time.Time) (full *fault.Error, try bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	try = r.full != nil && now.Sub(r.tried) >= roomEvery
	if try {
		r.tried = now
	}
	return r.full, try
}

// Room is nil while there is room for what a change has to write down: without a row of the audit nothing is changed. After a write, of
// whatever, that found the disk full it is StoreFull, until a row of the audit, which says just that, could be written again; that is tried
// once a second, when somebody asks.
func (d *DB) Room(ctx context.Context) error {
	full, try := d.room.due(d.clock())
	if full == nil {
		return nil
	}
	if !try {
		return full
	}
	_, err := d.AppendAudit(ctx, AuditEntry{Principal: "server", Door: "server", Event: "store", Outcome: "ok",
		Detail: "there is room for the audit again: changes are possible"})
	return err
}
