package change

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// GrantFile keeps what the operator allows, beside the configuration. It is a file and no table, so that a server can list its tools
// without opening a database; a running server notices within one call, because the file's time is looked at each time.
type GrantFile struct {
	Path string
	// Process are grants of this process alone (--allow).
	Process []Grant

	mu    sync.Mutex
	stamp time.Time
	size  int64
	read  []Grant
}

type grantDoc struct {
	V      int     `json:"v"`
	Grants []Grant `json:"grants"`
}

// Grants gives those of the file and of the process. No file means none. A file that others can write is refused: whoever can write
// it decides what may be destroyed.
func (f *GrantFile) Grants(context.Context) ([]Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.Path)
	switch {
	case f.Path == "" || errors.Is(err, fs.ErrNotExist):
		return f.Process, nil
	case err != nil:
		return nil, fault.Wrap(fault.Config, err, "the file of what is allowed cannot be read")
	case info.Mode().Perm()&0o022 != 0:
		return nil, fault.New(fault.Config, "%s can be written by others; nothing is allowed", f.Path).WithHint("chmod 600 %s", f.Path)
	}
	if !info.ModTime().Equal(f.stamp) || info.Size() != f.size {
		if f.read, err = f.load(); err != nil {
			return nil, err
		}
		f.stamp, f.size = info.ModTime(), info.Size()
	}
	return append(slices.Clone(f.Process), f.read...), nil
}

func (f *GrantFile) load() ([]Grant, error) {
	raw, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, fault.Wrap(fault.Config, err, "the file of what is allowed cannot be read")
	}
	var doc grantDoc
	if err := json.Unmarshal(raw, &doc); err != nil || doc.V != 1 {
		return nil, fault.Wrap(fault.Config, err, "%s is not what proxmox-mcp allow writes; nothing is allowed", f.Path).
			WithHint("remove it, then run: proxmox-mcp allow TIER")
	}
	return doc.Grants, nil
}

// Write replaces the file's grants, readable by the owner alone.
func (f *GrantFile) Write(grants []Grant) error {
	raw, err := json.MarshalIndent(grantDoc{V: 1, Grants: grants}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return fault.Wrap(fault.Config, err, "the folder of what is allowed cannot be made")
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), ".allow-*")
	if err != nil {
		return fault.Wrap(fault.Config, err, "what is allowed cannot be written")
	}
	_, werr := tmp.Write(append(raw, '\n'))
	err = errors.Join(werr, tmp.Chmod(0o600), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), f.Path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fault.Wrap(fault.Config, err, "what is allowed cannot be written")
	}
	return nil
}
