package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// page is what /metrics shows of the families whose names begin with prefix.
func page(t *testing.T, m *T, prefix string) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, prefix) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// TestHistogram: buckets are cumulative, a value on a bound belongs below it, labels are escaped, and the text is Prometheus's.
func TestHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Metrics: true})
		ctx, op := m.Operation(t.Context(), "tools/call")
		OperationOf(ctx).Tool("a\"b\\c\nd", "local:1")
		time.Sleep(time.Millisecond) // a bound exactly
		op.Fail("not_found")
		op.Fail("protocol") // the first one counts
		op.End()
		_, op = m.Operation(t.Context(), "ping")
		time.Sleep(time.Hour) // beyond all bounds
		op.End()
		got := page(t, m, OperationSeconds)
		for _, want := range []string{
			`_bucket{mcp_method_name="tools/call",gen_ai_tool_name="a\"b\\c\nd",error_type="not_found",le="0.0005"} 0`,
			`_bucket{mcp_method_name="tools/call",gen_ai_tool_name="a\"b\\c\nd",error_type="not_found",le="0.001"} 1`,
			`_bucket{mcp_method_name="tools/call",gen_ai_tool_name="a\"b\\c\nd",error_type="not_found",le="300"} 1`,
			`_bucket{mcp_method_name="ping",gen_ai_tool_name="",error_type="",le="300"} 0`,
			`_bucket{mcp_method_name="ping",gen_ai_tool_name="",error_type="",le="+Inf"} 1`,
			`_sum{mcp_method_name="ping",gen_ai_tool_name="",error_type=""} 3600`,
		} {
			if !strings.Contains(got, OperationSeconds+want+"\n") {
				t.Errorf("no line %s in\n%s", want, got)
			}
		}
	})
}

// TestBounded: however many label values come, a family has at most maxSeries and one for the rest, and nothing is lost.
func TestBounded(t *testing.T) {
	m := New(Options{Metrics: true})
	for i := range maxSeries + 500 {
		m.Request(t.Context(), Request{Cluster: "c", Node: fmt.Sprint("node", i), Class: "read"})(200)
	}
	f := m.reg.families[RequestSeconds]
	rest := f.series[key{"other", "other", "other", "other"}]
	if len(f.series) != maxSeries+1 || rest == nil || rest.count != 500 {
		t.Errorf("%d series, rest %+v", len(f.series), rest)
	}
}

// TestGather: what fails is told and costs nothing else; a value that is gone at the next look is not shown any more.
func TestGather(t *testing.T) {
	m := New(Options{Metrics: true})
	guests := []string{"running", "stopped"}
	m.Gather(Gather{"good", func(_ context.Context, p Page) error {
		for _, state := range guests {
			p.Set(GuestsKnown, 1, "home", "qemu", state)
		}
		p.Set("no_such_metric", 1)
		return nil
	}}, Gather{"bad", func(context.Context, Page) error { return errors.New("closed") }})
	if got := page(t, m, GuestsKnown); strings.Count(got, "\n") != 2 {
		t.Errorf("got\n%s", got)
	}
	guests = guests[:1]
	want := GuestsKnown + `{cluster="home",type="qemu",state="running"} 1` + "\n"
	if diff := cmp.Diff(want, page(t, m, GuestsKnown)); diff != "" {
		t.Error(diff)
	}
	want = GatherErrors + "{part=\"bad\"} 1\n" + GatherErrors + "{part=\"good\"} 0\n"
	if diff := cmp.Diff(want, page(t, m, GatherErrors)); diff != "" {
		t.Error(diff)
	}
}

// TestNothing: where nothing is asked for nothing is made, and all of it can be used.
func TestNothing(t *testing.T) {
	m := New(Options{SlowTool: time.Second})
	if m != nil {
		t.Fatal("something measures")
	}
	ctx, op := m.Operation(t.Context(), "tools/call")
	op.Tool("x", "y")
	op.Fail("z")
	op.End()
	m.Request(ctx, Request{})(200)
	m.SessionBegan("s")
	m.SessionEnded("s")
	m.Gather(Gather{})
	if err := m.Write(ctx, io.Discard); err != nil {
		t.Error(err)
	}
	m.Close()
	if allocs := testing.AllocsPerRun(100, func() { m.Request(ctx, Request{Cluster: "c"}) }); allocs > 0 {
		t.Errorf("%v allocations where nothing measures", allocs)
	}
}

