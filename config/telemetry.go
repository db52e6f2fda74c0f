package config

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// LogFile says where the log goes besides standard error; without Path nowhere.
type LogFile struct {
	Path       string // absolute
	MaxSizeMB  int    // 1..1000; a file of that size is put aside
	MaxAgeDays int    // 0..3650; of files put aside, 0 = any
	MaxFiles   int    // 0..1000; put aside, of each channel, 0 = any
	Compress   bool   // files put aside
}

// Telemetry says what is measured of a server and who is told.
type Telemetry struct {
	Metrics  string        // host:port on loopback of a listener for /metrics, /healthz and /readyz alone; "" = none
	Traces   string        // address that takes traces as OTLP over HTTP, with its path; "" = none
	Headers  redact.Secret // of requests there, as OTEL_EXPORTER_OTLP_HEADERS has them: name=value,name=value
	Service  string        // service.name of traces; "" = proxmox-mcp
	SlowTool time.Duration // from when on a tool call is logged as slow; 0 = never
	SlowPVE  time.Duration // the same of a request to Proxmox VE
	Ready    time.Duration // how old the last sync of a cluster may be for /readyz
}

const (
	defaultSlowTool = 5 * time.Second
	defaultSlowPVE  = 10 * time.Second
	// defaultReady is ten ticks that failed: one node that reboots is no reason to take a server away.
	defaultReady = 5 * time.Minute

	defaultLogSize, defaultLogAge, defaultLogFiles = 10, 30, 5
)

// DefaultLogFile bounds a log file of which nothing is set.
func DefaultLogFile() LogFile {
	return LogFile{MaxSizeMB: defaultLogSize, MaxAgeDays: defaultLogAge, MaxFiles: defaultLogFiles, Compress: true}
}

// DefaultTelemetry is what is measured where nothing is set.
func DefaultTelemetry() Telemetry {
	return Telemetry{SlowTool: defaultSlowTool, SlowPVE: defaultSlowPVE, Ready: defaultReady}
}

// The environment's names are OpenTelemetry's own, so that one environment serves all programs.
const (
	envTraces   = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envOTLP     = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envHeaders  = "OTEL_EXPORTER_OTLP_HEADERS"
	envService  = "OTEL_SERVICE_NAME"
	envDisabled = "OTEL_SDK_DISABLED"
	envExporter = "OTEL_TRACES_EXPORTER"
)

type rawLog struct{ level, format, path, size, age, files, compress setting }

type rawTelemetry struct{ metrics, otlp, slowTool, slowPVE, ready setting }

func (r *reader) log(f *rawLog) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{"level": r.text(&f.level), "format": r.text(&f.format), "file": func(at spot, n ast.Node) {
			r.mapping(at, n, fields{"path": r.text(&f.path), "max_size_mb": r.text(&f.size), "max_age_days": r.text(&f.age),
				"max_files": r.text(&f.files), "compress": r.text(&f.compress)})
		}})
	}
}

func (r *reader) telemetry(f *rawTelemetry) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{"metrics": r.text(&f.metrics), "otlp": r.text(&f.otlp), "slow_tool": r.text(&f.slowTool),
			"slow_pve": r.text(&f.slowPVE), "ready_within": r.text(&f.ready)})
	}
}

func (l *loader) log(raw rawLog) Log {
	out := Log{Level: l.oneOf(raw.level, defaultLogLevel, "debug", "info", "warn", "error"),
		Format: l.oneOf(raw.format, defaultLogFormat, "auto", "text", "json"),
		File: LogFile{MaxSizeMB: l.between(raw.size, defaultLogSize, 1, 1000), MaxAgeDays: l.between(raw.age, defaultLogAge, 0, 3650),
			MaxFiles: l.between(raw.files, defaultLogFiles, 0, 1000), Compress: l.boolean(raw.compress, true)}}
	if raw.path.set {
		out.File.Path = l.opts.expand(raw.path.text, l.baseDir)
	}
	return out
}

// At is the file that a flag or the environment names, with the bounds of the configuration.
func (f LogFile) At(o LoadOptions, path string) LogFile {
	f.Path = o.expand(path, workDir())
	return f
}

func (l *loader) telemetry(raw rawTelemetry) Telemetry {
	t := Telemetry{SlowTool: l.duration(raw.slowTool, defaultSlowTool, 0, time.Hour), SlowPVE: l.duration(raw.slowPVE, defaultSlowPVE, 0, time.Hour),
		Ready: l.duration(raw.ready, defaultReady, 10*time.Second, 24*time.Hour), Service: l.opts.env(envService), Headers: redact.NewSecret(l.opts.env(envHeaders))}
	if raw.metrics.set {
		t.Metrics = raw.metrics.text
		if wrong := Loopback(t.Metrics); wrong != "" {
			l.add(raw.metrics.at, "%s", wrong)
		}
	}
	t.Traces = l.traces(raw.otlp)
	return t
}

// traces is where traces go: as with OpenTelemetry's own programs the environment's address of traces is taken as it is, and below one
// of everything they have their path.
func (l *loader) traces(file setting) string {
	if strings.EqualFold(l.opts.env(envDisabled), "true") || l.opts.env(envExporter) == "none" {
		return ""
	}
	exact := l.envText(envTraces)
	base := l.envText(envOTLP)
	if !base.set {
		base = file
	}
	at, path := base, strings.TrimRight(base.text, "/")+"/v1/traces"
	if exact.set {
		at, path = exact, exact.text
	}
	if !at.set {
		return ""
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		l.add(at.at, "must be an address without user, such as http://127.0.0.1:4318")
		return ""
	}
	return path
}

// Loopback says what is wrong with host:port of a listener that only this machine may reach; "" = nothing.
func Loopback(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		return "must be HOST:PORT, such as 127.0.0.1:9464"
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "must be an address of loopback, such as 127.0.0.1:9464: nothing asks there who reads; from elsewhere read /metrics of serve --http"
	}
	return ""
}

// between reads a whole number.
func (l *loader) between(s setting, byDefault, low, high int) int {
	if !s.set {
		return byDefault
	}
	n, err := strconv.Atoi(s.text)
	if err != nil || n < low || n > high {
		l.add(s.at, "must be a whole number from %d to %d", low, high)
		return byDefault
	}
	return n
}

// HeadersOf takes name=value,name=value apart; values are percent-encoded (OpenTelemetry's environment). Pairs that are none are left out.
func HeadersOf(s redact.Secret) http.Header {
	h := http.Header{}
	for pair := range strings.SplitSeq(s.Reveal(), ",") {
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(strings.ReplaceAll(strings.TrimSpace(value), "+", "%2B"))
		if name = strings.TrimSpace(name); ok && err == nil && name != "" {
			h.Set(name, value)
		}
	}
	return h
}
