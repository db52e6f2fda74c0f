package pvesim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestParameters: wordings of 01/061 to 01/065, 02/011, 02/083, 02/096, 06/056, 10/008, 12/007.
func TestParameters(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	for path, want := range map[string]string{
		"/version?foo=bar":                             `"foo":"property is not defined in schema and the schema does not allow additional properties"`,
		"/cluster/resources?type=bogus":                `"type":"value 'bogus' does not have a value in the enumeration 'vm, storage, node, sdn'"`,
		"/nodes/pve1/tasks?limit=abc":                  `"limit":"type check ('integer') failed - got 'abc'"`,
		"/nodes/pve1/tasks?limit=-1":                   `"limit":"value must have a minimum value of 0"`,
		"/nodes/pve1/tasks?errors=maybe":               `"errors":"type check ('boolean') failed - got 'maybe'"`,
		"/nodes/pve1/tasks?statusfilter=warnings":      `"statusfilter":"invalid format - invalid status 'warnings'\n"`,
		"/nodes/pve1/rrddata":                          `"timeframe":"property is missing and it is not optional"`,
		"/nodes/pve1/storage/local/content?content=xx": `"content":"invalid format - invalid content type 'xx'\n"`,
		"/nodes/pve1/lxc/abc/status/current":           `"vmid":"type check ('integer') failed - got 'abc'"`,
		"/nodes/pve1/lxc/7/status/current":             `"vmid":"invalid format - value does not look like a valid VM ID\n"`,
		"/cluster/nextid?vmid=200":                     `"vmid":"VM 200 already exists"`,
		"/nodes/pve1/storage/none/status":              `"storage":"No such storage."`,
		"/nodes/pve1/tasks/garbage/status":             `"upid":"unable to parse worker upid"`,
	} {
		got := r.get(path)
		if got.status != "400 Parameter verification failed." || !strings.Contains(got.body, want) {
			t.Errorf("%s: %s %s\nwant %s", path, got.status, got.body, want)
		}
	}
}

// TestVerify: what else the real check says, by its source; facts 25, 28 and 30.
func TestVerify(t *testing.T) {
	hash := Object{"a": json.Number("1")}
	for _, tt := range []struct {
		method string
		given  Object
		want   map[string]string
	}{
		{"PUT /nodes/{node}/qemu/{vmid}/config", Object{"cores": json.Number("2"), "onboot": true, "tags": []any{"a", "b"}, "cpulimit": json.Number("0.5")}, nil},
		{"PUT /nodes/{node}/qemu/{vmid}/config", Object{"name": hash, "cores": []any{"1"}, "numa": json.Number("2"), "description": true, "delete": []any{"a"}},
			map[string]string{"name": "type check ('string') failed - got HASH", "cores": "type check ('integer') failed - got ARRAY",
				"numa": "type check ('boolean') failed - got '2'", "description": "type check ('string') failed - got JSON::PP::Boolean",
				"delete": "invalid format - invalid configuration ID 'a'\n"}},
		{"PUT /nodes/{node}/qemu/{vmid}/config", Object{"cores": nil, "scsi30": "none", "net007": "virtio", "ide4": "none", "force": "1"},
			map[string]string{"net007": textUnknown, "ide4": textUnknown, "delete": "missing property required by 'force'"}},
		{"POST /cluster/bulk-action/guest/start", Object{"vms": "101"}, nil},
		{"POST /cluster/bulk-action/guest/start", Object{"vms": []any{"101", "x", json.Number("7")}},
			map[string]string{"vms[1]": "type check ('integer') failed - got 'x'", "vms[2]": "invalid format - value does not look like a valid VM ID\n"}},
		{"POST /cluster/bulk-action/guest/start", Object{"vms": "0"}, map[string]string{"vms": "type check ('array') failed"}},
		{"PUT /access/users/{userid}", Object{"email": "", "groups": "a,b;c d", "expire": "1.5"}, map[string]string{"expire": "type check ('integer') failed - got '1.5'"}},
		{"POST /cluster/ha/rules", Object{"rule": "r1", "resources": "vm:1", "type": "other"},
			map[string]string{"type": "value 'other' does not have a value in the enumeration 'node-affinity, resource-affinity'", "resources": textUnknown}},
		{"POST /cluster/ha/rules", Object{"rule": "r1", "type": "resource-affinity", "resources": "vm:1,ct:2", "affinity": "positive"}, nil},
		{"POST /storage", Object{"storage": "s1", "type": "dir", "prune-backups": "keep-all=1,keep-last=2", "content": "iso,backup"},
			map[string]string{"prune-backups": "invalid format - keep-all cannot be set together with other options.\n"}},
		{"PUT /nodes/{node}/dns", Object{"search": "lab", "dns1": "fe80::1", "dns2": "1.2.3"}, map[string]string{"dns2": "invalid format - value does not look like a valid IP address\n"}},
	} {
		c := &call{params: tt.given, vars: map[string]string{"node": "pve1", "vmid": "100", "userid": "a@pve"}}
		for name := range c.vars {
			if !strings.Contains(tt.method, "{"+name+"}") {
				delete(c.vars, name)
			}
		}
		var got map[string]string
		if err := (&route{accepts: tables().methods[tt.method]}).verify(c); err != nil {
			got = err.(*apiError).errors //nolint:errorlint,forcetypeassert // verify gives no other
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %v\n%s", tt.method, tt.given, diff)
		}
	}
}

