package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// folderMode and fileMode keep the state to its owner: it holds the configuration of every guest.
	folderMode = 0o700
	fileMode   = 0o600
	// headerSize is SQLite's file header (sqlite.org/fileformat2.html 1.3).
	headerSize = 100
)

// sqliteMagic begins every SQLite file.
var sqliteMagic = []byte("SQLite format 3\x00")

// prepare makes the folder and an empty file where there is none, and otherwise judges the file by its header.
func (e *sqliteEngine) prepare(context.Context) (fresh bool, err error) {
	if err := os.MkdirAll(filepath.Dir(e.path), folderMode); err != nil {
		return false, e.fileFault(err, "cannot create the folder %s of the state store", filepath.Dir(e.path))
	}
	if info, err := os.Stat(e.path); err == nil && !info.Mode().IsRegular() {
		return false, fault.New(fault.Store, "the state store %s is a folder or a special file, not a file", e.path).
			WithHint("name a file in that folder instead, such as %s", filepath.Join(e.path, dbFile))
	}
	f, err := os.OpenFile(e.path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return false, e.fileFault(err, "cannot open the state store %s for writing", e.path)
	}
	defer func() { _ = f.Close() }() // nothing was written through it
	return e.judge(f)
}

// judge tells an empty file, a sound looking one, and one that is no SQLite file or lost its end.
func (e *sqliteEngine) judge(f *os.File) (fresh bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() == 0 {
		return true, nil
	}
	head := make([]byte, headerSize)
	if n, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	} else if n < headerSize || !bytes.HasPrefix(head, sqliteMagic) {
		return false, e.corrupt(nil, "it does not begin like a SQLite file")
	}
	if want := headerFileSize(head); info.Size() < want && e.walSize() == 0 {
		return false, e.corrupt(nil, "its end is missing: %d of %d bytes are there", info.Size(), want)
	}
	return false, nil
}

// headerFileSize is the size in bytes that the header promises (page size at 16, 1 meaning 65536; pages at 28). A log that was
// not folded in yet may hold the end of the file, so the promise only counts without one.
func headerFileSize(head []byte) int64 {
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	return page * int64(binary.BigEndian.Uint32(head[28:]))
}

func (e *sqliteEngine) walSize() int64 {
	info, err := os.Stat(e.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

func (e *sqliteEngine) corrupt(err error, format string, args ...any) *fault.Error {
	f := fault.New(fault.StoreCorrupt, "the state store %s is damaged", e.path).
		WithHint("run `proxmox-mcp db check` for details; to start afresh move %s (with its -wal, -shm and .audit-head files) aside: the "+
			"next sync fills a new store, history stays in the old file; a copy made with `proxmox-mcp db backup` can take its place", e.path).
		WithNext("proxmox-mcp db check")
	f.Cause = fault.New(fault.StoreCorrupt, format, args...).Message
	f.Err = err
	return f
}

// fileFault judges errors of the file system.
func (e *sqliteEngine) fileFault(err error, format string, args ...any) *fault.Error {
	code, hint := fault.Store, "name another path for the state store"
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		code = fault.StoreReadOnly
		hint = "give this user write access to the folder and the file (the write-ahead log lies beside it), or name another path"
	case errors.Is(err, syscall.ENOSPC):
		return e.full(err)
	}
	return fault.Wrap(code, err, format, args...).WithHint("%s", hint)
}

func (e *sqliteEngine) full(err error) *fault.Error {
	return fault.Wrap(fault.StoreFull, err, "there is no room left for the state store %s", e.path).
		WithHint("free space on that disk; what was committed before is intact, nothing of the failed write was kept").Retry()
}

// fault judges errors of SQLite by their primary result code (the low byte of the extended one).
func (e *sqliteEngine) fault(err error) error {
	se, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		if _, isPath := errors.AsType[*fs.PathError](err); isPath {
			return e.fileFault(err, "the state store %s cannot be used", e.path)
		}
		return nil
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return e.corrupt(err, "%s", err)
	case sqlite3.SQLITE_FULL:
		return e.full(err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fault.Wrap(fault.StoreReadOnly, err, "the state store %s cannot be written", e.path).
			WithHint("give this user write access to the folder and the file (the write-ahead log lies beside it), or name another path")
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Wrap(fault.Store, err, "another process held the state store %s for more than %s", e.path, busyTimeout).
			WithHint("try again; if it stays so, look for a stuck proxmox-mcp process").Retry()
	case sqlite3.SQLITE_INTERRUPT:
		return fault.Wrap(fault.Cancelled, err, "the call was cancelled")
	case sqlite3.SQLITE_IOERR:
		return fault.Wrap(fault.Store, err, "reading or writing the state store %s failed", e.path).
			WithHint("look at the disk's health and free space, then run `proxmox-mcp db check`").Retry()
	}
	return nil
}
