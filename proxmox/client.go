package proxmox

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	goproxmox "github.com/luthermonson/go-proxmox"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Client speaks to one cluster. It is safe for concurrent use; Close it when done.
type Client struct {
	set    *settings
	opts   options
	log    *slog.Logger
	ends   *endpoints
	trust  *trust
	auth   *auth
	limit  *limit
	breaks *breaker
	memo   *memo
	stats  *stats
	top    http.RoundTripper

	mu       sync.Mutex
	version  pve.Version
	versionA time.Time // when version was read
	privs    Privileges
	privsA   time.Time
}

// New checks cfg and builds a client; it touches no network. All problems of cfg are reported in one error (fault.Config).
func New(cfg ClusterConfig, opts ...Option) (*Client, error) {
	set, err := cfg.check()
	if err != nil {
		return nil, err
	}
	o := buildOptions(opts)
	c := &Client{set: set, opts: o, log: o.log.With("cluster", set.Name), ends: new(endpoints)}
	c.trust = &trust{roots: set.roots, insecure: set.Insecure, pins: set.pins}
	for _, h := range set.hosts {
		c.ends.add(newEndpoint(h, c.trust, nil, &o))
	}
	if set.Insecure && len(set.pins) == 0 {
		c.log.Warn("certificates are not checked (insecure): anyone in between can read the token")
	}
	c.stats = &stats{all: new(Counter), given: o.counter}
	c.chain()
	return c, nil
}

// chain builds the layers from the inside out; doc.go shows them.
func (c *Client) chain() {
	o, l := &c.opts, c.opts.limits
	wires := &wire{ends: c.ends, readOnly: c.set.ReadOnly, permits: o.permits, now: o.now, log: c.log, stats: c.stats, cluster: c.set.Name, watch: o.watch}
	c.auth = newAuth(wires, c.set, o, c.stats)
	bodies := &body{next: c.auth, limits: l}
	// The breaker stands below the limit: calls that queued while a node fell silent must not be sent one by one.
	c.breaks = &breaker{next: bodies, now: o.now, every: l.ProbeEvery, nodes: map[string]*circuit{}}
	c.limit = &limit{next: c.breaks, limits: l, ends: c.ends, gates: map[string]*gate{}}
	tries := &retry{next: c.limit, ends: c.ends, now: o.now, rest: l.RetryFor, log: c.log, stats: c.stats}
	c.memo = &memo{next: tries, now: o.now, seen: map[string]refusal{}}
	c.top = &judge{next: c.memo, set: c.set, now: o.now}
}

// Name is the cluster's name in the configuration.
func (c *Client) Name() string { return c.set.Name }

// Identity is the token id or user that the client works as; never a secret.
func (c *Client) Identity() string { _, id := c.set.who(); return id }

// ReadOnly says whether the client refuses to send anything but GET.
func (c *Client) ReadOnly() bool { return c.set.ReadOnly }

// Close closes the idle connections and ends a login that is in flight. Calls in flight end by their contexts.
func (c *Client) Close() {
	c.auth.end()
	c.ends.close()
}

// Typed is go-proxmox on the same transport, for the long tail of its types. Its task waits, logins and retries must not be used
// (libraries.md 4.9).
func (c *Client) Typed() *goproxmox.Client {
	return goproxmox.NewClient("https://"+baseHost+apiPrefix, goproxmox.WithHTTPClient(&http.Client{
		Transport:     c.top,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}))
}

// Stats tells what the client did since it was made.
func (c *Client) Stats() Stats {
	return Stats{Calls: c.stats.all.Calls(), Retries: int(c.stats.retries.Load()), Failovers: int(c.stats.failovers.Load()),
		Logins: int(c.stats.logins.Load()), Peak: c.limit.peaks(), Silent: c.breaks.silent()}
}

// SilentNodes lists the nodes that do not answer although the cluster does, and are asked once per interval only.
func (c *Client) SilentNodes() []SilentNode { return c.breaks.silent() }

// Raw sends one request and returns the "data" of its answer. path is below /api2/json, escaped as Path does. Errors are *APIError (also
// *fault.Error) for an answer that is not 2xx, else *fault.Error: UnknownOutcome for a write whose answer was lost.
func (c *Client) Raw(ctx context.Context, method, path string, params Params) (json.RawMessage, error) {
	e, err := c.roundTrip(ctx, method, path, params)
	return e.Data, err
}

// envelope is the outer form of every answer. Total stands beside data in task logs and lists (pve-api.md 36), Changes in the network list of a
// node whose new configuration waits (15/135).
type envelope struct {
	Data    json.RawMessage `json:"data"`
	Total   pve.Int         `json:"total"`
	Changes pve.Text        `json:"changes"`
}

func (c *Client) roundTrip(ctx context.Context, method, path string, params Params) (envelope, error) {
	if _, err := checkPath(path); err != nil {
		return envelope{}, err
	}
	req, err := newRequest(ctx, method, path, params)
	if err != nil {
		return envelope{}, badSegment(path)
	}
	return c.send(req, path)
}

// send sends a request through the chain and opens its answer.
func (c *Client) send(req *http.Request, path string) (envelope, error) {
	resp, err := c.top.RoundTrip(req)
	if err != nil {
		return envelope{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return envelope{}, fault.Wrap(fault.BadAnswer, err, "the answer to %s %s could not be read", req.Method, path)
	}
	e, err := openEnvelope(data)
	if err != nil {
		return envelope{}, badAnswer(req.Method, path, err)
	}
	return e, nil
}

func openEnvelope(data []byte) (envelope, error) {
	var e envelope
	if len(bytes.TrimSpace(data)) == 0 {
		return e, io.ErrUnexpectedEOF
	}
	err := json.Unmarshal(data, &e)
	return e, err
}

// badAnswer is a 2xx whose body cannot be read. For a write the outcome is then unknown: no part of it is believed (F14).
func badAnswer(method, path string, err error) error {
	if method == http.MethodGet {
		return fault.Wrap(fault.BadAnswer, err, "the answer to GET %s is not what Proxmox VE sends", path).Retry()
	}
	return fault.Wrap(fault.UnknownOutcome, err, "the answer to %s %s cannot be read, so its outcome is not known", method, path).
		WithHint("look it up in the task list before anything is sent again")
}
