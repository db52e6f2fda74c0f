package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
)

// freeAddr is a loopback address on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fetch gets a page; status 0 where nobody answers.
func fetch(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// eventually waits until ok, for 10 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// TestMetrics: a server on stdio tells on an address of its own what it did, with names of clusters and nodes but of no guest; every
// metric of the catalogue that can be there is.
func TestMetrics(t *testing.T) {
	h := newHousehold(t)
	addr := freeAddr(t)
	h.serve(cli.ServeOptions{MetricsAddr: addr, Allow: "reversible"})
	h.call("get_overview", map[string]any{})
	h.call("get_guest", map[string]any{"guest": "no-such-guest"})
	h.call("delete_guest", map[string]any{"guest": "208"})
	h.call("snapshot_guest", map[string]any{"guest": "208", "action": "create", "snapshot": "s1"})
	h.ask("tools/nosuch", map[string]any{})
	eventually(t, "ready", func() bool { status, _ := fetch(t, "http://"+addr+"/readyz"); return status == 200 })
	_, page := fetch(t, "http://"+addr+"/metrics")
	for _, want := range []string{
		`mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="get_overview",error_type=""} 1`,
		`mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="get_guest",error_type="not_found"} 1`,
		`mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call",gen_ai_tool_name="delete_guest",error_type="denied"} 1`,
		`mcp_server_operation_duration_seconds_count{mcp_method_name="other",gen_ai_tool_name="",error_type="protocol"} 1`,
		`mcp_server_operation_duration_seconds_count{mcp_method_name="initialize",gen_ai_tool_name="",error_type=""} 1`,
		`proxmox_mcp_pve_request_duration_seconds_count{cluster="home",node="pve1",class="read",status="2xx"} `,
		`proxmox_mcp_pve_node_silent{cluster="home",node="pve1"} 0`,
		`proxmox_mcp_guests{cluster="home",type="qemu",state="running"} `, `proxmox_mcp_sync_age_seconds{cluster="home"} `,
		"proxmox_mcp_store_size_bytes ", `proxmox_mcp_gather_errors{part="store"} 0`, "go_goroutines ", "process_start_time_seconds ",
		`proxmox_mcp_plans{state="done"} 1`,
	} {
		if !strings.Contains(page, "\n"+want) {
			t.Errorf("not told: %s", want)
		}
	}
	labels := strings.Join(regexp.MustCompile(`"[^"]*"`).FindAllString(page, -1), " ")
	for _, guest := range []string{"vpn", "gitlab", "208", "no-such-guest", "nosuch"} {
		if strings.Contains(labels, guest) {
			t.Errorf("the page names %s", guest)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 404, "/mcp": 404} {
		if status, body := fetch(t, "http://"+addr+path); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, body, want)
		}
	}
}

// TestNotReady: before the first sync, and when the last one is too old, the server says so, and of which cluster.
func TestNotReady(t *testing.T) {
	h := newHousehold(t)
	var mu sync.Mutex
	var later time.Duration
	h.app.Clock = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(later)
	}
	addr := freeAddr(t)
	end := h.sim.AddFault(pvesim.Gateway(503, 0)) // it cannot be read
	h.serve(cli.ServeOptions{MetricsAddr: addr})
	if status, body := fetch(t, "http://"+addr+"/readyz"); status != 503 || !strings.Contains(body, `"not read yet: 1 of 1 clusters"`) {
		t.Errorf("at first: %d %s", status, body)
	}
	end()
	eventually(t, "ready", func() bool { status, _ := fetch(t, "http://"+addr+"/readyz"); return status == 200 })
	mu.Lock()
	later = 6 * time.Minute
	mu.Unlock()
	status, body := fetch(t, "http://"+addr+"/readyz")
	if want := `^\{"ok":false,"reasons":\["not read for over 5m0s: 1 of 1 clusters, the oldest 6m\d+s ago"\]\}\s$`; status != 503 || !regexp.MustCompile(want).MatchString(body) {
		t.Errorf("too old: %d %s", status, body)
	}
	if status, _ := fetch(t, "http://"+addr+"/healthz"); status != 200 {
		t.Errorf("the process lives: %d", status)
	}
}

