package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// Problem is one missing or wrong setting. Text never holds the value that was set, which might be a secret in the wrong place.
type Problem struct {
	File string // "" for the environment
	Line int    // 1-based, 0 where no line is to blame
	Key  string // such as clusters[0].token or PROXMOX_VE_ENDPOINT
	Text string
}

// String gives file:line: key: text, the form that editors and terminals can jump to.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Text
}

// Problems are all that is wrong with the settings; errors.AsType finds them in what Load returns.
type Problems []Problem

// Error lists one problem per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, e := range p {
		lines[i] = e.String()
	}
	return strings.Join(lines, "\n")
}

// spot is where a setting comes from.
type spot struct {
	file string
	line int
	key  string
}

// problems collects; a helper of one Load.
type problems struct{ list Problems }

func (p *problems) add(at spot, format string, args ...any) {
	p.list = append(p.list, Problem{File: at.file, Line: at.line, Key: at.key, Text: fmt.Sprintf(format, args...)})
}

// err joins all problems into one error, those of a file in the order of its lines; nil when there are none.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
	head := "one setting is missing or wrong"
	if n := len(p.list); n > 1 {
		head = fmt.Sprintf("%d settings are missing or wrong", n)
	}
	e := fault.New(fault.Config, "%s:\n  %s", head, strings.ReplaceAll(p.list.Error(), "\n", "\n  "))
	e.Err = p.list
	return e.WithHint("correct these lines, or write a new configuration with: proxmox-mcp init").WithNext("proxmox-mcp doctor")
}

// wordKey is a key that may be shown: words only, so that a token pasted in a key's place stays hidden.
var wordKey = lazy.Regexp(`^[A-Za-z_]{1,32}$`)

// unknownKey says what to write instead of a key that does not exist.
func unknownKey(key string, known []string) string {
	shown := "this key"
	if wordKey().MatchString(key) {
		shown = fmt.Sprintf("%q", key)
	}
	if like := near.Word(strings.ReplaceAll(key, "-", "_"), known); like != "" {
		return fmt.Sprintf("%s is not a setting; did you mean %q?", shown, like)
	}
	return fmt.Sprintf("%s is not a setting; known here: %s", shown, strings.Join(known, ", "))
}
