package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// What is done to a file.
const (
	Add    = "add"
	Update = "update"
	Remove = "remove"
	None   = "none" // it is so already
)

// Edit is a change of one client's file that was worked out and not written.
type Edit struct {
	Client Client
	Action string
	Diff   []string // the lines of the entry that come (+) and go (-), without their neighbours, which may hold secrets

	before, after []byte
	existed       bool
}

// maxFile bounds what is read: a client's file with its history in it has some megabytes.
const maxFile = 64 << 20

// Put works out how the client's file comes to hold s.
func (c Client) Put(s Server) (Edit, error) {
	return c.edit(func(src []byte) ([]splice, error) {
		if c.toml {
			return putTOML(src, c.keys, s, c.fields(s))
		}
		return putJSON(src, c.keys, s, c.fields(s))
	}, s.Name, Add)
}

// Take works out how the entry of s leaves the client's file. One of its name that starts another program is refused.
func (c Client) Take(s Server) (Edit, error) {
	return c.edit(func(src []byte) ([]splice, error) {
		if c.toml {
			return removeTOML(src, c.keys, s)
		}
		return removeJSON(src, c.keys, s)
	}, s.Name, Remove)
}

func (c Client) edit(work func([]byte) ([]splice, error), name, action string) (Edit, error) {
	e := Edit{Client: c, Action: None}
	if c.Path == "" {
		return e, fault.New(fault.Config, "%s has no place for its settings that is known on this system", c.Title)
	}
	src, err := read(c.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return e, fault.Wrap(fault.Config, err, "the file of %s cannot be read: %s", c.Title, c.Path)
	}
	e.before, e.existed = src, err == nil
	if !c.toml && len(bytes.TrimSpace(src)) == 0 {
		src = []byte("{}\n")
	}
	cuts, err := work(src)
	if err != nil {
		return e, c.refuse(err, name)
	}
	if len(cuts) == 0 {
		return e, nil
	}
	if bytes.Contains(src, []byte("\r\n")) {
		for k := range cuts {
			cuts[k].text = strings.ReplaceAll(cuts[k].text, "\n", "\r\n")
		}
	}
	e.after = apply(src, cuts)
	if err := c.check(src, e.after, name, action == Remove); err != nil {
		return e, err
	}
	e.Action = action
	if action == Add && slices.ContainsFunc(cuts, func(s splice) bool { return s.end > s.at && len(bytes.TrimSpace(src[s.at:s.end])) > 0 }) {
		e.Action = Update
	}
	e.Diff = diff(src, cuts)
	return e, nil
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("it is no file of less than %d MB", maxFile>>20)
	}
	return os.ReadFile(path)
}

// refuse explains why a file is left alone.
func (c Client) refuse(err error, name string) error {
	if errors.Is(err, errForeign) {
		return fault.New(fault.Conflict, "%s has a server named %s that starts another program; it was left alone", c.Title, name).
			WithHint("choose another name with --server-name, or take that entry out of %s by hand", c.Path)
	}
	return fault.Wrap(fault.Config, err, "the file of %s was left alone: %s", c.Title, c.Path).
		WithHint("put it right, or add the server by hand: docs/install.md has the lines")
}

func apply(src []byte, cuts []splice) []byte {
	var out []byte
	at := 0
	for _, s := range cuts {
		out = append(append(out, src[at:s.at]...), s.text...)
		at = s.end
	}
	return append(out, src[at:]...)
}

// check reads what was made: the entry is there or not, as wanted, and all else is as it was.
func (c Client) check(before, after []byte, name string, gone bool) error {
	same := sameElseJSON
	if c.toml {
		same = sameElseTOML
	}
	if !same(before, after, c.keys, name, gone) {
		return fault.New(fault.Config, "the file of %s could not be changed without disturbing the rest: %s", c.Title, c.Path).
			WithHint("add or remove the server by hand: docs/install.md has the lines")
	}
	return nil
}

// diff shows what is cut and put in, line by line. Values of an environment that go are not shown.
func diff(src []byte, cuts []splice) []string {
	var out []string
	put := func(mark, text string) {
		for line := range strings.Lines(text) {
			line = strings.TrimPrefix(strings.TrimRight(line, "\r\n"), ", ")
			if strings.Trim(line, " \t,") != "" {
				out = append(out, mark+" "+line)
			}
		}
	}
	for _, s := range cuts {
		from, to := s.at, s.end
		for from > 0 && to > from && strings.IndexByte(" \t", src[from-1]) >= 0 {
			from--
		}
		put("-", masked(string(src[from:to])))
		put("+", s.text)
	}
	return out
}

// masked hides what a removed entry may have of secrets: everything but what it starts.
func masked(text string) string {
	var b strings.Builder
	hidden := false
	for line := range strings.Lines(text) {
		word := strings.Trim(line, " \t\r\n")
		switch {
		case strings.Contains(word, "env"):
			hidden = true
			b.WriteString(line[:len(line)-len(strings.TrimLeft(line, " \t"))] + "(its environment, not shown)\n")
		case hidden && (strings.HasPrefix(word, "}") || strings.HasPrefix(word, `"args"`) || strings.HasPrefix(word, `"command"`)):
			hidden = false
			b.WriteString(line)
		case !hidden:
			b.WriteString(line)
		}
	}
	return b.String()
}

// Write replaces the file by what the edit made of it, and gives the path of the copy of the old one ("" where there was none). A file
// that changed since the edit was worked out is left alone.
func (e Edit) Write(now time.Time) (backup string, err error) {
	if e.Action == None {
		return "", nil
	}
	path := e.Client.Path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays one
	}
	mode := fs.FileMode(0o600)
	if e.existed {
		info, err := os.Stat(path)
		if err != nil {
			return "", e.failed(err)
		}
		mode = info.Mode().Perm()
		if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, e.before) {
			return "", fault.New(fault.Conflict, "%s was changed by somebody else meanwhile; it was left alone", path).WithHint("close %s and run this again", e.Client.Title)
		}
		backup = path + now.UTC().Format(".20060102-150405.bak")
		if err := writeNew(backup, e.before, mode); err != nil {
			return "", e.failed(err)
		}
	}
	if err := replace(path, e.after, mode); err != nil {
		return backup, e.failed(err)
	}
	return backup, nil
}

func (e Edit) failed(err error) error {
	return fault.Wrap(fault.Config, err, "the file of %s could not be written: %s", e.Client.Title, e.Client.Path)
}

func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// replace writes beside the file and renames, so that a client reads the old or the new one.
func replace(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".proxmox-mcp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
