package images

import (
	"net/url"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestTable: each row is reviewed by eye; what a typing error would break is checked: https, a checksum's length, names that a storage takes
// for the content import, and files that no two rows share.
func TestTable(t *testing.T) {
	seen := map[string]string{}
	for k := range table {
		e := &table[k]
		for _, newest := range []bool{false, true} {
			if newest && e.latest == "" {
				continue
			}
			i := e.image(newest)
			u, err := url.Parse(i.URL)
			if err != nil || u.Scheme != "https" || !Allowed(i.URL, Hosts()) || !strings.HasSuffix(i.Filename, ".qcow2") || seen[i.Filename] != "" {
				t.Errorf("%s: %s %q, also %s: %v", i.Name, i.URL, i.Filename, seen[i.Filename], err)
			}
			if known := i.Algo != "" && strings.Trim(i.Sum, "0123456789abcdef") == ""; known == newest {
				t.Errorf("%s: checksum %q", i.Name, i.Sum)
			}
			seen[i.Filename] = i.Name
		}
	}
	for name, long := range short {
		if i, err := Find("image", name, "import"); err != nil || i.Name != long {
			t.Errorf("%s: %+v, %v", name, i, err)
		}
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ text, content, file, err string }{
		{text: "Debian-13", content: "import", file: "debian-13-genericcloud-amd64-20260712-2537.qcow2"},
		{text: "ubuntu-24.04", content: "import", file: "ubuntu-24.04-server-cloudimg-amd64-20260705.qcow2"},
		{text: "ubuntu-24.04:latest", content: "import", file: "ubuntu-24.04-server-cloudimg-amd64.qcow2"},
		{text: "debain-13", content: "import", err: "did you mean debian-13"},
		{text: "fedora-44:latest", content: "import", err: "no address of a newest build"},
		{text: "debian-13", content: "iso", err: "is a disk image"},
		{text: "https://x.org/a%20b.iso?x=1", content: "iso", file: "a_b.iso"},
		{text: "https://x.org/a.iso", content: "import", err: ".qcow2"},
		{text: "https://x.org/.iso", content: "iso", err: ".iso"},
		{text: "file:///etc/passwd.iso", content: "iso", err: "https address"},
		{text: "https://me:pw@x.org/a.iso", content: "iso", err: "without a user"},
		{text: "https://x.org/a\nb.iso", content: "iso", err: "https address"},
	} {
		i, err := Find("image", c.text, c.content)
		if c.err == "" && (err != nil || i.Filename != c.file) || c.err != "" && (fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error()+fault.Of(err).Hint, c.err)) {
			t.Errorf("%q: %+v, %v, want %q %q", c.text, i, err, c.file, c.err)
		}
	}
}

// TestAllowed: a host is that host alone, and what is not encrypted is allowed by its own words only.
func TestAllowed(t *testing.T) {
	hosts := []string{"cloud.debian.org", "http://192.168.1.5:8080"}
	for address, want := range map[string]bool{
		"https://cloud.debian.org/a": true, "https://CLOUD.debian.org/a": true, "http://cloud.debian.org/a": false, "https://cloud.debian.org.evil.org/a": false,
		"https://cloud.debian.org:8443/a": false, "https://x@cloud.debian.org/a": true, "https://evil.org/cloud.debian.org": false,
		"http://192.168.1.5:8080/a": true, "http://192.168.1.5/a": false, "https://192.168.1.5:8080/a": false, "http://169.254.169.254/": false,
	} {
		if got := Allowed(address, hosts); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
