package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// HTTP is how MCP is served over HTTP. The zero value is a file without the section: loopback, and whoever reaches it.
type HTTP struct {
	Address string   // host:port of serve --http, "" = its own default
	Hosts   []string // names beside loopback under which clients reach the server: a Host header is one of them
	Origins []string // web origins beside loopback whose pages may call
	SSE     bool
	// AuthRequired wants a credential on loopback too; elsewhere one is always wanted.
	AuthRequired bool
	Cert, Key    string // PEM files, absolute; both or none
	// Proxies are who may connect where TLS ends at a reverse proxy; empty: nobody stands in front.
	Proxies []netip.Prefix
	OAuth   OAuth
	Limits  Limits
}

// OAuth is the authorization server whose access tokens are taken. The zero value takes none.
type OAuth struct {
	Issuer   string // exactly as the tokens name it
	Audience string // what the tokens are for: the URL of this server's /mcp, which its metadata shows as the resource
	JWKS     string // where the issuer's keys are; "" = what its metadata says
	// Scopes are scopes of a token with the tier that each lets it reach; nil: proxmox:read, proxmox:reversible and so on.
	Scopes map[string]string
	// Clusters bound all of its tokens, by their names in the configuration; empty: none.
	Clusters []string
}

// Limits bound one principal; 0 = the program's own.
type Limits struct {
	Reads      int // calls that change nothing, per second
	Writes     int // calls of writing tools, per minute
	Concurrent int // calls at the same time
}

// Toolset are the tools that every door offers at most; empty lists bound nothing.
type Toolset struct{ Families, Tools, Exclude []string }

type rawHTTP struct {
	address, sse, auth, cert, key   setting
	hosts, origins, proxies         settings
	issuer, audience, jwks          setting
	scopes                          []rawScopeTier
	clusters                        settings
	readLimit, writeLimit, together setting
}

// rawScopeTier is an entry of oauth.scopes.
type rawScopeTier struct {
	name string
	tier setting
}

type rawToolset struct{ families, tools, exclude settings }

func (r *reader) http(h *rawHTTP) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{
			"address": r.text(&h.address), "sse": r.text(&h.sse), "auth": r.text(&h.auth),
			"hosts": r.list(&h.hosts, true), "origins": r.list(&h.origins, true), "behind_proxy": r.list(&h.proxies, true),
			"tls": func(at spot, n ast.Node) { r.mapping(at, n, fields{"cert": r.text(&h.cert), "key": r.text(&h.key)}) },
			"limits": func(at spot, n ast.Node) {
				r.mapping(at, n, fields{"reads_per_second": r.text(&h.readLimit), "writes_per_minute": r.text(&h.writeLimit), "concurrent": r.text(&h.together)})
			},
			"oauth": func(at spot, n ast.Node) {
				r.mapping(at, n, fields{"issuer": r.text(&h.issuer), "audience": r.text(&h.audience), "jwks_url": r.text(&h.jwks),
					"clusters": r.list(&h.clusters, true), "scopes": r.scopeTiers(&h.scopes)})
			},
		})
	}
}

// scopeTiers reads a mapping whose keys are scopes of the authorization server, which may hold anything that a scope may.
func (r *reader) scopeTiers(dst *[]rawScopeTier) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		values := []*ast.MappingValueNode{}
		switch m := n.(type) {
		case *ast.MappingNode:
			values = m.Values
		case *ast.MappingValueNode:
			values = append(values, m)
		}
		if len(values) == 0 {
			r.add(at, "must name at least one scope with its tier, such as mcp.read: read")
		}
		for _, v := range values {
			s := rawScopeTier{name: keyText(v.Key)}
			r.text(&s.tier)(spot{file: r.file, line: line(v.Key), key: fmt.Sprintf("%s[%d]", at.key, len(*dst))}, v.Value)
			*dst = append(*dst, s)
		}
	}
}

func (r *reader) toolset(t *rawToolset) func(spot, ast.Node) {
	return func(at spot, n ast.Node) {
		r.mapping(at, n, fields{"families": r.list(&t.families, true), "tools": r.list(&t.tools, true), "exclude": r.list(&t.exclude, true)})
	}
}

