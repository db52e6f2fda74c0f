package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/sqlite/*.up.sql
var sqliteMigrations embed.FS

const (
	// busyTimeout is how long a write waits for other processes' write transactions. The longest one, 10,000 guests in one batch,
	// takes a quarter of a second; a queue of many fits.
	busyTimeout = 10 * time.Second
	// busyNap is how long SQLite itself waits before our loop looks at the caller's context again: its own waiting cannot be ended.
	busyNap = 20 * time.Millisecond
	// readers is enough for the few reads in flight of one process.
	readers = 4
	// readCache is the page cache of each of them. They ask for single rows, and for all of them once, which no cache helps: the system's
	// own does.
	readCache = "cache_size(-256)"
	// writeCache is that of the writers: a quarter of SQLite's 2 MiB, which they keep while nothing is written. A batch that is larger goes to
	// the log earlier.
	writeCache = "cache_size(-512)"
)

// sqliteEngine is the store in one file.
type sqliteEngine struct{ path string }

var _ engine = (*sqliteEngine)(nil)

func newSQLite(path string) *sqliteEngine {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return &sqliteEngine{path: path}
}

func (e *sqliteEngine) place() string           { return e.path }
func (e *sqliteEngine) dialect() schema.Dialect { return sqlitedialect.New() }
func (e *sqliteEngine) placeholder(int) string  { return "?" }
func (e *sqliteEngine) selectContent() string   { return "SELECT body FROM contents WHERE hash = ?" }
func (e *sqliteEngine) migrations() fs.FS       { return sqliteMigrations }
func (e *sqliteEngine) lockSchema() string      { return "BEGIN IMMEDIATE" }
func (e *sqliteEngine) rowLock() string         { return "" }
func (e *sqliteEngine) remote() bool            { return false }
func (e *sqliteEngine) durably() string         { return "" }
func (e *sqliteEngine) headFile() string        { return e.path + headSuffix }

func (e *sqliteEngine) tables() string {
	return "SELECT count(*), count(*) FILTER (WHERE name = ?) FROM sqlite_master WHERE type = 'table'"
}

// dsn builds the address of the file. Pragmas hold per connection, so they belong here (facts: libraries.md 5.3); busy_timeout
// comes first because switching to WAL already waits. journal_size_limit gives back the log that a first sync blew up.
func (e *sqliteEngine) dsn(mode string, wait time.Duration, pragmas ...string) string {
	path := filepath.ToSlash(e.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/...
	}
	u := url.URL{Scheme: "file", Path: path}
	q := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds())}, pragmas...)}
	return u.String() + "?" + q.Encode()
}

// writer is the address for writing. NORMAL keeps a commit through a crash of this program; FULL also through a power failure, for
// an fsync each.
func (e *sqliteEngine) writer(wait time.Duration, synchronous string) string {
	return e.dsn("rw", wait, "journal_mode(WAL)", "synchronous("+synchronous+")", "foreign_keys(1)", "journal_size_limit(16777216)", "temp_store(MEMORY)", writeCache)
}

func (e *sqliteEngine) writePool() (*sql.DB, error) {
	c, err := sqlite.NewConnector(e.writer(busyNap, "NORMAL"))
	return pool(1, patient{c}), err
}

func (e *sqliteEngine) durablePool() (*sql.DB, error) {
	c, err := sqlite.NewConnector(e.writer(busyNap, "FULL"))
	return pool(1, patient{c}), err
}

func (e *sqliteEngine) migrationPool() (*sql.DB, error) {
	c, err := sqlite.NewConnector(e.writer(busyTimeout, "NORMAL"))
	return pool(1, &onceConnector{Connector: patient{c}}), err
}

func (e *sqliteEngine) readPool() (*sql.DB, error) {
	c, err := sqlite.NewConnector(e.dsn("ro", busyTimeout, "query_only(1)", readCache))
	return pool(readers, patient{c}), err
}

func pool(size int, c driver.Connector) *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

// patient is a connector that waits where SQLite does not: the switch of a new file to WAL, and the recovery of a log, answer
// SQLITE_BUSY at once when another process does the same, whatever busy_timeout says.
type patient struct{ driver.Connector }

func (p patient) Connect(ctx context.Context) (driver.Conn, error) {
	const pause = 10 * time.Millisecond
	for deadline := time.Now().Add(busyTimeout); ; {
		conn, err := p.Connector.Connect(ctx)
		if err == nil || !isBusy(err) || time.Now().After(deadline) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// onceConnector refuses a second connection.
type onceConnector struct {
	driver.Connector
	used atomic.Bool
}

func (o *onceConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if o.used.Swap(true) {
		return nil, errors.New("the connection that migrates was lost")
	}
	return o.Connector.Connect(ctx)
}

func (e *sqliteEngine) busy(err error) bool { return isBusy(err) }

func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// size is that of the file and its write-ahead log.
func (e *sqliteEngine) size(context.Context, *sql.DB) (int64, error) {
	info, err := os.Stat(e.path)
	if err != nil {
		return 0, err
	}
	total := info.Size()
	if wal, err := os.Stat(e.path + "-wal"); err == nil {
		total += wal.Size()
	}
	return total, nil
}

// unfinished says that a process was killed while it made the store: only who may write can roll back what it left.
func unfinished(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_READONLY_ROLLBACK
}