// TestMetricsAddress: an address that is taken or not of this machine is an error of the flag, and only a line in the log where the
// configuration names it: several servers of one user share that.
func TestMetricsAddress(t *testing.T) {
	h := newHousehold(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of the test
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{taken.Addr().String(): "choose another port", "0.0.0.0:9464": "loopback", "nonsense": "HOST:PORT"} {
		err := h.app.Serve(t.Context(), cli.Globals{StatePath: h.state()}, cli.ServeOptions{MetricsAddr: addr, In: strings.NewReader("")}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(fault.Of(err).Message+fault.Of(err).Hint, want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
	path := filepath.Join(h.home, ".config", "proxmox-mcp", "config.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, "telemetry: {metrics: "+taken.Addr().String()+"}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	h.serve(cli.ServeOptions{})
	if got := h.call("list_nodes", map[string]any{}); !strings.Contains(got, "pve1") {
		t.Errorf("the server beside another one: %s", got)
	}
}

// TestTraces: with a collector there is one trace from the client's to the requests to Proxmox VE, of a read and of a change; arguments
// and secrets stay out. That Proxmox VE is sent nothing of it package proxmox tests.
func TestTraces(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	type span struct {
		TraceID, Name, ParentSpanID, SpanID string
		Kind                                int
	}
	var mu sync.Mutex
	var spans []span
	var raw strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		data, _ := io.ReadAll(r.Body)
		raw.Write(data)
		var doc struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		if err := json.Unmarshal(data, &doc); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
			return
		}
		for _, res := range doc.ResourceSpans {
			for _, s := range res.ScopeSpans {
				spans = append(spans, s.Spans...)
			}
		}
	}))
	defer collector.Close()
	h := newHousehold(t)
	h.app.Env = func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}[name]
	}
	h.serve(cli.ServeOptions{Allow: "reversible"})
	meta := map[string]any{"traceparent": "00-" + trace + "-b7ad6b7169203331-01"}
	h.ask("tools/call", map[string]any{"name": "get_guest", "arguments": map[string]any{"guest": "gitlab", "fresh": true}, "_meta": meta})
	if got := h.ask("tools/call", map[string]any{"name": "snapshot_guest", "_meta": meta,
		"arguments": map[string]any{"guest": "gitlab", "action": "create", "snapshot": "before-x"}}); !strings.Contains(got, "before-x") {
		t.Fatalf("the change: %s", got)
	}
	has := func(kind int, name string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range spans {
			if s.Kind == kind && strings.HasPrefix(s.Name, name) && s.TraceID == trace {
				return true
			}
		}
		return false
	}
	eventually(t, "one trace of all", func() bool {
		return has(2, "tools/call get_guest") && has(3, "GET /cluster/resources") && has(3, "GET /nodes/{node}/") &&
			has(2, "tools/call snapshot_guest") && has(1, "change.apply") && has(3, "POST /nodes/{node}/")
	})
	mu.Lock()
	defer mu.Unlock()
	for _, secret := range []string{"gitlab", "before-x", h.cluster.Token.Reveal()} {
		if strings.Contains(raw.String(), secret) {
			t.Errorf("the collector was told %q", secret)
		}
	}
}

