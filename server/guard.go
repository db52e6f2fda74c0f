package server

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// guard is in front of every route: the Host is ours (no DNS rebinding), an Origin is loopback or listed, the body is bounded. mcp-go
// checks neither Origin nor size (facts: mcp.md 6.1, gaps 3 and 4).
func guard(o HTTPOptions, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Accel-Buffering", "no")
		switch {
		case !ourHost(o, r.Host):
			refuse(w, http.StatusForbidden, "the Host header names no address of this server; list it under http.hosts")
		case !ourOrigins(o, r.Header.Values("Origin")):
			refuse(w, http.StatusForbidden, "this Origin may not call; list it under http.origins")
		case r.ContentLength > maxBody:
			refuse(w, http.StatusRequestEntityTooLarge, "a request has at most 1 MiB")
		case share(o, w, r) && r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusNoContent)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			if r.Method == http.MethodGet {
				unhurried(w)
			}
			next.ServeHTTP(w, r)
		}
	})
}

func ourHost(o HTTPOptions, host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return loopbackName(name) || slices.ContainsFunc(o.Hosts, func(h string) bool { return strings.EqualFold(h, name) || strings.EqualFold(h, host) })
}

func ourOrigins(o HTTPOptions, origins []string) bool {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return false
		}
		if !loopbackName(u.Hostname()) && !slices.Contains(o.Origins, origin) {
			return false
		}
	}
	return true
}

const allowOrigin = "Access-Control-Allow-Origin"

// share lets pages of a listed origin read answers (CORS) and says whether it did. Other pages of this machine get no such leave: browsers
// keep them from calling at all.
func share(o HTTPOptions, w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if !slices.Contains(o.Origins, origin) {
		return false
	}
	h := w.Header()
	h.Set(allowOrigin, origin)
	h.Set("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, Mcp-Protocol-Version, WWW-Authenticate, Retry-After")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
		h.Set("Access-Control-Max-Age", "600")
	}
	return true
}

// loopbackName takes the names of this machine itself, with or without the brackets of IPv6.
func loopbackName(name string) bool {
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// unhurried ends the time limit of reading a request that was read whole: net/http would cancel the call when it passes.
func unhurried(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a writer without deadlines has none to end
}

// listenMethod opens a stream that only its client or the server's end closes.
const listenMethod = "subscriptions/listen"

// message is the body of a request after it was read: whoever reads it again gets the same, and the same error at its end.
type message struct {
	io.Closer

	text []byte
	rest []byte
	err  error // nil: all of it was read
}

// Message is the whole body of a request, and leaves the request as it was. The guard has bounded its size.
func Message(r *http.Request) ([]byte, error) {
	if m, ok := r.Body.(*message); ok {
		return m.text, m.err
	}
	text, err := io.ReadAll(r.Body)
	r.Body = &message{r.Body, text, text, err}
	return text, err
}

// Read implements io.Reader.
func (m *message) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		return 0, cmp.Or(m.err, io.EOF)
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// strict refuses messages that mcp-go would read loosely, as the guard of stdio does, and a body that is too long. What opens a stream goes
// on as streams do.
func strict(streams func(http.Handler) http.Handler, next http.Handler) http.Handler {
	listening := streams(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		body, err := Message(r)
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			refuse(w, http.StatusRequestEntityTooLarge, "a request has at most 1 MiB")
			return
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "the request ended early")
			return
		}
		env, err := readEnvelope(body)
		if err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write(invalidRequest(env.id, err)) // a client that went away reads nothing
			return
		}
		unhurried(w)
		if env.name == listenMethod {
			listening.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// methods answers 405 to what the protocol has no use for; mcp-go calls it not found, or takes HEAD for well.
func methods(next http.Handler, allowed ...string) http.Handler {
	allow := strings.Join(allowed, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(allowed, r.Method) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", allow)
		refuse(w, http.StatusMethodNotAllowed, r.Method+" is no method of MCP: use "+allow)
	})
}
