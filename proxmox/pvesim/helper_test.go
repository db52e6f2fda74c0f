package pvesim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
)

const formType = "application/x-www-form-urlencoded"

// asking is a request of root's token to the first node, past the network; headers replace the token. Parameters are a form, or
// a query where the method has no body.
func asking(ctx context.Context, s *Sim, method, path, params string, header ...string) *exchange {
	x := &exchange{ctx: ctx, entry: s.firstNode(), method: method, path: "/api2/json" + path, header: map[string][]string{}}
	if len(header) == 0 {
		header = []string{"Authorization", "PVEAPIToken=" + s.RootToken()}
	}
	for i := 0; i+1 < len(header); i += 2 {
		x.header.Set(header[i], header[i+1])
	}
	if method == "GET" || method == "DELETE" {
		x.query = params
	} else if params != "" {
		x.body, x.length = []byte(params), int64(len(params))
		x.header.Set("Content-Type", formType)
	}
	return x
}

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