// TestCatalogue: docs/telemetry.md, the dashboard and the rules of alerts name metrics that there are, and the page lists all.
func TestCatalogue(t *testing.T) {
	known := map[string]telemetry.Metric{}
	for _, m := range telemetry.Catalogue() {
		known[m.Name] = m
		if len(m.Labels) > 4 || m.Help == "" {
			t.Errorf("%s has %d labels and help %q", m.Name, len(m.Labels), m.Help)
		}
	}
	doc, err := os.ReadFile("../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range telemetry.Catalogue() {
		labels := strings.Join(m.Labels, "`, `")
		if labels != "" {
			labels = "`" + labels + "`"
		}
		if row := fmt.Sprintf("| `%s` | %s | %s | %s |", m.Name, m.Kind, labels, m.Help); !strings.Contains(string(doc), row) {
			t.Errorf("docs/telemetry.md has no row\n%s", row)
		}
	}
	name := regexp.MustCompile(`\b(?:mcp_server|proxmox_mcp|go|process)_[a-z_]+\b`)
	for _, path := range []string{"../docs/telemetry.md", "../deploy/grafana/dashboard.json", "../deploy/prometheus/alerts.yml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".json") && !json.Valid(data) {
			t.Errorf("%s is no JSON", path)
		}
		found := 0
		for _, n := range name.FindAllString(string(data), -1) {
			if n == "go_version" { // a label
				continue
			}
			base := n
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if m, ok := known[strings.TrimSuffix(n, suffix)]; ok && m.Kind == telemetry.Histogram {
					base = m.Name
				}
			}
			if _, ok := known[base]; !ok {
				t.Errorf("%s names %s, which is no metric", path, n)
			}
			found++
		}
		if found < 10 {
			t.Errorf("%s names %d metrics only", path, found)
		}
	}
}

// TestMetricsScope: the page speaks of all clusters, so that a credential for some of them does not open it.
func TestMetricsScope(t *testing.T) {
	watch := telemetry.New(telemetry.Options{Metrics: true})
	for want, clusters := range map[int][]string{http.StatusOK: nil, http.StatusForbidden: {"home"}} {
		ctx := server.WithIdentity(t.Context(), server.Identity{Scope: server.Scope{Clusters: clusters}})
		w := httptest.NewRecorder()
		answerMetrics(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil), watch)
		if w.Code != want || strings.Contains(w.Body.String(), "go_goroutines ") != (want == http.StatusOK) {
			t.Errorf("clusters %v: %d %s", clusters, w.Code, w.Body)
		}
	}
}

// TestLogFiles: what is changed and what is refused has files of its own, although the log shows warnings only; none holds a secret. Where the
// file cannot be written the first call says so.
func TestLogFiles(t *testing.T) {
	h := newHousehold(t)
	config := filepath.Join(h.home, ".config", "proxmox-mcp", "config.yaml")
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.home, "logs")
	if err := os.WriteFile(config, append(data, "log: {file: {path: "+filepath.Join(dir, "server.log")+"}}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	h.serve(cli.ServeOptions{Allow: "reversible"})
	h.call("snapshot_guest", map[string]any{"guest": "208", "action": "create", "snapshot": "s1"})
	h.call("delete_guest", map[string]any{"guest": "208"})
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return ""
		}
		if strings.Contains(string(text), h.cluster.Token.Reveal()) {
			t.Errorf("%s holds the token", name)
		}
		return string(text)
	}
	if got := read("server.audit.log"); !strings.Contains(got, `"event":"send"`) || !strings.Contains(got, `"seq":1,`) || !strings.Contains(got, `"outcome":"denied"`) {
		t.Errorf("audit:\n%s", got)
	}
	if got := read("server.security.log"); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"tool":"delete_guest"`) {
		t.Errorf("security:\n%s", got)
	}
	if got := read("server.log"); strings.Contains(got, "audit") {
		t.Errorf("log:\n%s", got)
	}

	broken := newHousehold(t)
	config = filepath.Join(broken.home, ".config", "proxmox-mcp", "config.yaml")
	if err := os.WriteFile(config, append(data, "log: {file: {path: "+config+"/server.log}}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	broken.serve(cli.ServeOptions{})
	if got := broken.call("list_nodes", map[string]any{}); !strings.Contains(got, "the log file cannot be written: "+config) {
		t.Errorf("with a log file that cannot be: %s", got)
	}
}
