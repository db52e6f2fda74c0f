package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Operation is one request of a client. A nil one takes everything and does nothing.
type Operation struct {
	t      *T
	ctx    context.Context //nolint:containedctx // of one request, for its log line
	method string
	began  time.Time
	span   *Span

	mu          sync.Mutex
	tool, error string
	who         string
}

type operationKey struct{}

// Operation begins a request of a client; the method has to be one of the protocol's. Its trace goes on from the context that Remote
// put into ctx.
func (t *T) Operation(ctx context.Context, method string) (context.Context, *Operation) {
	if t == nil {
		return ctx, nil
	}
	o := &Operation{t: t, method: method, began: t.o.Clock()}
	ctx, o.span = t.root(ctx, method)
	ctx = context.WithValue(ctx, operationKey{}, o)
	o.ctx = ctx
	return ctx, o
}

// OperationOf is the request that ctx belongs to, nil where none is measured.
func OperationOf(ctx context.Context) *Operation {
	o, _ := ctx.Value(operationKey{}).(*Operation)
	return o
}

// Tool names the tool that is called, and who calls it.
func (o *Operation) Tool(name, who string) {
	if o != nil {
		o.mu.Lock()
		o.tool, o.who = name, who
		o.mu.Unlock()
	}
}

// Fail says what kind of error the request ended with: a code, never a message. The first one counts.
func (o *Operation) Fail(kind string) {
	if o != nil {
		o.mu.Lock()
		if o.error == "" {
			o.error = kind
		}
		o.mu.Unlock()
	}
}

// End ends the request.
func (o *Operation) End() {
	if o == nil {
		return
	}
	o.mu.Lock()
	tool, kind, who := o.tool, o.error, o.who
	o.mu.Unlock()
	took := o.t.o.Clock().Sub(o.began)
	o.t.observe(OperationSeconds, took, o.method, tool, kind)
	if o.span != nil {
		o.span.Set("mcp.method.name", o.method)
		if tool != "" {
			o.span.name = o.method + " " + tool
			o.span.Set("gen_ai.tool.name", tool)
			o.span.Set("gen_ai.operation.name", "execute_tool")
		}
		o.span.Fail(kind)
		o.span.End()
	}
	if tool != "" {
		o.t.slow(o.ctx, "tool", o.t.o.SlowTool, took, slog.String("tool", tool), slog.String("principal", who), slog.String("error", kind))
	}
}

// Request is one request to Proxmox VE, as far as may be told: no names of guests, no parameters.
type Request struct {
	Cluster, Node    string
	Method, Template string // GET, /nodes/{node}/qemu
	Class            string // read, blocking, write, login
}

// Request begins a request to Proxmox VE; done ends it: status is 0 where there was no answer. It is a part of the trace of ctx.
func (t *T) Request(ctx context.Context, r Request) (done func(status int)) {
	if t == nil {
		return func(int) {}
	}
	began := t.o.Clock()
	_, span := start(ctx, r.Method+" "+r.Template, kindClient)
	return func(status int) {
		took, class := t.o.Clock().Sub(began), statusClass(status)
		t.observe(RequestSeconds, took, r.Cluster, r.Node, r.Class, class)
		if span != nil {
			r.attributes(span, status)
			span.End()
		}
		t.slow(ctx, "pve", t.o.SlowPVE, took, slog.String("cluster", r.Cluster), slog.String("node", r.Node), slog.String("method", r.Method),
			slog.String("path", r.Template), slog.Int("status", status))
	}
}

func (r Request) attributes(s *Span, status int) {
	s.Set("http.request.method", r.Method)
	s.Set("url.template", r.Template)
	s.Set("proxmox.cluster", r.Cluster)
	if r.Node != "" {
		s.Set("proxmox.node", r.Node)
	}
	if status > 0 {
		s.SetInt("http.response.status_code", status)
	}
	if status < 100 || status >= 400 {
		s.Fail(statusClass(status))
	}
}

// slow logs a call that took long, in the channel of slow calls.
func (t *T) slow(ctx context.Context, kind string, limit, took time.Duration, attrs ...slog.Attr) {
	if limit <= 0 || took < limit || t.o.Log == nil {
		return
	}
	t.count(SlowCalls, kind)
	attrs = append(attrs, slog.Duration("took", took))
	if id := TraceID(ctx); id != "" {
		attrs = append(attrs, slog.String("trace", id))
	}
	t.o.Log.LogAttrs(ctx, slog.LevelWarn, "slow "+kind+" call", attrs...)
}
