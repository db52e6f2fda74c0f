package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// schemaState says which schema a store has: the newest migration applied to it and whether this program knows more or fewer.
type schemaState struct {
	found   string // newest applied, "" = none
	known   string // newest that this program has
	pending bool
	newer   bool // migrations were applied that this program does not know
}

// ensureSchema migrates a store that needs it. The look before takes no lock, so that opening a current store never waits.
func (d *DB) ensureSchema(ctx context.Context, fresh bool) error {
	known, err := d.migrations()
	if err != nil {
		return err
	}
	if !fresh {
		state, err := d.look(ctx, known)
		if unfinished(err) {
			return d.migrate(ctx, known)
		}
		if err != nil || !state.pending {
			return err
		}
	}
	return d.migrate(ctx, known)
}

// migrations reads the engine's migration files, NUMBER_what.up.sql. bun's own Discover is not used: it brings text/template, for
// which the linker has to keep every exported method of every type, a fifth of the program.
func (d *DB) migrations() (*migrate.Migrations, error) {
	known := migrate.NewMigrations()
	return known, fs.WalkDir(d.eng.migrations(), ".", func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		number, what, ok := strings.Cut(strings.TrimSuffix(path.Base(file), ".up.sql"), "_")
		if !ok || !strings.HasSuffix(file, ".up.sql") {
			return fmt.Errorf("store: %s is no name of a migration", file)
		}
		text, err := fs.ReadFile(d.eng.migrations(), file)
		known.Add(migrate.Migration{Name: number, Comment: what, Up: func(ctx context.Context, m *migrate.Migrator, _ *migrate.Migration) error {
			return execAll(ctx, m.DB(), string(text))
		}})
		return err
	})
}

// execAll runs the statements of a migration file one by one, as some databases take only one at a time.
func execAll(ctx context.Context, db *bun.DB, text string) error {
	for statement := range strings.SplitSeq(text, "--bun:split") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.DB.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// look reads the schema state over a connection that cannot write.
func (d *DB) look(ctx context.Context, known *migrate.Migrations) (schemaState, error) {
	pool, err := d.eng.readPool()
	if err != nil {
		return schemaState{}, err
	}
	defer func() { _ = pool.Close() }() // read-only: nothing to lose
	return d.schemaOf(ctx, bun.NewDB(pool, d.eng.dialect()), known)
}

// schemaOf compares the applied migrations with the known ones and refuses stores that are newer or not ours.
func (d *DB) schemaOf(ctx context.Context, db *bun.DB, known *migrate.Migrations) (schemaState, error) {
	state := schemaState{pending: true}
	names := make([]string, 0, 4)
	for _, m := range known.Sorted() {
		names = append(names, m.Name)
	}
	state.known = slices.Max(names)
	ours, err := d.isOurs(ctx, db.DB)
	if err != nil || !ours {
		return state, err
	}
	applied, err := migrate.NewMigrator(db, known).AppliedMigrations(ctx)
	if err != nil {
		return state, err
	}
	state.pending = len(applied) < len(names)
	for _, m := range applied {
		state.found = max(state.found, m.Name)
		state.newer = state.newer || !slices.Contains(names, m.Name)
	}
	if state.newer {
		return state, fault.New(fault.StoreNewer, "the state store %s has schema %s, this program knows schemas up to %s",
			d.eng.place(), state.found, state.known).
			WithHint("a newer proxmox-mcp wrote it; install that version or name another store. It was not changed")
	}
	return state, nil
}

// isOurs says whether the database has been migrated before; tables without that are somebody else's. One query: between two of them
// another process could have made the tables.
func (d *DB) isOurs(ctx context.Context, db *sql.DB) (bool, error) {
	var ours, tables int
	if err := db.QueryRowContext(ctx, d.eng.tables(), "bun_migrations").Scan(&tables, &ours); err != nil {
		return false, err
	}
	if ours == 0 && tables > 0 {
		return false, fault.New(fault.Store, "%s is a database of another program", d.eng.place()).
			WithHint("name another path or database for the state store; this one was not changed")
	}
	return ours > 0, nil
}

// migrate applies what is missing in one transaction that holds the write lock, bookkeeping included: of several processes one
// migrates and the others find it done, and a crash leaves nothing behind. bun's own lock is a row that a crash would leave, so
// it is not used.
func (d *DB) migrate(ctx context.Context, known *migrate.Migrations) error {
	pool, err := d.eng.migrationPool()
	if err != nil {
		return err
	}
	db := bun.NewDB(pool, d.eng.dialect())
	defer func() { _ = db.Close() }() // rolls back what was not committed
	if _, err := db.ExecContext(ctx, d.eng.lockSchema()); err != nil {
		return err
	}
	state, err := d.schemaOf(ctx, db, known)
	if err != nil || !state.pending {
		return err
	}
	m := migrate.NewMigrator(db, known, migrate.WithMarkAppliedOnSuccess(true))
	if err := m.Init(ctx); err != nil {
		return err
	}
	group, err := m.Migrate(ctx)
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	d.log.InfoContext(ctx, "state store migrated", "path", d.eng.place(), "from", state.found, "to", state.known, "applied", len(group.Migrations))
	return nil
}
