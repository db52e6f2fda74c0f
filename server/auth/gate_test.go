package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// ledger is a Book and the tokens of a test.
type ledger struct {
	mu     sync.Mutex
	rows   []string
	tokens []store.TokenRow
	asked  int
	fails  error
}

func (l *ledger) note(format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, fmt.Sprintf(format, args...))
	return nil
}

func (l *ledger) Login(_ context.Context, who server.Principal) error { return l.note("login %s", who) }
func (l *ledger) Failed(_ context.Context, peer, why string, more int) error {
	return l.note("failed %s: %s (%d more)", peer, why, more)
}
func (l *ledger) Refused(_ context.Context, who server.Principal, tool, _ string) error {
	return l.note("refused %s %s", who, tool)
}

func (l *ledger) token(_ context.Context, hash []byte) (store.TokenRow, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	for _, t := range l.tokens {
		if string(t.Hash) == string(hash) {
			return t, true, l.fails
		}
	}
	return store.TokenRow{}, false, l.fails
}

// add makes a token.
func (l *ledger) add(t store.TokenRow) string {
	secret, hash := NewToken()
	t.Hash = hash
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens = append(l.tokens, t)
	return secret
}

func gateOf(l *ledger, change func(*Options)) *Gate {
	o := Options{Tokens: l.token, Open: func(context.Context) (bool, error) { return false, nil }, Specs: tools.All(), Book: l, Clock: time.Now,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// ask sends one message; header are pairs.
func ask(g *Gate, message string, header ...string) (*httptest.ResponseRecorder, *server.Identity) {
	r := httptest.NewRequest(http.MethodPost, "https://mcp.example.org/mcp", strings.NewReader(message))
	r.RemoteAddr = "198.51.100.7:4711"
	for k := 0; k < len(header); k += 2 {
		if header[k] == "from" {
			r.RemoteAddr = header[k+1]
			continue
		}
		r.Header.Add(header[k], header[k+1])
	}
	var id *server.Identity
	w := httptest.NewRecorder()
	g.Admit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := server.IdentityOf(r.Context())
		id = &got
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != message {
			http.Error(w, "the message was changed", http.StatusTeapot)
		}
	})).ServeHTTP(w, r)
	return w, id
}

