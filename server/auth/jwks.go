package auth

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// freshKeys is how long keys count without another look.
	freshKeys = 15 * time.Minute
	// staleKeys is how long they count beyond it while the authorization server does not answer: an outage there locks nobody out at once, and
	// a key that was withdrawn does not count for ever.
	staleKeys = 2 * time.Hour
	// unknownEvery bounds looks for a key that is not known: made-up kids must not become requests.
	unknownEvery = 30 * time.Second
	// retryKeys is the pause after a look that failed.
	retryKeys = 5 * time.Second
	// fetchLimit bounds a look, both documents together.
	fetchLimit = 5 * time.Second
	// maxDocument bounds a document: a hundred keys with certificates stay below it.
	maxDocument = 512 << 10
	maxKeys     = 100
	// minRSA is the least size of an RSA key in bits (NIST SP 800-131A).
	minRSA = 2048
)

// keySet are the public keys of an authorization server, fetched when they are needed.
type keySet struct {
	issuer, jwks string
	client       *http.Client
	clock        func() time.Time

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // the last look that succeeded
	looked  time.Time // the last look
	failure error     // of the last look
	busy    chan struct{}
}

func newKeySet(issuer, jwks string, client *http.Client, clock func() time.Time) *keySet {
	c := http.Client{Timeout: fetchLimit}
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("the authorization server redirects") }
	return &keySet{issuer: issuer, jwks: jwks, client: &c, clock: clock}
}

// find gives the key of an id. An unknown one is looked for once, and then not again for unknownEvery. Errors: errToken where there is no
// such key; another one while the keys cannot be had.
func (k *keySet) find(ctx context.Context, kid, alg string) (*jose.JSONWebKey, error) {
	if key := k.now(kid, alg); key != nil {
		return key, nil
	}
	if err := k.look(ctx); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.pick(kid, alg); key != nil {
		return key, nil
	}
	return nil, errToken("the token is signed by a key that the authorization server does not have")
}

// now gives a key that is known and fresh.
func (k *keySet) now(kid, alg string) *jose.JSONWebKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.clock().Sub(k.fetched) >= freshKeys {
		return nil
	}
	return k.pick(kid, alg)
}

// pick chooses by id; a token without one fits where there is one key alone. k.mu is held.
func (k *keySet) pick(kid, alg string) *jose.JSONWebKey {
	if kid == "" && len(k.keys) != 1 {
		return nil
	}
	for n := range k.keys {
		key := &k.keys[n]
		if (kid == "" || key.KeyID == kid) && (key.Algorithm == "" || key.Algorithm == alg) {
			return key
		}
	}
	return nil
}

// look brings the keys up to date, once for all who wait. It is a no-op while the last look is young. The error says that there are no keys
// to judge by.
func (k *keySet) look(ctx context.Context) error {
	for {
		k.mu.Lock()
		if k.busy == nil {
			break
		}
		busy := k.busy
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	pause := unknownEvery
	if k.failure != nil {
		pause = retryKeys
	}
	if !k.looked.IsZero() && k.clock().Sub(k.looked) < pause && (k.failure != nil || k.clock().Sub(k.fetched) < freshKeys) {
		defer k.mu.Unlock()
		return k.usable()
	}
	busy := make(chan struct{})
	k.busy = busy
	k.mu.Unlock()
	fetch, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchLimit) // the first who asked may go away, the others wait on
	defer cancel()
	keys, err := k.fetch(fetch)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy, k.looked, k.failure = nil, k.clock(), err
	close(busy)
	if err == nil {
		k.keys, k.fetched = keys, k.looked
	}
	return k.usable()
}

// usable says whether the keys at hand still count; k.mu is held.
func (k *keySet) usable() error {
	if k.failure == nil || k.clock().Sub(k.fetched) < freshKeys+staleKeys {
		return nil
	}
	k.keys = nil
	return fmt.Errorf("the keys of the authorization server cannot be read: %w", k.failure)
}

func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	at := k.jwks
	if at == "" {
		var err error
		if at, err = k.discover(ctx); err != nil {
			return nil, err
		}
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.get(ctx, at, &doc); err != nil {
		return nil, err
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	var out []jose.JSONWebKey
	for _, raw := range doc.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && signs(&key) { // a key of a kind that we do not know is none of ours
			out = append(out, key)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no public key for signatures among them")
	}
	return out, nil
}

// signs says whether a key can verify signatures of tokens.
func signs(key *jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
		return false
	}
	r, ok := key.Key.(*rsa.PublicKey)
	return !ok || r.N.BitLen() >= minRSA
}

// discover finds where the keys are by the issuer's metadata (RFC 8414, then OpenID Connect), which has to be of that very issuer.
func (k *keySet) discover(ctx context.Context) (string, error) {
	u, err := url.Parse(k.issuer)
	if err != nil {
		return "", errors.New("the issuer is no URL")
	}
	path := strings.TrimSuffix(u.Path, "/")
	root := u.Scheme + "://" + u.Host
	var first error
	for _, at := range []string{root + "/.well-known/oauth-authorization-server" + path, root + path + "/.well-known/openid-configuration"} {
		var doc struct {
			Issuer string `json:"issuer"`
			JWKS   string `json:"jwks_uri"`
		}
		err := k.get(ctx, at, &doc)
		switch {
		case err != nil:
		case doc.Issuer != k.issuer:
			err = errors.New("the metadata is of another issuer")
		case !safe(u, doc.JWKS):
			err = errors.New("the metadata names no https address of keys")
		default:
			return doc.JWKS, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

// safe says whether an address that the metadata names may be asked: https, or as plain as the issuer itself on the same host.
func safe(issuer *url.URL, jwks string) bool {
	u, err := url.Parse(jwks)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == issuer.Scheme && u.Host == issuer.Host)
}

// get reads one document. Errors name neither address nor content.
func (k *keySet) get(ctx context.Context, at string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return errors.New("its address is none")
	}
	r.Header.Set("Accept", "application/json")
	res, err := k.client.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is not wanted
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	switch {
	case err != nil:
		return err
	case len(body) > maxDocument:
		return errors.New("the document is too large")
	case json.Unmarshal(body, into) != nil:
		return errors.New("the document is no JSON")
	}
	return nil
}
