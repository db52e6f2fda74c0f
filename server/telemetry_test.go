package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// TestRefusals: who was turned away is told in the channel of security, with neither headers nor query; who was let in is not.
func TestRefusals(t *testing.T) {
	var log bytes.Buffer
	inner := func(status int) http.Handler {
		return refusals(slog.New(slog.NewJSONHandler(&log, nil)), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	}
	for _, status := range []int{200, 401, 403, 404, 405, 413, 421, 429, 500} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp?sessionId="+canary, nil)
		r.Header.Set("Authorization", "Bearer "+canary)
		inner(status).ServeHTTP(httptest.NewRecorder(), r)
	}
	stream := refusals(slog.New(slog.DiscardHandler), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Flusher); !ok || http.NewResponseController(w).Flush() != nil {
			t.Error("a stream cannot be flushed through it")
		}
	}))
	stream.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/mcp", nil))
	var got []float64
	for line := range strings.Lines(log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil || m["channel"] != "security" || m["path"] != "/mcp" || m["from"] == "" {
			t.Errorf("line %q", line)
		}
		got = append(got, m["status"].(float64))
	}
	if len(got) != 5 || strings.Contains(log.String(), canary) {
		t.Errorf("told: %v in\n%s", got, log.String())
	}
}

// TestTraceContext: the trace of _meta counts before that of the header, and a client's other words are not taken for one.
func TestTraceContext(t *testing.T) {
	const a, b = "0af7651916cd43dd8448eb211c80319c", "11111111111111111111111111111111"
	parent := func(trace string) string { return "00-" + trace + "-b7ad6b7169203331-01" }
	collector, err := telemetry.NewExporter(telemetry.ExporterOptions{URL: "http://127.0.0.1:1/v1/traces"})
	if err != nil {
		t.Fatal(err)
	}
	watch := telemetry.New(telemetry.Options{Traces: collector})
	defer watch.Close()
	for name, c := range map[string]struct {
		meta   any
		header string
		want   string
	}{
		"meta":        {parent(a), parent(b), a},
		"header":      {nil, parent(b), b},
		"no text":     {12, parent(b), b},
		"meta broken": {"00-zz", parent(b), b},
	} {
		ctx := metas{}.ExtractMeta(t.Context(), &mcp.Meta{AdditionalFields: map[string]any{"traceparent": c.meta}})
		ctx = headers{}.Extract(ctx, http.Header{"Traceparent": {c.header}})
		ctx, op := watch.Operation(ctx, "tools/call")
		if got := telemetry.TraceID(ctx); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		op.End()
	}
	if ctx := (metas{}).ExtractMeta(t.Context(), nil); ctx != t.Context() {
		t.Error("without _meta something was taken")
	}
}

// TestNoLogging: the protocol's logging is deprecated since 2026-07-28 (facts: mcp.md 2): it is not offered, and who asks for it is told so in
// the protocol's words.
func TestNoLogging(t *testing.T) {
	got, _ := exchange(t, initialize, `{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"debug"}}`)
	if res, ok := got["1"]["result"].(map[string]any); !ok || res["capabilities"].(map[string]any)["logging"] != nil {
		t.Errorf("initialize: %v", got["1"])
	}
	if e, ok := got["2"]["error"].(map[string]any); !ok || e["code"] != -32601.0 {
		t.Errorf("logging/setLevel: %v, want -32601", got["2"])
	}
}
