package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shell runs the script of sh -c in a guest: commands with quotes and redirections, put together by ; && || and |.
type shell struct {
	in   *inside
	p    *program // what is collected: output, errors, exit code, end
	done bool     // exit was called
}

// runScript runs sh -c script.
func (in *inside) runScript(p *program, script, input string) {
	s := &shell{in: in, p: p}
	rest := script
	join := ";"
	for rest != "" && !s.done {
		var part, next string
		part, next, rest = cutScript(rest)
		skip := join == "&&" && p.code != 0 || join == "||" && p.code == 0
		if !skip && strings.TrimSpace(part) != "" {
			before := p.out
			s.command(part, input)
			if input = ""; next == "|" && !s.done {
				input, p.out = strings.TrimPrefix(p.out, before), before
			}
		}
		join = next
	}
}

// cutScript takes the first command off a script, with the word that joins it to the rest.
func cutScript(s string) (part, join, rest string) {
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case strings.HasPrefix(s[i:], "&&") || strings.HasPrefix(s[i:], "||"):
			return s[:i], s[i : i+2], s[i+2:]
		case c == ';' || c == '\n' || c == '|':
			return s[:i], strings.Replace(string(c), "\n", ";", 1), s[i+1:]
		}
	}
	return s, "", ""
}

// shellWords takes a command line apart at blanks outside of quotes.
func shellWords(s string) []string {
	var list []string
	var b strings.Builder
	quote, open := rune(0), false
	for _, c := range s {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ' || c == '\t':
			if open || b.Len() > 0 {
				list = append(list, b.String())
			}
			b.Reset()
			open = false
		default:
			b.WriteRune(c)
		}
	}
	if open || b.Len() > 0 {
		list = append(list, b.String())
	}
	return list
}

// command runs one command and sends what it writes where its redirections say.
func (s *shell) command(line, input string) {
	words := shellWords(strings.ReplaceAll(line, "$?", strconv.Itoa(s.p.code)))
	one := &program{ends: s.p.ends}
	args, targets := redirections(words)
	switch {
	case len(args) == 0:
	case args[0] == "exit":
		one.code, s.done = s.p.code, true
		if len(args) > 1 {
			one.code = int(integer(args[1])) & 0xff
		}
	case !s.in.run(one, args, input, s.p.ends):
		one.code, one.err = 127, fmt.Sprintf("sh: 1: %s: not found\n", args[0])
	}
	s.p.code, s.p.ends = one.code, one.ends
	for _, t := range targets {
		t.apply(s.in, one)
	}
	s.p.out += one.out
	s.p.err += one.err
}

// redirection sends an output (1 or 2) to a file or to the other output.
type redirection struct {
	from, to string
	add      bool
}

// redirections takes > >> 2> >&2 and 2>&1 out of a command's words.
func redirections(words []string) (args []string, list []redirection) {
	for i := 0; i < len(words); i++ {
		from, to, ok := strings.Cut(words[i], ">")
		if !ok || from != "" && from != "1" && from != "2" {
			args = append(args, words[i])
			continue
		}
		r := redirection{from: from, to: strings.TrimPrefix(to, ">"), add: strings.HasPrefix(to, ">")}
		if r.to == "" && i+1 < len(words) {
			i++
			r.to = words[i]
		}
		list = append(list, r)
	}
	return args, list
}

func (r redirection) apply(in *inside, p *program) {
	from, other := &p.out, &p.err
	if r.from == "2" {
		from, other = other, from
	}
	switch {
	case strings.HasPrefix(r.to, "&"):
		*other += *from
	case r.to != "/dev/null" && r.add:
		in.files[r.to] += *from
	case r.to != "/dev/null":
		in.files[r.to] = *from
	}
	*from = ""
}

// list writes what ls shows of the files that are known.
func (in *inside) list(p *program, names []string) {
	names = slices.DeleteFunc(names, func(s string) bool { return strings.HasPrefix(s, "-") })
	if len(names) == 0 {
		names = []string{"/"}
	}
	for _, name := range names {
		found := map[string]bool{}
		for _, file := range append(slices.Collect(maps.Keys(in.files)), rootFolders...) {
			if rest, ok := strings.CutPrefix(file, strings.TrimRight(name, "/")+"/"); ok && rest != "" {
				first, _, _ := strings.Cut(rest, "/")
				found[first] = true
			}
		}
		switch _, file := in.files[name]; {
		case file:
			p.out += name + "\n"
		case len(found) == 0 && !slices.Contains(rootFolders, name):
			p.err += "ls: cannot access '" + name + "': No such file or directory\n"
			p.code = 2
		}
		for _, entry := range slices.Sorted(maps.Keys(found)) {
			p.out += entry + "\n"
		}
	}
}

// rootFolders are what every system has.
var rootFolders = []string{"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var"}

// uname writes what the options ask for, of what the agent says of the system.
func (in *inside) uname(p *program, options []string) {
	system := []string{"Linux", strings.TrimSpace(in.files["/etc/hostname"]), text(in.system["kernel-release"]), text(in.system["kernel-version"]), text(in.system["machine"])}
	wanted := strings.Trim(strings.Join(options, ""), "-")
	if wanted == "" {
		wanted = "s"
	}
	var out []string
	for i, letter := range "snrvm" {
		if strings.ContainsRune(wanted, letter) || wanted == "a" {
			out = append(out, system[i])
		}
	}
	if wanted == "a" {
		out = append(out, "GNU/Linux")
	}
	p.out = strings.Join(out, " ") + "\n"
}

// date writes the time, or with +%s seconds since 1970.
func date(options []string, now time.Time) string {
	if slices.Contains(options, "+%s") {
		return strconv.FormatInt(now.Unix(), 10) + "\n"
	}
	return now.UTC().Format("Mon Jan _2 15:04:05 UTC 2006") + "\n"
}
