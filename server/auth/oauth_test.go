package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

const ourAudience = "https://mcp.example.org/mcp"

// issuer is an authorization server with keys that can be exchanged, and that can be dead.
type issuer struct {
	*httptest.Server
	mu    sync.Mutex
	keys  jose.JSONWebKeySet
	dead  bool
	asked atomic.Int64 // how often for its keys
	now   time.Time
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, i.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.dead {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(i.keys)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) })
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxDocument+1)) })
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

func (i *issuer) pass(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = i.now.Add(d)
}

func (i *issuer) publish(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys.Keys = keys
}

func (i *issuer) oauth(jwks string) *OAuth {
	return NewOAuth(OAuthOptions{Issuer: i.URL, Audience: ourAudience, JWKS: jwks, Clock: i.clock})
}

// claims are good ones, with changes; a nil takes one away.
func (i *issuer) claims(change map[string]any) string {
	c := map[string]any{"iss": i.URL, "sub": "alice", "aud": ourAudience, "exp": i.clock().Add(time.Hour).Unix(), "iat": i.clock().Unix(), "scope": "openid proxmox:reversible"}
	for k, v := range change {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	raw, _ := json.Marshal(c)
	return string(raw)
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(kid string, key any) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"}
}

// sign makes a token with any header and payload.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// TestForged: what is not a token of this issuer for this server, still good and signed by a key of it, is no token.
func TestForged(t *testing.T) {
	i := newIssuer(t)
	good, stranger := ecKey(t), ecKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.publish(public("e1", good.Public()), public("r1", rsaKey.Public()))
	kid := func(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }
	with := func(extra map[jose.HeaderKey]any) map[jose.HeaderKey]any {
		extra["kid"] = "e1"
		return extra
	}
	signed := func(payload string) string { return sign(t, jose.ES256, good, kid("e1"), payload) }
	changed := func(name string, value any) string { return signed(i.claims(map[string]any{name: value})) }
	der, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	confused := func(secret []byte) string { // HS256 with the public key as the secret
		text := b64(`{"alg":"HS256","kid":"r1"}`) + "." + b64(i.claims(nil))
		mac := hmac.New(sha256.New, secret)
		_, _ = mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	parts := strings.Split(signed(i.claims(nil)), ".")
	other := strings.Split(changed("sub", "bob"), ".")
	plain := i.claims(nil)
	forged := map[string]string{
		"alg none":              b64(`{"alg":"none"}`) + "." + b64(plain) + ".",
		"alg None":              b64(`{"alg":"None","kid":"e1"}`) + "." + b64(plain) + ".",
		"no signature":          parts[0] + "." + parts[1] + ".",
		"HS256 with the PEM":    confused(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"HS256 with the DER":    confused(der),
		"unknown kid":           sign(t, jose.ES256, good, kid("e9"), plain),
		"no kid of several":     sign(t, jose.ES256, good, nil, plain),
		"key of another kind":   sign(t, jose.ES256, good, kid("r1"), plain),
		"stranger's key":        sign(t, jose.ES256, stranger, kid("e1"), plain),
		"jwk brought along":     sign(t, jose.ES256, stranger, with(map[jose.HeaderKey]any{"jwk": public("e1", stranger.Public())}), plain),
		"jku":                   sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"jku": "https://evil.example/keys"}), plain),
		"x5u":                   sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"x5u": "https://evil.example/cert"}), plain),
		"crit":                  sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}), plain),
		"b64 false":             sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"crit": []string{"b64"}, "b64": true}), plain),
		"typ of an ID token":    sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"typ": "id_token+jwt"}), plain),
		"typ is no text":        sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"typ": 1}), plain),
		"nested":                sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"cty": "JWT"}), signed(plain)),
		"payload exchanged":     parts[0] + "." + other[1] + "." + parts[2],
		"bit of the signature":  parts[0] + "." + parts[1] + "." + strings.Replace(parts[2], parts[2][:2], "AA", 1),
		"expired":               changed("exp", i.clock().Add(-skew).Unix()),
		"no exp":                changed("exp", nil),
		"exp of a text":         changed("exp", "never"),
		"exp without end":       changed("exp", 1e300),
		"nbf in the future":     changed("nbf", i.clock().Add(2*skew).Unix()),
		"nbf that wraps":        changed("nbf", 1e30),
		"iat in the future":     changed("iat", i.clock().Add(2*skew).Unix()),
		"another audience":      changed("aud", "https://other.example/mcp"),
		"audience begins alike": changed("aud", ourAudience+"/../evil"),
		"no audience":           changed("aud", nil),
		"audience in a list":    changed("aud", []any{[]string{ourAudience}}),
		"audience as a key":     changed("aud", map[string]any{ourAudience: true}),
		"audience and a number": changed("aud", []any{ourAudience, 1}),
		"another issuer":        changed("iss", "https://evil.example"),
		"issuer with a slash":   changed("iss", i.URL+"/"),
		"no issuer":             changed("iss", nil),
		"no subject":            changed("sub", nil),
		"subject with a line":   changed("sub", "alice\nadmin"),
		"subject of a number":   changed("sub", 7),
		"huge subject":          changed("sub", strings.Repeat("a", maxSubject+1)),
		"claim given twice":     signed(strings.Replace(plain, "{", `{"sub":"root","aud":"x",`, 1)),
		"claims in capitals":    signed(strings.NewReplacer(`"exp"`, `"EXP"`, `"sub"`, `"SUB"`).Replace(plain)),
		"huge":                  signed(i.claims(map[string]any{"pad": strings.Repeat("x", maxToken)})),
		"JSON serialisation":    `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"encrypted":             parts[0] + ".a.b.c.d",
		"no claims":             signed(`[]`),
		"no JSON":               signed(`hello`),
		"dots":                  "..",
	}
	a := i.oauth("")
	for name, token := range forged {
		if id, no := a.Identity(t.Context(), token); no == nil || no.status != http.StatusUnauthorized || no.code != "invalid_token" {
			t.Errorf("%s: %+v, %+v", name, id, no)
		} else if strings.Contains(no.text, "alice") || strings.Contains(no.text, token) {
			t.Errorf("%s: the refusal quotes the token: %s", name, no.text)
		}
	}
	if len(forged) < 25 {
		t.Errorf("%d forged tokens", len(forged))
	}
	for name, token := range map[string]string{
		"plain": signed(plain), "at+jwt": sign(t, jose.ES256, good, with(map[jose.HeaderKey]any{"typ": "at+jwt"}), plain), "RS256": sign(t, jose.RS256, rsaKey, kid("r1"), plain),
		"PS512": sign(t, jose.PS512, rsaKey, kid("r1"), plain), "of several audiences": changed("aud", []string{"account", ourAudience}),
		"just expired": changed("exp", i.clock().Add(-skew/2).Unix()),
	} {
		id, no := a.Identity(t.Context(), token)
		if no != nil || id.Principal != (server.Principal{Kind: "oauth", ID: i.URL + "|alice"}) || id.Scope.Tier != tools.R1 {
			t.Errorf("%s: %+v, %+v", name, id, no)
		}
	}
	if n := i.asked.Load(); n > 2 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

// TestScopes: the highest of the token's scopes that are known counts, in any of the spellings; none is not enough.
func TestScopes(t *testing.T) {
	i := newIssuer(t)
	key := ecKey(t)
	i.publish(public("", key.Public()))
	for name, c := range map[string]struct {
		claims map[string]any
		tier   tools.Tier
		none   bool
	}{
		"highest":  {map[string]any{"scope": "proxmox:read proxmox:destructive proxmox:reversible"}, tools.R3, false},
		"list":     {map[string]any{"scope": nil, "scp": []string{"proxmox:read"}}, tools.R0, false},
		"scp text": {map[string]any{"scope": nil, "scp": "proxmox:host"}, tools.R4, false},
		"foreign":  {map[string]any{"scope": "openid proxmox:reads"}, 0, true},
		"none":     {map[string]any{"scope": nil}, 0, true},
	} {
		id, no := i.oauth("").Identity(t.Context(), sign(t, jose.ES256, key, nil, i.claims(c.claims)))
		switch {
		case c.none && (no == nil || no.status != http.StatusForbidden || no.code != "insufficient_scope" || no.scope != "proxmox:read"):
			t.Errorf("%s: %+v, %+v", name, id, no)
		case !c.none && (no != nil || id.Scope.Tier != c.tier):
			t.Errorf("%s: %+v, %+v", name, id, no)
		}
	}
}

// TestRotation: a new key is found by the first token that it signs; made-up ids are not asked for again and again; one that is withdrawn
// ends with the next look.
func TestRotation(t *testing.T) {
	i := newIssuer(t)
	first, second := ecKey(t), ecKey(t)
	i.publish(public("1", first.Public()))
	a := i.oauth("")
	n := 0
	token := func(key *ecdsa.PrivateKey, id string) string {
		n++ // each its own, so that no remembered verification answers
		return sign(t, jose.ES256, key, map[jose.HeaderKey]any{"kid": id}, i.claims(map[string]any{"jti": fmt.Sprint(n)}))
	}
	try := func(what string, token string, good bool, asked int64) {
		t.Helper()
		if _, no := a.Identity(t.Context(), token); (no == nil) != good {
			t.Errorf("%s: %+v", what, no)
		}
		if got := i.asked.Load(); got != asked {
			t.Errorf("%s: the keys were asked for %d times, want %d", what, got, asked)
		}
	}
	try("the first", token(first, "1"), true, 1)
	i.publish(public("1", first.Public()), public("2", second.Public()))
	i.pass(unknownEvery)
	try("a new key", token(second, "2"), true, 2)
	for k := range 20 {
		try("a made-up id", token(second, fmt.Sprint("x", k)), false, 2)
	}
	i.pass(unknownEvery)
	try("a made-up id later", token(second, "x"), false, 3)
	i.publish(public("2", second.Public()))
	i.pass(freshKeys)
	try("a withdrawn key", token(first, "1"), false, 4)
	try("the other one", token(second, "2"), true, 4)
}

// TestDeadIssuer: what is known goes on for a while, then nothing; an issuer that never answered is nobody's fault, and is not asked by each.
func TestDeadIssuer(t *testing.T) {
	i := newIssuer(t)
	key := ecKey(t)
	i.publish(public("1", key.Public()))
	a := i.oauth("")
	n := 0
	try := func(what string, a *OAuth, want int) {
		t.Helper()
		n++
		token := sign(t, jose.ES256, key, map[jose.HeaderKey]any{"kid": "1"}, i.claims(map[string]any{"jti": fmt.Sprint(n)}))
		_, no := a.Identity(t.Context(), token)
		if got := statusOf(no); got != want {
			t.Errorf("%s: %d %+v, want %d", what, got, no, want)
		}
	}
	try("alive", a, 0)
	i.dead = true
	i.pass(freshKeys)
	try("just dead", a, 0)
	i.pass(staleKeys - time.Second)
	try("dead for long", a, 0)
	i.pass(time.Minute)
	try("dead for too long", a, http.StatusServiceUnavailable)
	never := i.oauth("")
	before := i.asked.Load()
	for range 10 {
		try("never alive", never, http.StatusServiceUnavailable)
	}
	if got := i.asked.Load() - before; got != 1 {
		t.Errorf("a dead issuer was asked %d times", got)
	}
	i.dead = false
	i.pass(retryKeys)
	try("alive again", never, 0)
	try("a redirect", i.oauth(i.URL+"/moved"), http.StatusServiceUnavailable)
	try("a huge document", i.oauth(i.URL+"/huge"), http.StatusServiceUnavailable)
	try("no such place", i.oauth(i.URL+"/nowhere"), http.StatusServiceUnavailable)
}

// TestOneLook: many tokens at once ask for the keys once.
func TestOneLook(t *testing.T) {
	i := newIssuer(t)
	key := ecKey(t)
	i.publish(public("1", key.Public()))
	a := i.oauth("")
	token := sign(t, jose.ES256, key, map[jose.HeaderKey]any{"kid": "1"}, i.claims(nil))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, no := a.Identity(context.WithoutCancel(t.Context()), token); no != nil {
				t.Errorf("%+v", no)
			}
		})
	}
	wg.Wait()
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

// TestWeakKeys: keys that are no public keys for signatures do not count, whatever they are.
func TestWeakKeys(t *testing.T) {
	i := newIssuer(t)
	key := ecKey(t)
	weak := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	i.publish(jose.JSONWebKey{Key: []byte("a shared secret that is long enough for HS256"), KeyID: "s"}, public("w", weak),
		jose.JSONWebKey{Key: key.Public(), KeyID: "enc", Use: "enc"})
	token := sign(t, jose.ES256, key, map[jose.HeaderKey]any{"kid": "enc"}, i.claims(nil))
	if _, no := i.oauth("").Identity(t.Context(), token); statusOf(no) != http.StatusServiceUnavailable {
		t.Errorf("%+v", no)
	}
}

func statusOf(no *refusal) int {
	if no == nil {
		return 0
	}
	return no.status
}
