// Package redact keeps secrets out of everything that leaves the client: by field for the configurations of Proxmox VE, then by
// pattern for free text (facts: security.md S13, faults.md 8.14).
package redact

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// Mask stands for a secret that is set. It is the mask that Proxmox VE itself uses in GET config (recording 02, guest 100).
const Mask = "**********"

// Secret is a value that prints as a mask whatever prints it; only Reveal gives it away. The zero Secret is not set.
type Secret struct {
	// A pointer, because fmt prints unexported fields of other structs without asking their methods: it shows an address then.
	v *string
}

// NewSecret wraps s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal returns the value, for the one place that sends it; "" when there is none.
func (s Secret) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// IsSet says whether there is a value.
func (s Secret) IsSet() bool { return s.v != nil }

// Format implements fmt.Formatter with a mask: verbs that String does not cover (%d) would show the parts.
func (s Secret) Format(f fmt.State, verb rune) {
	mask := s.String()
	if verb == 'v' && f.Flag('#') {
		mask = s.GoString()
	}
	_, _ = io.WriteString(f, mask)
}

// String implements fmt.Stringer with a mask.
func (s Secret) String() string { return "***" }

// GoString implements fmt.GoStringer with a mask (%#v).
func (s Secret) GoString() string { return "redact.Secret(***)" }

// MarshalText implements encoding.TextMarshaler with a mask: JSON, YAML and slog go through it.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// LogValue implements slog.LogValuer with a mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// secretKeys are the fields of Proxmox VE answers that hold a secret, whatever object they are in (schema: expose_credentials, and
// the write parameters of the same names).
var secretKeys = map[string]bool{
	"cipassword": true, "password": true, "secret": true, "token": true, "private-key": true, "privkey": true,
	"encryption-key": true, "ticket": true, "csrfpreventiontoken": true, "crypt-key": true, "authsecret": true,
	"keyring": true, "client-key": true, "bind_password": true, "otp": true,
}

// IsSecretKey says that a field of this name holds a secret.
func IsSecretKey(key string) bool { return secretKeys[strings.ToLower(key)] }

// Fields masks secrets in a decoded JSON value, in place, at every depth, and returns it. Strings are also searched by pattern.
func Fields(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			if IsSecretKey(k) {
				if e != nil && e != "" { // a secret that is not set stays so
					x[k] = Mask
				}
				continue
			}
			x[k] = Fields(e)
		}
	case []any:
		for i := range x {
			x[i] = Fields(x[i])
		}
	case string:
		return Text(x)
	}
	return v
}

const (
	uuid = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	// value is what stands behind password= in a line: a quoted text, or all up to a separator.
	value = `(?:(")(?:[^"\\\n]|\\.)+("?)|(')[^'\n]+('?)|[^\s,;&"']+)`
	// masked keeps what stands before a value and the quotes around it.
	masked = "${1}${2}${4}" + Mask + "${3}${5}"
)

var patterns = []struct {
	re   func() *regexp.Regexp
	with string
}{
	{lazy.Regexp(`(PVEAPIToken[= ][^!\s]+![^=\s]+[= ])[^\s"']+`), "${1}" + Mask},
	// user@realm!tokenid=uuid on its own, as in a configuration file. A UPID has no uuid behind its token's name.
	{lazy.Regexp(`(@[A-Za-z][\w.-]*![A-Za-z][\w.-]*["']?\s*[=:]\s*["']?)(?i:` + uuid + `)`), "${1}" + Mask},
	// Tickets: PVE:user@realm:HEX::sig of a login, PVEVNC:HEX::sig of a console; percent-encoded as they stand in a cookie.
	{lazy.Regexp(`PVE[A-Z]*(?::|%3A)(?:[^\s:"']+?(?::|%3A))?[0-9A-Fa-f]{8}(?:::|%3A%3A)[^\s"';,]+`), Mask},
	{lazy.Regexp(`(?i)(PVEAuthCookie=|CSRFPreventionToken["']?\s*[=:]\s*["']?)[^\s"';,]+`), "${1}" + Mask},
	{lazy.Regexp(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)`), Mask},
	{lazy.Regexp(`(?i)([\w.-]*(?:passw(?:or)?d|passphrase)["']?[ \t]*[=:][ \t]*)` + value), masked},
	// "secret:NAME" without a blank is a reference to a secret (DESIGN §2), not one.
	{lazy.Regexp(`(?i)(\b[\w.-]*secret(?:["']?[ \t]*=[ \t]*|["'][ \t]*:[ \t]*|:[ \t]+))` + value), masked},
	// Tokens of our own HTTP door (server/auth).
	{lazy.Regexp(`pmcp_[A-Za-z0-9_-]{16,}`), Mask},
	{lazy.Regexp(`(://[^/\s:@]*:)[^/\s@?#]+@`), "${1}" + Mask + "@"},
}

// suspicious is a cheap test before the patterns: most strings hold none of these.
func suspicious(s string) bool {
	if len(s) < 8 {
		return false
	}
	l := strings.ToLower(s)
	for _, w := range []string{"pve:", "pvevnc", "%3a", "cookie", "!", "token", "-----begin", "passw", "passphrase", "secret", "pmcp_", "://"} {
		if strings.Contains(l, w) {
			return true
		}
	}
	return false
}

// Text masks what looks like a secret in free text: API tokens, tickets, private keys, key=value passwords, URL credentials.
func Text(s string) string {
	if !suspicious(s) {
		return s
	}
	for _, p := range patterns {
		s = p.re().ReplaceAllString(s, p.with)
	}
	return s
}
