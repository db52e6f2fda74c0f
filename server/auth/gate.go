package auth

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Book writes down who came in, who did not, and who was refused what.
type Book interface {
	// Login is the first call of a principal within an hour.
	Login(ctx context.Context, who server.Principal) error
	// Failed is a credential that was not taken, from an address; more says how many others were not written down since the last one.
	Failed(ctx context.Context, peer, why string, more int) error
	// Refused is a call of a tool above what the caller's credential reaches.
	Refused(ctx context.Context, who server.Principal, tool, why string) error
}

// Options are what a Gate is made from.
type Options struct {
	// Tokens are ours; OAuth takes those of an authorization server, nil: none is configured.
	Tokens Tokens
	OAuth  *OAuth
	// Open says whether who brings no credential is let in as a user of this machine. It is asked at each such request.
	Open func(ctx context.Context) (bool, error)
	// Proxies are who may connect, where TLS ends at a reverse proxy; nil: everybody.
	Proxies []netip.Prefix
	Limits  Limits
	Specs   []tools.Spec
	Book    Book
	Clock   func() time.Time
	Logger  *slog.Logger
}

// Gate admits requests.
type Gate struct {
	o        Options
	specs    map[string]*tools.Spec
	cache    *tokenCache
	failures *failures
	seen     *seen
	limiter  *limiter
}

// New makes a gate.
func New(o Options) *Gate {
	g := &Gate{o: o, specs: make(map[string]*tools.Spec, len(o.Specs)), cache: &tokenCache{clock: o.Clock}, failures: &failures{clock: o.Clock},
		seen: &seen{clock: o.Clock}, limiter: newLimiter(o.Limits, o.Clock)}
	for k := range o.Specs {
		g.specs[o.Specs[k].Name] = &o.Specs[k]
	}
	return g
}

// refusal is why a request is not let in, as HTTP says it.
type refusal struct {
	status int
	code   string // of RFC 6750: invalid_request, invalid_token, insufficient_scope; "" says nothing beside the challenge
	text   string
	scope  string // what would be enough
	wait   time.Duration
}

// Admit is server.HTTPOptions.Admit.
func (g *Gate) Admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, no := g.peer(r)
		if no != nil {
			g.answer(w, no)
			return
		}
		id, no := g.identify(r, peer)
		if no != nil {
			g.answer(w, no)
			return
		}
		ctx := server.WithIdentity(r.Context(), id)
		if ctx, no = narrow(ctx, r.Header); no != nil {
			g.answer(w, no)
			return
		}
		r = r.WithContext(ctx)
		call := g.read(r)
		if no := g.reaches(ctx, id, call); no != nil {
			g.answer(w, no)
			return
		}
		done, no := g.limiter.enter(id.Principal, call)
		if no != nil {
			g.answer(w, no)
			return
		}
		defer done()
		if call.stream {
			ctx, end := context.WithCancel(ctx)
			defer end()
			go g.watch(ctx, end, r)
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// watchEvery is how often the credential of an open stream is looked at again: a revoked token ends its streams within a second or so.
const watchEvery = time.Second

// watch ends a stream whose caller would not be let in any more. While that cannot be known the stream stays.
func (g *Gate) watch(ctx context.Context, end context.CancelFunc, r *http.Request) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if no := g.still(ctx, r); no != nil && no.status == http.StatusUnauthorized {
			end()
			return
		}
	}
}

// still says whether a request would be let in now.
func (g *Gate) still(ctx context.Context, r *http.Request) (no *refusal) {
	if token, ok, _ := bearer(r); ok {
		_, no = g.check(ctx, token)
	} else {
		_, no = g.anonymous(ctx)
	}
	return no
}

// peer is the address that a request comes from. Behind a proxy it is the last one that the proxies did not write themselves.
func (g *Gate) peer(r *http.Request) (string, *refusal) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		from = netip.AddrPort{}
	}
	addr := from.Addr().Unmap()
	if g.o.Proxies == nil {
		return addr.String(), nil
	}
	if !g.isProxy(addr) {
		return "", &refusal{status: http.StatusForbidden, text: "only the reverse proxies under http.behind_proxy may connect"}
	}
	if proto := r.Header.Get("X-Forwarded-Proto"); proto != "" && !strings.EqualFold(proto, "https") {
		return "", &refusal{status: http.StatusForbidden, text: "the reverse proxy was asked without TLS: a token would travel in clear"}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		hop, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			break
		}
		if addr = hop.Unmap(); !g.isProxy(addr) {
			break
		}
	}
	return addr.String(), nil
}

