package proxmox

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// wire is the innermost layer: it refuses writes of a read-only client, counts, and sends the request to the first endpoint that
// answers. A GET moves on to the next endpoint after any lost answer, a write only when it was provably not sent.
type wire struct {
	ends     *endpoints
	readOnly bool
	permits  bool
	now      func() time.Time
	log      *slog.Logger
	stats    *stats
	cluster  string
	watch    *telemetry.T
}

// wireError is a request without an answer.
type wireError struct {
	addr string
	sent bool // the request may have reached the server
	err  error
}

func (e *wireError) Error() string { return e.addr + ": " + e.err.Error() }
func (e *wireError) Unwrap() error { return e.err }

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callOf(req.Context())
	if req.Method != http.MethodGet && !c.login && (w.readOnly || w.permits && req.Context().Value(keyPermit) == nil) {
		return nil, fault.New(fault.ReadOnly, "this client is read-only: %s %s was not sent", c.method, c.path).
			WithHint("start it with writes allowed to change anything")
	}
	order := w.ends.order(w.now())
	if only, ok := req.Context().Value(keyOnly).(*endpoint); ok {
		order = []*endpoint{only}
	}
	var first error
	for i, e := range order {
		if i > 0 {
			w.stats.failover()
			w.log.Debug("endpoint failover", "from", order[i-1].addr, "to", e.addr, "cause", first)
		}
		resp, err := w.via(req, c, e, i+1 < len(order) && !order[i+1].resting(w.now()))
		if err == nil {
			return resp, nil
		}
		first = worse(first, err)
		if !w.mayMoveOn(req, err) || rewind(req) != nil {
			break
		}
	}
	return nil, first
}

// worse keeps the error that helps most: a certificate that can be pinned says more than a refused connection.
func worse(a, b error) error {
	if _, ok := errors.AsType[*certError](b); a == nil || ok {
		return b
	}
	return a
}

func (w *wire) mayMoveOn(req *http.Request, err error) bool {
	if req.Context().Err() != nil {
		return false
	}
	we, ok := errors.AsType[*wireError](err)
	return ok && (!we.sent || req.Method == http.MethodGet)
}

func rewind(req *http.Request) error {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	if req.GetBody == nil {
		return errors.New("the body cannot be sent twice")
	}
	body, err := req.GetBody()
	req.Body = body
	return err
}

// via sends the request through one endpoint. When that one is full and others are left, it is passed over without counting as failed.
func (w *wire) via(req *http.Request, c *call, e *endpoint, others bool) (*http.Response, error) {
	if err := e.enter(req.Context(), c.user || c.login, others); err != nil {
		return nil, &wireError{addr: e.addr, err: err}
	}
	var sent atomic.Bool
	out := req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	}))
	u := *req.URL
	u.Scheme, u.Host = "https", e.addr
	out.URL, out.Host = &u, ""
	w.stats.count(c)
	measured := w.watch.Request(req.Context(), telemetry.Request{Cluster: w.cluster, Node: c.node, Method: c.method, Template: c.template, Class: c.kind()})
	resp, err := e.tr.RoundTrip(out)
	if err != nil {
		measured(0)
		e.leave()
		// A node that hangs says nothing about the endpoint in front of it; an entry node that hangs is asked last for a while.
		if req.Context().Err() == nil || c.node == "" && errors.Is(context.Cause(req.Context()), errOwnDeadline) {
			e.failedAt.Store(w.now().UnixNano())
		}
		if ce, ok := errors.AsType[*certError](err); ok {
			w.log.Log(req.Context(), e.distrusted(ce.Fingerprint), "endpoint certificate is not trusted", "endpoint", e.addr, "fingerprint", ce.Fingerprint)
		}
		return nil, &wireError{addr: e.addr, sent: sent.Load(), err: err}
	}
	if e.failedAt.Load() != 0 {
		e.failedAt.Store(0)
	}
	e.answered.Store(true)
	w.stick(req, e)
	c.endpoint = e
	resp.Body = &onClose{ReadCloser: resp.Body, do: func() { e.leave(); measured(resp.StatusCode) }}
	return resp, nil
}

// stick makes e the first choice when the present one does not answer. An overflow must not unseat a healthy one.
func (w *wire) stick(req *http.Request, e *endpoint) {
	if cur := w.ends.current(); cur != e && cur.resting(w.now()) && req.Context().Value(keyOnly) == nil {
		w.ends.sticky.Store(e)
	}
}

var errFull = errors.New("this endpoint has enough requests in flight")

// enter takes a slot of the entry node. In the background a third of the slots is enough (performance.md 5, 13).
func (e *endpoint) enter(ctx context.Context, user, others bool) error {
	a := ask{max: e.total, user: user}
	if !user {
		a.max = max(1, e.total/3)
	}
	if others && e.slots.full(a) {
		return errFull
	}
	return e.slots.enter(ctx, a)
}

func (e *endpoint) leave() { e.slots.leave(false) }

var _ http.RoundTripper = (*wire)(nil)
