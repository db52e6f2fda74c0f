package pvesim

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
)

// pinning accepts any certificate and notes the fingerprint of the one that was shown.
func pinning(seen *string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
		*seen = fingerprint(raw[0])
		return nil
	}}
}

// rawHeader reads an answer's head line by line, since net/http hides the header Connection.
func (c *raw) rawHeader(name string) []string {
	var out []string
	for {
		line, err := c.br.ReadString('\n')
		if line = strings.TrimSpace(line); err != nil || line == "" {
			return out
		}
		if k, v, ok := strings.Cut(line, ": "); ok && k == name {
			out = append(out, v)
		}
	}
}

// tlsClient makes a client that notes the server's fingerprint.
func tlsClient(c net.Conn, seen *string) *tls.Conn { return tls.Client(c, pinning(seen)) }
