package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

const (
	oauthKind = "oauth"
	// skew is how far the clocks of this machine and of the authorization server may differ.
	skew = 30 * time.Second
	// maxToken bounds an access token: those of large providers have some 3 KiB; headers altogether are bounded to 32 KiB.
	maxToken = 16 << 10
	// maxSubject bounds what becomes a principal in rows of the audit.
	maxSubject = 255
	// trustVerified is how long a verified token counts without its signature being checked again, at most until it expires.
	trustVerified = 15 * time.Second
)

// algorithms are those that are taken: signatures by a private key alone. A shared secret or none cannot be a proof towards a server that
// everybody can read the public key of (RFC 8725 section 3.1).
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}

// OAuthOptions are what an OAuth is made from.
type OAuthOptions struct {
	Issuer   string
	Audience string                // the URL of the MCP endpoint: what a token is for, and the resource of the metadata
	JWKS     string                // "" = what the issuer's metadata says
	Scopes   map[string]tools.Tier // nil: DefaultScopes
	Clusters []string              // as they are stored; nil = all
	Client   *http.Client          // nil: one that follows no redirect
	Clock    func() time.Time
}

// DefaultScopes are the scopes of access tokens with their tiers, where the configuration has none.
func DefaultScopes() map[string]tools.Tier {
	out := map[string]tools.Tier{}
	for t := tools.R0; t <= tools.R4; t++ {
		out["proxmox:"+t.String()] = t
	}
	return out
}

// OAuth takes access tokens of one authorization server (OAuth 2.1 resource server, RFC 9068 and RFC 8725).
type OAuth struct {
	o    OAuthOptions
	keys *keySet

	mu       sync.Mutex
	verified map[[sha256.Size]byte]verified
}

type verified struct {
	id    server.Identity
	until time.Time
}

// NewOAuth makes the resource server's side. Nothing is fetched before the first token.
func NewOAuth(o OAuthOptions) *OAuth {
	if o.Scopes == nil {
		o.Scopes = DefaultScopes()
	}
	return &OAuth{o: o, keys: newKeySet(o.Issuer, o.JWKS, o.Client, o.Clock), verified: map[[sha256.Size]byte]verified{}}
}

// Probe reads the authorization server's keys, to tell beforehand whether they can be had.
func (a *OAuth) Probe(ctx context.Context) error { return a.keys.look(ctx) }

// errToken is a token that is not taken; its text says why and quotes nothing of it.
type errToken string

func (e errToken) Error() string { return string(e) }

// Identity checks an access token.
func (a *OAuth) Identity(ctx context.Context, token string) (server.Identity, *refusal) {
	hash := sha256.Sum256([]byte(token))
	if id, ok := a.known(hash); ok {
		return id, nil
	}
	c, err := a.verify(ctx, token)
	if bad, ok := errors.AsType[errToken](err); ok {
		return server.Identity{}, invalidToken(bad.Error())
	}
	if err != nil {
		return server.Identity{}, &refusal{status: http.StatusServiceUnavailable, wait: retryKeys, text: err.Error()}
	}
	tier, ok := a.tier(c)
	if !ok {
		return server.Identity{}, &refusal{status: http.StatusForbidden, code: "insufficient_scope", text: "the access token has no scope of this server",
			scope: a.scopeFor(tools.R0)}
	}
	id := server.Identity{Principal: server.Principal{Kind: oauthKind, ID: c.Issuer + "|" + c.Subject}, Scope: server.Scope{Tier: tier, Clusters: a.o.Clusters}}
	a.keep(hash, id, c.expires())
	return id, nil
}

func (a *OAuth) known(hash [sha256.Size]byte) (server.Identity, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.verified[hash]
	return v.id, ok && a.o.Clock().Before(v.until)
}

func (a *OAuth) keep(hash [sha256.Size]byte, id server.Identity, expires time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.verified) >= cachedTokens {
		clear(a.verified)
	}
	until := a.o.Clock().Add(trustVerified)
	if expires.Before(until) {
		until = expires
	}
	a.verified[hash] = verified{id, until}
}

// verify checks form, signature and claims.
func (a *OAuth) verify(ctx context.Context, token string) (*claims, error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return nil, errToken("the token is no signed JWT")
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errToken("the token is no JWT that is signed by a public-key algorithm")
	}
	kid, alg, err := header(&jws.Signatures[0].Protected)
	if err != nil {
		return nil, err
	}
	key, err := a.keys.find(ctx, kid, alg)
	if err != nil {
		return nil, err
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, errToken("the token's signature is wrong")
	}
	// This decoder tells keys apart by case and refuses a key that is given twice, as encoding/json does not.
	var c claims
	if err := josejson.Unmarshal(payload, &c); err != nil {
		return nil, errToken("the token's claims cannot be read")
	}
	return &c, a.check(&c)
}

