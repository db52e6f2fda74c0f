package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// setting is one scalar as it was written, with its place. seen without set is a value that was refused, and named as such.
type setting struct {
	text string
	at   spot
	set  bool
	seen bool
}

// settings is a list of scalars; at is the place of its key.
type settings struct {
	items []setting
	at    spot
	set   bool
	seen  bool
}

// rawCluster is a cluster as it was written, by the file or by the environment.
type rawCluster struct {
	at                               spot
	name                             setting
	endpoints, fingerprints          settings
	token, tokenFile                 setting
	username, password, passwordFile setting
	tokenCommand, passwordCommand    settings
	caFile, insecure, readOnly       setting
	fromEnv                          bool
}

// rawFile is the file as it was written.
type rawFile struct {
	clusters              []rawCluster
	state                 rawState
	changes               rawChanges
	code                  rawCode
	log                   rawLog
	agent                 rawAgent
	backups               rawBackups
	http                  rawHTTP
	toolset               rawToolset
	telemetry             rawTelemetry
	freshness, tick, zone setting
}

// reader walks the syntax tree instead of decoding into a struct: so every problem is found in one pass, each with its line, and no
// message quotes the source, which the library's own errors do.
type reader struct {
	file string
	problems
}

// fields maps the keys of a mapping to what reads their value.
type fields map[string]func(at spot, n ast.Node)

// parse reads data as a configuration file.
func (r *reader) parse(data []byte) rawFile {
	var f rawFile
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		r.syntax(err)
		return f
	}
	docs := slices.DeleteFunc(tree.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil || d.Body.Type() == ast.CommentType })
	if len(docs) > 1 {
		r.add(spot{file: r.file, line: line(docs[1].Body)}, "only one YAML document is taken")
	}
	if len(docs) > 0 {
		r.mapping(spot{file: r.file}, docs[0].Body, r.topFields(&f))
	}
	return f
}

func (r *reader) topFields(f *rawFile) fields {
	return fields{
		"clusters": func(at spot, n ast.Node) { f.clusters = r.clusters(at, n) },
		"state": func(at spot, n ast.Node) {
			r.mapping(at, n, fields{"path": r.text(&f.state.path), "password": r.text(&f.state.password),
				"password_file": r.text(&f.state.passwordFile), "password_command": r.list(&f.state.passwordCommand, false)})
		},
		"log":       r.log(&f.log),
		"telemetry": r.telemetry(&f.telemetry),
		"changes":   r.changes(&f.changes),
		"code":      r.code(&f.code),
		"agent":     r.agent(&f.agent),
		"backups":   r.backups(&f.backups),
		"http":      r.http(&f.http),
		"toolset":   r.toolset(&f.toolset),
		"freshness": r.text(&f.freshness),
		"tick":      r.text(&f.tick),
		"zone":      r.text(&f.zone),
	}
}

func (r *reader) clusters(at spot, n ast.Node) []rawCluster {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		if n.Type() != ast.NullType {
			r.add(at, "must be a list: each cluster starts with a dash")
		}
		return nil
	}
	list := make([]rawCluster, len(seq.Values))
	for i, e := range seq.Values {
		c := &list[i]
		c.at = spot{file: r.file, line: line(e), key: fmt.Sprintf("%s[%d]", at.key, i)}
		r.mapping(c.at, e, fields{
			"name": r.text(&c.name), "endpoints": r.list(&c.endpoints, true), "fingerprints": r.list(&c.fingerprints, true),
			"token": r.text(&c.token), "token_file": r.text(&c.tokenFile), "token_command": r.list(&c.tokenCommand, false),
			"username": r.text(&c.username), "password": r.text(&c.password), "password_file": r.text(&c.passwordFile),
			"password_command": r.list(&c.passwordCommand, false),
			"ca_file":          r.text(&c.caFile), "insecure": r.text(&c.insecure), "read_only": r.text(&c.readOnly),
		})
	}
	return list
}

// mapping reads the keys of n; unknown ones are problems.
func (r *reader) mapping(at spot, n ast.Node, f fields) {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case *ast.NullNode:
		return
	default:
		r.add(at, "must hold settings of the form key: value")
		return
	}
	for _, v := range values {
		key := keyText(v.Key)
		here := spot{file: r.file, line: line(v.Key), key: at.key}
		read, known := f[key]
		if !known {
			r.add(here, "%s", unknownKey(key, slices.Sorted(maps.Keys(f))))
			continue
		}
		here.key = strings.TrimPrefix(at.key+"."+key, ".")
		read(here, v.Value)
	}
}

// text reads a scalar into dst.
func (r *reader) text(dst *setting) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		*dst = setting{at: at, seen: true}
		s, ok := scalarText(n)
		switch {
		case !ok:
			r.add(at, "must be one plain value")
		case strings.TrimSpace(s) == "":
			r.add(at, "is empty")
		default:
			dst.text, dst.set = s, true
		}
	}
}

// list reads a list of scalars into dst, or one scalar (split at commas) where oneToo.
func (r *reader) list(dst *settings, oneToo bool) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		*dst = settings{at: at, set: true, seen: true}
		if s, ok := scalarText(n); ok && oneToo && s != "" {
			dst.items = split(s, at)
			return
		}
		seq, ok := n.(*ast.SequenceNode)
		if !ok || len(seq.Values) == 0 {
			r.add(at, "must be a list with at least one entry")
			dst.set = false
			return
		}
		for i, e := range seq.Values {
			var s setting
			r.text(&s)(spot{file: r.file, line: line(e), key: fmt.Sprintf("%s[%d]", at.key, i)}, e)
			dst.items = append(dst.items, s)
		}
	}
}

// split takes a comma list apart.
func split(s string, at spot) []setting {
	var out []setting
	for part := range strings.SplitSeq(s, ",") {
		out = append(out, setting{text: strings.TrimSpace(part), at: at, set: true, seen: true})
	}
	return out
}

// syntax reports why the file is no YAML. The library's sentence is kept without what it quotes.
func (r *reader) syntax(err error) {
	at := spot{file: r.file}
	why := "this is not valid YAML"
	if e, ok := errors.AsType[yaml.Error](err); ok {
		if t := e.GetToken(); t != nil && t.Position != nil {
			at.line = t.Position.Line
		}
		msg, _, _ := strings.Cut(e.GetMessage(), `"`)
		if msg = strings.TrimSpace(msg); plainSentence(msg) {
			why += ": " + msg
		}
		if strings.HasPrefix(msg, "mapping key") {
			why = "a key is set twice"
		}
	}
	r.add(at, "%s", why)
}

// plainSentence says that a message is made of words only, so that it cannot quote a secret.
func plainSentence(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,'-]}") == "" && !strings.ContainsAny(s, "0123456789")
}

// scalarText is the text of a scalar as written; a null is "".
func scalarText(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return s.GetToken().Value, true
	case *ast.NullNode:
		return "", true
	}
	return "", false
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return k.GetToken().Value
}

func line(n ast.Node) int {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
