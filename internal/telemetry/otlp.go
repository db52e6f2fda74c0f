package telemetry

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/buildinfo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// spanQueue bounds what waits for the collector: at 1 kB each 2 MB. More is dropped and counted.
	spanQueue = 2048
	// spanBatch is the most spans of one request, spanEvery how long one waits for company (both as OpenTelemetry's SDKs have it, halved).
	spanBatch = 256
	spanEvery = 2 * time.Second
	// exportLimit bounds one request to the collector, closeLimit what the end of the process waits for it.
	exportLimit = 5 * time.Second
	closeLimit  = 2 * time.Second
)

// ExporterOptions say where traces go.
type ExporterOptions struct {
	URL     string // of the collector's traces: http://127.0.0.1:4318/v1/traces
	Headers http.Header
	Service string // service.name; "" = proxmox-mcp
	Log     *slog.Logger
}

// Exporter sends spans to a collector as OTLP over HTTP in JSON, in the background. A collector that is slow or away costs spans, never time.
type Exporter struct {
	o             ExporterOptions
	client        *http.Client
	queue         chan *Span
	quit          chan struct{}
	once          sync.Once
	worker        sync.WaitGroup
	sent, dropped atomic.Int64
	failing       bool // told already; the worker's own
}

// NewExporter begins to export; Close ends it. Config when the address is none.
func NewExporter(o ExporterOptions) (*Exporter, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fault.New(fault.Config, "the address of the collector of traces is no http:// or https:// address without user").
			WithHint("write it as http://127.0.0.1:4318")
	}
	if o.Service == "" {
		o.Service = "proxmox-mcp"
	}
	// A collector that redirects would get the headers' secret carried elsewhere.
	e := &Exporter{o: o, queue: make(chan *Span, spanQueue), quit: make(chan struct{}), client: &http.Client{Timeout: exportLimit,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	e.worker.Go(e.run)
	return e, nil
}

func (e *Exporter) add(s *Span) {
	select {
	case e.queue <- s:
	default:
		e.dropped.Add(1)
	}
}

// Close sends what waits, for closeLimit at most. Later spans are dropped.
func (e *Exporter) Close() {
	e.once.Do(func() { close(e.quit) })
	e.worker.Wait()
	e.client.CloseIdleConnections()
}

func (e *Exporter) run() {
	var batch []*Span
	tick := time.NewTicker(spanEvery)
	defer tick.Stop()
	for {
		select {
		case s := <-e.queue:
			if batch = append(batch, s); len(batch) < spanBatch {
				continue
			}
		case <-tick.C:
		case <-e.quit:
			e.last(batch)
			return
		}
		e.send(context.Background(), batch)
		batch = batch[:0]
	}
}

// last sends what waits in one request.
func (e *Exporter) last(batch []*Span) {
	for {
		select {
		case s := <-e.queue:
			batch = append(batch, s)
			continue
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		e.send(ctx, batch)
		return
	}
}

func (e *Exporter) send(ctx context.Context, batch []*Span) {
	if len(batch) == 0 {
		return
	}
	status, err := e.post(ctx, batch)
	if err == nil && status/100 == 2 {
		e.sent.Add(int64(len(batch)))
		e.failing = false
		return
	}
	e.dropped.Add(int64(len(batch)))
	if !e.failing && e.o.Log != nil { // the address may hold what is nobody's business: the host is enough
		u, _ := url.Parse(e.o.URL) // was checked
		e.o.Log.Warn("the collector of traces does not take them; they are dropped until it does", "host", u.Host, "status", status)
	}
	e.failing = true
}

func (e *Exporter) post(ctx context.Context, batch []*Span) (status int, err error) {
	body, err := json.Marshal(e.document(batch))
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.o.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if e.o.Headers != nil {
		req.Header = e.o.Headers.Clone()
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := e.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, err
}

// The document is OTLP's ExportTraceServiceRequest in its JSON form: ids in hexadecimal, 64-bit numbers as texts.
type (
	otlpDocument struct {
		ResourceSpans []otlpResource `json:"resourceSpans"`
	}
	otlpResource struct {
		Resource   otlpAttributes `json:"resource"`
		ScopeSpans []otlpScope    `json:"scopeSpans"`
	}
	otlpAttributes struct {
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpScope struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		Parent     string          `json:"parentSpanId,omitempty"`
		Name       string          `json:"name"`
		Kind       int             `json:"kind"`
		Start      string          `json:"startTimeUnixNano"`
		End        string          `json:"endTimeUnixNano"`
		Attributes []otlpAttribute `json:"attributes,omitempty"`
		Status     struct {
			Code int `json:"code,omitempty"` // 2: error
		} `json:"status"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		Text   *string `json:"stringValue,omitempty"`
		Number *string `json:"intValue,omitempty"`
	}
)

func (e *Exporter) document(batch []*Span) otlpDocument {
	scope := otlpScope{Spans: make([]otlpSpan, 0, len(batch))}
	scope.Scope.Name = "github.com/proxmox-mcp/proxmox-mcp"
	for _, s := range batch {
		scope.Spans = append(scope.Spans, s.otlp())
	}
	return otlpDocument{[]otlpResource{{ScopeSpans: []otlpScope{scope}, Resource: otlpAttributes{[]otlpAttribute{
		attribute{key: "service.name", text: e.o.Service}.otlp(), attribute{key: "service.version", text: buildinfo.Read().Version}.otlp()}}}}}
}

func (s *Span) otlp() otlpSpan {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := otlpSpan{TraceID: hex.EncodeToString(s.at.trace[:]), SpanID: hex.EncodeToString(s.at.span[:]), Name: s.name, Kind: s.kind,
		Start: nanos(s.began), End: nanos(s.ended)}
	if s.parent != [8]byte{} {
		out.Parent = hex.EncodeToString(s.parent[:])
	}
	if s.failed != "" {
		out.Status.Code = 2
	}
	for _, a := range s.attrs {
		out.Attributes = append(out.Attributes, a.otlp())
	}
	return out
}

func (a attribute) otlp() otlpAttribute {
	if a.isNumber {
		text := strconv.Itoa(a.number)
		return otlpAttribute{a.key, otlpValue{Number: &text}}
	}
	return otlpAttribute{a.key, otlpValue{Text: &a.text}}
}
