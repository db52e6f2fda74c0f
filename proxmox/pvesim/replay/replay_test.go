package replay

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shared gives a path below the shared folder beside the module. Without the folder the test is skipped, and fails
// where CI is set.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no module root above the test")
	}
	p := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing", filepath.Join(parts...))
		}
		t.Skipf("%s is not here", filepath.Join(parts...))
	}
	return p
}

// TestPolls: a poll repeats its request until a value comes, on the simulator's clock.
func TestPolls(t *testing.T) {
	dir := scenario(t, "047", func(x map[string]any) {
		x["poll"] = map[string]any{"until": map[string]any{"$.data.timezone": "none"}, "interval_s": 10, "timeout_s": 3600}
		x["after_s"] = 60
	})
	var out bytes.Buffer
	if err := Main(t.Context(), &out, []string{dir}, Options{Min: 100}); err != nil {
		t.Errorf("a poll that ends by its timeout is compared all the same: %v\n%s", err, &out)
	}
}

// scenario makes a folder with the recorded world and one exchange of it, changed by edit.
func scenario(t *testing.T, n string, edit func(x map[string]any)) string {
	t.Helper()
	from := shared(t, "pve", "recordings", "02-cluster-and-node-reads")
	dir := t.TempDir()
	world, err := os.ReadFile(filepath.Join(from, "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(from, n+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var x map[string]any
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	edit(x)
	if raw, err = json.Marshal(x); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"world.json": world, n + ".json": raw} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func response1(x map[string]any) map[string]any { return x["response"].(map[string]any) }

func body1(x map[string]any) map[string]any { return response1(x)["json"].(map[string]any) }

// TestNotices: a replay notices each kind of difference.
func TestNotices(t *testing.T) {
	for _, tt := range []struct {
		name, n string
		edit    func(x map[string]any)
		want    string
	}{
		{"nothing", "001", func(map[string]any) {}, ""},
		{"status", "001", func(x map[string]any) { response1(x)["status"] = 500 }, "recorded status 500"},
		{"reason", "009", func(x map[string]any) { response1(x)["reason"] = "other" }, `recorded reason "other"`},
		{"media type", "001", func(x map[string]any) { response1(x)["headers"] = map[string]any{"content-type": "text/plain"} }, "media type"},
		{"value", "001", func(x map[string]any) { body1(x)["data"].(map[string]any)["release"] = "8.4" }, `$.data.release: recorded "8.4"`},
		{"type", "001", func(x map[string]any) { body1(x)["data"].(map[string]any)["release"] = 9.2 }, "recorded number 9.2"},
		{"missing key", "001", func(x map[string]any) { body1(x)["data"].(map[string]any)["x"] = 1 }, "$.data.x: missing"},
		{"more keys", "001", func(x map[string]any) { delete(body1(x)["data"].(map[string]any), "release") }, "$.data.release: not recorded"},
		{"length", "002", func(x map[string]any) { body1(x)["data"] = body1(x)["data"].([]any)[1:] }, "20 elements recorded, got 21"},
		{"optional", "001", func(x map[string]any) {
			delete(body1(x)["data"].(map[string]any), "release")
			x["optional"] = []string{"$.data.release"}
		}, ""},
		{"volatile", "001", func(x map[string]any) {
			body1(x)["data"].(map[string]any)["release"] = "x"
			x["volatile"] = []string{"$.data.release"}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := Main(t.Context(), &out, []string{scenario(t, tt.n, tt.edit)}, Options{Min: 100})
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			last := lines[len(lines)-1]
			if tt.want == "" {
				if err != nil || last != "1 of 1 exchanges agree (100.0 %)" {
					t.Errorf("%v\n%s", err, &out)
				}
				return
			}
			if err == nil || last != "0 of 1 exchanges agree (0.0 %)" || !strings.Contains(out.String(), tt.want) {
				t.Errorf("%v, want a line with %s in\n%s", err, tt.want, &out)
			}
		})
	}
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"UPID:pve1:000002DC:0005FBB5:6B01FBF3:vzdump:106:root@pam:": "UPID:pve1:P:S:T:vzdump:106:root@pam:",
		"virtio=BC:24:11:00:00:64,bridge=vmbr0":                     "virtio=MAC,bridge=vmbr0",
		"uuid=37cd2c21-4ea5-4adc-96d8-5b0022e23ed2":                 "uuid=UUID",
		"da39a3ee5e6b4b0d3255bfef95601890afd80709":                  "HASH",
		"at 2026-11-21 20:15:01 and 2026_11_21-20_15_01":            "at DATE and DATE",
		"2026-11-21T20:15:01Z":                                      "DATE",
		"took 00:01:41":                                             "took TIME",
		"ctime=1795292132":                                          "ctime=UNIX",
		"worker 1234 ended":                                         "worker N ended",
		"transferred 1.5 GiB in 3 seconds (512.0 MiB/s)":            "transferred N GiB in N seconds (N MiB/s)",
		"wrote /tmp/abc123 to disk":                                 "wrote /tmp/FILE to disk",
		"vm 100 has 2 cores":                                        "vm 100 has 2 cores",
	} {
		if got := normalise(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	var v any
	if err := json.Unmarshal([]byte(`{"data":[{"vmid":100,"x":"a"},{"vmid":200,"x":"b","l":[1,2]}]}`), &v); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"$.data[0].x": "a", "$.data[vmid=200].x": "b", "$.data[*].x": "a", "$.data[1].l[1]": "2"} {
		if got, ok := lookup(v, path); !ok || scalar(got) != want {
			t.Errorf("%s is %v", path, got)
		}
	}
	for _, path := range []string{"$.none", "$.data[5]", "$.data[vmid=9].x", "$.data.x", "$.data[0].x.y"} {
		if got, ok := lookup(v, path); ok {
			t.Errorf("%s is %v", path, got)
		}
	}
}

// TestBags: lists without order, numbers by value, content as a set.
func TestBags(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{`[{"vmid":2},{"vmid":10}]`, `[{"vmid":10},{"vmid":2}]`, true},
		{`["b","a"]`, `["a","b"]`, true},
		{`{"content":"iso,images"}`, `{"content":"images,iso"}`, true},
		{`{"other":"iso,images"}`, `{"other":"images,iso"}`, false},
		{`{"n":1}`, `{"n":1.0}`, true},
		{`{"n":1}`, `{"n":"1"}`, false},
		{`{"uptime":1}`, `{"uptime":9}`, true},
		{`{"uptime":1}`, `{"uptime":"9"}`, false},
		{`{"pressureiofull":1}`, `{"pressureiofull":2}`, true},
		{`[{"vmid":1,"x":1},{"vmid":2,"x":2}]`, `[{"vmid":2,"x":1},{"vmid":1,"x":2}]`, false},
		{`{"t":"pid 12"}`, `{"t":"pid 13"}`, true},
		{`null`, `[]`, false},
	} {
		var x exchange
		x.Response = response{Status: 200, JSON: json.RawMessage(tt.a)}
		a := answer{status: 200, isJSON: true}
		d := json.NewDecoder(strings.NewReader(tt.b))
		d.UseNumber()
		if err := d.Decode(&a.value); err != nil {
			t.Fatal(err)
		}
		if got := x.compareBody(a); (len(got) == 0) != tt.same {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}
