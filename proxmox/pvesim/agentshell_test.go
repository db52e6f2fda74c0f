package pvesim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGuestPrograms: what programs in a guest write, and how they end.
func TestGuestPrograms(t *testing.T) {
	type result struct {
		Out, Err string
		Code     int
	}
	at := time.Date(2026, 11, 21, 20, 15, 1, 0, time.UTC)
	for _, c := range []struct {
		args  []string
		input string
		want  result
	}{
		{[]string{"sh", "-c", "echo hi; exit 3"}, "", result{"hi\n", "", 3}},
		{[]string{"/bin/sh", "-c", "false && echo no || echo 'a  b' >&2"}, "", result{"", "a  b\n", 0}},
		{[]string{"bash", "-c", "nosuch arg; echo $?"}, "", result{"127\n", "sh: 1: nosuch: not found\n", 0}},
		{[]string{"sh", "-c", "printf 'x\\ty\\n' > /tmp/f; cat /tmp/f | cat; cat /none 2>/dev/null"}, "", result{"x\ty\n", "", 1}},
		{[]string{"sh"}, "pwd\nwhoami\n", result{"/\nroot\n", "", 0}},
		{[]string{"ls", "-l", "/etc"}, "", result{"hostname\n", "", 0}},
		{[]string{"ls", "/none"}, "", result{"", "ls: cannot access '/none': No such file or directory\n", 2}},
		{[]string{"uname", "-sm"}, "", result{"Linux x86_64\n", "", 0}},
		{[]string{"date"}, "", result{"Sat Nov 21 20:15:01 UTC 2026\n", "", 0}},
		{[]string{"echo", "-n", "a", "b"}, "", result{"a b", "", 0}},
	} {
		g := &Guest{Agent: Agent{HostName: "inner", OSInfo: Object{"machine": "x86_64"}}}
		p, err := g.inside().execute(c.args, c.input, at)
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if d := cmp.Diff(c.want, result{p.out, p.err, p.code}); d != "" {
			t.Errorf("%q: %s", c.args, d)
		}
	}
}
