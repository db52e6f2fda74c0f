package proxmox

import (
	"net/url"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

func TestPath(t *testing.T) {
	for _, tc := range []struct {
		in   []any
		want string // "" = refused
	}{
		{[]any{"nodes", "pve1", pve.Qemu, 100, "config"}, "/nodes/pve1/qemu/100/config"},
		// A token user holds "!" (F52).
		{[]any{"nodes", "pve1", "tasks", "UPID:pve1:1:2:3:vzdump:106:root@pam!mcp:", "status"}, "/nodes/pve1/tasks/UPID:pve1:1:2:3:vzdump:106:root@pam%21mcp:/status"},
		{[]any{"nodes", "pve1", "storage", "local", "content", pve.Volume{Storage: "local", Name: "900/base-900-disk-0.qcow2/151/vm-151-disk-0.qcow2"}},
			"/nodes/pve1/storage/local/content/local:900/base-900-disk-0.qcow2/151/vm-151-disk-0.qcow2"},
		{[]any{"nodes", "../access"}, ""},
		{[]any{"nodes", ".."}, ""},
		{[]any{"nodes", "a%2fb"}, ""},
		{[]any{"nodes", "a/b"}, ""},
		{[]any{"nodes", "a\nb"}, ""},
		{[]any{"nodes", "a;b"}, ""},
		{[]any{"nodes", "a?b=c"}, ""},
		{[]any{"nodes", "a#b"}, ""},
		{[]any{"nodes", ""}, ""},
		{[]any{"nodes", "a\x00"}, ""},
		{[]any{"content", pve.Volume{Storage: "local", Name: "iso/../../etc"}}, ""},
		{[]any{3.5}, ""},
		{nil, ""},
	} {
		got, err := Path(tc.in...)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%v: got %q, %v; want %q", tc.in, got, err, tc.want)
		}
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%v: code %s", tc.in, fault.CodeOf(err))
		}
	}
}

func TestTemplatesAndClasses(t *testing.T) {
	for path, want := range map[string]struct {
		template, node string
		class          class
	}{
		"/cluster/resources":                          {"/cluster/resources", "", classNormal},
		"/cluster/tasks":                              {"/cluster/tasks", "", classNormal},
		"/cluster/backup/nightly":                     {"/cluster/backup/{id}", "", classNormal},
		"/cluster/config/nodes":                       {"/cluster/config/nodes", "", classNormal},
		"/nodes/pve1/qemu/100/config":                 {"/nodes/{node}/qemu/{vmid}/config", "pve1", classNormal},
		"/nodes/qemu/lxc/200/config":                  {"/nodes/{node}/lxc/{vmid}/config", "qemu", classNormal},
		"/nodes/pve1/qemu/100/status/current":         {"/nodes/{node}/qemu/{vmid}/status/current", "pve1", classMayBlock},
		"/nodes/pve1/qemu/100/agent/get-osinfo":       {"/nodes/{node}/qemu/{vmid}/agent/get-osinfo", "pve1", classMayBlock},
		"/nodes/pve1/qemu/100/snapshot":               {"/nodes/{node}/qemu/{vmid}/snapshot", "pve1", classMayBlock},
		"/nodes/pve1/qemu/100/snapshot/clean/config":  {"/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config", "pve1", classNormal},
		"/nodes/pve1/lxc/200/interfaces":              {"/nodes/{node}/lxc/{vmid}/interfaces", "pve1", classMayBlock},
		"/nodes/pve1/rrddata":                         {"/nodes/{node}/rrddata", "pve1", classMayBlock},
		"/nodes/pve1/storage":                         {"/nodes/{node}/storage", "pve1", classMayBlock},
		"/nodes/pve1/storage/local/content/local:a/b": {"/nodes/{node}/storage/{storage}/content/{volume}", "pve1", classMayBlock},
		"/nodes/pve1/tasks":                           {"/nodes/{node}/tasks", "pve1", classNormal},
		"/nodes/pve1/tasks/UPID:x/status":             {"/nodes/{node}/tasks/{upid}/status", "pve1", classNormal},
		"/storage/local":                              {"/storage/{storage}", "", classNormal},
		"/access/users/a@pve/token/mcp":               {"/access/users/{userid}/token/{tokenid}", "", classNormal},
	} {
		template, node := templateOf(path)
		if template != want.template || node != want.node || classOf(template) != want.class {
			t.Errorf("%s: got %s, %q, %d; want %+v", path, template, node, classOf(template), want)
		}
	}
}

func TestParamsStayExact(t *testing.T) {
	got := Params{}.Int("since", 1763752657).Bool("full", false).List("vms", "100", "101").Str("tags", "a b&c=ü+").Encode()
	want := "since=1763752657&full=0&vms=100&vms=101&tags=a+b%26c%3D%C3%BC%2B"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"pve1", "../x", "%2f", "a;b", "a\nb", "UPID:pve1:1:2:3:t:i:u@pam!t:", "ü", ".", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Path("nodes", s, "status")
		if err != nil {
			return
		}
		u, err := url.Parse("https://h" + p)
		if err != nil {
			t.Fatalf("%q gives %q: %v", s, p, err)
		}
		// The server decodes before it routes: what it sees must be these three segments and nothing else.
		parts := strings.Split(u.Path, "/")
		if len(parts) != 4 || parts[2] != s || strings.ContainsAny(s, "/\\%;?#\n\r\x00") || s == ".." || s == "." {
			t.Errorf("%q passed as %q", s, p)
		}
		if _, err := checkPath(p); err != nil {
			t.Errorf("%q is refused by the transport: %v", p, err)
		}
	})
}

func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"/version", "/nodes/%2e%2e/x", "/a%2fb", "//", "/a/../b", "/%00", "/a;b", "/a%3Bb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, err := checkPath(s)
		if err != nil {
			return
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\%;?#\n\r\x00") {
				t.Errorf("%q passed as %q", s, path)
			}
		}
	})
}
