package proxmox

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// ClusterConfig says how to reach one cluster and as whom. Either Token or Username with Password is set.
type ClusterConfig struct {
	Name         string        // how this project calls the cluster
	Endpoints    []string      // "https://host:8006", "host" (port 8006), "host:port"; IPv6 literals with or without brackets
	Token        redact.Secret // user@realm!id=uuid
	Username     string        // user@realm
	Password     redact.Secret
	Fingerprints []string // SHA-256 of leaf certificates, hexadecimal with or without colons; when set they are the only trust
	CAFile       string   // PEM file; trusted instead of the system's authorities
	Insecure     bool     // trust any certificate
	ReadOnly     bool     // no request other than GET leaves this client (our own login excepted)
}

// pveproxy listens on this port and on no other (pve-manager, PVE/Service/pveproxy.pm).
const defaultPort = "8006"

var (
	tokenForm = lazy.Regexp(`^([^\s!:/=]+@[A-Za-z][A-Za-z0-9._-]*![A-Za-z][A-Za-z0-9._-]*)=[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	userForm  = lazy.Regexp(`^[^\s:/]+@[A-Za-z][A-Za-z0-9._-]*$`)
)

// settings is a checked ClusterConfig.
type settings struct {
	ClusterConfig
	hosts   []string // host:port
	pins    []string // AA:BB:..
	roots   *x509.CertPool
	tokenID string // user@realm!id, safe to show
}

// check validates everything and reports all problems in one error.
func (cfg ClusterConfig) check() (*settings, error) {
	s := &settings{ClusterConfig: cfg}
	var problems []string
	add := func(err error) {
		if err != nil {
			problems = append(problems, err.Error())
		}
	}
	if cfg.Name == "" {
		s.Name = "default"
	}
	if len(cfg.Endpoints) == 0 {
		add(errors.New("endpoint: none given; example https://192.0.2.10:8006"))
	}
	for _, e := range cfg.Endpoints {
		host, err := ParseEndpoint(e)
		add(err)
		s.hosts = append(s.hosts, host)
	}
	add(s.checkCredentials())
	for _, f := range cfg.Fingerprints {
		pin, err := ParseFingerprint(f)
		add(err)
		s.pins = append(s.pins, pin)
	}
	add(s.loadCA())
	if len(problems) > 0 {
		return nil, fault.New(fault.Config, "cluster %q is not configured right: %s", s.Name, strings.Join(problems, "; "))
	}
	return s, nil
}

func (s *settings) checkCredentials() error {
	switch token, password := s.Token.IsSet(), s.Username != "" || s.Password.IsSet(); {
	case token && password:
		return errors.New("credentials: an API token and a password login are both given; keep one")
	case !token && !password:
		return errors.New("credentials: none given; example of an API token: agent@pve!mcp=<uuid>")
	case token:
		m := tokenForm().FindStringSubmatch(strings.TrimSpace(s.Token.Reveal()))
		if m == nil {
			return errors.New("token: must look like user@realm!id=xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx (the value is not shown)")
		}
		s.Token, s.tokenID = redact.NewSecret(strings.TrimSpace(s.Token.Reveal())), m[1]
		return nil
	case !userForm().MatchString(s.Username):
		return fmt.Errorf("username: %q must look like root@pam", s.Username)
	case !s.Password.IsSet():
		return errors.New("password: none given for the username")
	}
	return nil
}

func (s *settings) loadCA() error {
	if s.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return fmt.Errorf("ca_file: %w", err)
	}
	s.roots = x509.NewCertPool()
	if !s.roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca_file: %s holds no PEM certificate", s.CAFile)
	}
	return nil
}

// ParseEndpoint turns an endpoint as people write it into host:port. Without a port it is 8006, pveproxy's only one; a reverse proxy
// on 443 has to be written with its port. Only https, no userinfo, no path but "/" or "/api2/json".
func ParseEndpoint(s string) (string, error) {
	s = strings.TrimSpace(s)
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("endpoint: %s; example https://192.0.2.10:8006", why)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) || s == "" {
		return bad("empty, or with blanks inside")
	}
	if !strings.Contains(s, "://") {
		return parseHostPort(s, defaultPort)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return bad("not a URL")
	case u.User != nil: // first, so that no message below shows a password
		return bad("credentials do not belong into the URL")
	case u.Scheme != "https":
		return bad(fmt.Sprintf("%q is not https", u.Scheme))
	case u.RawQuery != "" || u.Fragment != "":
		return bad("no query or fragment is allowed")
	case strings.TrimSuffix(u.Path, "/") != "" && strings.TrimSuffix(u.Path, "/") != "/api2/json":
		return bad(fmt.Sprintf("the path %q is not allowed", u.Path))
	}
	return parseHostPort(u.Host, defaultPort)
}

func parseHostPort(s, port string) (string, error) {
	host := s
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		if addr.Zone() != "" {
			return "", fmt.Errorf("endpoint: %.80q has an IPv6 zone, which is not supported; give a global address or a name", s)
		}
		return net.JoinHostPort(addr.String(), port), nil
	}
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("endpoint: %.80q has no valid port; example https://192.0.2.10:8006", s)
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		return net.JoinHostPort(addr.String(), port), nil
	}
	if !hostForm().MatchString(host) {
		return "", fmt.Errorf("endpoint: %.80q is no host name or address; example https://192.0.2.10:8006", s)
	}
	return net.JoinHostPort(strings.ToLower(host), port), nil
}

// hostForm: letters, digits, dots, hyphens; a zone or anything else that a request line could choke on is refused.
var hostForm = lazy.Regexp(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)

// ParseFingerprint normalises a SHA-256 fingerprint to the form that Proxmox VE shows: AA:BB:.. in capitals.
func ParseFingerprint(s string) (string, error) {
	s = strings.TrimSpace(s)
	raw, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(raw) != 32 {
		return "", fmt.Errorf("fingerprint: %.100q is not a SHA-256 fingerprint (32 bytes in hexadecimal, AA:BB:...)", s)
	}
	return formatFingerprint(raw), nil
}

func formatFingerprint(sum []byte) string {
	var b strings.Builder
	for i, c := range sum {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", c)
	}
	return b.String()
}
