package resources

import (
	"regexp"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/docs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestAddresses: each spelling of an address is one address, whose own spelling reads back as the same.
func TestAddresses(t *testing.T) {
	for uri, want := range map[string]string{
		"pve://home/overview":         "pve://home/overview",
		"pve://home/overview/":        "pve://home/overview",
		"pve://home/guests/104":       "pve://home/guests/104",
		"pve://home/guests/w%65b":     "pve://home/guests/web",
		"pve://home/storage/a%20b":    "pve://home/storage/a%20b",
		"pve://docs/queries":          "pve://docs/queries",
		"pve://docs/code":             "pve://docs/code",
		"pve://docs/http.md#tokens":   "pve://docs/http",
		"pve://home/code/":            "pve://home/code",
		"pve://docs/health":           "pve://docs/health", // of a cluster with that name
		"pve://pve@h:8006/health":     "pve://pve%40h%3A8006/health",
		"pve://pve%40h%3A8006/health": "pve://pve%40h%3A8006/health",
		"pve://home/tasks/UPID:pve1:000A:00B:6740:qmstart:100:root@pam:": "pve://home/tasks/UPID%3Apve1%3A000A%3A00B%3A6740%3Aqmstart%3A100%3Aroot%40pam%3A",
		"pve://home/code/ansible/host_vars/web 1.yml":                    "pve://home/code/ansible/host_vars/web%201.yml",
	} {
		a, err := parse(uri)
		if err != nil || a.String() != want {
			t.Errorf("%s: %q, %v, want %q", uri, a.String(), err, want)
			continue
		}
		if again, err := parse(a.String()); err != nil || again.String() != a.String() || again.value != a.value || again.cluster != a.cluster {
			t.Errorf("%s read back: %+v, %v", a, again, err)
		}
	}
	for _, uri := range []string{"", "pve://", "pve:///overview", "http://home/overview", "pve://home", "pve://home/", "pve://home/nosuch", "pve://home/overview/x", "pve://home/guests",
		"pve://home/guests/", "pve://home/guests/1/2", "pve://home/guests/..", "pve://home/guests/%2e%2e", "pve://home/guests/100%2f..%2f101", `pve://home/guests/a\b`,
		"pve://home/code/../../etc/passwd", "pve://home/code/%2e%2e/x", "pve://home/code/a//b", "pve://home/guests/100?fresh=1", "pve://home/guests/100#x", "pve://home/guests/%zz",
		"pve://home/guests/a%0ab", "pve://home/guests/a%1b[2J", "pve://home/guests/a\u202eb", "pve://docs/nosuch", "pve://answer", "pve://home/guests/" + strings.Repeat("1", 2000)} {
		if a, err := parse(uri); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%.60q is %+v, %v", uri, a, err)
		}
	}
}

// TestPagesLink: what a page links to is a page.
func TestPagesLink(t *testing.T) {
	seen := 0
	links := regexp.MustCompile(`\]\(([a-zA-Z./-]+\.md[^)]*)\)`)
	for _, p := range docs.Pages() {
		text, err := docs.Read(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range links.FindAllStringSubmatch(text, -1) {
			seen++
			if _, err := parse("pve://docs/" + m[1]); err != nil {
				t.Errorf("%s links to %s: %v", p.Name, m[1], err)
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d links were found", seen)
	}
}
