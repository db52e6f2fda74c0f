package pvesim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"time"
)

// certificates are the self-signed certificates of the nodes, made when they are first needed.
type certificates struct {
	mu   sync.Mutex
	now  func() time.Time
	made map[string]*certificate
	ends map[string]time.Time // of those that do not last for certLife
	seq  int64
}

type certificate struct {
	pair        *tls.Certificate
	fingerprint string
	pem         string
	leaf        *x509.Certificate
}

func newCertificates(w *World, now func() time.Time) *certificates {
	c := &certificates{now: now, made: map[string]*certificate{}, ends: map[string]time.Time{}}
	for _, n := range w.Nodes {
		if !n.CertEnds.IsZero() {
			c.ends[n.Name] = n.CertEnds
		}
	}
	return c
}

func (c *certificates) of(node string) *certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made[node] == nil {
		c.made[node] = c.make(node)
	}
	return c.made[node]
}

// Fingerprint is the SHA-256 of the certificate that a node serves at present, as "AA:BB:...".
func (s *Sim) Fingerprint(node string) string { return s.certs.of(node).fingerprint }

// CertificatePEM is the certificate that a node serves at present; being self-signed it is also its CA file.
func (s *Sim) CertificatePEM(node string) string { return s.certs.of(node).pem }

// RotateCertificate gives a node a new certificate for connections made from now on (F41) and tells its
// fingerprint.
func (s *Sim) RotateCertificate(node string) string {
	s.certs.mu.Lock()
	delete(s.certs.made, node)
	delete(s.certs.ends, node)
	s.certs.mu.Unlock()
	return s.certs.of(node).fingerprint
}

// certLife is what pvecm gives a node's certificate: two years.
const certLife = 2 * 365 * 24 * time.Hour

func (c *certificates) make(node string) *certificate {
	c.seq++
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return &certificate{pair: &tls.Certificate{}}
	}
	now := c.now()
	begin, end := now.Add(-time.Hour), now.Add(certLife)
	if at, ok := c.ends[node]; ok {
		begin, end = at.Add(-certLife), at
	}
	name := pkix.Name{CommonName: node, Organization: []string{"Proxmox Virtual Environment"}, OrganizationalUnit: []string{"PVE Cluster Node"}}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(c.seq), Subject: name, NotBefore: begin, NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", node, pipeHost},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return &certificate{pair: &tls.Certificate{}}
	}
	leaf, _ := x509.ParseCertificate(der)
	return &certificate{
		pair: &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, leaf: leaf,
		fingerprint: fingerprint(der), pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// info is the certificate as GET certificates/info shows it (02/062).
func (c *certificate) info(node string) Object {
	subject := "/OU=PVE Cluster Node/O=Proxmox Virtual Environment/CN=" + node
	return Object{"filename": "pve-ssl.pem", "fingerprint": c.fingerprint, "pem": c.pem, "subject": subject, "issuer": subject,
		"notbefore": c.leaf.NotBefore.Unix(), "notafter": c.leaf.NotAfter.Unix(), "public-key-type": "id-ecPublicKey",
		"public-key-bits": 256, "san": []string{"127.0.0.1", "0000:0000:0000:0000:0000:0000:0000:0001", "localhost", node, pipeHost}}
}
