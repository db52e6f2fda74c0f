package pvesim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// exchange is one request as it came in, before it is understood.
type exchange struct {
	ctx    context.Context
	entry  string // name of the node whose daemon was asked
	method string
	path   string // decoded, without query
	query  string
	header http.Header
	body   []byte
	// stream is the body of an upload, which is not read before the caller is known; nil when body has it.
	stream io.Reader
	upload *upload
	// length is the Content-Length, 0 when there was none; chunked is a body without one.
	length  int64
	chunked bool
	version string // of HTTP, when it is not 1.x
	// found while it is handled, for statistics and faults
	apiPath, format, target, template, principal string
	params                                       map[string]any
	vars                                         map[string]string
	occupied                                     time.Duration // how long faults let it hold its worker
}

// response is what goes out.
type response struct {
	status int
	reason string
	ctype  string
	header [][2]string
	body   []byte
	// encoded bodies are compressed already.
	encoded bool
	// protected answers carry Connection: close beside Keep-Alive (facts 7).
	protected bool
	wire      wire
	// console takes the connection over after the answer.
	console *console
}

// wire is how faults spoil the sending of a response.
type wire struct {
	drop  bool          // close the connection without a byte
	cut   int           // close it after that many bytes of the body; 0 = not
	stall int           // stop sending after that many bytes of the body and keep the connection open; 0 = not
	drip  time.Duration // pause after each byte of the body
}

// call is a request that has a route: what handlers see.
type call struct {
	sim    *Sim
	w      *World
	acl    *acls
	id     identity
	node   *Node // the node of the path, nil outside /nodes/{node}
	vars   map[string]string
	params map[string]any
	// accepts is the schema of the method's parameters.
	accepts *object
	now     time.Time
	entry   string
	path    string
	// total becomes the key total beside data (facts 36), beside another one; file makes the answer a download.
	total  *int
	beside field
	file   *download
	// console is what a websocket is to be connected to; attaches says that one may be asked for.
	console  *console
	attaches bool
	// running are the guests that run by their node, once figures of nodes were asked for.
	running map[string][]*Guest
	// squeeze compresses the answer whether or not the client asked for that.
	squeeze bool
	// upload is the file that came with the request.
	upload *upload
	// hold delays the answer after the handler, outside of the lock.
	hold time.Duration
}

type download struct {
	name, text string
	kind       string // "" = text/plain
}

// param gives a parameter as a string, "" when it was not sent.
func (c *call) param(name string) string { return text(c.params[name]) }

// given is whether a parameter was sent.
func (c *call) given(name string) bool { return has(c.params, name) }

// knownMethods are those that the daemon lets through at all (01/058 to 01/060).
const knownMethods = " GET POST PUT DELETE "

// apiRoot is where the API begins; the next part of the path is the format.
const apiRoot = "/api2/"

// ServeHTTP answers as the first node's daemon would. net/http sends its own reason phrases and has none of the
// daemon's connection manners: use Start or Serve where they matter.
func (s *Sim) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	x := &exchange{ctx: r.Context(), entry: s.firstNode(), method: r.Method, path: r.URL.Path, query: r.URL.RawQuery,
		header: r.Header, length: max(0, r.ContentLength), chunked: len(r.TransferEncoding) > 0}
	if err := x.readBody(r.Body); err != nil {
		return
	}
	resp := s.serve(x)
	for _, h := range resp.header {
		rw.Header().Add(h[0], h[1])
	}
	if resp.ctype != "" {
		rw.Header().Set("Content-Type", resp.ctype)
	}
	rw.WriteHeader(resp.status)
	_, _ = rw.Write(resp.body)
}

func (s *Sim) firstNode() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.world.Nodes[0].Name
}

