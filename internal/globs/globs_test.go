package globs

import "testing"

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule, path string
		want       bool
	}{
		{"/etc/hosts", "/etc/hosts", true}, {"/etc/hosts", "/etc/hosts/x", false}, {"/etc/*.conf", "/etc/a.conf", true}, {"/etc/*.conf", "/etc/b/a.conf", false},
		{"/srv/**", "/srv/a/b", true}, {"/srv/**", "/srv/a", true}, {"/srv/**", "/srv", false}, {"/srv/**", "/srvx/a", false}, {"/home/*/app/**", "/home/me/app/x/y", true},
		{"/home/*/app/**", "/home/me/you/app/x", false}, {"/**", "/x", true}, {"/**", "/x/y", true}, {"/etc/[", "/etc/[", false}, {"etc/*", "etc/a", false},
		{"/srv/**/a", "/srv/x/a", false}, {"/etc/../etc/*", "/etc/a", false}, {"", "", false}, {"/etc/", "/etc/", false},
	} {
		r, err := Parse(c.rule)
		if got := err == nil && r.Match(c.path); got != c.want {
			t.Errorf("%s on %s: %v (%v)", c.rule, c.path, got, err)
		}
	}
}
