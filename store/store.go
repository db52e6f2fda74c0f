package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// Options says where the store is: a file's path ("" means DefaultPath), or the address of a PostgreSQL database
// (postgres://user@host:5432/database, without a password; libpq's environment and ~/.pgpass count). Password is asked when such a
// store is opened (nil: none). HeadFile is where the end of the audit is noted besides ("": beside a SQLite file, with
// .audit-head behind its name; with PostgreSQL nowhere). Clock is asked for lease and retention times (nil: time.Now); Logger hears of migrations (nil: silent).
type Options struct {
	Path     string
	Password func(ctx context.Context) (redact.Secret, error)
	HeadFile string
	Clock    func() time.Time
	Logger   *slog.Logger
}

// DB is an open store; it is safe for concurrent use and shares its file or database with other processes.
type DB struct {
	eng   engine
	clock func() time.Time
	log   *slog.Logger
	// patience is how long a write waits for other processes; engines wait a moment themselves before they say busy.
	patience time.Duration
	write    *bun.DB // SQLite: one connection, so that writers of this process queue here instead of meeting SQLITE_BUSY
	durable  *bun.DB // for plans, journal and audit; connected when first used
	read     *bun.DB
	head     headFile
	room     room
	genStm   *sql.Stmt
	conStm   *sql.Stmt
	wrote    atomic.Int64 // transactions of this handle that ended
	glimpse  atomic.Pointer[glimpse]
}

// Open opens the store at o.Path, creates it (folder 0700, file 0600; tables in an empty database) when there is none, and brings its
// schema up to date. It refuses one that a newer version wrote, that is damaged, that is not a store or cannot be written; such a one
// is left as it is.
func Open(ctx context.Context, o Options) (*DB, error) {
	eng, err := engineOf(ctx, o)
	if err != nil {
		return nil, err
	}
	return open(ctx, eng, o)
}

// engineOf picks the engine by the form of the place.
func engineOf(ctx context.Context, o Options) (engine, error) {
	if isAddress(o.Path) {
		return newPostgres(ctx, o)
	}
	path, err := filePath(o.Path)
	if err != nil {
		return nil, err
	}
	return newSQLite(path), nil
}

func open(ctx context.Context, eng engine, o Options) (*DB, error) {
	d := &DB{eng: eng, clock: o.Clock, log: o.Logger, patience: busyTimeout, head: headFileOf(eng, o)}
	if d.clock == nil {
		d.clock = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if err := d.start(ctx); err != nil {
		_ = d.Close() // the error that counts is why it did not open
		return nil, d.fault(err)
	}
	return d, nil
}

// start opens the pools in the order that leaves a refused file untouched: look, migrate, then write and read.
func (d *DB) start(ctx context.Context) error {
	fresh, err := d.eng.prepare(ctx)
	if err != nil {
		return err
	}
	if err := d.ensureSchema(ctx, fresh); err != nil {
		return err
	}
	w, err := d.eng.writePool()
	if err != nil {
		return err
	}
	d.write = bun.NewDB(w, d.eng.dialect())
	d.durable = d.write
	f, err := d.eng.durablePool()
	if err != nil {
		return err
	}
	if f != nil {
		d.durable = bun.NewDB(f, d.eng.dialect())
	}
	r, err := d.eng.readPool()
	if err != nil {
		return err
	}
	d.read = bun.NewDB(r, d.eng.dialect())
	d.genStm, err = r.PrepareContext(ctx, "SELECT value FROM meta WHERE key = 'generation'")
	if err != nil {
		return err
	}
	d.conStm, err = r.PrepareContext(ctx, d.eng.selectContent())
	return err
}

// Close closes the store; it waits for queries that run.
func (d *DB) Close() error {
	var errs []error
	for _, s := range []*sql.Stmt{d.genStm, d.conStm} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	// Readers first: the writer's connection then is the last one and folds the write-ahead log into the file.
	for _, p := range []*bun.DB{d.read, d.durable, d.write} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return d.fault(errors.Join(errs...))
}

// Path is where the store is: a path, or an address without anything secret.
func (d *DB) Path() string { return d.eng.place() }

// pause waits between two tries of a transaction, unevenly, so that two that gave way to each other do not meet again.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(1+rand.IntN(10)) * time.Millisecond): //nolint:gosec // no secret
	}
}

// inTx runs fn in one write transaction and gives its error its code. While other processes write it waits, as long as ctx and
// d.patience allow.
func (d *DB) inTx(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return d.inTxOf(ctx, d.write, fn)
}

func (d *DB) inTxOf(ctx context.Context, db *bun.DB, fn func(ctx context.Context, tx bun.Tx) error) error {
	for began := time.Now(); ; {
		err := db.RunInTx(ctx, nil, fn)
		d.wrote.Add(1)
		switch {
		case err == nil || !d.eng.busy(err):
			return d.fault(err)
		case ctx.Err() != nil:
			return d.fault(ctx.Err())
		case time.Since(began) > d.patience:
			return d.fault(err)
		}
		pause(ctx)
	}
}

// Generation grows by one with every batch that any process commits.
func (d *DB) Generation(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, d.fault(err)
	}
	var gen int64
	err := d.genStm.QueryRowContext(d.pointRead(ctx)).Scan(&gen)
	return gen, d.fault(err)
}

// glimpse is a generation that was read.
type glimpse struct {
	gen   int64
	at    time.Time
	wrote int64 // DB.wrote before the read
}

// glimpseAge is how old RecentGeneration may be: nobody types or starts a process in that time, and under load it saves the query of nearly
// every read (with PostgreSQL a round trip).
const glimpseAge = 10 * time.Millisecond

// RecentGeneration is Generation as it was within the last 10 ms: what this handle committed is in it, what other processes committed meanwhile
// may not be. Ask it on every read.
func (d *DB) RecentGeneration(ctx context.Context) (int64, error) {
	wrote := d.wrote.Load()
	if g := d.glimpse.Load(); g != nil && g.wrote == wrote && time.Since(g.at) < glimpseAge && ctx.Err() == nil {
		return g.gen, nil
	}
	at := time.Now()
	gen, err := d.Generation(ctx)
	if err == nil {
		d.glimpse.Store(&glimpse{gen: gen, at: at, wrote: wrote})
	}
	return gen, err
}

// pointRead is the context for a query that takes microseconds on a local file: one that can end costs a watching goroutine per
// query, more than the query itself.
func (d *DB) pointRead(ctx context.Context) context.Context {
	if d.eng.remote() {
		return ctx
	}
	return context.WithoutCancel(ctx)
}