const (
	ping  = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	write = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"power_guest","arguments":{"action":"stop","guest":"104"}}}`
)

// TestCredentials: who is let in, as whom, and what the others are told.
func TestCredentials(t *testing.T) {
	l := &ledger{}
	bearer := func(s string) string { return "Bearer " + s }
	live := l.add(store.TokenRow{Name: "agent", Tier: 2, Clusters: []string{"home"}, Families: []string{"guest", "change"}})
	revoked := l.add(store.TokenRow{Name: "old", Revoked: time.Now()})
	expired := l.add(store.TokenRow{Name: "short", Expires: time.Now().Add(-time.Second)})
	challenge := `Bearer realm="proxmox-mcp"`
	invalid := func(why string) string { return challenge + `, error="invalid_token", error_description="` + why + `"` }
	for name, c := range map[string]struct {
		header []string
		status int
		tells  string // WWW-Authenticate
	}{
		"none":       {nil, 401, challenge},
		"right":      {[]string{"Authorization", bearer(live)}, 200, ""},
		"small word": {[]string{"Authorization", "bearer " + live}, 200, ""},
		"wrong":      {[]string{"Authorization", bearer(live[:len(live)-1])}, 401, invalid("the token is not one of this server")},
		"revoked":    {[]string{"Authorization", bearer(revoked)}, 401, invalid("the token was revoked")},
		"expired":    {[]string{"Authorization", bearer(expired)}, 401, invalid("the token has expired")},
		"basic":      {[]string{"Authorization", "Basic " + live}, 400, challenge + `, error="invalid_request", error_description="the Authorization header has to be one: Bearer TOKEN"`},
		"two":        {[]string{"Authorization", bearer(live), "Authorization", bearer(live)}, 400, challenge + `, error="invalid_request", error_description="the Authorization header has to be one: Bearer TOKEN"`},
		"a JWT":      {[]string{"Authorization", bearer("a.b.c")}, 401, invalid("the token is not one of this server")},
	} {
		w, id := ask(gateOf(l, nil), ping, c.header...)
		if w.Code != c.status || w.Header().Get("WWW-Authenticate") != c.tells {
			t.Errorf("%s: %d %q, want %d %q", name, w.Code, w.Header().Get("WWW-Authenticate"), c.status, c.tells)
		}
		want := server.Identity{Principal: server.Principal{Kind: "token", ID: "agent"}, Scope: server.Scope{Tier: tools.R2, Clusters: []string{"home"}, Families: []string{"guest", "change"}}}
		if c.status == 200 {
			if diff := cmp.Diff(&want, id); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if body := w.Body.String(); strings.Contains(body+c.tells, live) {
			t.Errorf("%s: the token is told: %s", name, body)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/mcp?access_token="+live, strings.NewReader(ping))
	w := httptest.NewRecorder()
	gateOf(l, nil).Admit(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("a token in the URL: %d", w.Code)
	}
}

// TestOpen: without a credential a user of this machine is let in while the door is open, and nobody while that cannot be known.
func TestOpen(t *testing.T) {
	for name, c := range map[string]struct {
		open   bool
		err    error
		status int
	}{"open": {true, nil, 200}, "closed": {false, nil, 401}, "not known": {true, errors.New("no store"), 503}} {
		w, id := ask(gateOf(&ledger{}, func(o *Options) { o.Open = func(context.Context) (bool, error) { return c.open, c.err } }), ping)
		if w.Code != c.status || c.status == 200 && id.Principal != server.LoopbackPrincipal() {
			t.Errorf("%s: %d %+v", name, w.Code, id)
		}
	}
}

// TestRevoked: a token that was revoked is refused within a second, and one that is used all the time is looked up twice a second.
func TestRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		header := []string{"Authorization", "Bearer " + l.add(store.TokenRow{Name: "agent"})}
		g := gateOf(l, nil)
		for range 20 {
			if w, _ := ask(g, ping, header...); w.Code != 200 {
				t.Fatalf("%d", w.Code)
			}
			time.Sleep(50 * time.Millisecond)
		}
		if l.asked > 2 {
			t.Errorf("looked up %d times within a second", l.asked)
		}
		l.tokens[0].Revoked = time.Now()
		time.Sleep(time.Second)
		if w, _ := ask(g, ping, header...); w.Code != 401 {
			t.Errorf("a second after it was revoked: %d", w.Code)
		}
		want := []string{"login token:agent", "failed 198.51.100.7: the token was revoked (0 more)"}
		if diff := cmp.Diff(want, l.rows); diff != "" {
			t.Error(diff)
		}
		time.Sleep(loginEvery)
		l.tokens[0].Revoked = time.Time{}
		ask(g, ping, header...)
		if got := l.rows[len(l.rows)-1]; got != "login token:agent" {
			t.Errorf("after an hour: %s", got)
		}
	})
}

// TestStreams: an open stream of a token that is revoked ends, one of another token does not.
func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		g := gateOf(l, nil)
		ended := map[string]time.Duration{}
		var mu sync.Mutex
		var open sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		for _, name := range []string{"revoked", "kept"} {
			token := l.add(store.TokenRow{Name: name})
			open.Go(func() {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/mcp", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				g.Admit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })).ServeHTTP(httptest.NewRecorder(), r)
				mu.Lock()
				defer mu.Unlock()
				ended[name] = time.Since(start)
			})
		}
		time.Sleep(10*time.Second + time.Millisecond)
		l.mu.Lock()
		l.tokens[0].Revoked = time.Now()
		l.mu.Unlock()
		time.Sleep(50 * time.Second)
		cancel()
		open.Wait()
		if ended["revoked"] > 12*time.Second || ended["kept"] < time.Minute {
			t.Errorf("%v", ended)
		}
	})
}

// TestGuessing: who guesses is slowed down and fills no audit; who has a right token at the same address is let in.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		right := []string{"Authorization", "Bearer " + l.add(store.TokenRow{Name: "agent"})}
		g := gateOf(l, nil)
		codes := map[int]int{}
		var last *httptest.ResponseRecorder
		for k := range 1000 {
			last, _ = ask(g, ping, "Authorization", fmt.Sprintf("Bearer %sguess%d", Prefix, k))
			codes[last.Code]++
			time.Sleep(10 * time.Millisecond)
		}
		if codes[401] > freeFailures+10 || codes[429]+codes[401] != 1000 || last.Header().Get("Retry-After") == "" {
			t.Errorf("%v, Retry-After %q", codes, last.Header().Get("Retry-After"))
		}
		if len(l.rows) > 3 {
			t.Errorf("%d rows within 10 s: %q", len(l.rows), l.rows)
		}
		if w, _ := ask(g, ping, right...); w.Code != 200 {
			t.Errorf("the right token: %d", w.Code)
		}
		time.Sleep(forgetAfter + longestWait)
		if w, _ := ask(g, ping, "Authorization", "Bearer "+Prefix+"again"); w.Code != 401 {
			t.Errorf("after a rest: %d", w.Code)
		}
	})
}

// TestProxies: behind a declared proxy only it connects, over TLS, and clients are told apart by what it says.
func TestProxies(t *testing.T) {
	l := &ledger{}
	g := gateOf(l, func(o *Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")} })
	right := "Bearer " + l.add(store.TokenRow{Name: "agent"})
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"direct":       {[]string{"Authorization", right}, 403},
		"loopback":     {[]string{"Authorization", right, "from", "127.0.0.1:1"}, 403},
		"proxy":        {[]string{"Authorization", right, "from", "10.0.0.9:1"}, 200},
		"mapped":       {[]string{"Authorization", right, "from", "[::ffff:10.0.0.9]:1", "X-Forwarded-Proto", "https"}, 200},
		"in clear":     {[]string{"Authorization", right, "from", "10.0.0.9:1", "X-Forwarded-Proto", "http"}, 403},
		"no token":     {[]string{"from", "10.0.0.9:1"}, 401},
		"claimed peer": {[]string{"from", "10.0.0.9:1", "Authorization", "Bearer x", "X-Forwarded-For", "127.0.0.1, 203.0.113.5, 10.0.0.8"}, 401},
	} {
		if w, _ := ask(g, ping, c.header...); w.Code != c.status {
			t.Errorf("%s: %d, want %d", name, w.Code, c.status)
		}
	}
	if got := l.rows[len(l.rows)-1]; !slices.ContainsFunc(l.rows, func(r string) bool { return strings.HasPrefix(r, "failed 203.0.113.5: ") }) {
		t.Errorf("the client behind the proxy is not told: %s", got)
	}
}

// TestLimits: reads and writes are bounded apart, by principal; what is too much is told with the time to wait, and comes back.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		one, two := "Bearer "+l.add(store.TokenRow{Name: "one", Tier: 4}), "Bearer "+l.add(store.TokenRow{Name: "two", Tier: 4})
		g := gateOf(l, func(o *Options) { o.Limits = Limits{Reads: 10, Writes: 6, Concurrent: 2} })
		count := func(who, message string, n int) (in int, wait string) {
			for range n {
				w, id := ask(g, message, "Authorization", who)
				if id != nil {
					in++
				} else if wait = w.Header().Get("Retry-After"); w.Code != http.StatusTooManyRequests {
					t.Errorf("%d", w.Code)
				}
			}
			return in, wait
		}
		if in, wait := count(one, ping, 1000); in != 10*burstSeconds || wait != "1" {
			t.Errorf("%d of 1000 reads, Retry-After %q", in, wait)
		}
		if in, wait := count(one, write, 100); in != 6 || wait != "10" {
			t.Errorf("%d of 100 writes, Retry-After %q", in, wait)
		}
		if in, _ := count(two, ping, 5); in != 5 {
			t.Errorf("%d of 5 reads of another principal", in)
		}
		time.Sleep(10 * time.Second)
		if in, _ := count(one, write, 3); in != 1 {
			t.Errorf("%d writes after 10 s", in)
		}
		who := server.Principal{Kind: "token", ID: "three"}
		var done []func()
		for range 2 {
			end, no := g.limiter.enter(who, call{})
			if no != nil {
				t.Fatalf("%+v", no)
			}
			done = append(done, end)
		}
		if _, no := g.limiter.enter(who, call{}); statusOf(no) != http.StatusTooManyRequests {
			t.Errorf("a third call at once: %+v", no)
		}
		if end, no := g.limiter.enter(who, call{stream: true}); no != nil {
			t.Errorf("a stream beside them: %+v", no)
		} else {
			end()
		}
		done[0]()
		if _, no := g.limiter.enter(who, call{}); no != nil {
			t.Errorf("after one ended: %+v", no)
		}
		for k := range 2 * remembered {
			if end, no := g.limiter.enter(server.Principal{Kind: "oauth", ID: fmt.Sprint(k)}, call{}); no == nil {
				end()
			}
		}
		if n := len(g.limiter.users); n > remembered || g.limiter.users[who.String()] == nil {
			t.Errorf("%d principals are remembered, or one with running calls was forgotten", n)
		}
	})
}

// TestHeaders: a request narrows what it is offered; a name that is none is refused with those that are.
func TestHeaders(t *testing.T) {
	l := &ledger{}
	right := "Bearer " + l.add(store.TokenRow{Name: "agent", Tier: 2})
	for name, c := range map[string]struct {
		header []string
		status int
		text   string
		tier   tools.Tier
	}{
		"families":      {[]string{familiesHeader, "guest, node"}, 200, "", tools.R2},
		"unknown":       {[]string{familiesHeader, "guest,vm"}, 400, "valid: cluster, guest, ", 0},
		"unknown tool":  {[]string{toolsHeader, "get_geust"}, 400, "get_guest", 0},
		"unknown out":   {[]string{excludeHeader, "rm"}, 400, "valid: get_overview", 0},
		"read only":     {[]string{readonlyHeader, "true"}, 200, "", tools.R0},
		"not read only": {[]string{readonlyHeader, "false"}, 200, "", tools.R2},
		"perhaps":       {[]string{readonlyHeader, "perhaps"}, 400, "must be true or false", 0},
	} {
		w, id := ask(gateOf(l, nil), ping, append(c.header, "Authorization", right)...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) || c.status == 200 && id.Scope.Tier != c.tier {
			t.Errorf("%s: %d %s %+v", name, w.Code, w.Body, id)
		}
	}
}

// TestStepUp: an access token whose scopes do not reach a call is told which scope does, and that it was refused is written down.
func TestStepUp(t *testing.T) {
	i := newIssuer(t)
	key := ecKey(t)
	i.publish(public("1", key.Public()))
	l := &ledger{}
	g := gateOf(l, func(o *Options) { o.OAuth, o.Clock = i.oauth(""), i.clock })
	token := "Bearer " + sign(t, jose.ES256, key, map[jose.HeaderKey]any{"kid": "1"}, i.claims(nil))
	metadata := `resource_metadata="https://mcp.example.org/.well-known/oauth-protected-resource/mcp"`
	w, id := ask(g, write, "Authorization", token)
	want := `Bearer realm="proxmox-mcp", error="insufficient_scope", error_description="the access token reaches reversible at most, this takes disruptive", ` + metadata + `, scope="proxmox:disruptive"`
	if got := w.Header().Get("WWW-Authenticate"); id != nil || w.Code != 403 || got != want {
		t.Errorf("%d %s", w.Code, got)
	}
	if w, id := ask(g, strings.Replace(write, "stop", "start", 1), "Authorization", token); id == nil {
		t.Errorf("a call that the token reaches: %d %s", w.Code, w.Body)
	}
	if w, _ := ask(g, ping); w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="proxmox-mcp", `+metadata+`, scope="proxmox:read"` {
		t.Errorf("%d %s", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	who := "oauth:" + i.URL + "|alice"
	if diff := cmp.Diff([]string{"login " + who, "refused " + who + " power_guest"}, l.rows); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
		h := i.oauth("").Metadata()["GET "+path]
		if h == nil {
			t.Fatalf("nothing at %s", path)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		want := `{"resource":"https://mcp.example.org/mcp","authorization_servers":["` + i.URL + `"],"scopes_supported":["proxmox:read","proxmox:reversible","proxmox:disruptive","proxmox:destructive","proxmox:host"],"bearer_methods_supported":["header"],"resource_name":"proxmox-mcp"}`
		if w.Body.String() != want {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
}

// BenchmarkAdmit is what admission costs a call with a token that was seen before.
func BenchmarkAdmit(b *testing.B) {
	l := &ledger{}
	header := []string{"Authorization", "Bearer " + l.add(store.TokenRow{Name: "agent", Tier: 2})}
	g := gateOf(l, func(o *Options) { o.Limits = Limits{Reads: 1 << 20} })
	for b.Loop() {
		if w, _ := ask(g, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_guest","arguments":{"guest":"104"}}}`, header...); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
