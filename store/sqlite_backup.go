package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// backup copies with VACUUM INTO, which reads one snapshot while writers go on, then renames: dest is complete or absent.
func (e *sqliteEngine) backup(ctx context.Context, dest string) error {
	if err := refuseExisting(dest); err != nil {
		return err
	}
	// VACUUM INTO takes an empty file that is there: made by us it is private (0600) from the start.
	f, err := os.CreateTemp(filepath.Dir(dest), filepath.Base(dest)+".*.partial")
	if err != nil {
		return e.backupFault(err, dest)
	}
	temp := f.Name()
	err = errors.Join(f.Close(), e.vacuumInto(ctx, temp))
	if err == nil {
		err = errors.Join(syncFile(temp), refuseExisting(dest))
	}
	if err == nil {
		err = os.Rename(temp, dest)
	}
	if err != nil {
		_ = os.Remove(temp) // the error that counts is why there is no backup
		return e.backupFault(err, dest)
	}
	return nil
}

// backupFault says that the copy failed where the error would else speak of the store itself.
func (e *sqliteEngine) backupFault(err error, dest string) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	code := fault.CodeOf(e.fileFault(err, "backup"))
	if known := e.fault(err); known != nil {
		code = fault.CodeOf(known)
	}
	if code == fault.StoreCorrupt {
		return e.fault(err)
	}
	return fault.Wrap(code, err, "cannot write the backup %s", dest).
		WithHint("name a file in a folder that exists, has room and can be written; the store itself was only read")
}

func (e *sqliteEngine) vacuumInto(ctx context.Context, temp string) error {
	c, err := sqlite.NewConnector(e.dsn("ro", busyTimeout)) // query_only would forbid writing the copy
	if err != nil {
		return err
	}
	db := pool(1, patient{c})
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", temp)
	return errors.Join(err, db.Close())
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func refuseExisting(dest string) error {
	if _, err := os.Lstat(dest); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, "the backup %s would overwrite a file", dest).WithHint("name a file that does not exist yet")
	}
	return nil
}

// integrity runs SQLite's full check of pages, indexes and foreign keys.
func (e *sqliteEngine) integrity(ctx context.Context, db *sql.DB) ([]string, error) {
	pages, err := texts(ctx, db, "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok' LIMIT 20")
	if err != nil {
		return nil, err
	}
	keys, err := texts(ctx, db, `SELECT 'row ' || coalesce(rowid, '?') || ' of ' || "table" || ' refers to a missing row of ' || parent `+
		"FROM pragma_foreign_key_check LIMIT 20")
	return append(pages, keys...), err
}

// texts gives the one text column of a query.
func texts(ctx context.Context, db *sql.DB, query string) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}