// serve answers one exchange with faults, latency, statistics and the delay of a 401.
func (s *Sim) serve(x *exchange) *response {
	x.split()
	done := s.stats.begin(x)
	defer done()
	resp := s.faulty(x)
	if resp.status == http.StatusUnauthorized {
		if wait(x.ctx, s.authDelay) != nil {
			resp.wire.drop = true
		}
	}
	s.stats.end(x)
	s.log.Debug("request", "method", x.method, "path", x.apiPath, "status", resp.status, "principal", x.principal)
	return resp
}

// split takes the API path, the format and the target node from the path.
func (x *exchange) split() {
	x.target = x.entry
	rest, ok := strings.CutPrefix(x.path, apiRoot)
	if !ok {
		return
	}
	format, path, _ := strings.Cut(rest, "/")
	x.format, x.apiPath = format, "/"+path
	segs := strings.FieldsFunc(x.apiPath, func(r rune) bool { return r == '/' })
	if len(segs) > 2 && segs[0] == "nodes" && segs[1] != "localhost" {
		x.target = segs[1]
	}
}

// readBody takes the body of a request: whole where it is small enough to be looked at, later where it is a file.
func (x *exchange) readBody(body io.Reader) error {
	x.split()
	if _, upload := x.uploadTo(); upload {
		x.stream = body
		return nil
	}
	if x.chunked || x.length > maxBody {
		return nil
	}
	var err error
	x.body, err = io.ReadAll(io.LimitReader(body, x.length))
	return err
}

// answer is the daemon's own work: everything but faults and delays.
func (s *Sim) answer(x *exchange) *response {
	if s.off(x.entry) {
		return &response{status: 500, wire: wire{drop: true}}
	}
	if err := s.admit(x); errors.Is(err, errNoAnswer) {
		return &response{status: 500, wire: wire{drop: true}}
	} else if err != nil {
		return s.failure(x, err)
	}
	r, vars := s.routes.find(x.method, x.apiPath)
	if r == nil {
		return s.failure(x, unimplemented(x.method, strings.TrimSuffix(x.apiPath, "/")))
	}
	x.template, x.vars = strings.ReplaceAll(r.pattern, "...}", "}"), vars
	release, err := s.workers.take(x, r)
	if err != nil {
		return &response{status: 500, wire: wire{drop: true}}
	}
	defer release()
	if wait(x.ctx, s.latency.of(s, x, r)+x.occupied) != nil {
		return &response{status: 500, wire: wire{drop: true}}
	}
	resp, hold := s.attempt(x, r)
	if resp == nil {
		return &response{status: 500, wire: wire{drop: true}}
	}
	if !s.instant && wait(x.ctx, hold) != nil {
		return &response{status: 500, wire: wire{drop: true}}
	}
	resp.protected = r.protected
	return resp
}

// attempt dispatches, again and again while a lock file is held by a task, for at most lockWait. It gives nil when the
// client went away.
func (s *Sim) attempt(x *exchange, r *route) (*response, time.Duration) {
	for until := s.now().Add(lockWait); ; {
		resp, hold, err := s.dispatch(x, r)
		busy, ok := errors.AsType[*busyError](err)
		if !ok {
			return resp, hold
		}
		if !s.awaitEvent(x.ctx, until) {
			return s.failure(x, lockTimeout(busy.file)), hold
		}
		if x.ctx.Err() != nil {
			return nil, 0
		}
	}
}

// awaitEvent waits until something happens in the world, and tells whether that was before until. Without delays it
// lets it happen early.
func (s *Sim) awaitEvent(ctx context.Context, until time.Time) bool {
	s.mu.RLock()
	at, ok := s.world.nextEvent()
	s.mu.RUnlock()
	if ok = ok && !at.After(until); !ok {
		at = until
	}
	if s.instant {
		if ok {
			s.mu.Lock()
			s.settle(at)
			s.mu.Unlock()
		}
		return ok
	}
	_ = wait(ctx, at.Sub(s.now()))
	return ok
}

// settle lets everything happen that is due; the caller holds the lock.
func (s *Sim) settle(now time.Time) {
	if s.world.settle(now) {
		s.told.forget()
		s.refresh()
	}
}