// TestSlow: the threshold itself is slow, below it is not; the line says what, how long and of which trace, and nothing else.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := New(Options{Metrics: true, Log: slog.New(slog.NewTextHandler(&log, nil)), SlowTool: 5 * time.Second, SlowPVE: 10 * time.Second})
		for _, took := range []time.Duration{5*time.Second - 1, 5 * time.Second} {
			_, op := m.Operation(t.Context(), "tools/call")
			op.Tool("get_guest", "local:1")
			time.Sleep(took)
			op.End()
		}
		done := m.Request(t.Context(), Request{"home", "pve1", "GET", "/nodes/{node}/qemu", "blocking"})
		time.Sleep(11 * time.Second)
		done(0)
		got := log.String()
		if strings.Count(got, "\n") != 2 || !strings.Contains(got, `msg="slow tool call" tool=get_guest principal=local:1 error="" took=5s`) ||
			!strings.Contains(got, `msg="slow pve call" cluster=home node=pve1 method=GET path=/nodes/{node}/qemu status=0 took=11s`) {
			t.Error(got)
		}
		if got := page(t, m, SlowCalls); got != SlowCalls+"{kind=\"pve\"} 1\n"+SlowCalls+"{kind=\"tool\"} 1\n" {
			t.Error(got)
		}
	})
}

// TestSessions: a session is measured from its first begin to its end, once.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Metrics: true})
		m.SessionBegan("a")
		time.Sleep(2 * time.Second)
		m.SessionBegan("a") // a stream of the same session
		time.Sleep(time.Second)
		m.SessionEnded("a")
		m.SessionEnded("a")
		m.SessionEnded("never")
		if got := page(t, m, SessionSeconds+"_"); !strings.Contains(got, SessionSeconds+"_sum 3\n"+SessionSeconds+"_count 1\n") {
			t.Error(got)
		}
	})
}

