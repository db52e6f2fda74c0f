package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server/auth"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

const (
	// oauthLimit bounds the look at the authorization server.
	oauthLimit = 10 * time.Second
	// soon is how long before its end a certificate or a token is worth a word.
	soon = 14 * 24 * time.Hour
)

// checkHTTP looks at what serve --http would do by the configuration, and at the tokens in the store. There is nothing to say where neither
// is.
func checkHTTP(ctx context.Context, cfg *config.Config, at config.State, clock func() time.Time) []Check {
	d := httpOf(cfg, tools.Toolset(cfg.Toolset), "", false)
	tokens, err := tokensOf(ctx, at, clock)
	if err != nil {
		return []Check{failed(Check{Name: "tokens"}, err)}
	}
	if cfg.HTTP.Address == "" && !d.guarded() && d.Cert == "" && len(tokens) == 0 {
		return nil
	}
	out := []Check{doorCheck(&d, tokens, clock())}
	if d.Cert != "" {
		out = append(out, certificateCheck(&d, clock()))
	}
	if d.OAuth.Issuer != "" {
		out = append(out, issuerCheck(ctx, &d, clock))
	}
	return append(out, tokenCheck(tokens, clock()))
}

func tokensOf(ctx context.Context, at config.State, clock func() time.Time) ([]store.TokenRow, error) {
	db, err := store.Open(ctx, store.Options{Path: at.Path, Password: at.Password, HeadFile: at.HeadFile, Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	list, err := db.Tokens(ctx)
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return list, err
}

// doorCheck says who would be let in.
func doorCheck(d *httpDoor, tokens []store.TokenRow, now time.Time) Check {
	c := Check{Name: "http"}
	if err := d.safe(); err != nil {
		return failed(c, err)
	}
	live := 0
	for _, t := range tokens {
		if t.Live(now) {
			live++
		}
	}
	c.State, c.Result = CheckOK, "serve --http would listen on "+d.Address+", for callers with a credential"
	switch {
	case !d.guarded() && len(tokens) == 0:
		c.Result = "serve --http would listen on " + d.Address + ", for every user of this machine"
	case live == 0 && d.OAuth.Issuer == "":
		c.State, c.Result, c.Fix = CheckWarn, "nobody has a token that opens "+d.Address, "proxmox-mcp token create NAME"
	}
	return c
}

func certificateCheck(d *httpDoor, now time.Time) Check {
	c := Check{Name: "http certificate"}
	pair, err := tls.LoadX509KeyPair(d.Cert, d.Key)
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		return failed(c, fault.Wrap(fault.Config, err, "http.tls cannot be used").WithHint("cert and key are files in PEM form; the key belongs to the certificate"))
	}
	c.State, c.Result = CheckOK, "valid until "+leaf.NotAfter.UTC().Format(time.DateOnly)
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		c.State, c.Result, c.Fix = CheckFail, "it has expired on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it; a running server reads the new file by itself"
	case left < soon:
		c.State, c.Fix = CheckWarn, "renew it; a running server reads the new file by itself"
	}
	return c
}

// issuerCheck asks the authorization server for its keys.
func issuerCheck(ctx context.Context, d *httpDoor, clock func() time.Time) Check {
	ctx, cancel := context.WithTimeout(ctx, oauthLimit)
	defer cancel()
	o := auth.NewOAuth(auth.OAuthOptions{Issuer: d.OAuth.Issuer, Audience: d.OAuth.Audience, JWKS: d.OAuth.JWKS, Clock: clock})
	c := Check{Name: "oauth", State: CheckOK, Result: "the keys of " + d.OAuth.Issuer + " can be read; tokens have to be for " + d.OAuth.Audience}
	if err := o.Probe(ctx); err != nil {
		return failed(c, fault.New(fault.Unreachable, "%v", err).WithHint("check http.oauth.issuer and jwks_url; until then its tokens are answered 503"))
	}
	return c
}

func tokenCheck(tokens []store.TokenRow, now time.Time) Check {
	c := Check{Name: "tokens", State: CheckOK}
	live, writing, ending := 0, 0, ""
	for _, t := range tokens {
		if !t.Live(now) {
			continue
		}
		live++
		if t.Tier > 0 {
			writing++
		}
		if !t.Expires.IsZero() && t.Expires.Sub(now) < soon && ending == "" {
			ending = t.Name
		}
	}
	c.Result = fmt.Sprintf("%d live, %d of them for changes", live, writing)
	if ending != "" {
		c.State, c.Result = CheckWarn, c.Result+"; "+ending+" expires soon"
		c.Fix = "proxmox-mcp token revoke " + ending + ", then token create with the same name"
	}
	return c
}