// header checks what a token says of itself: it must not bring or name its own key, nor want something of us that we do not know.
func header(h *jose.Header) (kid, alg string, err error) {
	if h.JSONWebKey != nil || h.Nonce != "" {
		return "", "", errToken("the token brings its own key")
	}
	for name := range h.ExtraHeaders {
		switch name {
		case "jku", "x5u", "jwk", "crit", "b64", "zip", "cty":
			return "", "", errToken("the token's header has " + string(name))
		}
	}
	if typ, ok := h.ExtraHeaders[jose.HeaderType]; ok {
		text, _ := typ.(string)
		if text = strings.TrimPrefix(strings.ToLower(text), "application/"); text != "at+jwt" && text != "jwt" {
			return "", "", errToken("the token is no access token: its typ is another one")
		}
	}
	return h.KeyID, h.Algorithm, nil
}

// claims are those of an access token that count here.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
	Scope     wordList `json:"scope"`
	Scp       wordList `json:"scp"` // as some providers spell it
}

// audience is one name or a list of names, and nothing else.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if josejson.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	var list []string
	if err := josejson.Unmarshal(raw, &list); err != nil || list == nil {
		return errToken("aud")
	}
	*a = list
	return nil
}

// wordList is a list of scopes: words in a string (RFC 8693), or an array.
type wordList []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *wordList) UnmarshalJSON(raw []byte) error {
	var text string
	if josejson.Unmarshal(raw, &text) == nil {
		*l = strings.Fields(text)
		return nil
	}
	var list []string
	if err := josejson.Unmarshal(raw, &list); err != nil {
		return errToken("scope")
	}
	*l = list
	return nil
}

func (c *claims) expires() time.Time { return moment(c.Expires) }

// maxSeconds keeps a time within what can be compared; it is beyond the year 9999.
const maxSeconds = 1 << 38

func moment(sec *float64) time.Time {
	if sec == nil || math.IsNaN(*sec) || *sec < 0 || *sec > maxSeconds {
		return time.Time{}
	}
	return time.Unix(int64(*sec), 0)
}

// check judges the claims. Each must be there, or be right where it is.
func (a *OAuth) check(c *claims) error {
	now := a.o.Clock()
	late := func(sec *float64) bool {
		return sec != nil && (moment(sec).IsZero() || moment(sec).After(now.Add(skew)))
	}
	switch {
	case c.Issuer != a.o.Issuer:
		return errToken("the token is of another issuer")
	case !slices.Contains(c.Audience, a.o.Audience):
		return errToken("the token is not for this server: its audience is another one")
	case c.Expires == nil || c.expires().IsZero():
		return errToken("the token says no time at which it expires")
	case !now.Before(c.expires().Add(skew)):
		return errToken("the token has expired")
	case late(c.NotBefore), late(c.IssuedAt):
		return errToken("the token is not valid yet")
	case c.Subject == "" || len(c.Subject) > maxSubject || strings.ContainsFunc(c.Subject, unicode.IsControl):
		return errToken("the token names no subject")
	}
	return nil
}

// tier is the highest that the token's scopes reach.
func (a *OAuth) tier(c *claims) (highest tools.Tier, ok bool) {
	for _, s := range append(slices.Clone(c.Scope), c.Scp...) {
		if t, known := a.o.Scopes[s]; known {
			highest, ok = max(highest, t), true
		}
	}
	return highest, ok
}

// scopeFor is the scope that a client has to ask for to reach a tier: the lowest that is enough.
func (a *OAuth) scopeFor(t tools.Tier) string {
	best := ""
	for s, has := range a.o.Scopes {
		if has >= t && (best == "" || has < a.o.Scopes[best] || has == a.o.Scopes[best] && s < best) {
			best = s
		}
	}
	return best
}

// metadataPath is where the metadata of a resource lies: with the resource's own path behind it (RFC 9728 section 3.1).
const metadataPath = "/.well-known/oauth-protected-resource"

// MetadataURL is the address of the metadata, for challenges.
func (a *OAuth) MetadataURL() string {
	u, err := url.Parse(a.o.Audience)
	if err != nil { // the configuration was checked
		return metadataPath
	}
	return u.Scheme + "://" + u.Host + metadataPath + strings.TrimSuffix(u.Path, "/")
}

// Metadata are the routes of the protected resource metadata, by pattern: server.HTTPOptions.Open.
func (a *OAuth) Metadata() map[string]http.Handler {
	scopes := make([]string, 0, len(a.o.Scopes))
	for s := range a.o.Scopes {
		scopes = append(scopes, s)
	}
	slices.SortFunc(scopes, func(x, y string) int {
		return cmpTier(a.o.Scopes[x], a.o.Scopes[y], x, y)
	})
	doc := fmt.Sprintf(`{"resource":%q,"authorization_servers":[%q],"scopes_supported":%s,"bearer_methods_supported":["header"],"resource_name":"proxmox-mcp"}`,
		a.o.Audience, a.o.Issuer, quoted(scopes))
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(doc)) // a client that went away reads nothing
	})
	out := map[string]http.Handler{"GET " + metadataPath: h, "GET " + metadataPath + server.MCPPath: h}
	if u, err := url.Parse(a.MetadataURL()); err == nil {
		out["GET "+u.Path] = h
	}
	return out
}

func cmpTier(a, b tools.Tier, x, y string) int {
	if a != b {
		return int(a - b)
	}
	return strings.Compare(x, y)
}

func quoted(list []string) string {
	raw, err := josejson.Marshal(list)
	if err != nil { // strings always encode
		return "[]"
	}
	return string(raw)
}