// TestDuplicate: what stands in the path may be sent as well, with the same value.
func TestDuplicate(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	got := r.get("/nodes/pve1/status?node=pve2")
	if got.code != 400 || !strings.Contains(got.body, `"errors":{"node":"duplicate parameter (already defined in URI) with conflicting values!"}`) {
		t.Errorf("%d %s", got.code, got.body)
	}
	if got := r.get("/nodes/pve1/status?node=pve1"); got.code != 200 {
		t.Errorf("%d %s", got.code, got.body)
	}
}

func TestCalendar(t *testing.T) {
	at := time.Date(2026, 11, 21, 20, 34, 57, 0, time.UTC) // a Saturday
	for event, want := range map[string]string{
		"daily": "2026-11-22 00:00", "mon..fri 02:30": "2026-11-23 02:30", "sun 01:00": "2026-11-22 01:00", "*/15": "2026-11-21 20:45",
		"8..18/2:00": "2026-11-22 08:00", "monthly": "2026-12-01 00:00", "sat,wed 23:5": "2026-11-21 23:05", "21:00": "2026-11-21 21:00", "*-2-29 0:0": "2028-02-29 00:00",
	} {
		c, err := parseCalendar(event)
		if err != nil {
			t.Errorf("%s: %v", event, err)
			continue
		}
		if got := c.next(at).Format("2006-01-02 15:04"); got != want {
			t.Errorf("%s: %s, want %s", event, got, want)
		}
	}
	for _, event := range []string{"bogus", "", "25:00", "mon..xyz 1:00", "1:*/0", "*-a-1 0:0"} {
		if c, err := parseCalendar(event); err == nil {
			t.Errorf("%q is taken as %+v", event, c)
		}
	}
}

// FuzzRoute: no method, path or query may make the simulator panic or answer without a status.
func FuzzRoute(f *testing.F) {
	for _, p := range Patterns() {
		m, path, _ := strings.Cut(p, " ")
		path = strings.NewReplacer("{node}", "pve1", "{vmid}", "200", "{storage}", "local").Replace(path)
		f.Add(m, path, "")
	}
	f.Add("GET", "/nodes/pve1/tasks/UPID:::::::://log", "limit=1&limit=2&start=%zz")
	f.Add("POST", "/access/ticket", "username=%00&password[]=1")
	s := New(DemoWorld(time.Unix(1_800_000_000, 0)), WithoutDelays())
	token := "PVEAPIToken=" + s.RootToken()
	f.Fuzz(func(t *testing.T, method, path, query string) {
		x := &exchange{ctx: t.Context(), entry: "pve1", method: method, path: apiRoot + "json" + path, query: query,
			header: map[string][]string{"Authorization": {token}}}
		if r := s.serve(x); r.status < 200 || r.status > 599 {
			t.Errorf("%s %q %q: status %d", method, path, query, r.status)
		}
	})
}
