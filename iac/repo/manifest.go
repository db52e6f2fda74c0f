package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Names below the folder that are this program's own.
const (
	own          = ".proxmox-mcp"
	manifestPath = own + "/manifest.json"
	worldPath    = own + "/world.json"
	basePath     = own + "/base"
)

// Records are the paths of this program's own records: they belong into version control beside the code.
var Records = []string{own}

// manifestVersion is that of the manifest's form; a newer one is refused.
const manifestVersion = 1

// Manifest says which files of the folder were generated, from what.
type Manifest struct {
	Version int    `json:"version"`
	Cluster string `json:"cluster"`
	// Targets are the kinds of code in the folder, by the emitter's name.
	Targets map[string]Target `json:"targets"`
	// Files are the generated ones by path; what is not here is somebody's own.
	Files map[string]Entry `json:"files"`
	// Writing are the hashes of a write that was under way: a file with such a hash is as generated, whatever Files says.
	Writing map[string]string `json:"writing,omitempty"`
}

// Target is what was asked for one kind of code.
type Target struct {
	Query string   `json:"query,omitempty"` // the guests that were selected; "" = all
	With  []string `json:"with,omitempty"`  // parts that were asked for besides
	Held  []string `json:"held,omitempty"`  // addresses that the files name
}

// Entry is one generated file.
type Entry struct {
	Target string `json:"target"`
	SHA256 string `json:"sha256"` // of the content as generated, which an edited file no longer has
}

// Any is the path of one generated file, "" where there is none.
func (m *Manifest) Any() string {
	for _, p := range slices.Sorted(maps.Keys(m.Files)) {
		return p
	}
	return ""
}

// hash is a content's SHA-256.
func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// readManifest reads the folder's manifest; an empty one where there is none.
func (f *Folder) readManifest() (Manifest, error) {
	m := Manifest{Version: manifestVersion, Targets: map[string]Target{}, Files: map[string]Entry{}}
	raw, ok, err := f.Read(manifestPath)
	if err != nil || !ok {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fault.Wrap(fault.Conflict, err, "%s in %s cannot be read", manifestPath, f.Dir).
			WithHint("restore it (git checkout), or export to an empty folder")
	}
	if m.Version > manifestVersion {
		return m, fault.New(fault.StoreNewer, "%s was written by a newer version of this program", f.Dir)
	}
	for p := range m.Files { // a manifest that came with a repository is no reason to leave the folder
		if err := iac.CheckPath(p); err != nil {
			return m, err
		}
	}
	return m, nil
}

// base is what was generated last for a path; ok is false where it is not known any more.
func (f *Folder) base(p string) (data []byte, ok bool, err error) {
	data, ok, err = f.Read(path.Join(basePath, p))
	if err != nil || !ok || !f.untouched(p, data) {
		return nil, false, err
	}
	return data, true, nil
}

// World is the cluster as it was at the last export; nil where there was none.
func (f *Folder) World() (*iac.World, error) {
	raw, ok, err := f.Read(worldPath)
	if err != nil || !ok {
		return nil, err
	}
	return decodeWorld(raw)
}

// marshal writes JSON as people read it, the same bytes for the same value.
func marshal(v any) ([]byte, error) {
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the folder's own records cannot be written")
	}
	return append(raw, '\n'), nil
}

// Read gives a file's content, ok = false when there is none.
func (f *Folder) Read(p string) (data []byte, ok bool, err error) {
	if f.root == nil {
		return nil, false, nil
	}
	data, err = f.root.ReadFile(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, fault.Wrap(fault.Store, err, "%s cannot be read", path.Join(f.Dir, p))
	}
	return data, true, nil
}

// Size is that of a plain file in bytes, ok = false when there is none: no folder and no link counts.
func (f *Folder) Size(p string) (n int64, ok bool, err error) {
	if f.root == nil {
		return 0, false, nil
	}
	info, err := f.root.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, fault.Wrap(fault.Store, err, "%s cannot be read", path.Join(f.Dir, p))
	}
	return info.Size(), info.Mode().IsRegular(), nil
}
