package proxmox

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// TestMeasured: each request is counted by node, class and status, a lost one as none; what is sent has no header of the trace.
func TestMeasured(t *testing.T) {
	collector, err := telemetry.NewExporter(telemetry.ExporterOptions{URL: "http://127.0.0.1:1/v1/traces"})
	if err != nil {
		t.Fatal(err)
	}
	watch := telemetry.New(telemetry.Options{Metrics: true, Traces: collector})
	defer watch.Close()
	r := newRig(t, map[string]http.HandlerFunc{
		"GET /version":                      failing(200, "OK", `{"data":{}}`),
		"GET /nodes/pve1/qemu/100/config":   failing(200, "OK", `{"data":{}}`),
		"GET /nodes/pve1/storage":           failing(200, "OK", `{"data":[]}`),
		"POST /nodes/pve1/qemu/100/config":  failing(403, "Permission check failed", `{"data":null}`),
		"POST /nodes/pve1/qemu/100/suspend": hangUp,
	}, nil, WithTelemetry(watch))
	ctx, op := watch.Operation(telemetry.Remote(t.Context(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), "tools/call")
	for _, c := range [][2]string{{"GET", "/version"}, {"GET", "/nodes/pve1/qemu/100/config"}, {"GET", "/nodes/pve1/storage"},
		{"POST", "/nodes/pve1/qemu/100/config"}, {"POST", "/nodes/pve1/qemu/100/suspend"}} {
		_, _ = r.Raw(ctx, c[0], c[1], nil)
	}
	op.End()
	var page bytes.Buffer
	if err := watch.Write(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{cluster="lab",node="",class="read",status="2xx"} 1`, `{cluster="lab",node="pve1",class="read",status="2xx"} 1`,
		`{cluster="lab",node="pve1",class="blocking",status="2xx"} 1`, `{cluster="lab",node="pve1",class="write",status="4xx"} 1`,
		`{cluster="lab",node="pve1",class="write",status="none"} 1`,
	} {
		if !strings.Contains(page.String(), telemetry.RequestSeconds+"_count"+want+"\n") {
			t.Errorf("not counted: %s in\n%s", want, page.String())
		}
	}
	r.pve.mu.Lock()
	defer r.pve.mu.Unlock()
	for _, h := range r.pve.header {
		for name := range h {
			if name = strings.ToLower(name); strings.HasPrefix(name, "trace") || name == "baggage" {
				t.Errorf("Proxmox VE was sent %s", name)
			}
		}
	}
	if len(r.pve.header) < 5 {
		t.Errorf("%d requests arrived", len(r.pve.header))
	}
}
