package proxmox

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// trust decides whether a certificate belongs to this cluster: by pinned fingerprints when there are any, else by authorities.
type trust struct {
	roots    *x509.CertPool // nil = the system's
	insecure bool

	mu   sync.RWMutex
	pins []string
}

func (t *trust) pinned() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.pins)
}

// learn adds pins that came through an endpoint already trusted. Without configured pins nothing is added: authorities decide.
func (t *trust) learn(pins []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range pins {
		if len(t.pins) > 0 && !slices.Contains(t.pins, p) {
			t.pins = append(t.pins, p)
		}
	}
}

// certError is a certificate that is not trusted. It shows what came, so that a person can compare and pin it.
type certError struct {
	Addr        string
	Fingerprint string
	Subject     string
	Issuer      string
	NotBefore   time.Time
	NotAfter    time.Time
	Pinned      []string // what was expected; empty when authorities decide
	Err         error    // why authorities did not verify it
}

func (e *certError) Error() string {
	if len(e.Pinned) > 0 {
		return fmt.Sprintf("%s shows the certificate %s, which is not the pinned one", e.Addr, e.Fingerprint)
	}
	return fmt.Sprintf("%s shows a certificate that is not trusted: %v", e.Addr, e.Err)
}

func (e *certError) Unwrap() error { return e.Err }

// tlsConfig verifies in VerifyConnection, not by default, because a failure has to carry the certificate. only, when not empty, are
// the pins of a learnt endpoint.
func (t *trust) tlsConfig(addr string, only []string) *tls.Config {
	host, _, _ := net.SplitHostPort(addr)
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// PVE closes a connection after 100 requests and after every error: resumption makes the next handshake cheap.
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection below verifies every connection, resumed ones too
		VerifyConnection: func(cs tls.ConnectionState) error {
			return t.verify(addr, host, only, cs)
		},
	}
}

func (t *trust) verify(addr, host string, only []string, cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return &certError{Addr: addr, Err: fmt.Errorf("no certificate was sent")}
	}
	leaf := cs.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	e := &certError{Addr: addr, Fingerprint: formatFingerprint(sum[:]), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(),
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Pinned: only}
	if len(e.Pinned) == 0 {
		e.Pinned = t.pinned()
	}
	switch {
	case len(e.Pinned) > 0 && slices.Contains(e.Pinned, e.Fingerprint):
		return nil
	case len(e.Pinned) > 0:
		return e
	case t.insecure:
		return nil
	}
	opts := x509.VerifyOptions{Roots: t.roots, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(opts); err != nil {
		e.Err = err
		return e
	}
	return nil
}
