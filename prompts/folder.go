package prompts

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// maxFile bounds a file of the folder, maxFiles how many are read: more would be a list that nobody reads.
	maxFile  = 64 << 10
	maxFiles = 100
)

// Problem is a file of the folder that is left out.
type Problem struct {
	File string
	Why  string
}

// Set is what is offered: prompts and recipes by name, and the files that were left out.
type Set struct {
	Prompts  []*Prompt
	Recipes  []*Recipe
	Problems []Problem
}

// Load reads this program's prompts and the owner's folder; "" or a folder that is not there holds nothing. A bad file is left out and named. Only
// plain files that nobody else can write are read: what they say is put to a model as the owner's own words.
func Load(dir string) (*Set, error) {
	own, err := builtin()
	if err != nil {
		return nil, err
	}
	s := &Set{Prompts: slices.Clone(own)}
	if dir == "" {
		return s, nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		s.Problems = append(s.Problems, Problem{dir, reason(err)})
		return s, nil
	}
	defer func() { _ = root.Close() }()
	s.read(root, dir)
	return s, nil
}

func (s *Set) read(root *os.Root, dir string) {
	if st, err := root.Stat("."); err != nil || openToOthers(st.Mode()) {
		s.Problems = append(s.Problems, Problem{dir, "others may write into the folder: chmod o-w it"})
		return
	}
	list, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		s.Problems = append(s.Problems, Problem{dir, reason(err)})
		return
	}
	list = slices.DeleteFunc(list, func(e fs.DirEntry) bool {
		return !slices.Contains([]string{".md", ".yaml", ".yml"}, path.Ext(e.Name()))
	})
	if len(list) > maxFiles {
		s.Problems = append(s.Problems, Problem{dir, fmt.Sprintf("%d files: the first %d are read", len(list), maxFiles)})
		list = list[:maxFiles]
	}
	for _, e := range list {
		raw, err := plain(root, e.Name())
		if err == nil {
			err = s.add(e.Name(), raw)
		}
		if err != nil {
			s.Problems = append(s.Problems, Problem{e.Name(), reason(err)})
		}
	}
}

// reason is an error in one line, with what to do.
func reason(err error) string {
	e := fault.Of(err)
	if e.Hint != "" {
		return e.Error() + " (" + e.Hint + ")"
	}
	return e.Error()
}

// openToOthers says that everybody may write; on Windows the bits say nothing.
func openToOthers(m fs.FileMode) bool { return m.Perm()&0o002 != 0 && os.PathSeparator == '/' }

// plain reads a file that is neither a link nor a device nor large.
func plain(root *os.Root, name string) ([]byte, error) {
	st, err := root.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fault.New(fault.Invalid, "it is no plain file")
	case openToOthers(st.Mode()):
		return nil, fault.New(fault.Invalid, "others may write to it: chmod o-w it")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		return nil, fault.New(fault.Invalid, "it is larger than %d KiB", maxFile>>10)
	}
	return raw, err
}

// add takes one file.
func (s *Set) add(file string, raw []byte) error {
	name := strings.TrimSuffix(file, path.Ext(file))
	if slices.ContainsFunc(s.Prompts, func(p *Prompt) bool { return p.Name == name }) || s.Recipe(name) != nil {
		return fault.New(fault.Invalid, "there is a prompt or recipe %s already", name)
	}
	if path.Ext(file) == ".md" {
		p, err := parsePrompt(name, raw)
		if err != nil {
			return err
		}
		p.Own = true
		s.Prompts = append(s.Prompts, p)
		return nil
	}
	r, err := parseRecipe(name, raw)
	if err == nil {
		s.Recipes = append(s.Recipes, r)
	}
	return err
}

// Recipe finds a recipe; nil where there is none of that name.
func (s *Set) Recipe(name string) *Recipe {
	for _, r := range s.Recipes {
		if r.Name == name {
			return r
		}
	}
	return nil
}
