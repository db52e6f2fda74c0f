package repo

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
)

// State is what a write does, or did, to one file.
type State string

// The states of a file.
const (
	New       State = "new"
	Same      State = "unchanged" // as generated, nothing to do
	Rewritten State = "rewritten" // as generated before, now as generated
	Merged    State = "merged"    // edited, and what changed was put in beside the edits
	Edited    State = "edited"    // edited, and nothing changed in what is generated
	Kept      State = "kept"      // left as it is, against what is generated: see its conflicts
	Removed   State = "removed"   // no longer generated
	Absent    State = "absent"    // generated before, removed by its owner: it stays so
)

// FileChange is what becomes of one file.
type FileChange struct {
	Path      string
	State     State
	Conflicts []Conflict
	target    string
	generated []byte // nil: no longer generated
	write     []byte // what goes to disk; nil = nothing does
}

// Conflict is a place where an edit and what is generated cannot both be had; the edit stays.
type Conflict struct {
	Where     string // resource.name.attribute, or lines of a file
	Yours     string // "" = removed
	Generated string // "" = removed
	Why       string
}

// Change is what a write does.
type Change struct {
	Files  []FileChange
	folder *Folder
	next   Manifest
	world  *iac.World
}

// Set is what is generated for one target.
type Set struct {
	Name string
	Target
	Files []iac.File
}

// Plan compares what is generated with the folder. Files of targets that are not among the sets stay as they are. It writes nothing.
func (f *Folder) Plan(world *iac.World, sets []Set) (*Change, error) {
	c := &Change{folder: f, world: world, next: Manifest{Version: manifestVersion, Cluster: world.Cluster, Targets: maps.Clone(f.Manifest.Targets),
		Files: maps.Clone(f.Manifest.Files)}}
	for _, s := range sets {
		c.next.Targets[s.Name] = s.Target
		made := map[string]bool{}
		for _, file := range s.Files {
			if err := iac.CheckPath(file.Path); err != nil {
				return nil, err
			}
			made[file.Path] = true
			if err := c.generated(s.Name, file); err != nil {
				return nil, err
			}
		}
		for p, e := range f.Manifest.Files {
			if e.Target == s.Name && !made[p] {
				if err := c.dropped(p); err != nil {
					return nil, err
				}
			}
		}
	}
	slices.SortFunc(c.Files, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	return c, nil
}

// generated judges one file that is generated now.
func (c *Change) generated(target string, file iac.File) error {
	fc := FileChange{Path: file.Path, target: target, generated: file.Data}
	defer func() { c.Files = append(c.Files, fc) }()
	disk, there, err := c.folder.Read(file.Path)
	if err != nil {
		return err
	}
	e, known := c.folder.Manifest.Files[file.Path]
	switch {
	case there && bytes.Equal(disk, file.Data):
		fc.State = Same
	case !known && !there:
		fc.State, fc.write = New, file.Data
	case !known:
		fc.State, fc.generated = Kept, nil
		fc.Conflicts = []Conflict{{Where: file.Path, Why: "a file of yours has this name; it is left alone"}}
	case there && c.folder.untouched(file.Path, disk):
		fc.State, fc.write = Rewritten, file.Data
	case hash(file.Data) == e.SHA256:
		fc.State = map[bool]State{true: Edited, false: Absent}[there]
	case !there && !isHCL(file.Path):
		fc.State = Absent
	default:
		return c.merge(&fc, disk, there)
	}
	return nil
}

// untouched says whether a file is as this program wrote it.
func (f *Folder) untouched(p string, disk []byte) bool {
	h := hash(disk)
	return h == f.Manifest.Files[p].SHA256 || h == f.Manifest.Writing[p]
}

// dropped judges a file that is no longer generated.
func (c *Change) dropped(p string) error {
	fc := FileChange{Path: p, State: Removed}
	defer func() { c.Files = append(c.Files, fc) }()
	disk, there, err := c.folder.Read(p)
	if err != nil || !there || c.folder.untouched(p, disk) {
		return err
	}
	return c.merge(&fc, disk, true)
}

// merge puts what changed in what is generated into an edited file.
func (c *Change) merge(fc *FileChange, disk []byte, there bool) error {
	base, known, err := c.folder.base(fc.Path)
	switch {
	case err != nil:
		return err
	case !known:
		fc.State, fc.Conflicts = Kept, []Conflict{{Where: fc.Path, Why: "it was edited, and what was generated before is not known here any more"}}
		return nil
	}
	out, conflicts := mergeFile(fc.Path, base, disk, fc.generated)
	fc.Conflicts = conflicts
	switch {
	case out == nil:
		fc.State = Kept
	case len(bytes.TrimSpace(out)) == 0:
		fc.State = map[bool]State{true: Removed, false: Absent}[there]
	case bytes.Equal(out, disk):
		fc.State = Edited
		if len(conflicts) > 0 {
			fc.State = Kept
		}
	default:
		fc.State, fc.write = Merged, out
	}
	return nil
}

// mergeFile merges by the kind of file; nil where it cannot be merged, with the reason.
func mergeFile(p string, base, ours, theirs []byte) ([]byte, []Conflict) {
	if isHCL(p) {
		return mergeHCL(p, base, ours, theirs)
	}
	return mergeText(p, base, ours, theirs)
}

func isHCL(p string) bool { return path.Ext(p) == ".tf" || path.Ext(p) == ".hcl" }

// Conflicts are those of all files.
func (c *Change) Conflicts() []Conflict {
	var out []Conflict
	for _, f := range c.Files {
		out = append(out, f.Conflicts...)
	}
	return out
}

// Changed are the paths that a write touches.
func (c *Change) Changed() []string {
	var out []string
	for _, f := range c.Files {
		if f.write != nil || f.State == Removed {
			out = append(out, f.Path)
		}
	}
	return out
}
