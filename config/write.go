package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const header = `# Settings of proxmox-mcp. Written by "proxmox-mcp init"; edit as you like.
# It holds a secret: keep it readable by you alone (chmod 600).
`

// SaveCluster writes c into the file at path: a new file (0600, its folder 0700), or the file that is there with c added to its
// clusters. All other lines, comments too, stay as they are. A cluster of the same name is a Conflict unless force, which
// replaces its lines. The file is replaced by rename, so that a reader sees the old or the new one.
func SaveCluster(path string, c Cluster, force bool) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileFault(path, systemReason(err))
	}
	next, err := addCluster(old, c, path, force)
	if err != nil {
		return err
	}
	if err := replaceFile(path, next); err != nil {
		return fault.Wrap(fault.Config, err, "the configuration file could not be written: %s", path)
	}
	return nil
}

// HasCluster says whether the file at path defines a cluster of this name; a file that does not exist defines none.
func HasCluster(path, name string) (bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fileFault(path, systemReason(err))
	}
	r := &reader{file: path}
	raw := r.parse(data)
	return raw.index(name) >= 0, r.err()
}

func (f rawFile) index(name string) int {
	return slices.IndexFunc(f.clusters, func(c rawCluster) bool { return c.name.text == name })
}

// addCluster gives the new text of the file. What it made is parsed again before it is given back.
func addCluster(old []byte, c Cluster, path string, force bool) ([]byte, error) {
	r := &reader{file: path}
	raw := r.parse(old)
	if err := r.err(); err != nil {
		return nil, err
	}
	at := raw.index(c.Name)
	if at >= 0 && !force {
		return nil, fault.New(fault.Conflict, "%s already defines a cluster named %s", path, c.Name).
			WithHint("choose another name with --name, or replace it with --force")
	}
	seq, key, err := clustersNode(old)
	if err != nil {
		return nil, err
	}
	next := splice(old, seq, key, at, c)
	check := &reader{file: path}
	if got := check.parse(next); check.err() != nil || got.index(c.Name) < 0 || len(got.clusters) < len(raw.clusters) {
		return nil, byHand(path)
	}
	return next, nil
}

func byHand(path string) error {
	return fault.New(fault.Config, "the cluster could not be added to %s without disturbing the rest", path).
		WithHint("write its clusters as a list with dashes, one setting per line, then run this again")
}

// clustersNode finds the list of clusters and the line of its key; nil and 0 where the file has none.
func clustersNode(data []byte) (*ast.SequenceNode, int, error) {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, 0, fault.New(fault.Config, "the configuration file is not valid YAML")
	}
	for _, d := range tree.Docs {
		m, ok := d.Body.(*ast.MappingNode)
		if !ok {
			continue
		}
		for _, v := range m.Values {
			if keyText(v.Key) == "clusters" {
				seq, _ := v.Value.(*ast.SequenceNode)
				return seq, line(v.Key), nil
			}
		}
	}
	return nil, 0, nil
}

// splice puts c into the lines of old: in place of entry at, or after the last entry, or as a new list.
func splice(old []byte, seq *ast.SequenceNode, key, at int, c Cluster) []byte {
	lines := strings.SplitAfter(string(old), "\n")
	if n := len(lines); lines[n-1] == "" {
		lines = lines[:n-1]
	} else {
		lines[n-1] += "\n"
	}
	switch {
	case len(lines) == 0:
		return []byte(header + "clusters:\n" + entry(c, 2))
	case key == 0:
		lines = append(lines, "clusters:\n"+entry(c, 2))
	case seq == nil || len(seq.Values) == 0:
		lines[key-1] = "clusters:\n" + entry(c, 2)
	case seq.IsFlowStyle: // stays without c, which addCluster notices
	default:
		lines = intoList(lines, seq, at, c)
	}
	return []byte(strings.Join(lines, ""))
}

// intoList replaces the lines of entry at, or adds an entry behind the last one when at is negative.
func intoList(lines []string, seq *ast.SequenceNode, at int, c Cluster) []string {
	dash := seq.Entries[0].Start.Position
	starts := make([]int, 0, len(seq.Entries)+1)
	for _, e := range seq.Entries {
		starts = append(starts, e.Start.Position.Line-1)
	}
	starts = append(starts, listEnd(lines, starts[len(starts)-1]+1, dash.Column-1))
	text := entry(c, dash.Column-1)
	if at < 0 {
		end := starts[len(starts)-1]
		return slices.Insert(lines, end, text)
	}
	return slices.Replace(lines, starts[at], lastContent(lines, starts[at], starts[at+1], dash.Column-1), text)
}

// listEnd is the index of the first line behind a list whose dashes stand at this indent.
func listEnd(lines []string, from, indent int) int {
	end := from
	for ; end < len(lines); end++ {
		l := strings.TrimRight(lines[end], "\r\n")
		body := strings.TrimLeft(l, " ")
		depth := len(l) - len(body)
		if body == "" || strings.HasPrefix(body, "#") || depth > indent || (depth == indent && strings.HasPrefix(body, "- ")) {
			continue
		}
		break
	}
	return lastContent(lines, from, end, 0)
}

// lastContent steps back from end over blank lines and comments no deeper than indent, which belong to what follows.
func lastContent(lines []string, from, end, indent int) int {
	for end > from {
		body := strings.TrimLeft(lines[end-1], " ")
		depth := len(lines[end-1]) - len(body)
		if strings.TrimSpace(body) != "" && (!strings.HasPrefix(body, "#") || depth > indent) {
			break
		}
		end--
	}
	return end
}

// entry writes c (its values quoted, in a form that is YAML too) as an entry of the list; indent is the column of its dash.
func entry(c Cluster, indent int) string {
	var b strings.Builder
	pad := strings.Repeat(" ", indent)
	put := func(key, value string) {
		lead := pad + "  "
		if b.Len() == 0 {
			lead = pad + "- "
		}
		b.WriteString(lead + key + ": " + value + "\n")
	}
	put("name", strconv.Quote(c.Name))
	put("endpoints", quoteList(c.Endpoints))
	for _, s := range []struct{ key, value string }{
		{"token", c.Token.Reveal()}, {"username", c.Username}, {"password", c.Password.Reveal()}, {"ca_file", c.CAFile},
	} {
		if s.value != "" {
			put(s.key, strconv.Quote(s.value))
		}
	}
	if len(c.Fingerprints) > 0 {
		put("fingerprints", quoteList(c.Fingerprints))
	}
	if c.Insecure {
		put("insecure", "true")
	}
	if c.ReadOnly {
		put("read_only", "true")
	}
	return b.String()
}

func quoteList(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = strconv.Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// replaceFile writes data beside path and renames it there. A symbolic link stays one: its target is replaced.
func replaceFile(path string, data []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".config-*.yaml") // 0600 by its contract
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Backup keeps a copy of the file at path beside it, readable by its owner alone, and gives the copy's path; "" where there is no file.
func Backup(path string, now time.Time) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fileFault(path, systemReason(err))
	}
	kept := path + now.UTC().Format(".20060102-150405.bak")
	if err := replaceFile(kept, data); err != nil {
		return "", fault.Wrap(fault.Config, err, "no copy of the configuration file could be made: %s", kept)
	}
	return kept, nil
}