// lockFor takes the world's lock, for reading where a GET finds nothing due, and gives what releases it.
func (s *Sim) lockFor(r *route) (release func()) {
	if r.method == http.MethodGet && !r.changes {
		s.mu.RLock()
		if !s.world.due(s.now()) {
			return s.mu.RUnlock
		}
		s.mu.RUnlock()
	}
	s.mu.Lock()
	s.settle(s.now())
	s.told.forget()
	return s.mu.Unlock
}

// dispatch runs the handler under the world's lock, and encodes its answer there: answers share the world's maps. The
// error is a *busyError or nil.
func (s *Sim) dispatch(x *exchange, r *route) (*response, time.Duration, error) {
	defer s.lockFor(r)()
	c := &call{sim: s, w: s.world, acl: s.acl, upload: x.upload, vars: x.vars, params: x.params, accepts: r.accepts, now: s.now(), entry: x.entry, path: x.apiPath}
	data, err := s.run(x, c, r)
	if r.method != http.MethodGet || r.changes {
		if err == nil {
			s.world.wakeHA()
		}
		s.refresh()
	}
	if err == nil {
		return s.success(x, c, data), c.hold, nil
	}
	if _, busy := errors.AsType[*busyError](err); busy {
		return nil, 0, err
	}
	return s.failure(x, err), c.hold, nil
}

// run keeps the real order: login, rights, the way to another node, parameters, the method itself.
func (s *Sim) run(x *exchange, c *call, r *route) (any, error) {
	if err := c.authenticate(x, r); err != nil {
		return nil, err
	}
	x.principal = c.id.name()
	if name := c.conflicting(); name != "" {
		return nil, badParam(name, "duplicate parameter (already defined in URI) with conflicting values!")
	}
	if r.check != nil {
		if err := r.check(c); err != nil {
			return nil, err
		}
	}
	if err := c.reach(); err != nil && !r.anywhere {
		return nil, err
	}
	if err := r.verify(c); err != nil {
		return nil, err
	}
	if err := c.quorum(r); err != nil {
		return nil, err
	}
	return r.handle(c)
}

// reach finds the node of the path, or says how the way there fails (facts 16).
func (c *call) reach() error {
	name, ok := c.vars["node"]
	if !ok {
		return nil
	}
	if name == "localhost" {
		name = c.entry
	}
	if c.node = c.w.Node(name); c.node != nil {
		c.vars["node"] = name
		if !c.w.reaches(c.w.Node(c.entry), c.node) {
			return silent(595, "No route to host")
		}
		return nil
	}
	if c.resolves(name) {
		return silent(595, "Connection refused")
	}
	return fail("hostname lookup '%s' failed - failed to get address info for: %s: %s", name, name, resolverError(name))
}

// quorum refuses what would write to the cluster's file system while the part of the entry node has no quorum (F17). Logins
// and what ends a guest that runs go on.
func (c *call) quorum(r *route) error {
	if r.method == http.MethodGet || r.open || writesNothing().MatchString(r.pattern) || c.w.quorate(c.entry) {
		return nil
	}
	return errNoQuorum
}

var errNoQuorum = fail("cluster not ready - no quorum?")

// writesNothing are the methods that change something, but nothing in the cluster's file system.
var writesNothing = lazy.Regexp(`/status/(?:stop|shutdown|reset|suspend|resume)$|/agent(?:/|$)|/tasks/\{upid\}$|^/nodes/\{node\}/(?:status|wakeonlan|services/.*)$`)

// resolves is whether a name that is no node's leads to one all the same: names are looked up without case.
func (c *call) resolves(name string) bool {
	for _, n := range c.w.Nodes {
		if strings.EqualFold(n.Name, name) {
			return true
		}
	}
	return false
}

// resolverError is what the resolver says of an unknown name (01/055) and of one that no host can have (01/056).
func resolverError(name string) string {
	for _, r := range name {
		if r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return "Name or service not known"
		}
	}
	return "Temporary failure in name resolution"
}
