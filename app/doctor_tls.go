package app

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// probeTimeout bounds each of name, connection and handshake: the client's own limit to connect.
const probeTimeout = 5 * time.Second

// shownCert is the certificate that an endpoint shows. Texts are cleaned: whoever answers there wrote them.
type shownCert struct {
	Fingerprint         string // SHA-256, AA:BB:..
	Subject, Issuer     string
	NotBefore, NotAfter time.Time
	Distrust            error // why no authority vouches for it; nil when one does
}

// probe looks at an endpoint (https://host:port) the way a person would debug it: name, connection, handshake. It sends no request and no
// credentials. dial nil means the network. The error says which step failed.
func probe(ctx context.Context, endpoint string, roots *x509.CertPool, dial proxmox.Dialer) (shownCert, error) {
	addr := strings.TrimPrefix(endpoint, "https://")
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return shownCert{}, fault.Wrap(fault.Invalid, err, "%s is not an endpoint", endpoint)
	}
	if err := resolve(ctx, host); err != nil {
		return shownCert{}, err
	}
	if dial == nil {
		dial = (&net.Dialer{Timeout: probeTimeout}).DialContext
	}
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return shownCert{}, connectFault(addr, err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	// The handshake alone is wanted, whoever answers; what it showed is judged below, and nothing is sent over it.
	client := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, ServerName: host}) //nolint:gosec // see above
	if err := client.HandshakeContext(ctx); err != nil {
		return shownCert{}, fault.Wrap(fault.Unreachable, err, "%s answers, but not with TLS", addr).
			WithHint("the endpoint must be the https port of Proxmox VE, 8006")
	}
	return judgeCert(client.ConnectionState().PeerCertificates, host, roots)
}

func resolve(ctx context.Context, host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
		return fault.Wrap(fault.Unreachable, err, "the name %s cannot be resolved", host).
			WithHint("check the spelling, or use the node's address")
	}
	return nil
}

func connectFault(addr string, err error) error {
	f := fault.Wrap(fault.Unreachable, err, "%s does not answer", addr).WithHint("is the node on, and no firewall in between?")
	if errors.Is(err, syscall.ECONNREFUSED) {
		f.Message, f.Hint = addr+" refuses the connection", "is pveproxy running there, and the port right? Proxmox VE listens on 8006"
	}
	return f
}

func judgeCert(chain []*x509.Certificate, host string, roots *x509.CertPool) (shownCert, error) {
	if len(chain) == 0 {
		return shownCert{}, fault.New(fault.Unreachable, "%s showed no certificate", host)
	}
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	c := shownCert{Fingerprint: config.FormatFingerprint(sum[:]), Subject: clean.Line(leaf.Subject.String(), 120),
		Issuer: clean.Line(leaf.Issuer.String(), 120), NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}
	opts := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, extra := range chain[1:] {
		opts.Intermediates.AddCert(extra)
	}
	_, c.Distrust = leaf.Verify(opts)
	return c, nil
}
