package config

import (
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// defaultPort is where pveproxy listens.
const defaultPort = "8006"

var (
	clusterName = lazy.Regexp(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	hostLabel   = lazy.Regexp(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	// Grammar of the schema's parameters userid (user@realm), realm and tokenid.
	userName  = lazy.Regexp(`^[^\s:/@!]+$`)
	realmName = lazy.Regexp(`^[A-Za-z][A-Za-z0-9._-]+$`)
	tokenName = lazy.Regexp(`^[A-Za-z][A-Za-z0-9._-]+$`)
	tokenUUID = lazy.Regexp(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// ParseEndpoint checks the address of a node and gives it as https://host:port (port 8006 where none is written). The error names
// the rule that is broken and never shows s.
func ParseEndpoint(s string) (string, error) {
	out, wrong := endpoint(s)
	if wrong != "" {
		return "", fault.BadField("endpoint", wrong, "https://pve1.example.org:8006")
	}
	return out, nil
}

// ParseToken checks an API token user@realm!tokenid=uuid and gives its public part user@realm!tokenid. The error says which part is
// malformed and shows none of it.
func ParseToken(s string) (id string, err error) {
	if wrong := tokenForm(s); wrong != "" {
		return "", fault.BadField("token", wrong, "mcp@pve!agent=xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
	}
	return tokenID(s), nil
}

// ParseFingerprint checks a SHA-256 fingerprint and gives it as Proxmox VE writes it: 32 upper-case pairs with colons.
func ParseFingerprint(s string) (string, error) {
	out, wrong := fingerprint(s)
	if wrong != "" {
		return "", fault.BadField("fingerprint", wrong, "AA:BB:.. with 32 pairs")
	}
	return out, nil
}

// ParseName checks a cluster's name.
func ParseName(s string) error {
	if !clusterName().MatchString(s) {
		return fault.BadField("name", nameRule, "home")
	}
	return nil
}

const nameRule = "must be 1 to 32 small letters, digits and inner dashes"

// endpoint gives the canonical form of an address, or what is wrong with it.
func endpoint(s string) (out, wrong string) {
	scheme, rest, found := strings.Cut(strings.TrimSpace(s), "://")
	switch {
	case s == "":
		return "", "is empty"
	case !found:
		return "", "https:// is missing; write it as https://pve1.example.org:8006"
	case strings.EqualFold(scheme, "http"):
		return "", "http is refused: Proxmox VE answers over HTTPS only, and a token would travel in clear; write https://"
	case !strings.EqualFold(scheme, "https"):
		return "", "only https:// addresses are taken"
	}
	authority, path, _ := strings.Cut(rest, "/")
	switch {
	case strings.Contains(authority, "@"):
		return "", "user and password do not belong in the address; use token, or username and password"
	case path != "" || strings.ContainsAny(authority, "?#\\"):
		return "", "nothing may follow the port; leave out /api2/json and the like"
	case !strings.HasPrefix(authority, "[") && strings.Count(authority, ":") > 1:
		return "", "an IPv6 address is written in brackets: https://[2001:db8::1]:8006"
	}
	u, err := url.Parse("https://" + authority)
	if err != nil {
		return "", "is not an address of the form https://host:port"
	}
	host, wrong := hostForm(u.Hostname(), strings.HasPrefix(authority, "["))
	if wrong != "" {
		return "", wrong
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", "the port must be 1 to 65535"
	}
	return "https://" + net.JoinHostPort(host, port), ""
}

// hostForm checks a host name or address (facts: features.md section 8, at most 253 characters).
func hostForm(host string, bracketed bool) (out, wrong string) {
	if bracketed {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", "what stands in brackets is not an IPv6 address (zones such as %eth0 are not taken)"
		}
		return ip.String(), ""
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String(), ""
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	if name == "" || len(name) > 253 {
		return "", "the host must have 1 to 253 characters"
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if !hostLabel().MatchString(l) {
			return "", "the host is neither an address nor a host name"
		}
	}
	if _, err := strconv.Atoi(labels[len(labels)-1]); err == nil {
		return "", "the host looks like an IPv4 address but is none"
	}
	return name, ""
}

// tokenForm says which part of an API token is malformed, "" when none is. Upper-case uuids and the PVEAPIToken= prefix are
// refused because Proxmox VE refuses them (facts: pve-api.md 20).
func tokenForm(s string) string {
	if strings.HasPrefix(s, "PVEAPIToken") {
		return "leave out PVEAPIToken=; " + tokenShape
	}
	id, secret, hasSecret := strings.Cut(s, "=")
	user, name, hasName := strings.Cut(id, "!")
	switch {
	case !hasName:
		return "the !tokenid part is missing; " + tokenShape
	case userForm(user) != "":
		return "the part before ! is not user@realm; " + tokenShape
	case !tokenName().MatchString(name):
		return "the token id (between ! and =) is malformed; " + tokenShape
	case !hasSecret:
		return "the =uuid part is missing: the secret that Proxmox VE showed once when the token was made; " + tokenShape
	case !tokenUUID().MatchString(secret):
		return "the secret after = is not a UUID in small letters; " + tokenShape
	}
	return ""
}

const tokenShape = "the form is user@realm!tokenid=uuid"

// tokenID is the public part of a token.
func tokenID(s string) string {
	id, _, _ := strings.Cut(s, "=")
	return id
}

// userForm says what is wrong with user@realm.
func userForm(s string) string {
	i := strings.LastIndex(s, "@")
	if i < 0 {
		return "the @realm part is missing; write root@pam or name@pve"
	}
	if !userName().MatchString(s[:i]) || !realmName().MatchString(s[i+1:]) {
		return "must be user@realm, such as root@pam or name@pve"
	}
	return ""
}

// fingerprint gives the canonical form of a SHA-256 fingerprint, or what is wrong with it.
func fingerprint(s string) (out, wrong string) {
	digits := strings.ReplaceAll(strings.TrimSpace(s), ":", "")
	raw, err := hex.DecodeString(digits)
	switch {
	case err != nil:
		return "", "must be hexadecimal pairs, AA:BB:.."
	case len(raw) == 20:
		return "", "has 20 pairs: that is a SHA-1 fingerprint; the SHA-256 one has 32"
	case len(raw) != 32:
		return "", "must have 32 hexadecimal pairs (SHA-256)"
	}
	return FormatFingerprint(raw), ""
}

// FormatFingerprint writes a SHA-256 sum as Proxmox VE shows it: AA:BB:.. .
func FormatFingerprint(sum []byte) string {
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(pairs, ":")
}
