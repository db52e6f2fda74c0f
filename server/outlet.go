package server

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// keepAlive is how long a stream is silent before it shows that it lives: proxies end silent ones after 30 s or 60 s.
	keepAlive = 20 * time.Second
	// writeLimit is how long a client may leave what is sent to a stream unread.
	writeLimit = 30 * time.Second
)

// outlet is the ResponseWriter that mcp-go gets. It keeps event streams alive, ends those that nobody reads, and lets go of the
// connection when the request is over: mcp-go keeps the writer of each streamed answer until its session ends.
type outlet struct {
	origin string // whose pages may read the answer, as the guard decided; mcp-go's SSE lets everybody's
	mu     sync.Mutex
	w      http.ResponseWriter // nil when the request is over
	begun  bool
	alive  *time.Timer // of an event stream
}

// flowing lets next write through an outlet.
func flowing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &outlet{w: w, origin: w.Header().Get(allowOrigin)}
		defer o.close()
		next.ServeHTTP(o, r)
	})
}

func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = nil
	if o.alive != nil {
		o.alive.Stop()
	}
}

// Header implements http.ResponseWriter.
func (o *outlet) Header() http.Header {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return http.Header{}
	}
	return o.w.Header()
}

// WriteHeader implements http.ResponseWriter.
func (o *outlet) WriteHeader(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return
	}
	o.begin()
	o.w.WriteHeader(status)
}

// begin looks at what the answer is; o.mu is held.
func (o *outlet) begin() {
	if o.begun {
		return
	}
	o.begun = true
	h := o.w.Header()
	if h.Del(allowOrigin); o.origin != "" {
		h.Set(allowOrigin, o.origin)
	}
	if strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") {
		o.alive = time.AfterFunc(keepAlive, o.beat)
	}
}

// Write implements http.ResponseWriter.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return 0, http.ErrHandlerTimeout
	}
	o.begin()
	if o.alive != nil {
		o.alive.Reset(keepAlive)
		o.hurry()
	}
	return o.w.Write(p)
}

// hurry gives what is written next its own time; a writer without deadlines has none to set.
func (o *outlet) hurry() {
	_ = http.NewResponseController(o.w).SetWriteDeadline(time.Now().Add(writeLimit))
}

// beat sends a comment, which clients skip. It is one line without the blank one that would end an event.
func (o *outlet) beat() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return
	}
	o.hurry()
	if _, err := o.w.Write([]byte(":\n")); err == nil {
		_ = http.NewResponseController(o.w).Flush() // a broken connection ends the request by itself
		o.alive.Reset(keepAlive)
	}
}

// Flush implements http.Flusher.
func (o *outlet) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w != nil {
		_ = http.NewResponseController(o.w).Flush() // a broken connection ends the request by itself
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (o *outlet) Unwrap() http.ResponseWriter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w
}
