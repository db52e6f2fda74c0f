package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Prefix begins every token of ours, so that people, redaction and scanners of leaked secrets know one.
const Prefix = "pmcp_"

// tokenBytes of randomness cannot be guessed; a plain SHA-256 at rest is enough for them.
const tokenBytes = 32

// NewToken makes a token and the hash that is kept of it.
func NewToken() (token string, hash []byte) {
	secret := make([]byte, tokenBytes)
	_, _ = rand.Read(secret) // it never fails: crypto/rand ends the program instead
	token = Prefix + base64.RawURLEncoding.EncodeToString(secret)
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

// Tokens finds a token by the hash of its secret, live or not.
type Tokens func(ctx context.Context, hash []byte) (t store.TokenRow, ok bool, err error)

const (
	// trustToken is how long a token that was found counts without another look: a revocation reaches every server within a second.
	trustToken = 500 * time.Millisecond
	// cachedTokens bounds what is remembered.
	cachedTokens = 1024
)

// tokenCache remembers tokens that were found, by the hash of their secrets.
type tokenCache struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[[sha256.Size]byte]cachedToken
}

type cachedToken struct {
	row store.TokenRow
	at  time.Time
}

func (c *tokenCache) get(hash [sha256.Size]byte) (store.TokenRow, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[hash]
	return k.row, ok && c.clock().Sub(k.at).Abs() < trustToken
}

func (c *tokenCache) put(hash [sha256.Size]byte, row store.TokenRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= cachedTokens { // what is dropped is looked up again
		c.known = map[[sha256.Size]byte]cachedToken{}
	}
	c.known[hash] = cachedToken{row, c.clock()}
}

// ours checks a token of ours. The look-up is by its hash, which who guesses cannot steer, and the hash found is compared in constant time.
func (g *Gate) ours(ctx context.Context, token string) (server.Identity, *refusal) {
	hash := sha256.Sum256([]byte(token))
	row, ok := g.cache.get(hash)
	if !ok {
		var err error
		if row, ok, err = g.o.Tokens(ctx, hash[:]); err != nil {
			return server.Identity{}, &refusal{status: http.StatusServiceUnavailable, wait: time.Second,
				text: "tokens cannot be looked up: " + fault.Of(err).Message}
		}
		if ok {
			g.cache.put(hash, row)
		}
	}
	if !ok || subtle.ConstantTimeCompare(row.Hash, hash[:]) != 1 {
		return server.Identity{}, invalidToken("the token is not one of this server")
	}
	switch {
	case !row.Revoked.IsZero():
		return server.Identity{}, invalidToken("the token was revoked")
	case !row.Live(g.o.Clock()):
		return server.Identity{}, invalidToken("the token has expired")
	}
	return server.Identity{Principal: server.Principal{Kind: "token", ID: row.Name},
		Scope: server.Scope{Tier: tools.Tier(row.Tier), Clusters: row.Clusters, Families: row.Families}}, nil
}
