package repo

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Folder is a folder of generated code. It reaches nothing outside: not by a name, not by a symbolic link.
type Folder struct {
	Dir      string // absolute
	Manifest Manifest
	root     *os.Root // nil while the folder does not exist
}

// Open opens the folder at dir, which need not exist yet. Errors: fault.Invalid where it is none, fault.Store where it cannot be read.
func Open(dir string) (*Folder, error) {
	if !filepath.IsAbs(dir) {
		return nil, fault.BadField("folder", "must be an absolute path", "/home/me/infra")
	}
	f := &Folder{Dir: filepath.Clean(dir)}
	if filepath.Dir(f.Dir) == f.Dir {
		return nil, fault.BadField("folder", "must not be the root of a file system", "/home/me/infra")
	}
	root, err := os.OpenRoot(f.Dir)
	switch {
	case err == nil:
		f.root = root
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fault.Wrap(fault.Store, err, "the folder %s cannot be opened", f.Dir)
	}
	if f.Manifest, err = f.readManifest(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Close gives the folder back.
func (f *Folder) Close() error {
	if f.root == nil {
		return nil
	}
	return f.root.Close()
}

// Exists says whether code was ever written there.
func (f *Folder) Exists() bool { return len(f.Manifest.Files) > 0 }

// make creates the folder, for its owner alone: descriptions of guests may hold what is nobody else's business.
func (f *Folder) make() error {
	if f.root != nil {
		return nil
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fault.Wrap(fault.Store, err, "the folder %s cannot be made", f.Dir)
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return fault.Wrap(fault.Store, err, "the folder %s cannot be opened", f.Dir)
	}
	f.root = root
	return nil
}

// put writes a file whole or not at all: readers and a crash see the old content or the new.
func (f *Folder) put(p string, data []byte) error {
	if old, ok, err := f.Read(p); err == nil && ok && bytes.Equal(old, data) {
		return nil
	}
	fail := func(err error) error {
		return fault.Wrap(fault.Store, err, "%s cannot be written", path.Join(f.Dir, p))
	}
	if err := f.root.MkdirAll(path.Dir(p), 0o700); err != nil {
		return fail(err)
	}
	temp := path.Join(path.Dir(p), ".proxmox-mcp-"+rand.Text())
	if err := f.putTemp(temp, data); err != nil {
		_ = f.root.Remove(temp)
		return fail(err)
	}
	if err := f.root.Rename(temp, p); err != nil {
		_ = f.root.Remove(temp)
		return fail(err)
	}
	return nil
}

func (f *Folder) putTemp(temp string, data []byte) error {
	w, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return errors.Join(err, w.Sync(), w.Close())
}

// drop removes a file, and its folder when nothing else is in it.
func (f *Folder) drop(p string) error {
	if err := f.root.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Store, err, "%s cannot be removed", path.Join(f.Dir, p))
	}
	if dir := path.Dir(p); dir != "." {
		_ = f.root.Remove(dir) // it stays unless it is empty
	}
	return nil
}

func decodeWorld(raw []byte) (*iac.World, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var w iac.World
	if err := dec.Decode(&w); err != nil {
		return nil, fault.Wrap(fault.Conflict, err, "%s cannot be read", worldPath).WithHint("export again")
	}
	w.Sort()
	return &w, nil
}
