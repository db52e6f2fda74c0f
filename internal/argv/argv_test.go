package argv

import (
	"strings"
	"testing"
)

func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, command string // words of the command with | between them
		want          bool
	}{
		{"df -h", "df|-h", true},
		{"df -h", "df|-h|/", false},
		{"df -h", "df", false},
		{"df ...", "df", true},
		{"df ...", "df|-h|--output=size|/", true},
		{"df ...", "dfx", false},
		{"systemctl status *", "systemctl|status|nginx.service", true},
		{"systemctl status *", "systemctl|status", false},
		{"systemctl status *", "systemctl|status|", false},
		{"systemctl status *", "systemctl|status|-H", false},
		{"systemctl status *", "systemctl|status|a|b", false},
		{"systemctl status *", "systemctl|stop|nginx", false},
		{"systemctl status *", "/tmp/systemctl|status|nginx", false},
		{"journalctl --unit=* -n *", "journalctl|--unit=ssh|-n|50", true},
		{"journalctl --unit=* -n *", "journalctl|--until=ssh|-n|50", false},
		{"cat /var/log/*", "cat|/var/log/syslog", true},
		{"cat /var/log/*", "cat|/var/log/apt/history.log", false},
		{"cat /var/log/*", "cat|/var/log/..", false},
		{"cat /var/log/*/*", "cat|/var/log/../shadow", false},
		{"cat *", "cat|/etc/shadow", false},
		{"echo a*", "echo|a b", true},
	} {
		r, err := Parse(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Fits(strings.Split(c.command, "|")); got != c.want {
			t.Errorf("%q and %q: %v", c.rule, c.command, got)
		}
	}
	if (Rule{}).Fits(nil) || (Rule{}).Fits([]string{"true"}) {
		t.Error("no rule allows something")
	}
}

func TestParseRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "is empty", "  ": "is empty", "*": "must name", "...": "must name", "sys* x": "must name", "a ... b": "before its end",
		"cat [ab]": "knows *", "cat \u202e": "ASCII"} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzFits: without ... a rule allows no command of another program or length, and nothing that begins an option of its own.
func FuzzFits(f *testing.F) {
	f.Add("cat /var/log/*", "cat", "/var/log/x")
	f.Fuzz(func(t *testing.T, rule, program, arg string) {
		r, err := Parse(rule)
		if err != nil || strings.HasSuffix(r.String(), rest) || !r.Fits([]string{program, arg}) {
			return
		}
		words := strings.Fields(rule)
		if len(words) != 2 || words[0] != program || strings.HasPrefix(arg, "-") && !strings.HasPrefix(words[1], "-") || strings.Count(arg, "/") != strings.Count(words[1], "/") {
			t.Errorf("%q allows %q %q", rule, program, arg)
		}
	})
}

func TestQuote(t *testing.T) {
	t.Parallel()
	if got := Quote([]string{"echo", "two words", "it's", ""}); got != `echo 'two words' 'it'\''s' ''` {
		t.Error(got)
	}
}
