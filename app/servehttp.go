package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/server/auth"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// defaultAddress is where serve --http listens unless it or the configuration says otherwise.
const defaultAddress = "127.0.0.1:8811"

// httpDoor is what serving over HTTP is made from.
type httpDoor struct {
	config.HTTP
	clusters []string // of the tokens of the authorization server, as they are stored; nil = all
	tools    tools.Toolset
}

// httpOf completes the configuration's section with the flags.
func httpOf(cfg *config.Config, set tools.Toolset, address string, sse bool) httpDoor {
	d := httpDoor{HTTP: cfg.HTTP, tools: set}
	d.Address, d.SSE = cmp.Or(address, cfg.HTTP.Address, defaultAddress), sse || cfg.HTTP.SSE
	for _, name := range cfg.HTTP.OAuth.Clusters {
		d.clusters = append(d.clusters, storedCluster(cfg, name))
	}
	return d
}

// serveHTTP serves MCP on an address until ctx ends, and says where on errOut.
func (a *App) serveHTTP(ctx context.Context, l *lazy, caller tools.Caller, d httpDoor, errOut io.Writer, log *slog.Logger) error {
	if err := d.safe(); err != nil {
		return err
	}
	if err := a.somebody(ctx, l, d); err != nil {
		return err
	}
	scheme, secure, err := d.certificate(log)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.Address)
	if err != nil {
		return fault.New(fault.Invalid, "--http %s: %v", d.Address, err).WithHint("another program may listen there: choose another port, such as 127.0.0.1:8812")
	}
	listener = secure(listener)
	book := &doorBook{a: a, l: l}
	o := server.HTTPOptions{Hosts: d.hosts(), Origins: d.Origins, SSE: d.SSE, Logger: log}
	o.Open, o.Closed = a.routes(l)
	gate := auth.Options{Tokens: book.token, Open: book.open(d), Proxies: d.Proxies, Limits: auth.Limits(d.Limits), Specs: d.tools.Of(tools.All()), Book: book,
		Clock: a.Clock, Logger: log}
	if d.OAuth.Issuer != "" {
		gate.OAuth = auth.NewOAuth(auth.OAuthOptions{Issuer: d.OAuth.Issuer, Audience: d.OAuth.Audience, JWKS: d.OAuth.JWKS, Scopes: tiersOf(d.OAuth.Scopes),
			Clusters: d.clusters, Clock: a.Clock})
		maps.Copy(o.Open, gate.OAuth.Metadata())
	}
	o.Admit = auth.New(gate).Admit
	return a.serveDoor(ctx, l, caller, log, door{name: "http", tools: d.tools, refused: book.refused(log), serve: func(ctx context.Context, srv *server.MCP) error {
		h := server.NewHTTP(srv, o)
		_, _ = fmt.Fprintf(errOut, "MCP is served at %s://%s%s; end with Ctrl-C\n", scheme, listener.Addr(), server.MCPPath)
		return h.Serve(ctx, listener)
	}})
}

func tiersOf(scopes map[string]string) map[string]tools.Tier {
	if scopes == nil {
		return nil
	}
	out := map[string]tools.Tier{}
	for name, tier := range scopes {
		out[name], _ = change.TierOf(tier) // the configuration was checked
	}
	return out
}

// guarded says whether everybody has to show a credential, whatever tokens there are. A name beside loopback means that others come, through a
// proxy that was not declared perhaps, behind which they look like users of this machine.
func (d *httpDoor) guarded() bool {
	return !auth.Loopback(d.Address) || d.AuthRequired || d.Proxies != nil || d.OAuth.Issuer != "" || len(d.Hosts) > 0
}

// safe refuses an address that others than this machine reach while tokens would travel in clear, or under no name that is known.
func (d *httpDoor) safe() error {
	host, _, err := net.SplitHostPort(d.Address)
	if err != nil {
		return fault.BadField("http", "must be HOST:PORT", defaultAddress)
	}
	if auth.Loopback(d.Address) {
		return nil
	}
	if d.Cert == "" && d.Proxies == nil {
		return fault.New(fault.Denied, "--http %s can be reached from other machines, and tokens would travel in clear", d.Address).
			WithHint("set http.tls (cert, key), or http.behind_proxy where TLS ends at a reverse proxy; or use %s (docs/http.md)", defaultAddress)
	}
	if ip := net.ParseIP(host); (host == "" || ip != nil && ip.IsUnspecified()) && len(d.hosts()) == 0 {
		return fault.New(fault.Config, "--http %s listens on all addresses, and no name of this server is known", d.Address).
			WithHint("list the names that clients use under http.hosts, such as hosts: [mcp.example.org]: others are refused, against DNS rebinding")
	}
	return nil
}

// hosts are the names of this server beside loopback: those of the configuration, of the address and of the audience.
func (d *httpDoor) hosts() []string {
	out := slices.Clone(d.Hosts)
	if host, _, err := net.SplitHostPort(d.Address); err == nil && host != "" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			out = append(out, host)
		}
	}
	if u, err := url.Parse(d.OAuth.Audience); err == nil && u.Host != "" {
		out = append(out, u.Hostname())
	}
	return out
}

// somebody refuses to start a server that wants credentials which nobody has.
func (a *App) somebody(ctx context.Context, l *lazy, d httpDoor) error {
	if !d.guarded() || d.OAuth.Issuer != "" {
		return nil
	}
	p, err := l.get(ctx)
	if err != nil {
		return err
	}
	db, err := p.openStore(ctx, a.Clock)
	if err != nil {
		return err
	}
	list, err := db.Tokens(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(t store.TokenRow) bool { return t.Live(a.Clock()) }) {
		return fault.New(fault.Denied, "--http %s needs authentication, and nobody has a token", d.Address).
			WithHint("make one: %s token create NAME; or set http.oauth (docs/http.md)", p.program)
	}
	return nil
}

// certificateEvery is how often the certificate's file is looked at: a renewed one counts without a restart.
const certificateEvery = 10 * time.Second

// certificate reads the server's own, and gives the scheme of its address with what makes a listener speak TLS.
func (d *httpDoor) certificate(log *slog.Logger) (scheme string, secure func(net.Listener) net.Listener, err error) {
	if d.Cert == "" {
		return "http", func(l net.Listener) net.Listener { return l }, nil
	}
	c := &certificate{cert: d.Cert, key: d.Key, log: log}
	if err := c.read(); err != nil {
		return "", nil, fault.Wrap(fault.Config, err, "http.tls: the certificate cannot be used").WithHint("cert and key are files in PEM form; the key belongs to the certificate")
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.get}
	return "https", func(l net.Listener) net.Listener { return tls.NewListener(l, conf) }, nil
}

// certificate is one that is read again when its file changes.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	stamp  time.Time
	looked time.Time
}

func (c *certificate) read() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.now, c.stamp = &pair, info.ModTime()
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= certificateEvery {
		c.looked = time.Now()
		if info, err := os.Stat(c.cert); err == nil && !info.ModTime().Equal(c.stamp) {
			if err := c.read(); err != nil { // half of a renewal: the one before goes on
				c.log.Warn("the renewed certificate cannot be used yet", "err", err)
			}
		}
	}
	return c.now, nil
}
