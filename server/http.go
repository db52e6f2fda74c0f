package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"
)

const (
	// MCPPath is where Streamable HTTP is served, both eras of the protocol on this one path.
	MCPPath = "/mcp"
	// maxBody bounds a request: tool arguments and an uploaded cloud-init text are far below it (facts: mcp.md 6.5).
	maxBody = 1 << 20
	// headerLimit is how long a client may take to send its headers, bodyLimit for the whole request: it ends a slow-loris.
	headerLimit = 5 * time.Second
	bodyLimit   = 15 * time.Second
	// idleLimit closes a connection that asks nothing.
	idleLimit = 2 * time.Minute
	// answerLimit is how long answers in flight may take after the server was told to end: above the 45 s that a call may wait.
	answerLimit = 50 * time.Second
)

// HTTPOptions are what the HTTP door is made from.
type HTTPOptions struct {
	// Hosts are the names under which clients reach the server beside loopback: the Host header of every request is one of them.
	Hosts []string
	// Origins are the web origins beside loopback whose pages may call.
	Origins []string
	// SSE serves the deprecated HTTP+SSE transport (GET /sse, POST /message) as well.
	SSE bool
	// Admit authenticates and answers 401 or 403 itself; what it lets through carries an Identity. nil: everybody who reaches the
	// address is LoopbackIdentity, which is for loopback addresses alone.
	Admit func(next http.Handler) http.Handler
	// Open are routes that need no authentication, by pattern of net/http: health, metadata. They pass the guards all the same.
	Open map[string]http.Handler
	// Closed are routes behind Admit, by pattern: metrics.
	Closed map[string]http.Handler
	Logger *slog.Logger
}

// HTTP is the HTTP door: guards, then authentication, then the MCP server or another route.
type HTTP struct {
	o    HTTPOptions
	mcp  *mcpserver.StreamableHTTPServer
	root http.Handler
}

// NewHTTP puts s behind HTTP. Close it after Serve.
func NewHTTP(s *MCP, o HTTPOptions) *HTTP {
	h := &HTTP{o: o, mcp: mcpserver.NewStreamableHTTPServer(s, mcpserver.WithEndpointPath(MCPPath), mcpserver.WithStateful(true),
		mcpserver.WithEventStore(mcpserver.NewInMemoryEventStore()), mcpserver.WithStreamableHTTPLogger(o.Logger))}
	admit := o.Admit
	if admit == nil {
		admit = admitLoopback
	}
	mux := http.NewServeMux()
	mux.Handle(MCPPath, admit(strict(h.mcp)))
	if o.SSE {
		sse := mcpserver.NewSSEServer(s, mcpserver.WithSSECORS(), mcpserver.WithKeepAlive(true))
		mux.Handle("GET /sse", admit(sse.SSEHandler()))
		mux.Handle("POST /message", admit(strict(sse.MessageHandler())))
	}
	for pattern, route := range o.Open {
		mux.Handle(pattern, route)
	}
	for pattern, route := range o.Closed {
		mux.Handle(pattern, admit(route))
	}
	h.root = guard(o, mux)
	return h
}

// ServeHTTP implements http.Handler: every route with all guards.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.root.ServeHTTP(w, r) }

// Serve answers on l until ctx ends; then answers in flight may finish (answerLimit), streams end at once.
func (h *HTTP) Serve(ctx context.Context, l net.Listener) error {
	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headerLimit, ReadTimeout: bodyLimit, IdleTimeout: idleLimit, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return streams },
		ErrorLog:    slog.NewLogLogger(h.o.Logger.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return h.shutdown(ctx, srv)
}

func (h *HTTP) shutdown(ctx context.Context, srv *http.Server) error {
	ending, stop := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer stop()
	err := srv.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	return errors.Join(err, h.mcp.Shutdown(ending))
}
