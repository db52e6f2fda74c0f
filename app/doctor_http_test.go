package app

import (
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/server/auth"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestDoctorOnHTTP: who would be let in, and what is about to end, is said before a client meets it; nothing is said where nothing is served.
func TestDoctorOnHTTP(t *testing.T) {
	proxied := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for name, c := range map[string]struct {
		http   config.HTTP
		tokens []store.TokenRow
		want   string // "state check: result", one a line
	}{
		"nothing":    {config.HTTP{}, nil, ""},
		"loopback":   {config.HTTP{Address: "127.0.0.1:9000"}, nil, "ok http: serve --http would listen on 127.0.0.1:9000, for every user of this machine\nok tokens: 0 live, 0 of them for changes\n"},
		"nobody":     {config.HTTP{Proxies: proxied}, nil, "warn http: nobody has a token that opens 127.0.0.1:8811\nok tokens: 0 live, 0 of them for changes\n"},
		"open wide":  {config.HTTP{Address: "0.0.0.0:1"}, nil, "fail http: --http 0.0.0.0:1 can be reached from other machines, and tokens would travel in clear\nok tokens: 0 live, 0 of them for changes\n"},
		"tokens":     {config.HTTP{}, []store.TokenRow{{Name: "a", Tier: 2}, {Name: "b", Expires: time.Now().Add(time.Hour)}}, "ok http: serve --http would listen on 127.0.0.1:8811, for callers with a credential\nwarn tokens: 2 live, 1 of them for changes; b expires soon\n"},
		"no file":    {config.HTTP{Cert: "none.pem", Key: "none.pem", AuthRequired: true}, []store.TokenRow{{Name: "a"}}, "ok http: serve --http would listen on 127.0.0.1:8811, for callers with a credential\nfail http certificate: http.tls cannot be used\nok tokens: 1 live, 0 of them for changes\n"},
		"dead issue": {config.HTTP{OAuth: config.OAuth{Issuer: "http://127.0.0.1:1", Audience: "https://mcp.example.org/mcp"}}, nil, "ok http: serve --http would listen on 127.0.0.1:8811, for callers with a credential\nfail oauth: the keys of the authorization server cannot be read\nok tokens: 0 live, 0 of them for changes\n"},
	} {
		at := config.State{Path: filepath.Join(t.TempDir(), "state.db")}
		db, err := store.Open(t.Context(), store.Options{Path: at.Path, Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range c.tokens {
			_, row.Hash = auth.NewToken()
			if err := db.AddToken(t.Context(), row, store.AuditEntry{Event: "token"}); err != nil {
				t.Fatal(err)
			}
		}
		_ = db.Close()
		var got strings.Builder
		for _, check := range checkHTTP(t.Context(), &config.Config{HTTP: c.http}, at, time.Now) {
			result, _, _ := strings.Cut(check.Result, ": open ")
			result, _, _ = strings.Cut(result, ": dial ")
			_, _ = io.WriteString(&got, string(check.State)+" "+check.Name+": "+result+"\n")
		}
		if got.String() != c.want {
			t.Errorf("%s:\n%swant:\n%s", name, &got, c.want)
		}
	}
}
