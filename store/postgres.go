package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"io/fs"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

//go:embed migrations/postgres/*.up.sql
var postgresMigrations embed.FS

const (
	// pgWriters and pgReaders bound the connections of one process, so that ten of them fit into a server's usual hundred. Two
	// writers: a lease of one cluster is renewed while a batch of another one is written.
	pgWriters, pgReaders = 2, 4
	// pgIdle is when a connection that nobody uses is given back.
	pgIdle = 5 * time.Minute
	// pgConnect bounds how long a connection may take to come about, unless the address says connect_timeout.
	pgConnect = 10 * time.Second
	// pgSchemaLock is the key of the advisory lock under which a schema is migrated: any number that nobody else in the
	// database uses (the letters "pxmcp").
	pgSchemaLock = 0x70786d6370
)

// postgresEngine is the store in a database of a PostgreSQL server.
type postgresEngine struct {
	cfg  *pgx.ConnConfig
	name string
}

var _ engine = (*postgresEngine)(nil)

func (e *postgresEngine) place() string            { return e.name }
func (e *postgresEngine) dialect() schema.Dialect  { return pgdialect.New() }
func (e *postgresEngine) placeholder(n int) string { return "$" + strconv.Itoa(n) }
func (e *postgresEngine) selectContent() string    { return "SELECT body FROM contents WHERE hash = $1" }
func (e *postgresEngine) migrations() fs.FS        { return postgresMigrations }
func (e *postgresEngine) rowLock() string          { return "FOR UPDATE" }
func (e *postgresEngine) remote() bool             { return true }
func (e *postgresEngine) headFile() string         { return "" }

// durablePool is not needed: a transaction says for itself whether its commit is awaited until it is on the disk.
func (e *postgresEngine) durablePool() (*sql.DB, error) { return nil, nil }

// durably leaves the stricter values, which wait for standbys, as they are.
func (e *postgresEngine) durably() string {
	return "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
}

// lockSchema waits for whoever migrates now; the lock ends with the transaction, so that a crash leaves none.
func (e *postgresEngine) lockSchema() string {
	return "BEGIN; SELECT pg_advisory_xact_lock(" + strconv.Itoa(pgSchemaLock) + ")"
}

func (e *postgresEngine) tables() string {
	return "SELECT count(*), count(*) FILTER (WHERE tablename = $1) FROM pg_tables WHERE schemaname = current_schema()"
}

// prepare has nothing to make: a database is there or not, and the first connection tells.
func (e *postgresEngine) prepare(context.Context) (fresh bool, err error) { return false, nil }

func (e *postgresEngine) writePool() (*sql.DB, error) {
	return e.pool(pgWriters, pgConnector{e, e.connector(nil)}), nil
}

func (e *postgresEngine) migrationPool() (*sql.DB, error) {
	return e.pool(1, &onceConnector{Connector: heldConnector{pgConnector{e, e.connector(nil)}}}), nil
}

func (e *postgresEngine) readPool() (*sql.DB, error) {
	return e.pool(pgReaders, pgConnector{e, e.connector(map[string]string{"default_transaction_read_only": "on"})}), nil
}

func (e *postgresEngine) pool(size int, c driver.Connector) *sql.DB {
	db := pool(size, c)
	db.SetConnMaxIdleTime(pgIdle)
	return db
}

// connector makes connections whose sessions have these settings besides those of every session.
func (e *postgresEngine) connector(settings map[string]string) driver.Connector {
	cfg := e.cfg.Copy()
	maps.Copy(cfg.RuntimeParams, settings)
	return stdlib.GetConnector(*cfg)
}

// pgConnector says in our words why there is no connection, and refuses databases whose texts are not Unicode.
type pgConnector struct {
	eng *postgresEngine
	driver.Connector
}

// Connect implements driver.Connector.
func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, c.eng.connectFault(err)
	}
	if pc, ok := conn.(*stdlib.Conn); ok {
		if enc := pc.Conn().PgConn().ParameterStatus("server_encoding"); enc != "UTF8" {
			_ = conn.Close() // it was not used
			return nil, c.eng.badEncoding(enc)
		}
	}
	return conn, nil
}

// heldConnector makes connections that may lie in the pool with a transaction open, as the migration's does between its statements.
type heldConnector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c heldConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if pc, ok := conn.(*stdlib.Conn); ok && err == nil {
		return heldConn{pc}, nil
	}
	return conn, err
}

// heldConn hides that the driver throws away connections with an open transaction.
type heldConn struct{ *stdlib.Conn }

// ResetSession implements driver.SessionResetter.
func (heldConn) ResetSession(context.Context) error { return nil }

// future says of an empty database that there is no store yet, or that there cannot be one.
func (e *postgresEngine) future(ctx context.Context, db *sql.DB) error {
	var may bool
	if err := db.QueryRowContext(ctx, "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)").Scan(&may); err != nil {
		return err
	}
	if !may {
		return e.forbidden(nil)
	}
	return fault.New(fault.NotFound, "there is no state store in %s yet", e.name).WithHint("the first sync makes its tables: proxmox-mcp sync")
}

// size is that of the tables with their indexes.
func (e *postgresEngine) size(ctx context.Context, db *sql.DB) (bytes int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c "+
		"JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'").Scan(&bytes)
	return bytes, err
}

// integrity asks for what the server itself knows to be wrong; the contents are read and hashed besides (Check).
func (e *postgresEngine) integrity(ctx context.Context, db *sql.DB) ([]string, error) {
	indexes, err := texts(ctx, db, "SELECT 'index ' || c.relname || ' is not valid' FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid "+
		"JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT i.indisvalid LIMIT 20")
	if err != nil {
		return indexes, err
	}
	pages, err := texts(ctx, db, "SELECT 'the server met ' || checksum_failures || ' damaged pages in this database' FROM pg_stat_database "+
		"WHERE datname = current_database() AND checksum_failures > 0")
	return append(indexes, pages...), err
}
