package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// handbook are the pages that people read.
func handbook(t *testing.T) []string {
	t.Helper()
	pages := []string{filepath.Join("..", "README.md")}
	for _, glob := range []string{"../docs/*.md", "../deploy/*.md"} {
		more, err := filepath.Glob(filepath.FromSlash(glob))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, more...)
	}
	if len(pages) < 10 {
		t.Fatalf("only %q", pages)
	}
	return pages
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	inline = regexp.MustCompile("`([^`\n]+)`")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// call is the program's name, as itself or at the end of a path, with what follows on the line.
	call = regexp.MustCompile(`(?:^|[\s(])(?:[\w./~-]*/)?proxmox-mcp((?: +[^\s|;>&#]+)*)`)
)

// TestDocsCommands: every line of the handbook that calls the program names commands and flags that exist.
func TestDocsCommands(t *testing.T) {
	root, found := tree(), 0
	for _, page := range handbook(t) {
		fenced, console := false, false
		for line := range strings.Lines(text(t, page)) {
			if fence, is := strings.CutPrefix(strings.TrimSpace(line), "```"); is {
				fenced, console = !fenced, fence == "console"
				continue
			}
			if console && !strings.HasPrefix(line, "$ ") || strings.Contains(line, "pveum user token") {
				continue // what a program prints, or a token of our name
			}
			codes := []string{line}
			if !fenced {
				codes = nil
				for _, m := range inline.FindAllStringSubmatch(line, -1) {
					codes = append(codes, m[1])
				}
			}
			for _, code := range codes {
				for _, m := range call.FindAllStringSubmatch(code, -1) {
					found += checkCall(t, root, page, strings.Fields(m[1]))
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d calls were found", found)
	}
}

// checkCall follows the words down the tree of commands, and looks its flags up.
func checkCall(t *testing.T, root *cobra.Command, page string, args []string) int {
	if k := slices.Index(args, "proxmox-mcp"); k >= 0 { // the one before is a user
		args = args[k+1:]
	}
	for k := range args {
		args[k] = strings.TrimRight(args[k], ".,:)'")
	}
	if len(args) == 0 || !regexp.MustCompile(`^(--)?[a-z][a-z-]*$`).MatchString(args[0]) {
		return 0
	}
	at := root
	for _, word := range args {
		next := slices.IndexFunc(at.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
		if next < 0 {
			if at.HasSubCommands() && !strings.HasPrefix(word, "-") {
				t.Errorf("%s: proxmox-mcp %s: there is no %q", page, strings.Join(args, " "), word)
				return 1
			}
			break
		}
		at = at.Commands()[next]
	}
	at.InitDefaultHelpFlag()
	for _, word := range args {
		name, long := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		if long && name != "" && at.Flags().Lookup(name) == nil && at.InheritedFlags().Lookup(name) == nil {
			t.Errorf("%s: proxmox-mcp %s: there is no --%s", page, strings.Join(args, " "), name)
		}
	}
	return 1
}

// TestDocsLinks: every link of the handbook to a file of this project leads somewhere, down to the heading.
func TestDocsLinks(t *testing.T) {
	found := 0
	for _, page := range handbook(t) {
		for _, m := range link.FindAllStringSubmatch(text(t, page), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			found++
			file, heading, _ := strings.Cut(m[1], "#")
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), filepath.FromSlash(file))
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if heading != "" && !slices.Contains(headings(text(t, path)), heading) {
				t.Errorf("%s: %s has no heading %s", page, file, heading)
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d links were found", found)
	}
}

// headings are the anchors that a page's headings get.
func headings(page string) (out []string) {
	for line := range strings.Lines(page) {
		if title, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); is && strings.HasPrefix(line, "#") {
			anchor := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			out = append(out, strings.ReplaceAll(anchor, " ", "-"))
		}
	}
	return out
}

// TestTroubleshooting: docs/troubleshooting.md has a heading for every code of internal/fault, and for no other.
func TestTroubleshooting(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "internal", "fault", "fault.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes, told []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, is := v.Type.(*ast.Ident); is && kind.Name == "Code" {
			for _, x := range v.Values {
				code, err := strconv.Unquote(x.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
		}
		return true
	})
	for line := range strings.Lines(text(t, filepath.Join("..", "docs", "troubleshooting.md"))) {
		if strings.HasPrefix(line, "### ") {
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				told = append(told, m[1])
			}
		}
	}
	slices.Sort(codes)
	slices.Sort(told)
	if len(codes) < 20 || !slices.Equal(codes, told) {
		t.Errorf("codes of faults: %q\nheadings: %q", codes, told)
	}
}
