package change

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	// Seal gives the SHA-256 of the file as the operator wrote it last (hexadecimal, "" for never). nil: the file is taken as it is, which
	// is only good enough to see that it allows nothing.
	Seal func(ctx context.Context) (string, error)

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
// it decides what may be destroyed. So is one that the operator did not write.
func (f *GrantFile) Grants(ctx context.Context) ([]Grant, error) {
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
		f.stamp = time.Time{}
		raw, err := f.raw()
		if err != nil {
			return nil, err
		}
		if err := f.sealed(ctx, raw); err != nil {
			return nil, err
		}
		if f.read, err = f.decode(raw); err != nil {
			return nil, err
		}
		f.stamp, f.size = info.ModTime(), info.Size()
	}
	return append(slices.Clone(f.Process), f.read...), nil
}

func (f *GrantFile) sealed(ctx context.Context, raw []byte) error {
	if f.Seal == nil {
		return nil
	}
	want, err := f.Seal(ctx)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != want {
		return fault.New(fault.Denied, "%s was changed without the operator; nothing is allowed", f.Path).
			WithHint("its owner runs: proxmox-mcp allow TIER (or allow --none), with the same --state")
	}
	return nil
}

// load reads the file as it is, without grants of the process; no file has none.
func (f *GrantFile) load() ([]Grant, error) {
	raw, err := f.raw()
	if err != nil || raw == nil {
		return nil, err
	}
	return f.decode(raw)
}

func (f *GrantFile) raw() ([]byte, error) {
	raw, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Config, err, "the file of what is allowed cannot be read")
	}
	return raw, nil
}

func (f *GrantFile) decode(raw []byte) ([]Grant, error) {
	var doc grantDoc
	if err := json.Unmarshal(raw, &doc); err != nil || doc.V != 1 {
		return nil, fault.Wrap(fault.Config, err, "%s is not what proxmox-mcp allow writes; nothing is allowed", f.Path).
			WithHint("its owner runs: proxmox-mcp allow TIER (or allow --none)")
	}
	return doc.Grants, nil
}

func encodeGrants(grants []Grant) ([]byte, error) {
	raw, err := json.MarshalIndent(grantDoc{V: 1, Grants: grants}, "", "  ")
	return append(raw, '\n'), err
}

// write replaces the file, readable by the owner alone.
func (f *GrantFile) write(raw []byte) error {
	if err := replaceFile(f.Path, raw); err != nil {
		return fault.Wrap(fault.Config, err, "what is allowed cannot be written")
	}
	return nil
}

// replaceFile writes a file of mode 0600 beside path and renames it there; the folder is made (0700).
func replaceFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".allow-*") // 0600 by its contract
	if err != nil {
		return err
	}
	_, werr := tmp.Write(data)
	err = errors.Join(werr, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