func TestTraceparent(t *testing.T) {
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for text, want := range map[string]bool{
		"00-" + trace + "-" + span + "-01":                    true,
		"00-" + trace + "-" + span + "-00":                    true,
		"01-" + trace + "-" + span + "-01-more":               true,
		"00-" + trace + "-" + span + "-01-more":               false,
		"ff-" + trace + "-" + span + "-01":                    false,
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  false,
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": false,
		"00-" + trace + "-" + span:                            false,
		"00-" + trace + "-" + span + "-0g":                    false,
		"":                                                    false,
		"00_" + trace + "-" + span + "-01":                    false,
	} {
		if _, got := parseTraceparent(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// collector is what takes traces.
type collector struct {
	mu     sync.Mutex
	spans  []otlpSpan
	heads  []http.Header
	status int
	hold   chan struct{} // nil = answers at once
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.hold != nil {
		<-c.hold
	}
	var doc otlpDocument
	if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads = append(c.heads, r.Header)
	for _, res := range doc.ResourceSpans {
		for _, s := range res.ScopeSpans {
			c.spans = append(c.spans, s.Spans...)
		}
	}
	w.WriteHeader(max(c.status, 200))
}

func (c *collector) exporter(t *testing.T, log *slog.Logger) *Exporter {
	t.Helper()
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	e, err := NewExporter(ExporterOptions{URL: srv.URL + "/v1/traces", Headers: http.Header{"Authorization": {"Bearer x"}}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// TestTrace: one trace from the client's to the request to Proxmox VE, with work that outlives the call; what is not of a trace makes none.
func TestTrace(t *testing.T) {
	c := &collector{}
	m := New(Options{Traces: c.exporter(t, nil)})
	in := Remote(t.Context(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	in = Remote(in, "00-11111111111111111111111111111111-b7ad6b7169203331-01") // the first counts
	ctx, op := m.Operation(in, "tools/call")
	op.Tool("get_guest", "local:1")
	later, plan := Start(Carry(context.Background(), ctx), "change.apply")
	op.Fail("node_silent")
	op.End()
	m.Request(later, Request{"home", "pve1", "GET", "/nodes/{node}/status", "read"})(595)
	plan.End()
	m.Request(t.Context(), Request{Method: "GET", Template: "/version"})(200)
	if TraceID(later) != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("trace %q", TraceID(later))
	}
	m.Close()
	type seen struct {
		Trace, Name, Parent string
		Kind, Status        int
		Attrs               string
	}
	var got []seen
	ids := map[string]string{"b7ad6b7169203331": "client"}
	for _, s := range c.spans {
		ids[s.SpanID] = s.Name
	}
	for _, s := range c.spans {
		var attrs []string
		for _, a := range s.Attributes {
			var text string
			if a.Value.Text != nil {
				text = *a.Value.Text
			} else {
				text = *a.Value.Number
			}
			attrs = append(attrs, a.Key+"="+text)
		}
		got = append(got, seen{s.TraceID[:4], s.Name, ids[s.Parent], s.Kind, s.Status.Code, strings.Join(attrs, " ")})
	}
	want := []seen{
		{"0af7", "tools/call get_guest", "client", 2, 2, "mcp.method.name=tools/call gen_ai.tool.name=get_guest gen_ai.operation.name=execute_tool error.type=node_silent"},
		{"0af7", "GET /nodes/{node}/status", "change.apply", 3, 2,
			"http.request.method=GET url.template=/nodes/{node}/status proxmox.cluster=home proxmox.node=pve1 http.response.status_code=595 error.type=5xx"},
		{"0af7", "change.apply", "tools/call get_guest", 1, 0, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if h := c.heads[0]; h.Get("Authorization") != "Bearer x" || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", h)
	}
}

// TestNotSampled: a client that does not record its trace is followed in that.
func TestNotSampled(t *testing.T) {
	c := &collector{}
	m := New(Options{Traces: c.exporter(t, nil)})
	ctx, op := m.Operation(Remote(t.Context(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), "tools/call")
	m.Request(ctx, Request{})(200)
	op.End()
	m.Close()
	if len(c.spans) > 0 {
		t.Errorf("%d spans", len(c.spans))
	}
}

// TestDropped: a collector that hangs costs spans and never time: what is beyond the queue is dropped and counted.
func TestDropped(t *testing.T) {
	c := &collector{hold: make(chan struct{})}
	e := c.exporter(t, nil)
	m := New(Options{Traces: e, Metrics: true})
	for range spanQueue + spanBatch + 1000 {
		_, op := m.Operation(t.Context(), "ping")
		op.End()
	}
	if n := e.dropped.Load(); n < 1000 || n > 1000+spanBatch {
		t.Errorf("%d dropped", n)
	}
	close(c.hold)
	e.Close()
	if sent, dropped := e.sent.Load(), e.dropped.Load(); sent+dropped != spanQueue+spanBatch+1000 || sent < spanQueue {
		t.Errorf("sent %d, dropped %d", sent, dropped)
	}
	if got := page(t, m, SpansDropped); !strings.HasSuffix(got, fmt.Sprintln("", e.dropped.Load())) {
		t.Error(got)
	}
}

// TestRefused: a collector that refuses is told once, by its host alone.
func TestRefused(t *testing.T) {
	var log bytes.Buffer
	c := &collector{status: http.StatusUnauthorized}
	e := c.exporter(t, slog.New(slog.NewTextHandler(&log, nil)))
	m := New(Options{Traces: e})
	for range 3 * spanBatch {
		_, op := m.Operation(t.Context(), "ping")
		op.End()
	}
	m.Close()
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "status=401") || strings.Contains(got, "Bearer") || e.dropped.Load() != 3*spanBatch {
		t.Errorf("%d dropped, log:\n%s", e.dropped.Load(), got)
	}
	if _, err := NewExporter(ExporterOptions{URL: "http://user:secret@host/v1/traces"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an address with a password: %v", err)
	}
}
