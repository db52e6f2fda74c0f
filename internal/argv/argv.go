// Package argv holds rules about commands that run without a shell: lists of a program and its arguments.
package argv

import (
	"errors"
	"path"
	"strings"
)

// rest as the last word of a rule stands for any further arguments.
const rest = "..."

// Rule allows commands, word by word: "systemctl status *", "journalctl -u * -n 50", "df ...".
type Rule struct{ words []string }

// Parse reads a rule: words with blanks between them, as many as the command has. The first names the program as it is called. In the
// others * stands for letters of one argument, none of them a slash, and never begins an option; "..." at the end stands for any further
// arguments, options too.
func Parse(text string) (Rule, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Rule{}, errors.New("is empty")
	}
	for k, w := range words {
		switch {
		case !Plain(w):
			return Rule{}, errors.New("takes printable ASCII letters only")
		case k == 0 && strings.ContainsAny(w, "*?[\\") || k == 0 && w == rest:
			return Rule{}, errors.New("must name its program: the first word has no *")
		case strings.ContainsAny(w, "?[]\\"):
			return Rule{}, errors.New("knows * and a last ... only")
		case w == rest && k < len(words)-1:
			return Rule{}, errors.New("has ... before its end")
		}
	}
	return Rule{words}, nil
}

// String is the rule as it is written.
func (r Rule) String() string { return strings.Join(r.words, " ") }

// Fits says whether a command is what the rule allows.
func (r Rule) Fits(command []string) bool {
	words := r.words
	if n := len(words); n > 0 && words[n-1] == rest && len(command) >= n-1 {
		words, command = words[:n-1], command[:n-1]
	}
	if len(words) == 0 || len(words) != len(command) {
		return false
	}
	for k, w := range words {
		if !fits(w, command[k]) {
			return false
		}
	}
	return true
}

// fits compares one word. What * stands for is a part of a name: no way up, no other folder, no option where the rule does not begin one.
func fits(word, arg string) bool {
	if !strings.Contains(word, "*") {
		return word == arg
	}
	if arg == "" || strings.HasPrefix(arg, "-") && !strings.HasPrefix(word, "-") {
		return false
	}
	for part := range strings.SplitSeq(arg, "/") {
		if part == ".." {
			return false
		}
	}
	ok, err := path.Match(word, arg)
	return err == nil && ok
}

// Plain says whether an argument consists of printable ASCII: others are cut short on their way to a guest's agent (16/028), and hide what
// is run from who reads it.
func Plain(arg string) bool {
	for k := range len(arg) {
		if arg[k] < ' ' || arg[k] > '~' {
			return false
		}
	}
	return true
}

// Quote is a command for people to read: arguments that hold blanks or quotes, or nothing, in quotes.
func Quote(command []string) string {
	out := make([]string, len(command))
	for k, arg := range command {
		out[k] = arg
		if arg == "" || strings.ContainsAny(arg, " '\"\\") {
			out[k] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
