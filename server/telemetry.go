package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/mark3labs/mcp-go/tracing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// measured are the options that let mcp-go tell t of each request. mcp-go's own names of spans and attributes are not those of
// OpenTelemetry (facts: mcp.md gap 12), so they are not used. nil measures nothing.
func measured(t *telemetry.T, hooks *mcpserver.Hooks) []mcpserver.ServerOption {
	if t == nil {
		return nil
	}
	hooks.AddOnRegisterSession(func(_ context.Context, s mcpserver.ClientSession) { t.SessionBegan(s.SessionID()) })
	hooks.AddOnUnregisterSession(func(_ context.Context, s mcpserver.ClientSession) { t.SessionEnded(s.SessionID()) })
	return []mcpserver.ServerOption{
		mcpserver.WithTracer(measurer{t}), mcpserver.WithPropagator(headers{}), mcpserver.WithMetaPropagator(metas{}),
	}
}

// measurer is told of each request's begin and end.
type measurer struct{ t *telemetry.T }

// Start implements tracing.Tracer. What mcp-go starts inside a request is the request itself again.
func (r measurer) Start(ctx context.Context, name string, kind tracing.SpanKind, _ ...tracing.Attribute) (context.Context, tracing.Span) {
	if kind != tracing.SpanKindServer {
		return ctx, measuredRequest{}
	}
	ctx, op := r.t.Operation(ctx, known(strings.TrimPrefix(name, "mcp.")))
	return ctx, measuredRequest{op}
}

// known bounds the methods: a client may send any text.
func known(method string) string {
	switch m := mcp.MCPMethod(method); m {
	case mcp.MethodInitialize, mcp.MethodPing, mcp.MethodServerDiscover, mcp.MethodSubscriptionsListen, mcp.MethodSetLogLevel, mcp.MethodResourcesList,
		mcp.MethodResourcesTemplatesList, mcp.MethodResourcesRead, mcp.MethodResourcesSubscribe, mcp.MethodResourcesUnsubscribe, mcp.MethodPromptsList,
		mcp.MethodPromptsGet, mcp.MethodToolsList, mcp.MethodToolsCall, mcp.MethodCompletionComplete:
		return method
	}
	if strings.HasPrefix(method, "notifications/") {
		return "notifications"
	}
	return "other"
}

// measuredRequest is a request as mcp-go ends it.
type measuredRequest struct{ op *telemetry.Operation }

// SetAttributes implements tracing.Span.
func (r measuredRequest) SetAttributes(...tracing.Attribute) {}

// RecordError implements tracing.Span.
func (r measuredRequest) RecordError(error) {}

// SetStatus implements tracing.Span. Where a tool failed it was named already, and the first one counts; the description stays out.
func (r measuredRequest) SetStatus(code tracing.StatusCode, _ string) {
	if code == tracing.StatusError {
		r.op.Fail("protocol")
	}
}

// End implements tracing.Span.
func (r measuredRequest) End() { r.op.End() }

// headers reads the trace context of an HTTP request.
type headers struct{}

// Extract implements tracing.Propagator.
func (headers) Extract(ctx context.Context, h http.Header) context.Context {
	return telemetry.Remote(ctx, h.Get("Traceparent"))
}

// Inject implements tracing.Propagator: nothing goes out.
func (headers) Inject(context.Context, http.Header) {}

// metas reads the trace context of a request's _meta, which counts before that of the header.
type metas struct{}

// ExtractMeta implements tracing.MetaPropagator.
func (metas) ExtractMeta(ctx context.Context, m *mcp.Meta) context.Context {
	if m == nil {
		return ctx
	}
	text, _ := m.AdditionalFields["traceparent"].(string)
	return telemetry.Remote(ctx, text)
}

// InjectMeta implements tracing.MetaPropagator: nothing goes out.
func (metas) InjectMeta(_ context.Context, m *mcp.Meta) *mcp.Meta { return m }

// nameCalls tells the measured request which tool it calls and for whom.
func nameCalls(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		telemetry.OperationOf(ctx).Tool(r.Params.Name, PrincipalOf(ctx).String())
		return next(ctx, r)
	}
}

var (
	_ tracing.Tracer         = measurer{}
	_ tracing.Span           = measuredRequest{}
	_ tracing.Propagator     = headers{}
	_ tracing.MetaPropagator = metas{}
)
