package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/words"
)

const (
	// keepAlive is how long a stream is silent before it shows that it lives: proxies end silent ones after 30 s or 60 s.
	keepAlive = 20 * time.Second
	// writeLimit is how long a client may leave what is sent to a stream unread.
	writeLimit = 30 * time.Second
)

// outlet is the ResponseWriter that mcp-go gets. It keeps event streams alive, ends those that nobody reads, and lets go of the
// connection when the request is over: mcp-go keeps the writer of each streamed answer until its session ends. An answer before which
// something was told (event) becomes the stream's last event.
type outlet struct {
	origin string      // whose pages may read the answer, as the guard decided; mcp-go's SSE lets everybody's
	own    http.Header // what mcp-go sets, in a map that nobody else touches
	mu     sync.Mutex
	w      http.ResponseWriter // nil when the request is over
	begun  bool
	told   bool        // the stream was begun by event
	plain  bool        // and mcp-go answers with JSON, not knowing of it
	alive  *time.Timer // of an event stream
}

type outletKey struct{}

// flowing lets next write through an outlet.
func flowing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &outlet{w: w, own: http.Header{}, origin: w.Header().Get(allowOrigin)}
		defer o.close()
		next.ServeHTTP(o, r.WithContext(context.WithValue(r.Context(), outletKey{}, o)))
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
func (o *outlet) Header() http.Header { return o.own }

// WriteHeader implements http.ResponseWriter.
func (o *outlet) WriteHeader(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.w == nil:
	case o.told:
		o.plain = !streaming(o.own)
	default:
		maps.Copy(o.w.Header(), o.own)
		o.begin(status)
	}
}

func streaming(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "text/event-stream")
}

// begin sends the headers; o.mu is held.
func (o *outlet) begin(status int) {
	if o.begun {
		return
	}
	o.begun = true
	h := o.w.Header()
	if h.Del(allowOrigin); o.origin != "" {
		h.Set(allowOrigin, o.origin)
	}
	if streaming(h) {
		o.alive = time.AfterFunc(keepAlive, o.beat)
	}
	o.w.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return 0, http.ErrHandlerTimeout
	}
	if !o.begun {
		maps.Copy(o.w.Header(), o.own)
		o.begin(http.StatusOK)
	}
	if o.plain {
		return len(p), o.send(bytes.TrimSpace(words.Bare(p)))
	}
	o.touch()
	_, err := o.w.Write(words.Bare(p))
	return len(p), err
}

// touch is for what is written to a stream; o.mu is held.
func (o *outlet) touch() {
	if o.alive != nil {
		o.alive.Reset(keepAlive)
		o.hurry()
	}
}

// send writes one event; o.mu is held.
func (o *outlet) send(data []byte) error {
	o.touch()
	_, err := fmt.Fprintf(o.w, "event: message\ndata: %s\n\n", data)
	return err
}

// event tells the client something before the answer, which makes the answer a stream.
func (o *outlet) event(message any) {
	data, err := json.Marshal(message)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil || o.w == nil {
		return
	}
	if !o.begun {
		o.told = true
		o.w.Header().Set("Content-Type", "text/event-stream")
		o.begin(http.StatusOK)
	}
	if o.alive != nil && o.send(data) == nil {
		_ = http.NewResponseController(o.w).Flush() // a broken connection ends the request by itself
	}
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
