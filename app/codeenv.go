package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// envCodeToken is a token that plans, in place of the one of the configuration, which may be able to do more or less (rules E1 to E6 of
// docs/code.md).
const envCodeToken = "PROXMOX_MCP_CODE_TOKEN" //nolint:gosec // the name of a variable

// codeEnvironment tells terraform how to reach a cluster, by its environment alone: a variable of the code would show in plans (facts:
// terraform-ansible.md 17).
func (a *App) codeEnvironment(ctx context.Context, p *parts, cluster string) (env []string, undo func(), err error) {
	undo = func() {}
	i := slices.IndexFunc(p.cfg.Clusters, func(c config.Cluster) bool { return storeName(c) == cluster })
	if i < 0 {
		return nil, undo, fault.New(fault.Config, "cluster %s is not configured any more", cluster)
	}
	c := p.cfg.Clusters[i]
	env = []string{"PROXMOX_VE_ENDPOINT=" + c.Endpoints[0]}
	switch own := a.Env(envCodeToken); {
	case own != "":
		env = append(env, "PROXMOX_VE_API_TOKEN="+own)
	case c.Token.IsSet():
		env = append(env, "PROXMOX_VE_API_TOKEN="+c.Token.Reveal())
	default:
		env = append(env, "PROXMOX_VE_USERNAME="+c.Username, "PROXMOX_VE_PASSWORD="+c.Password.Reveal())
	}
	switch {
	case c.Insecure:
		return append(env, "PROXMOX_VE_INSECURE=true"), undo, nil
	case len(c.Fingerprints) == 0 && c.CAFile == "":
		return env, undo, nil
	case a.GOOS == "darwin" || a.GOOS == "windows":
		return nil, undo, fault.New(fault.Config, "the provider cannot be told here which certificate to trust").
			WithHint("add the cluster's authority, /etc/pve/pve-root-ca.pem of a node, to the system's, or run this on Linux")
	}
	trusted, err := trustedPEM(ctx, &c)
	if err != nil {
		return nil, undo, err
	}
	file, err := bundle(a.Env("SSL_CERT_FILE"), trusted)
	if err != nil {
		return nil, undo, err
	}
	return append(env, "SSL_CERT_FILE="+file), func() { _ = os.RemoveAll(filepath.Dir(file)) }, nil
}

// trustedPEM is the certificate that the provider is to trust: the authority of the configuration, or the leaf that its pin proves.
func trustedPEM(ctx context.Context, c *config.Cluster) ([]byte, error) {
	if c.CAFile != "" {
		data, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fault.Wrap(fault.Config, err, "the authority's certificate cannot be read")
		}
		return data, nil
	}
	u, err := url.Parse(c.Endpoints[0])
	if err != nil {
		return nil, fault.Wrap(fault.Config, err, "the endpoint is no address")
	}
	var leaf []byte
	d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, //nolint:gosec // the pin is checked in its place
		VerifyConnection: func(s tls.ConnectionState) error {
			leaf = s.PeerCertificates[0].Raw
			sum := sha256.Sum256(leaf)
			if !slices.ContainsFunc(c.Fingerprints, func(f string) bool {
				return strings.EqualFold(strings.ReplaceAll(f, ":", ""), hex.EncodeToString(sum[:]))
			}) {
				return errors.New("it has none of the pinned fingerprints")
			}
			return nil
		}}}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		code := fault.Unreachable
		if leaf != nil {
			code = fault.Untrusted
		}
		return nil, fault.Wrap(code, err, "the certificate of %s cannot be had", u.Host)
	}
	_ = conn.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}), nil
}

// dialLimit is how long a node has for its handshake.
const dialLimit = 10 * time.Second

// systemRoots are where systems keep the authorities that they trust, in Go's own order (crypto/x509).
var systemRoots = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"}

// bundle writes a certificate behind those that the system trusts, which the registry of providers still needs.
func bundle(own string, trusted []byte) (string, error) {
	var all []byte
	for _, f := range append([]string{own}, systemRoots...) {
		if data, err := os.ReadFile(f); f != "" && err == nil {
			all = data
			break
		}
	}
	dir, err := os.MkdirTemp("", "proxmox-mcp-trust-")
	if err != nil {
		return "", fault.Wrap(fault.Store, err, "there is no place for the certificates")
	}
	file := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(file, bytes.Join([][]byte{all, trusted}, []byte("\n")), 0o600); err != nil { //nolint:gosec // a folder that was made just now
		return "", fault.Wrap(fault.Store, err, "the certificates cannot be written")
	}
	return file, nil
}
