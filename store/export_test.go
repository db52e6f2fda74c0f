package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// DefaultPathFor is DefaultPath for another system.
var DefaultPathFor = defaultPath

// Exec runs a statement on the writing connection.
func (d *DB) Exec(ctx context.Context, query string, args ...any) error {
	_, err := d.write.DB.ExecContext(ctx, query, args...)
	return d.fault(err)
}

// SetPatience changes how long writes wait for other processes.
func (d *DB) SetPatience(p time.Duration) { d.patience = p }

// InTx runs a transaction as every write does.
func (d *DB) InTx(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return d.inTx(ctx, fn)
}
