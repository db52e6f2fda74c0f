package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// headSuffix makes the name of the head file from that of the store.
const headSuffix = ".audit-head"

// headFile is the path of the second place in which the end of the audit is noted, "" = none. It holds one line: sequence number and
// hash of the last row.
type headFile string

func headFileOf(eng engine, o Options) headFile {
	if o.HeadFile != "" {
		return headFile(o.HeadFile)
	}
	return headFile(eng.headFile())
}

// read gives what is noted; nil when nothing is.
func (h headFile) read() (*AuditHead, error) {
	if h == "" {
		return nil, nil
	}
	text, err := os.ReadFile(string(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, h.fault(err, "read")
	}
	var a AuditHead
	if n, err := fmt.Sscanf(string(text), "%d %64s\n", &a.Seq, &a.Hash); n != 2 || err != nil || a.Seq < 1 || len(a.Hash) != 64 {
		return nil, fault.New(fault.StoreCorrupt, "the audit's head file %s does not hold a sequence number and a hash", string(h)).
			WithHint("something else wrote it: run `proxmox-mcp audit verify`, then move the file aside; the next change makes a new one").
			WithNext("proxmox-mcp audit verify")
	}
	return &a, nil
}

// fault judges errors of the file system.
func (h headFile) fault(err error, verb string) error {
	code, hint := fault.Store, "look at that folder: without the file no change is made"
	switch {
	case errors.Is(err, syscall.ENOSPC):
		code, hint = fault.StoreFull, "free space on that disk; nothing of the failed write was kept"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		code, hint = fault.StoreReadOnly, "give this user write access to the folder and the file; without it no change is made"
	}
	return fault.Wrap(code, err, "cannot %s the audit's head file %s", verb, string(h)).WithHint("%s", hint)
}

// stagedHead is a head on disk that has still to take the place of the one before.
type stagedHead struct {
	at   AuditHead
	temp string // "" = there is none
}

// stage writes the head beside the file, on the disk and for the owner alone.
func (h headFile) stage(at AuditHead) (stagedHead, error) {
	s := stagedHead{at: at}
	if h == "" {
		return s, nil
	}
	if err := os.MkdirAll(filepath.Dir(string(h)), folderMode); err != nil {
		return s, h.fault(err, "write")
	}
	f, err := os.CreateTemp(filepath.Dir(string(h)), filepath.Base(string(h))+".*.partial")
	if err != nil {
		return s, h.fault(err, "write")
	}
	s.temp = f.Name()
	_, err = fmt.Fprintf(f, "%d %s\n", at.Seq, at.Hash)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		s.discard()
		return s, h.fault(err, "write")
	}
	return s, nil
}

func (s *stagedHead) discard() {
	if s.temp != "" {
		_ = os.Remove(s.temp) // what it noted did not happen
		s.temp = ""
	}
}

// publish renames what was staged, unless another process noted a later head meanwhile. Two that do so at the same moment can leave
// the earlier head: it is true as well, and the next write notes its own.
func (h headFile) publish(s *stagedHead) error {
	if s.temp == "" {
		return nil
	}
	if noted, err := h.read(); err == nil && noted != nil && noted.Seq >= s.at.Seq {
		s.discard()
		return nil
	}
	if err := os.Rename(s.temp, string(h)); err != nil {
		return h.fault(err, "write")
	}
	s.temp = ""
	return nil
}

// uncut fails with StoreCorrupt when the head file notes a row that the audit does not have. It is asked under the audit's lock,
// and a head is noted after its commit: so the file can be behind, never ahead.
func (d *DB) uncut(ctx context.Context, tx bun.Tx, head AuditHead) error {
	noted, err := d.head.read()
	if err != nil || noted == nil || *noted == head {
		return err
	}
	var hash string
	err = tx.NewRaw("SELECT hash FROM audit WHERE seq = ?", noted.Seq).Scan(ctx, &hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if noted.Seq < head.Seq && hash == noted.Hash {
		return nil
	}
	return fault.New(fault.StoreCorrupt, "the audit in %s ends at row %d and does not have row %d as %s notes it: nothing more is written",
		d.eng.place(), head.Seq, noted.Seq, string(d.head)).
		WithHint("somebody cut or replaced it, or an older copy of the store was put in its place: keep both files if you did not do that; " +
			"to go on, move the head file aside").
		WithNext("proxmox-mcp audit verify")
}