// http checks the section; clusters are the names that it may give.
func (l *loader) http(raw rawHTTP, clusters []string) HTTP {
	h := HTTP{Address: raw.address.text, SSE: l.boolean(raw.sse, false), AuthRequired: l.oneOf(raw.auth, "", "required") == "required",
		Hosts: l.each(raw.hosts, hostName), Origins: l.each(raw.origins, webOrigin),
		Limits: Limits{Reads: l.count(raw.readLimit), Writes: l.count(raw.writeLimit), Concurrent: l.count(raw.together)}}
	if raw.address.set {
		if _, port, err := net.SplitHostPort(h.Address); err != nil || port == "" {
			l.add(raw.address.at, "must be HOST:PORT, such as 127.0.0.1:8811")
		}
	}
	switch {
	case raw.cert.set != raw.key.set:
		l.add(spot{file: raw.cert.at.file, line: max(raw.cert.at.line, raw.key.at.line), key: "http.tls"}, "needs both cert and key, files in PEM form")
	case raw.cert.set:
		h.Cert, h.Key = l.opts.expand(raw.cert.text, l.baseDir), l.opts.expand(raw.key.text, l.baseDir)
	}
	for _, p := range raw.proxies.items {
		if prefix, ok := addressRange(p.text); ok {
			h.Proxies = append(h.Proxies, prefix)
		} else if p.set {
			l.add(p.at, "must be an address or a range of the proxies that may connect, such as 192.0.2.10 or 10.0.0.0/24")
		}
	}
	h.OAuth = l.oauth(raw, clusters)
	return h
}

func (l *loader) oauth(raw rawHTTP, clusters []string) OAuth {
	o := OAuth{Issuer: l.secureURL(raw.issuer), Audience: raw.audience.text, JWKS: l.secureURL(raw.jwks)}
	given := raw.audience.seen || raw.jwks.seen || len(raw.scopes) > 0 || raw.clusters.seen
	switch {
	case raw.issuer.set && !raw.audience.seen:
		l.add(spot{file: raw.issuer.at.file, line: raw.issuer.at.line, key: "http.oauth.audience"},
			"is missing: the URL under which clients reach this server, such as https://mcp.example.org/mcp; tokens for anything else are refused")
	case !raw.issuer.seen && given:
		l.add(spot{file: raw.audience.at.file, key: "http.oauth.issuer"}, "is missing: the URL of the authorization server")
	}
	if raw.audience.set {
		if u, err := url.Parse(o.Audience); err != nil || u.Host == "" || u.Fragment != "" || u.Scheme != "https" && !onLoopback(u) {
			l.add(raw.audience.at, "must be the https URL under which clients reach this server, such as https://mcp.example.org/mcp")
		}
	}
	for _, s := range raw.scopes {
		if s.name == "" || strings.ContainsAny(s.name, " \"\\") {
			l.add(s.tier.at, "is no scope: it has no spaces, quotes and backslashes")
		}
		if o.Scopes == nil {
			o.Scopes = map[string]string{}
		}
		o.Scopes[s.name] = l.oneOf(s.tier, "", "read", "reversible", "disruptive", "destructive", "host")
	}
	o.Clusters = l.each(raw.clusters, func(name string) (string, string) {
		if !slices.Contains(clusters, name) {
			return "", "is not the name of a configured cluster"
		}
		return name, ""
	})
	return o
}

// secureURL checks an address that keys are read from: https, or http on this machine.
func (l *loader) secureURL(s setting) string {
	if !s.set {
		return ""
	}
	u, err := url.Parse(s.text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && !onLoopback(u) {
		l.add(s.at, "must be an https URL, such as https://login.example.org/realms/home")
	}
	return s.text
}

func onLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func hostName(s string) (out, wrong string) {
	if u, err := url.Parse("https://" + s); err != nil || u.Host != s || u.Hostname() == "" {
		return "", "must be a name as clients write it, such as mcp.example.org"
	}
	return s, ""
}

func webOrigin(s string) (out, wrong string) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Scheme+"://"+u.Host != s {
		return "", "must be an origin, such as https://app.example.org, without a path"
	}
	return s, ""
}

func addressRange(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// toolWord is how tools and families are named; whether there are such ones, the table of tools tells.
var toolWord = lazy.Regexp(`^[a-z][a-z_]{1,40}$`)

// toolset checks the section's form.
func (l *loader) toolset(raw rawToolset) Toolset {
	word := func(s string) (string, string) {
		if !toolWord().MatchString(s) {
			return "", "must be a name as docs/tools.md has it, such as guest or get_overview"
		}
		return s, ""
	}
	return Toolset{Families: l.each(raw.families, word), Tools: l.each(raw.tools, word), Exclude: l.each(raw.exclude, word)}
}
