package store

import (
	"context"
	"database/sql"
	"io/fs"

	"github.com/uptrace/bun/schema"
)

// engine is the seam between the store and a database: everything that differs from one to the other.
type engine interface {
	// prepare looks at what is there before anything is opened for writing; fresh says that there is no store yet.
	prepare(ctx context.Context) (fresh bool, err error)
	// writePool gives the pool of writers; its transactions take the write lock when they begin.
	writePool() (*sql.DB, error)
	// durablePool is one of writers whose commits outlast a power failure; nil where those of writePool can do so as well: then
	// durably begins such a transaction.
	durablePool() (*sql.DB, error)
	durably() string
	// migrationPool is a pool of one writing connection that is never replaced: a lost one would end the transaction unseen.
	migrationPool() (*sql.DB, error)
	// readPool gives a pool that cannot write.
	readPool() (*sql.DB, error)
	dialect() schema.Dialect
	// placeholder is the n-th parameter (from 1) of a prepared statement; selectContent is the one for a content by hash.
	placeholder(n int) string
	selectContent() string
	migrations() fs.FS
	// lockSchema opens a transaction that keeps every other process from migrating.
	lockSchema() string
	// tables is a query for how many tables there are, and how many of them have the name of its one parameter.
	tables() string
	// rowLock ends a SELECT whose rows must stay as they are until the transaction ends; "" where one writer is alone anyway.
	rowLock() string
	// remote says that even a point read can hang, so that it needs its caller's context.
	remote() bool
	// fault gives a database error its code, message and hint; nil when it is not one of this engine.
	fault(err error) error
	// busy says that a transaction gave way to another process's and may be run again.
	busy(err error) bool
	// backup writes a consistent copy to a path that does not exist, or says who does.
	backup(ctx context.Context, dest string) error
	// integrity gives the engine's own findings about what is stored; none means sound.
	integrity(ctx context.Context, db *sql.DB) (findings []string, err error)
	// size is what the store takes on disk, in bytes.
	size(ctx context.Context, db *sql.DB) (int64, error)
	// headFile is where the audit's end is noted besides, unless the caller names a file; "" = nowhere.
	headFile() string
	// place names the store for messages: a path, or an address without anything secret.
	place() string
}
