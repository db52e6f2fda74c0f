package code

import (
	"context"
	"maps"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// File is a generated file of a cluster's own folder.
type File struct {
	Path   string // below the folder, with slashes
	Target string // the emitter that made it
	Size   int64  // bytes, as it lies there now
	Text   string // as it lies there now, edits of its owner included; tokens and passwords masked. Only of Service.File
}

// maxFile bounds a file that is given to a reader; that of a thousand guests has half of it.
const maxFile = 4 << 20

// Files lists the generated files of a cluster's own folder by path: those of the manifest that are still there. It is empty where nothing
// was exported.
func (s *Service) Files(ctx context.Context, cluster string) (name string, list []File, err error) {
	name, f, err := s.own(ctx, cluster)
	if err != nil {
		return name, nil, err
	}
	defer func() { _ = f.Close() }()
	for _, p := range slices.Sorted(maps.Keys(f.Manifest.Files)) {
		size, ok, err := f.Size(p)
		if err != nil {
			return name, nil, err
		}
		if ok {
			list = append(list, File{Path: p, Target: f.Manifest.Files[p].Target, Size: size})
		}
	}
	return name, list, nil
}

// File gives one generated file of a cluster's own folder. Nothing else can be read so: not the owner's files, not state, nothing that a
// link points to. Errors: fault.Invalid for a path that is not plain and for a file above 4 MiB, fault.NotFound for what was not
// generated or is gone.
func (s *Service) File(ctx context.Context, cluster, path string) (*File, error) {
	if err := iac.CheckPath(path); err != nil {
		return nil, err
	}
	_, f, err := s.own(ctx, cluster)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	made, ok := f.Manifest.Files[path]
	var size int64
	if ok {
		size, ok, err = f.Size(path)
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "no generated file is called %q", path).WithNext("export_code")
	}
	if size > maxFile {
		return nil, fault.New(fault.Invalid, "%s has %d bytes: more than is given out", path, size)
	}
	raw, _, err := f.Read(path)
	if err != nil {
		return nil, err
	}
	return &File{Path: path, Target: made.Target, Size: size, Text: redact.Text(string(raw))}, nil
}

// own opens a cluster's own folder.
func (s *Service) own(ctx context.Context, cluster string) (name string, f *repo.Folder, err error) {
	name, dir, _, err := s.place(ctx, Place{Cluster: cluster}, "")
	if err != nil {
		return name, nil, err
	}
	f, err = repo.Open(dir)
	return name, f, err
}
