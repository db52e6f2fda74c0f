package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
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
	bodyLimit   = 9 * time.Second
	// answerWrite bounds an answer from the end of its request's headers on: a call ends within 60 s. Streams set their own (outlet).
	answerWrite = 2 * time.Minute
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
	o        HTTPOptions
	mcp      *mcpserver.StreamableHTTPServer
	sessions *sessions
	root     http.Handler
	// running ends when the door is told to end: streams end with it, answers do not.
	running context.Context //nolint:containedctx // of the door's life
	end     context.CancelFunc
}

// NewHTTP puts s behind HTTP.
func NewHTTP(s *MCP, o HTTPOptions) *HTTP {
	h := &HTTP{o: o}
	h.running, h.end = context.WithCancel(context.Background())
	h.sessions = newSessions(time.Now, h.forget)
	// The guard checks Host and Origin for every route; mcp-go's own check refuses a proxy on this machine that passes its Host on.
	h.mcp = mcpserver.NewStreamableHTTPServer(s, mcpserver.WithSessionIdManagerResolver(h.sessions), mcpserver.WithEventStore(newEvents()),
		mcpserver.WithDisableLocalhostProtection(true), mcpserver.WithStreamableHTTPLogger(o.Logger))
	admit := o.Admit
	if admit == nil {
		admit = admitLoopback
	}
	mux := http.NewServeMux()
	mux.Handle(MCPPath, methods(admit(h.sessions.guard(h.byMethod(h.mcp))), http.MethodGet, http.MethodPost, http.MethodDelete))
	if o.SSE {
		sse := mcpserver.NewSSEServer(s, mcpserver.WithSSEDisableLocalhostProtection(true), mcpserver.WithSessionIDGenerator(h.sessions.newSSE))
		mux.Handle("/sse", methods(admit(h.streams(h.sessions.guardSSE(flowing(sse.SSEHandler())))), http.MethodGet))
		mux.Handle("/message", methods(admit(h.sessions.guardMessage(strict(h.streams, sse.MessageHandler()))), http.MethodPost))
	}
	for pattern, route := range o.Open {
		mux.Handle(pattern, route)
	}
	for pattern, route := range o.Closed {
		mux.Handle(pattern, admit(route))
	}
	h.root = refusals(o.Logger, guard(o, mux))
	return h
}

// byMethod treats GET, which opens a stream, and POST, which brings a message, each in its way.
func (h *HTTP) byMethod(next http.Handler) http.Handler {
	next = flowing(next)
	stream, message := h.streams(next), strict(h.streams, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			stream.ServeHTTP(w, r)
			return
		}
		message.ServeHTTP(w, r)
	})
}

// streams ends what next serves when the door ends.
func (h *HTTP) streams(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(h.running, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// forget frees what mcp-go keeps of a session, which it does for a DELETE alone.
func (h *HTTP) forget(id string) {
	r := &http.Request{Method: http.MethodDelete, URL: &url.URL{Path: MCPPath}, Header: http.Header{mcpserver.HeaderKeySessionID: {id}}}
	h.mcp.ServeHTTP(&nowhere{http.Header{}}, r)
}

// nowhere takes an answer that nobody waits for.
type nowhere struct{ h http.Header }

func (n *nowhere) Header() http.Header         { return n.h }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

// ServeHTTP implements http.Handler: every route with all guards.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.root.ServeHTTP(w, r) }

// Serve answers on l until ctx ends, once; then answers in flight may finish (answerLimit), streams end at once.
func (h *HTTP) Serve(ctx context.Context, l net.Listener) error {
	defer h.end()
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headerLimit, ReadTimeout: bodyLimit, WriteTimeout: answerWrite, IdleTimeout: idleLimit,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(h.o.Logger.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	sweep := time.NewTicker(sessionSweep)
	defer sweep.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-sweep.C:
			h.sessions.sweep()
		case <-ctx.Done():
			return h.shutdown(ctx, srv)
		}
	}
}

func (h *HTTP) shutdown(ctx context.Context, srv *http.Server) error {
	ending, stop := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer stop()
	h.end()
	err := srv.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	h.mcp.CloseSessions(ending)
	return err
}
