package config

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// TestTelemetry reads both sections; paths begin at the file's folder.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	cfg, _, err := loadText(t, oneCluster+`
log: {file: {path: logs/server.log, max_size_mb: 50, max_age_days: 0, max_files: 2, compress: false}}
telemetry: {metrics: "[::1]:9464", otlp: http://192.0.2.9:4318/, slow_tool: 0s, slow_pve: 30s, ready_within: 1h}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := LogFile{Path: filepath.Join(filepath.Dir(cfg.Path), "logs", "server.log"), MaxSizeMB: 50, MaxFiles: 2}
	if diff := cmp.Diff(want, cfg.Log.File); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Telemetry{Metrics: "[::1]:9464", Traces: "http://192.0.2.9:4318/v1/traces", SlowPVE: 30 * time.Second, Ready: time.Hour}, cfg.Telemetry, secretEqual); diff != "" {
		t.Error(diff)
	}
}

// TestTracesEnvironment: OpenTelemetry's own variables count before the file, and turn traces off; their secret is no text.
func TestTracesEnvironment(t *testing.T) {
	t.Parallel()
	const file = "\ntelemetry: {otlp: http://file:4318}\n"
	for name, c := range map[string]struct {
		text string
		env  map[string]string
		want string
	}{
		"file":      {file, nil, "http://file:4318/v1/traces"},
		"base":      {file, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://env:4318/otlp"}, "https://env:4318/otlp/v1/traces"},
		"exact":     {"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://env", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://exact/t"}, "http://exact/t"},
		"disabled":  {file, map[string]string{"OTEL_SDK_DISABLED": "TRUE"}, ""},
		"none":      {file, map[string]string{"OTEL_TRACES_EXPORTER": "none"}, ""},
		"nothing":   {"", nil, ""},
		"with auth": {file, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20" + canarySecret + "%3D, x-team=a+b,broken"}, "http://file:4318/v1/traces"},
	} {
		cfg, _, err := loadText(t, oneCluster+c.text, c.env)
		if err != nil || cfg.Telemetry.Traces != c.want {
			t.Errorf("%s: %v, %v, want %s", name, cfg, err, c.want)
			continue
		}
		if name == "with auth" {
			want := http.Header{"Authorization": {"Basic " + canarySecret + "="}, "X-Team": {"a+b"}}
			if diff := cmp.Diff(want, HeadersOf(cfg.Telemetry.Headers)); diff != "" {
				t.Error(diff)
			}
			if text := cfg.Telemetry.Headers.String(); strings.Contains(text, canarySecret) {
				t.Error(text)
			}
		}
	}
	if len(HeadersOf(redact.Secret{})) > 0 {
		t.Error("headers of nothing")
	}
}

// TestTelemetryRefused: metrics are for this machine, and what cannot be meant is named.
func TestTelemetryRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"telemetry: {metrics: 0.0.0.0:9464}":        "telemetry.metrics: must be an address of loopback",
		"telemetry: {metrics: 9464}":                "telemetry.metrics: must be HOST:PORT",
		"telemetry: {metrics: pve1.example:9464}":   "telemetry.metrics: must be an address of loopback",
		"telemetry: {otlp: 127.0.0.1:4318}":         "telemetry.otlp: must be an address without user, such as http://127.0.0.1:4318",
		"telemetry: {otlp: http://a:b@host:4318}":   "telemetry.otlp: must be an address without user",
		"telemetry: {slow_tool: 5}":                 "telemetry.slow_tool: must be a duration with its unit",
		"telemetry: {ready_within: 1s}":             "telemetry.ready_within: must be between 10s and 24h0m0s",
		"telemetry: {prometheus: on}":               `"prometheus" is not a setting`,
		"log: {file: {path: a.log, max_files: -1}}": "log.file.max_files: must be a whole number from 0 to 1000",
		"log: {file: a.log}":                        "log.file: must hold settings",
	} {
		_, _, err := loadText(t, oneCluster+"\n"+text+"\n", nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