func (g *Gate) isProxy(a netip.Addr) bool {
	for _, p := range g.o.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// bearer gives the credential of a request; ok is false where it brings none. A token in the URL ends in logs: it is refused.
func bearer(r *http.Request) (token string, ok bool, no *refusal) {
	if r.URL.RawQuery != "" && r.URL.Query().Has("access_token") {
		return "", false, &refusal{status: http.StatusBadRequest, code: "invalid_request", text: "a token does not belong in the URL: send it in the Authorization header"}
	}
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return "", false, nil
	}
	scheme, token, found := strings.Cut(given[0], " ")
	if len(given) > 1 || !found || !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,") {
		return "", false, &refusal{status: http.StatusBadRequest, code: "invalid_request", text: "the Authorization header has to be one: Bearer TOKEN"}
	}
	return token, true, nil
}

// identify finds out who calls. What fails is counted by address, and slows that address down.
func (g *Gate) identify(r *http.Request, peer string) (server.Identity, *refusal) {
	ctx := r.Context()
	token, ok, no := bearer(r)
	if no != nil {
		return server.Identity{}, no
	}
	if !ok {
		return g.anonymous(ctx)
	}
	id, no := g.check(ctx, token)
	if no != nil {
		if no.status == http.StatusUnauthorized {
			no = g.failed(ctx, peer, no)
		}
		return server.Identity{}, no
	}
	g.login(ctx, id.Principal)
	return id, nil
}

func (g *Gate) anonymous(ctx context.Context) (server.Identity, *refusal) {
	open, err := g.o.Open(ctx)
	switch {
	case err != nil:
		return server.Identity{}, &refusal{status: http.StatusServiceUnavailable, wait: time.Second,
			text: "whether callers need a token cannot be read: " + fault.Of(err).Message}
	case !open:
		return server.Identity{}, &refusal{status: http.StatusUnauthorized, text: "a credential is needed: Authorization: Bearer TOKEN"}
	}
	return server.Identity{Principal: server.LoopbackPrincipal(), Scope: server.Everything()}, nil
}

func (g *Gate) check(ctx context.Context, token string) (server.Identity, *refusal) {
	switch {
	case strings.HasPrefix(token, Prefix):
		return g.ours(ctx, token)
	case g.o.OAuth != nil:
		return g.o.OAuth.Identity(ctx, token)
	}
	return server.Identity{}, invalidToken("the token is not one of this server")
}

func invalidToken(text string) *refusal {
	return &refusal{status: http.StatusUnauthorized, code: "invalid_token", text: text}
}

// failed counts a credential that was not taken; one too many from an address is not even told why. Who has a right one is never kept
// out by who guesses at the same address.
func (g *Gate) failed(ctx context.Context, peer string, no *refusal) *refusal {
	wait := g.failures.wait(peer)
	if more, tell := g.failures.add(peer); tell {
		g.tell(ctx, peer, no.text, more)
	}
	if wait > 0 {
		return &refusal{status: http.StatusTooManyRequests, text: "too many credentials from this address were wrong", wait: wait}
	}
	return no
}

func (g *Gate) tell(ctx context.Context, peer, why string, more int) {
	g.o.Logger.Warn("a credential was not taken", "peer", peer, "why", why, "more", more)
	if err := g.o.Book.Failed(ctx, peer, why, more); err != nil {
		g.o.Logger.Error("a failed login could not be written down", "err", err)
	}
}

// login writes down who came in. A store that takes nothing keeps nobody from reading: each change needs a row of its own.
func (g *Gate) login(ctx context.Context, who server.Principal) {
	if !g.seen.first(who.String()) {
		return
	}
	if err := g.o.Book.Login(ctx, who); err != nil {
		g.o.Logger.Error("a login could not be written down", "principal", who.String(), "err", err)
	}
}

// ChallengeScheme opens each WWW-Authenticate.
const challengeScheme = `Bearer realm="proxmox-mcp"`

// answer refuses a request: status, challenge, and a text for people.
func (g *Gate) answer(w http.ResponseWriter, no *refusal) {
	if no.status == http.StatusUnauthorized || no.code != "" {
		c := challengeScheme
		if no.code != "" {
			c += `, error="` + no.code + `", error_description="` + strings.ReplaceAll(strings.ReplaceAll(no.text, `\`, ""), `"`, "'") + `"`
		}
		if g.o.OAuth != nil {
			c += `, resource_metadata="` + g.o.OAuth.MetadataURL() + `"`
			if no.scope == "" {
				no.scope = g.o.OAuth.scopeFor(tools.R0)
			}
			c += `, scope="` + no.scope + `"`
		}
		w.Header().Set("WWW-Authenticate", c)
	}
	if no.wait > 0 {
		w.Header().Set("Retry-After", seconds(no.wait))
	}
	server.Refuse(w, no.status, no.text)
}

// Loopback says whether an address can be reached from this machine alone.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
